package poll

import (
	"time"

	"sidestream/adapters"
)

// The bounds of options.
const (
	minEvery   = 10 * time.Millisecond
	maxEvery   = 365 * 24 * time.Hour
	maxMaxBody = 1 << 30
)

// Options are what a route may configure under its key "poll".
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
	URL string `yaml:"url"`

	// Every is the interval between the starts of two polls, from 10ms
	// to a year.
	Every adapters.Duration `yaml:"every"`

	// Jitter spreads the polls of many sources and replicas: each interval
	// is Every, plus or minus a random part of up to Jitter × Every, and
	// never below 10ms. From 0 to 1.
	Jitter float64 `yaml:"jitter"`

	// Timeout bounds one poll from its start to the last byte of the body,
	// redirects included.
	Timeout adapters.Duration `yaml:"timeout"`

	// MaxBody is the largest body that is accepted, once decompressed; at
	// most 1GiB.
	MaxBody adapters.Size `yaml:"max_body"`

	// Emit says what becomes an event: "snapshot", the whole document each
	// time that it has changed.
	Emit string `yaml:"emit"`

	// Body says what the upstream answers with:
	//
	//   - "json": JSON, whatever its Content-Type says.
	//   - "text": text in UTF-8, delivered as it comes.
	//   - "bytes": anything, delivered as it comes.
	//   - "auto": JSON if the Content-Type is application/json, text/json or
	//     ends in +json. Under another text type or none, as many a legacy
	//     API has it, an object or an array that parses is JSON too. All
	//     else is delivered as it comes.
	Body string `yaml:"body"`

	// Type is the type of the events. Empty means the default, "message".
	Type string `yaml:"type"`
}

// The values of Options.Body.
const (
	bodyAuto  = "auto"
	bodyJSON  = "json"
	bodyText  = "text"
	bodyBytes = "bytes"
)

// emitSnapshot is the value of Options.Emit.
const emitSnapshot = "snapshot"

func defaults() Options {
	return Options{
		Every:   adapters.Duration(5 * time.Second),
		Jitter:  0.1,
		Timeout: adapters.Duration(10 * time.Second),
		MaxBody: 10 << 20,
		Emit:    emitSnapshot,
		Body:    bodyAuto,
	}
}

// check returns an [adapters.OptionError] for each option, apart from URL,
// whose value can't be used, joined.
func (o Options) check() error {
	var c adapters.OptionErrors
	c.Refuse(time.Duration(o.Every) < minEvery, "every", "%s is too short; polls are at least %s apart", o.Every, minEvery)
	c.Refuse(time.Duration(o.Every) > maxEvery, "every", "%s is too long; polls are at most %s apart", o.Every, maxEvery)
	c.Fraction("jitter", o.Jitter)
	c.Refuse(o.Timeout <= 0, "timeout", "%s is no time at all; a poll needs a bound above 0", o.Timeout)
	c.Refuse(o.MaxBody < 1 || o.MaxBody > maxMaxBody, "max_body", "%s is out of bounds; it is from 1 byte to %s", o.MaxBody, adapters.Size(maxMaxBody))
	c.Type("type", o.Type)
	c.OneOf("emit", o.Emit, emitSnapshot)
	c.OneOf("body", o.Body, bodyAuto, bodyJSON, bodyText, bodyBytes)
	return c.Err()
}
