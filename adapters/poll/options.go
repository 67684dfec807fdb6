package poll

import (
	"time"

	"sidestream/adapters"
	"sidestream/adapters/httpclient"
	"sidestream/adapters/poll/pace"
	"sidestream/adapters/poll/payload"
)

// Options are what a route may configure under its key "poll".
//
// Expressions are in jq. Those about an answer are given its document as
// ".", and $vars, $cursor, $status and $headers (of the first page's answer,
// by their canonical names).
type Options struct {
	// URL is what is polled. Empty means the upstream followed by the
	// route's path, with those of the route's query parameters that the
	// request has: the very URL that was asked for.
	//
	// A URL may hold the route's variables in its path and in the values of
	// its query: "{name}" stands for one segment, part of a segment, or
	// (part of) a value, and "{name...}", as the last segment, for all that
	// remain. A query pair is left out if the request doesn't have its
	// variable. A URL that starts with "/" goes under the upstream's own.
	// "{cursor}" stands for the cursor, see there.
	URL string `yaml:"url"`

	// Method is that of the requests: GET, POST, or another one that an API
	// wants for what is, in effect, reading.
	Method string `yaml:"method"`

	// Query are pairs to add to the URL's query. Their values may hold
	// variables, as the URL's may.
	Query map[string]string `yaml:"query"`

	// Body is an expression for the body of the requests, given $vars and
	// $cursor: text is sent as it is, anything else as JSON. Empty: none.
	Body string `yaml:"body"`

	// Timeout bounds one request from its start to the last byte of the
	// answer's body, redirects included.
	Timeout adapters.Duration `yaml:"timeout"`

	// Client are headers, credentials, TLS, proxy and redirects.
	Client httpclient.Options `yaml:",inline"`

	// Forward names headers of the clients' requests that are sent along,
	// such as Authorization and Cookie. There is then one poll for each set
	// of their values, which serves nobody else, and a 401 or 403 of the API
	// ends the streams that it answers.
	Forward []string `yaml:"forward"`

	// Every is the interval between the starts of two polls, from 10ms to a
	// year: a duration, or {min, max} for one that grows from min to max
	// while nothing changes.
	Every pace.Every `yaml:"every"`

	// Jitter spreads the polls of many sources and replicas: each interval
	// is Every, plus or minus a random part of up to Jitter × Every, and
	// never below 10ms. From 0 to 1.
	Jitter adapters.Fraction `yaml:"jitter"`

	// LongPoll is for an API that holds a request until it has news: the
	// next request follows at once, except after an answer that had none and
	// came in less than a second. Timeout has to be longer than the API holds
	// a request.
	LongPoll bool `yaml:"long_poll"`

	// Always polls for as long as the route is served, and not only while
	// somebody listens. The route can't have variables.
	Always bool `yaml:"always"`

	// Budget bounds the requests to the URL's host, over all routes; of
	// several routes' budgets for one host the strictest holds. A request
	// that the API holds counts until it is sent.
	Budget pace.Limits `yaml:"budget"`

	// Answer is how answers are read.
	Answer payload.Options `yaml:",inline"`

	// Select is an expression that makes the document of what was answered.
	// One that yields nothing leaves everything as it is.
	Select string `yaml:"select"`

	// Emit says what becomes an event.
	Emit Emit `yaml:"emit"`

	// Type is the type of the events of snapshot and raw. Empty means the
	// default, "message".
	Type string `yaml:"type"`

	// Ignore lists what doesn't count as a change: JSON Pointers (RFC 6901),
	// in which "*" stands for any member or index, and expressions, which
	// yield the document without what is to be ignored. It is delivered
	// along with other changes. With items, it concerns each item.
	Ignore []string `yaml:"ignore"`

	// ArrayKeys names, for arrays of objects, the member that tells their
	// elements apart, by the JSON Pointer of the array, in which "*" stands
	// for any member or index. Patches then insert, remove and move.
	ArrayKeys map[string]string `yaml:"array_keys"`

	// MaxPatch is how large a change may be, as a part of the whole
	// document, up to 1. In place of a larger one the document is sent.
	MaxPatch adapters.Fraction `yaml:"max_patch"`

	Items Items `yaml:"items"`

	Cursor Cursor `yaml:"cursor"`

	Pages Pages `yaml:"pages"`

	// ExpressionTimeout bounds one expression on one answer, or one item.
	ExpressionTimeout adapters.Duration `yaml:"expression_timeout"`
}

