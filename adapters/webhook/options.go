package webhook

import (
	"time"

	"sidestream/adapters"
	"sidestream/adapters/tlsfiles"
	"sidestream/adapters/webhook/verify"
)

// Options are what a route may configure under its key "webhook".
type Options struct {
	// Ingest is the path at which events come in, in the form of the route's
	// own path. It has exactly the variables by which the route tells its
	// streams apart: a request's events are for the stream with its values.
	// Empty means the route's own path, where a GET is a client and a POST
	// brings an event.
	Ingest string `yaml:"ingest"`

	// Methods are those of the requests that bring events: POST, PUT or
	// PATCH. The default is POST.
	Methods []Method `yaml:"methods"`

	// Listen is a listener for events only. Without one they come in where
	// clients do.
	Listen Listen `yaml:"listen"`

	// Verify says how it is made sure that a request comes from whom it is
	// expected from.
	Verify verify.Options `yaml:"verify"`

	// MaxBody bounds a request's body, both as it is sent and decompressed, up
	// to 1GiB. A larger one is answered 413. The default is 1MiB.
	MaxBody adapters.Size `yaml:"max_body"`

	// Timeout bounds the time that a sender takes for the body, from 100ms to
	// 5m. A slower one is answered 408. The default is 10s.
	Timeout adapters.Duration `yaml:"timeout"`

	// AcceptTimeout bounds the time until the events of a request are where
	// clients get them from, from 100ms to 5m. After that the sender is
	// answered 503 and is to send them again. The default is 5s, since many
	// senders wait no longer than 10s.
	AcceptTimeout adapters.Duration `yaml:"accept_timeout"`

	// Pending is what may wait. What comes when it is full is answered 429.
	Pending Pending `yaml:"pending"`

	// ContentTypes are the media types that are taken, such as
	// application/json or text/*. Others, and requests that name none, are
	// answered 415. Empty means that any will do.
	ContentTypes []string `yaml:"content_types"`

	// Format says what a body is. The default is auto.
	Format Format `yaml:"format"`

	// Type is the type of all events.
	Type string `yaml:"type"`

	// TypeHeader is a header that has an event's type. Without it, or where a
	// request lacks it, the type is what the provider that Verify knows calls
	// it, otherwise that of the CloudEvent, otherwise none.
	TypeHeader string `yaml:"type_header"`

	// Dedupe says for how long an event's id is remembered: that of the
	// provider's delivery, or source and id of a CloudEvent. An event that
	// comes once more is answered as the first was, and delivered once.
	Dedupe Dedupe `yaml:"dedupe"`

	// CloudEvents says what is made of CloudEvents 1.0.
	CloudEvents CloudEvents `yaml:"cloudevents"`
}

// Method is one of a request that brings events.
type Method string

const (
	methodPost  Method = "POST"
	methodPut   Method = "PUT"
	methodPatch Method = "PATCH"
)

// Values implements [adapters.Choice].
func (Method) Values() []string {
	return []string{string(methodPost), string(methodPut), string(methodPatch)}
}

// Listen is a listener for events only.
type Listen struct {
	// Address is its TCP address, host:port or :port. Empty means that there
	// is none.
	Address string `yaml:"address"`

	// TLS is how its connections are secured. Files are looked at again for
	// each connection.
	TLS tlsfiles.ServerOptions `yaml:"tls"`
}

// Pending is what may wait to be taken.
type Pending struct {
	// Events may wait for the feed of one stream, up to a million. The events
	// of one request are taken if nothing else waits, however many they are.
	// With a durable history its own bounds hold instead. The default is 10000.
	Events int `yaml:"events"`

	// Bytes of bodies may be held for the route, of requests that are being
	// read or wait. A body is read if it is the only one, whatever its size.
	// The default is 64MiB.
	Bytes adapters.Size `yaml:"bytes"`
}

// Format says what a body is.
type Format string

const (
	formatAuto  Format = "auto"  // what its content type says: json, form, text, and bytes for all else
	formatJSON  Format = "json"  // JSON, passed on as it is
	formatForm  Format = "form"  // a form's fields (x-www-form-urlencoded); they become a JSON object
	formatText  Format = "text"  // text, in the charset of its content type
	formatBytes Format = "bytes" // passed on as it is; the route says how it is to be encoded if it isn't text
)

// Values implements [adapters.Choice].
func (Format) Values() []string {
	return []string{string(formatAuto), string(formatJSON), string(formatForm), string(formatText), string(formatBytes)}
}

// Dedupe says which events are known to have come before.
type Dedupe struct {
	// Window is for how long an event is remembered. 0 means not at all. The
	// default is 10m.
	Window adapters.Duration `yaml:"window"`

	// Entries are how many events of the route are remembered, up to ten
	// million, of which each takes about 150 bytes. The oldest are forgotten
	// first. The default is 100000.
	Entries int `yaml:"entries"`
}

// CloudEvents says what is made of CloudEvents 1.0.
type CloudEvents struct {
	// Mode says whether requests are CloudEvents. The default is auto.
	Mode Mode `yaml:"mode"`

	// MaxBatch is how many events a batch may have, up to a million. A larger
	// one is answered 413. The default is 1000.
	MaxBatch int `yaml:"max_batch"`

	// AllowedOrigins are the senders that are told, when they ask by an
	// OPTIONS request, that they may send events here: names such as
	// eventgrid.azure.net, or "*" for all. It protects others from being sent
	// what they never asked for, and proves nothing about who sends. Without
	// any, OPTIONS requests aren't answered here.
	AllowedOrigins []string `yaml:"allowed_origins"`

	// AllowedRate is how many requests a minute those senders may make, up to
	// a million. It is what they are told, not a limit. 0, the default, means
	// as many as they like.
	AllowedRate int `yaml:"allowed_rate"`
}

// Mode says whether requests are CloudEvents.
type Mode string

const (
	modeAuto    Mode = "auto"    // those that say so are
	modeRequire Mode = "require" // all have to be; others are answered 415
	modeOff     Mode = "off"     // none is; they are bodies like others
)

// Values implements [adapters.Choice].
func (Mode) Values() []string {
	return []string{string(modeAuto), string(modeRequire), string(modeOff)}
}

func defaults() Options {
	return Options{
		Methods:       []Method{methodPost},
		Listen:        Listen{TLS: tlsfiles.ServerDefaults()},
		MaxBody:       1 << 20,
		Timeout:       adapters.Duration(10 * time.Second),
		AcceptTimeout: adapters.Duration(5 * time.Second),
		Pending:       Pending{Events: 10_000, Bytes: 64 << 20},
		Format:        formatAuto,
		Dedupe:        Dedupe{Window: adapters.Duration(10 * time.Minute), Entries: 100_000},
		CloudEvents:   CloudEvents{Mode: modeAuto, MaxBatch: 1000},
	}
}
