package proxy

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/rs/cors"

	"sidestream/adapters"
	"sidestream/proxy/mapping"
)

// Config is a routing table that was read and checked; see [Parse].
type Config struct {
	Listen   []Binding
	Admin    string   // address of the admin listener, of the form of a [Binding]'s; "off" for none
	Upstream *url.URL // where requests go that no route takes, see [adapters.Route.Upstream]; nil for nowhere
	Limits   Limits
	Drain    Drain
	Routes   []*Route

	trusted    trust
	referenced []string // what the table's references stand for
}

// file is what stands in routes.yaml.
type file struct {
	// Listen are where to serve: TCP addresses, and sockets (unix:/path).
	// Default :8080.
	Listen []Binding `yaml:"listen"`

	// Admin is the TCP address, or the socket (unix:/path), for /metrics,
	// /healthz, /readyz and /streams; "off" for none. Default 127.0.0.1:9090.
	Admin string `yaml:"admin"`

	// Upstream is the application behind, as a URL or a socket (unix:/path):
	// requests that no route takes pass through to it. Default: none; they are
	// answered 404.
	Upstream string `yaml:"upstream"`

	// TrustedProxies are the addresses and networks of proxies in front: of
	// what comes from them, X-Forwarded-For says who the client is (read from
	// the right, the first address that isn't one of them), X-Real-IP
	// becomes that address, and other X-Forwarded-* and Forwarded pass through
	// as they are: each of these proxies has to overwrite or remove what its
	// clients write there. From others these headers are
	// dropped. "private" stands for loopback and link-local addresses and
	// those of RFC 1918 and RFC 4193, "unix" for whoever connects to a Unix
	// socket. Default: none.
	TrustedProxies []Network `yaml:"trusted_proxies"`

	Limits   Limits   `yaml:"limits"`
	Drain    Drain    `yaml:"drain"`
	Defaults defaults `yaml:"defaults"`

	// History is where the events of routes are kept whose history is durable.
	// Default: an embedded NATS server, in a directory of its own.
	History stores `yaml:"history"`

	// Routes are the streams. Each has a path and names exactly one source.
	Routes nodes `yaml:"routes"`
}

func newFile() file {
	return file{
		Listen:   []Binding{{Address: ":8080"}},
		Admin:    "127.0.0.1:9090",
		Limits:   defaultLimits(),
		Drain:    defaultDrain(),
		Defaults: defaults{Options: defaultOptions()},
	}
}

// Describe returns pointers to what a routing table and a route say when
// nothing is configured. Their types, which package strictyaml decodes into,
// say what may stand there. In place of the field for the rest, defaults may
// have the keys of all adapters, and a route has that of one.
func Describe() (table, route any) {
	f := newFile()
	return &f, newRoute(f.Defaults.Options)
}

// Limits bound what the server holds in all; a route has its own as well.
type Limits struct {
	Connections int           `yaml:"connections"`  // open ones to each address; more wait until they are accepted; default 65536
	Clients     int           `yaml:"clients"`      // connected clients; default 50000
	Streams     int           `yaml:"streams"`      // open streams; default 10000
	Catchups    int           `yaml:"catchups"`     // private replays under way; default 100
	HeaderBytes adapters.Size `yaml:"header_bytes"` // a request's headers; default 64KiB

	// ClientsPerAddress is how many clients may be connected from one address,
	// or, with IPv6, from one network of 64 bits. All that come through a
	// proxy which isn't in trusted_proxies have its address; who comes by a
	// Unix socket has none. Default 0: no bound of its own.
	ClientsPerAddress int `yaml:"clients_per_address"`

	// ConnectionsPerAddress is how many connections of one IP address (or, with
	// IPv6, of one network of 64 bits) may be
	// open at each address. As many again are let in, for header_timeout at
	// most, to be answered that there is no room and when to try again; more
	// are closed at once. Those in proxy_protocol
	// and trusted_proxies may have any number. 0, the default: no bound of its own.
	ConnectionsPerAddress int `yaml:"connections_per_address"`

	// HTTP2Streams is how many requests may be under way on one HTTP/2
	// connection, streams among them, up to a million. Default 250.
	HTTP2Streams int `yaml:"http2_streams"`

	// Ingest is how many requests that bring events may be under way; more
	// are answered 503. Default 1000. IngestTimeout bounds each of them, from
	// its headers to its answer. Default 30s.
	Ingest        int               `yaml:"ingest"`
	IngestTimeout adapters.Duration `yaml:"ingest_timeout"`

	// Passthrough is how many requests may be under way to applications behind,
	// upgraded connections such as WebSockets among them. More are answered 503;
	// who asks for a stream gets one that says when to try again. Default 10000.
	Passthrough int `yaml:"passthrough"`

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
		HTTP2Streams: 250,
		Ingest:       1000, IngestTimeout: seconds(30), Passthrough: 10_000,
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

	// Timeout bounds, after that, requests that still pass through or bring
	// events. Default 10s.
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

	Key    string
	Match  string
	Latest bool
	Since  bool

	line        int
	vars        []string     // all variables
	sourceVars  []string     // those that tell the route's sources apart: all but those of Match
	matcher     *matcher     // of Match; nil if clients get the events of all keys
	expressions []Expression // those of Event, as written
	fingerprint string
	factory     adapters.Factory
	bare        adapters.Factory // factory without the durable history, if there is one
	mapping     *mapping.Mapping
	cors        *cors.Cors // nil: pages of other origins get nothing
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
	// Path is the pattern of the requests' path: "{name}" is a variable for
	// one segment, and "{name...}", at the end, for all that remain. The more
	// specific pattern wins.
	Path string `yaml:"path"`

	// Method is the requests' method. Default GET.
	Method string `yaml:"method"`

	// Host is the requests' host, without a port. Default: any.
	Host string `yaml:"host"`

	// Query are request parameters that are variables, like those of the
	// path.
	Query []string `yaml:"query"`

	// Key is an expression like those of event: the key of an event, as text
	// or a number, by which clients are matched with it. Of the events of one
	// key the newest stands for the others, unless event.key or a state says
	// which do. Default: the key that the source gives.
	Key string `yaml:"key"`

	// Match makes one source serve clients with different values of
	// variables: each gets the events whose key is this text, in which
	// "{name}" is a variable of the route. Variables that stand here are not
	// for the source. Default: clients get the events of all keys.
	Match string `yaml:"match"`

	// Latest lets a new client begin with the newest event of each key, or
	// of its own key if the route has a match. Sources with state do so in
	// any case.
	Latest bool `yaml:"latest"`

	// Since lets a client that comes for the first time say in the request
	// parameter "since" from when on it wants events: a time as in RFC 3339,
	// or milliseconds since 1970.
	Since bool `yaml:"since"`

	Options `yaml:",inline"`
	Rest    rest `yaml:",rest"`
}