// Items say what the items of a document are, for the emits "items" and
// "append".
type Items struct {
	// Each yields the items of the document.
	Each string `yaml:"each"`

	// Key yields what tells an item from the others: text or a number.
	Key string `yaml:"key"`

	// Type yields the type of an item's event. Empty: "upsert" for items, no
	// type for append.
	Type string `yaml:"type"`

	// Data yields what is sent of an item: text as it is (in a snapshot, as
	// JSON), anything else as JSON.
	Data string `yaml:"data"`

	// Max is how many items a document may have.
	Max int `yaml:"max"`

	// Order is that of append's list.
	Order Order `yaml:"order"`

	// Start says what append starts with.
	Start Start `yaml:"start"`

	// Remember is how many of the newest items append remembers, by key, so
	// as not to deliver them twice.
	Remember int `yaml:"remember"`
}

// Cursor is for APIs that tell what is new since a place. In YAML it is a
// mapping, or just the expression.
type Cursor struct {
	// Next yields the cursor, text or a number, of an answer; null leaves it
	// as it was. The next request has it as {cursor} in the URL and the
	// query, and as $cursor in its body.
	Next string `yaml:"next"`

	// Start is the cursor of the first request. Empty: none.
	Start string `yaml:"start"`
}

// Scalar implements [adapters.Shorthand].
func (Cursor) Scalar() any { return "" }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (c *Cursor) UnmarshalText(text []byte) error {
	c.Next = string(text)
	return nil
}

// Pages is for APIs that give a list in pages. Each of them, after Select,
// has to be an array; the document is all of them joined.
type Pages struct {
	// Next is "link", for the next page's URL in the header Link with
	// rel=next (RFC 8288), or an expression that yields that URL, or, if
	// there is Param, its value. Null is the end. The URL has to be of the
	// same scheme and host.
	Next string `yaml:"next"`

	// Param is the query parameter that says which page is asked for.
	// Without Next it counts, from First and by Step, until a page is empty.
	Param string `yaml:"param"`
	First int    `yaml:"first"`
	Step  int    `yaml:"step"`

	// Max is how many pages one poll asks for. More are an error, unless a
	// list goes on from there by its cursor, or begins with the newest item.
	Max int `yaml:"max"`
}

// Emit says what becomes an event.
type Emit string

const (
	emitSnapshot Emit = "snapshot" // the whole document, each time that it has changed
	emitPatch    Emit = "patch"    // an event "snapshot" first, then "patch" with JSON Patches (RFC 6902)
	emitMerge    Emit = "merge"    // an event "snapshot" first, then "merge" with JSON Merge Patches (RFC 7396)
	emitItems    Emit = "items"    // a collection: an event "snapshot" with [[key, item], …] first, then "upsert" with an item and "delete" with {"key": …}
	emitAppend   Emit = "append"   // a list to which items are added: one event for each item, once
	emitRaw      Emit = "raw"      // the body as it came, each time that a byte of it differs
)

// Values implements [adapters.Choice].
func (Emit) Values() []string {
	return []string{
		string(emitSnapshot), string(emitPatch), string(emitMerge),
		string(emitItems), string(emitAppend), string(emitRaw),
	}
}

// Types of events.
const (
	typeSnapshot = "snapshot"
	typePatch    = "patch"
	typeMerge    = "merge"
	typeUpsert   = "upsert"
	typeDelete   = "delete"
)

// Order is that of a list.
type Order string

const (
	oldestFirst Order = "oldest_first"
	newestFirst Order = "newest_first"
)

// Values implements [adapters.Choice].
func (Order) Values() []string { return []string{string(oldestFirst), string(newestFirst)} }

// Start says what a list starts with.
type Start string

const (
	startLive Start = "live" // what is added from then on
	startAll  Start = "all"  // what is there
)

// Values implements [adapters.Choice].
func (Start) Values() []string { return []string{string(startLive), string(startAll)} }

// nextLink is the value of Pages.Next for the header Link.
const nextLink = "link"

func defaults() Options {
	every := 5 * time.Second
	return Options{
		Method:   "GET",
		Timeout:  adapters.Duration(10 * time.Second),
		Client:   httpclient.Defaults(),
		Every:    pace.Every{Min: adapters.Duration(every), Max: adapters.Duration(every)},
		Jitter:   0.1,
		Budget:   pace.Limits{InFlight: 20},
		Answer:   payload.Defaults(),
		Emit:     emitSnapshot,
		MaxPatch: 1,
		Items:    Items{Each: ".[]", Data: ".", Max: 10_000, Order: oldestFirst, Start: startLive, Remember: 10_000},
		Pages:    Pages{First: 1, Step: 1, Max: 10},

		ExpressionTimeout: adapters.Duration(5 * time.Second),
	}
}
