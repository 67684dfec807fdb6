package proxy

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"sidestream/adapters"
	"sidestream/proxy/mapping"
)

// Config is a routing table that was read and checked; see [Parse].
type Config struct {
	Listen   []string // TCP addresses
	Admin    string   // TCP address of the admin listener; "off" for none
	Upstream *url.URL // where requests go that no route takes; nil for nowhere
	Limits   Limits
	Drain    Drain
	Routes   []*Route
}

// file is what stands in routes.yaml.
type file struct {
	Listen   []string `yaml:"listen"`
	Admin    string   `yaml:"admin"`
	Upstream string   `yaml:"upstream"`
	Limits   Limits   `yaml:"limits"`
	Drain    Drain    `yaml:"drain"`
	Defaults defaults `yaml:"defaults"`
	Routes   nodes    `yaml:"routes"`
}

// Limits bound what the server holds in all; a route has its own as well.
type Limits struct {
	Connections int           `yaml:"connections"`  // open ones to each address; more wait to be accepted; default 65536
	Clients     int           `yaml:"clients"`      // connected clients; default 50000
	Streams     int           `yaml:"streams"`      // open streams; default 10000
	Catchups    int           `yaml:"catchups"`     // private replays under way; default 100
	HeaderBytes adapters.Size `yaml:"header_bytes"` // of a request; default 64KiB

	// HeaderTimeout bounds reading a request's headers (default 10s), and
	// IdleTimeout how long an idle connection is kept between requests
	// (default 2m).
	HeaderTimeout adapters.Duration `yaml:"header_timeout"`
	IdleTimeout   adapters.Duration `yaml:"idle_timeout"`

	// StallTimeout bounds how long an HTTP/2 connection may take no byte or
	// leave a ping unanswered; write_timeout of routes bounds each stream on
	// it. Default 20s.
	StallTimeout adapters.Duration `yaml:"stall_timeout"`

	// Retry is how long a client that finds no room is told to wait before
	// it tries again; each gets this and up to as much again. Default 15s.
	Retry adapters.Duration `yaml:"retry"`
}

func defaultLimits() Limits {
	return Limits{
		Connections: 65_536, Clients: 50_000, Streams: 10_000, Catchups: 100, HeaderBytes: 64 << 10,
		HeaderTimeout: seconds(10), IdleTimeout: seconds(120), StallTimeout: seconds(20), Retry: seconds(15),
	}
}

// Drain is how the server leaves on SIGTERM.
type Drain struct {
	// Delay is the time between becoming not ready and closing the first
	// connection, so that load balancers notice. Default 0.
	Delay adapters.Duration `yaml:"delay"`

	// Window is the time over which connections are closed, each at a moment
	// of its own. Default 5s.
	Window adapters.Duration `yaml:"window"`

	// Timeout bounds, after that, requests that still pass through.
	// Default 10s.
	Timeout adapters.Duration `yaml:"timeout"`
}

func defaultDrain() Drain { return Drain{Window: seconds(5), Timeout: seconds(10)} }

// Route is an entry of the routing table, as configured.
type Route struct {
	Path    string
	Method  string
	Host    string
	Query   []string // request parameters that are variables
	Adapter string
	Options

	line        int
	vars        []string // all variables
	fingerprint string
	factory     adapters.Factory
	mapping     *mapping.Mapping
	upstream    *url.URL
}

// String names the route in logs and metrics: its pattern.
func (r *Route) String() string {
	name := r.Host + r.Path
	if r.Method != http.MethodGet {
		name = r.Method + " " + name
	}
	return name
}

// route is what stands under routes, besides the adapter's key.
type route struct {
	Path    string   `yaml:"path"`
	Method  string   `yaml:"method"`
	Host    string   `yaml:"host"`
	Query   []string `yaml:"query"`
	Options `yaml:",inline"`
	Rest    rest `yaml:",rest"`
}

type defaults struct {
	Options `yaml:",inline"`
	Rest    rest `yaml:",rest"`
}

// Options are how a route presents its source's events, and what it allows.
// All of them may stand under defaults.
type Options struct {
	// Upstream is the application behind this route; default: the table's.
	Upstream string `yaml:"upstream"`

	// Event are the expressions that make the route's events of the
	// source's.
	Event mapping.Spec `yaml:"event"`

	// Retry is what clients are told to wait before they reconnect.
	// Default 3s.
	Retry adapters.Duration `yaml:"retry"`

	Heartbeat Heartbeat `yaml:"heartbeat"`
	History   History   `yaml:"history"`

	// Linger is how long a stream stays open after its last client left.
	// Default 10s.
	Linger adapters.Duration `yaml:"linger"`

	// Headers are added to the response.
	Headers map[string]string `yaml:"headers"`

	// MaxAge is how long a connection may last, less up to a tenth by
	// chance; then it is closed and the client resumes. 0: for ever.
	MaxAge adapters.Duration `yaml:"max_age"`

	End End `yaml:"end"`

	// LiveMarker sends a stream.live event when a client has received what
	// was there before it came.
	LiveMarker bool `yaml:"live_marker"`

	// Slow is what becomes of a client that falls behind the history.
	Slow SlowPolicy `yaml:"slow"`

	// Encoding is utf8 (the default) or base64, for payloads that are not
	// text.
	Encoding Encoding `yaml:"encoding"`

	// Empty is sent in place of an empty payload, since some clients drop
	// events without one. Default: nothing.
	Empty string `yaml:"empty"`

	// MaxEventSize bounds an event's payload; a larger one is refused and
	// announced. Default 1MiB; many clients lose events over 64KiB.
	MaxEventSize adapters.Size `yaml:"max_event_size"`

	// WriteTimeout bounds one write to a client. Default 20s.
	WriteTimeout adapters.Duration `yaml:"write_timeout"`

	// MaxClients and MaxStreams bound the route. Default 10000 and 1000.
	MaxClients int `yaml:"max_clients"`
	MaxStreams int `yaml:"max_streams"`

	Backoff Backoff `yaml:"backoff"`
}

