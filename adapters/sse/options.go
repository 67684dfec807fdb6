package sse

import (
	"time"

	"sidestream/adapters"
	"sidestream/adapters/httpclient"
)

// Options are what a route may configure under its key "sse".
type Options struct {
	// URL is the stream that is read. Empty means the upstream followed by
	// the route's path, with those of the route's query parameters that the
	// request has: the very URL that was asked for.
	//
	// A URL may hold the route's variables in its path and in the values of
	// its query: "{name}" stands for one segment, part of a segment, or
	// (part of) a value, and "{name...}", as the last segment, for all that
	// remain. A query pair is left out if the request doesn't have its
	// variable. A URL that starts with "/" goes under the upstream's own.
	URL string `yaml:"url"`

	// Query are pairs to add to the URL's query. Their values may hold
	// variables, as the URL's may.
	Query map[string]string `yaml:"query"`

	// Client are headers, credentials, TLS, proxy and redirects. Each stream
	// takes a connection for as long as it is open, or a part of one if the
	// server speaks HTTP/2, so that MaxConnections is 1000 by default.
	Client httpclient.Options `yaml:",inline"`

	// Forward names headers of the clients' requests that are sent along,
	// such as Authorization and Cookie. There is then one stream for each set
	// of their values, which serves nobody else, and a 401 or 403 of the
	// server ends it.
	Forward []string `yaml:"forward"`

	// Always reads the stream for as long as the route is served, and not
	// only while somebody listens. The route can't have variables.
	Always bool `yaml:"always"`

	// IDs says what the server's event ids are worth. The default, number,
	// is right for any server; the others are the better ones for a server
	// that resumes by Last-Event-ID, and lose events in silence with one
	// that doesn't.
	IDs IDs `yaml:"ids"`

	// LastEventIDParam is the query parameter in which a server wants the id
	// to resume from. Empty, the default, means the header Last-Event-ID.
	LastEventIDParam string `yaml:"last_event_id_param"`

	// Types gives types of the server's events other names; "message" is
	// that of events without one. At most 100.
	Types map[string]string `yaml:"types"`

	// ConnectTimeout bounds a request until the head of its answer is there,
	// redirects and tokens included. Some servers send that along with the
	// first event only. The default is 30s.
	ConnectTimeout adapters.Duration `yaml:"connect_timeout"`

	// IdleTimeout is how long the server may send nothing at all, comments
	// included, before it is taken for dead and asked anew. Set it to more
	// than the server's heartbeats are apart, and to 0, which means for ever,
	// if it has none and may have nothing to say for long. The default is 5m.
	IdleTimeout adapters.Duration `yaml:"idle_timeout"`

	// Settle is how long the server has to be silent to have delivered what
	// it had, which nothing else tells; ten times that after it was asked it
	// is taken for granted. From 1ms to 1m. The default is 500ms.
	Settle adapters.Duration `yaml:"settle"`

	// Retry is the time between the end of a response and the next request,
	// until the server's own "retry" says another. The default is 3s.
	Retry adapters.Duration `yaml:"retry"`

	// MinRetry and MaxRetry bound what the server asks for, by "retry" and
	// by Retry-After: at least 10ms, and at most an hour. The defaults are
	// 100ms and 1m.
	MinRetry adapters.Duration `yaml:"min_retry"`
	MaxRetry adapters.Duration `yaml:"max_retry"`

	// MaxEvent is the largest payload of an event, from 1 byte to 1GiB. A
	// larger one is announced as missing. The default is 1MiB.
	MaxEvent adapters.Size `yaml:"max_event"`

	// MaxLine is the longest line, up to 1GiB and 4KiB. 0, the default, means
	// 4KiB more than MaxEvent.
	MaxLine adapters.Size `yaml:"max_line"`
}

// IDs says what the ids of a server's events are worth.
type IDs string

const (
	idsNumber IDs = "number" // not known: Sidestream numbers the events, and announces a gap each time that it has to ask anew
	idsPass   IDs = "pass"   // the server resumes by Last-Event-ID: its ids are passed on, and nothing is missed when it is asked anew
	idsReplay IDs = "replay" // so does it for each client: one that comes back with an id that Sidestream no longer has is given what it missed over a connection of its own
)

// Values implements [adapters.Choice].
func (IDs) Values() []string { return []string{string(idsNumber), string(idsPass), string(idsReplay)} }

func defaults() Options {
	o := Options{
		Client:         httpclient.Defaults(),
		IDs:            idsNumber,
		ConnectTimeout: adapters.Duration(30 * time.Second),
		IdleTimeout:    adapters.Duration(5 * time.Minute),
		Settle:         adapters.Duration(500 * time.Millisecond),
		Retry:          adapters.Duration(3 * time.Second),
		MinRetry:       adapters.Duration(100 * time.Millisecond),
		MaxRetry:       adapters.Duration(time.Minute),
		MaxEvent:       1 << 20,
	}
	o.Client.MaxConnections = 1000
	return o
}