func newRoute(options Options) *route { return &route{Method: http.MethodGet, Options: options} }

// defaults hold for every route that doesn't say otherwise; those under the
// name of a source hold for routes that name it.
type defaults struct {
	Options `yaml:",inline"`
	Rest    rest `yaml:",rest"`
}

// Options are how a route presents its source's events, and what it allows.
// All of them may stand under defaults.
type Options struct {
	// Upstream is the application behind this route, as a URL or a socket
	// (unix:/path); default: the table's.
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

	// Headers are added to all responses of the route.
	Headers map[string]string `yaml:"headers"`

	CORS CORS `yaml:"cors"`

	// MaxAge is how long a connection may last, less up to a tenth by
	// chance; then it is closed and the client resumes. 0: for ever.
	MaxAge adapters.Duration `yaml:"max_age"`

	End End `yaml:"end"`

	// LiveMarker sends a stream.live event when a client has received what
	// was there before it came. Of a source with state it says how old that
	// is. Default auto: with such a source, or with latest, and not else.
	LiveMarker LiveMarker `yaml:"live_marker"`

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

	// MaxPrincipals bounds, where clients' credentials are forwarded, how
	// many of them can have open streams. Default 1000.
	MaxPrincipals int `yaml:"max_principals"`

	Backoff Backoff `yaml:"backoff"`
}

func defaultOptions() Options {
	return Options{
		Event:     mapping.DefaultSpec(),
		Retry:     seconds(3),
		Heartbeat: Heartbeat{Every: seconds(15)},
		History: History{
			Events: 1024, Bytes: 8 << 20, Keys: 10_000, KeyBytes: 64 << 20,
			Cache: Cache{Events: 1024, Bytes: 8 << 20},
			Idle:  Idle{Events: 100_000, Bytes: 64 << 20},
		},
		Linger:       seconds(10),
		CORS:         CORS{MaxAge: seconds(600)},
		LiveMarker:   LiveMarkerAuto,
		End:          End{ID: "-1", Event: typeEnd, Data: "{}"},
		Slow:         SlowDisconnect,
		Encoding:     EncodingUTF8,
		MaxEventSize: 1 << 20,
		WriteTimeout: seconds(20),
		MaxClients:   10_000,
		MaxStreams:   1_000,

		MaxPrincipals: 1_000,

		Backoff: Backoff{Min: adapters.Duration(250 * time.Millisecond), Max: seconds(30)},
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

// Scalar implements [adapters.Shorthand].
func (Heartbeat) Scalar() any { return adapters.Duration(0) }

// End is the last event of a stream whose source has ended for good. A client
// that comes back with its id is answered 204 and stays away.
type End struct {
	ID    string `yaml:"id"`    // what a client that comes back is known by; default "-1"
	Event string `yaml:"event"` // its type; default stream.end
	Data  string `yaml:"data"`  // its payload; default {}
}

// Backoff is how long the supervisor waits before it runs a failed source
// again: a random time up to Min, which doubles with each failure up to Max.
type Backoff struct {
	Min adapters.Duration `yaml:"min"` // after the first failure; default 250ms
	Max adapters.Duration `yaml:"max"` // after many; default 30s
}

// LiveMarker is whether clients are told that they have received what was
// there.
type LiveMarker string

// The settings.
const (
	LiveMarkerAuto LiveMarker = "auto"  // with sources that have state, and with latest
	LiveMarkerOn   LiveMarker = "true"  // with any source
	LiveMarkerOff  LiveMarker = "false" // with none
)

// UnmarshalText implements [encoding.TextUnmarshaler].
func (m *LiveMarker) UnmarshalText(text []byte) error {
	return oneOf(m, text)
}

// Values implements [adapters.Choice].
func (LiveMarker) Values() []string {
	return []string{string(LiveMarkerAuto), string(LiveMarkerOn), string(LiveMarkerOff)}
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
	return oneOf(p, text)
}

// Values implements [adapters.Choice].
func (SlowPolicy) Values() []string {
	return []string{string(SlowDisconnect), string(SlowSkip), string(SlowLatest)}
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
	return oneOf(e, text)
}

// Values implements [adapters.Choice].
func (Encoding) Values() []string { return []string{string(EncodingUTF8), string(EncodingBase64)} }

func oneOf[T interface {
	~string
	adapters.Choice
}](into *T, text []byte) error {
	valid := (*into).Values()
	if !slices.Contains(valid, string(text)) {
		return fmt.Errorf("%q is not one of %q", text, valid)
	}
	*into = T(text)
	return nil
}