func defaultOptions() Options {
	return Options{
		Event:        mapping.DefaultSpec(),
		Retry:        seconds(3),
		Heartbeat:    Heartbeat{Every: seconds(15)},
		History:      History{Events: 1024, Bytes: 8 << 20, Keys: 10_000, KeyBytes: 64 << 20},
		Linger:       seconds(10),
		End:          End{ID: "-1", Event: typeEnd, Data: "{}"},
		Slow:         SlowDisconnect,
		Encoding:     EncodingUTF8,
		MaxEventSize: 1 << 20,
		WriteTimeout: seconds(20),
		MaxClients:   10_000,
		MaxStreams:   1_000,
		Backoff:      Backoff{Min: adapters.Duration(250 * time.Millisecond), Max: seconds(30)},
	}
}

func seconds(n int) adapters.Duration { return adapters.Duration(time.Duration(n) * time.Second) }

// Heartbeat is what is written when nothing else was for a while. In YAML it
// is a mapping, or just the time.
type Heartbeat struct {
	// Every is the longest silence. Default 15s; 0 is never, which leaves
	// dead connections undetected.
	Every adapters.Duration `yaml:"every"`

	// Event, if set, is the type of a real event to send; otherwise the
	// heartbeat is a comment, which JavaScript doesn't see.
	Event string `yaml:"event"`
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (h *Heartbeat) UnmarshalText(text []byte) error { return h.Every.UnmarshalText(text) }

// History bounds what a stream remembers for clients that come back.
type History struct {
	Events int               `yaml:"events"` // default 1024
	Bytes  adapters.Size     `yaml:"bytes"`  // default 8MiB
	Age    adapters.Duration `yaml:"age"`    // default 0: any
	Keys   int               `yaml:"keys"`   // keys whose newest event is kept; default 10000

	// KeyBytes bounds what is kept for keys, in addition to Bytes. Default
	// 64MiB.
	KeyBytes adapters.Size `yaml:"key_bytes"`

	// Replay is how much of it a client gets that comes for the first time:
	// none (the default), all, or a number of events.
	Replay Replay `yaml:"replay"`
}

// Replay is a number of events; -1 means all.
type Replay int

// UnmarshalText implements [encoding.TextUnmarshaler].
func (r *Replay) UnmarshalText(text []byte) error {
	switch s := string(text); s {
	case "none":
		*r = 0
	case "all":
		*r = -1
	default:
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 {
			return fmt.Errorf(`%q is not "none", "all" or a number of events`, s)
		}
		*r = Replay(n)
	}
	return nil
}

// End is the last event of a stream whose source has ended for good. A client
// that comes back with its id is answered 204 and stays away.
type End struct {
	ID    string `yaml:"id"`    // default "-1"
	Event string `yaml:"event"` // default stream.end
	Data  string `yaml:"data"`  // default {}
}

// Backoff is how long the supervisor waits before it runs a failed source
// again: a random time up to Min, which doubles with each failure up to Max.
type Backoff struct {
	Min adapters.Duration `yaml:"min"` // default 250ms
	Max adapters.Duration `yaml:"max"` // default 30s
}

// SlowPolicy is what becomes of a client that falls behind the history.
type SlowPolicy string

// The policies.
const (
	SlowDisconnect SlowPolicy = "disconnect" // close the connection; the client resumes by id
	SlowSkip       SlowPolicy = "skip"       // announce the gap and go on from the oldest event at hand
	SlowLatest     SlowPolicy = "latest"     // go on with the newest event of each key
)

// UnmarshalText implements [encoding.TextUnmarshaler].
func (p *SlowPolicy) UnmarshalText(text []byte) error {
	return oneOf(p, text, SlowDisconnect, SlowSkip, SlowLatest)
}

// Encoding is how payloads are written.
type Encoding string

// The encodings.
const (
	EncodingUTF8   Encoding = "utf8"
	EncodingBase64 Encoding = "base64" // RFC 4648 section 4, padded
)

// UnmarshalText implements [encoding.TextUnmarshaler].
func (e *Encoding) UnmarshalText(text []byte) error {
	return oneOf(e, text, EncodingUTF8, EncodingBase64)
}

func oneOf[T ~string](into *T, text []byte, valid ...T) error {
	for _, v := range valid {
		if string(text) == string(v) {
			*into = v
			return nil
		}
	}
	return fmt.Errorf("%q is not one of %q", text, valid)
}
