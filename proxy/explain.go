package proxy

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"sidestream/proxy/strictyaml"
)

// An Explanation says what becomes of one request, and why. It shows no
// secret: neither the configuration's nor one of the request's headers.
type Explanation struct {
	Request ExplainedRequest `json:"request"`
	Outcome Outcome          `json:"outcome"`
	Routes  []ExplainedRoute `json:"routes"`           // all of the table, in its order
	Stream  *ExplainedStream `json:"stream,omitempty"` // nil unless the outcome is a stream
}

// Failed reports whether the request is refused, or its stream has failed.
func (e *Explanation) Failed() bool {
	return e.Outcome.Kind == Refused || e.Stream != nil && e.Stream.Error != ""
}

// An ExplainedRequest is the request as it was understood.
type ExplainedRequest struct {
	Method  string      `json:"method"`
	URL     string      `json:"url"`
	Host    string      `json:"host"`
	Headers http.Header `json:"headers"` // all values that may be secrets masked
}

// The kinds of an [Outcome].
const (
	Streamed  = "stream"      // the request gets a stream
	Ingested  = "ingest"      // it brings events, which its route's adapter looks at
	Preflight = "preflight"   // a browser is told that a page may make a request for a stream
	Passed    = "passthrough" // an application answers it
	Refused   = "refused"     // it is answered with Outcome.Status
)

// An Outcome is what becomes of a request.
type Outcome struct {
	Kind     string `json:"kind"`               // one of the constants above
	Line     int    `json:"line,omitempty"`     // of the route that decides, in the table's file; 0 if none does
	Route    string `json:"route,omitempty"`    // its name
	Upstream string `json:"upstream,omitempty"` // the application
	Status   int    `json:"status,omitempty"`   // of a refusal
	Why      string `json:"why,omitempty"`
}

// An ExplainedRoute says why a route takes a request, or doesn't.
type ExplainedRoute struct {
	Line    int    `json:"line"`
	Route   string `json:"route"`
	Adapter string `json:"adapter"`
	Taken   bool   `json:"taken"`
	Why     string `json:"why,omitempty"` // why not, or by what if it isn't a request for its stream
}

// An Expression is one of a route's, under the option that it is. Its text is
// as it was written: a reference in it may stand for a secret, and is not
// followed.
type Expression struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// Explain says what a server for config would do with r, by the code that
// would do it. Nothing is opened but the one source, and nothing is asked of
// an upstream unless o says so. The request's context bounds all of it.
//
// Explain closes what the source's route shares, so config is not to be
// served afterwards.
func Explain(config *Config, r *http.Request, o ExplainOptions) *Explanation {
	var (
		route *Route        // the one whose stream is asked for
		into  *Route        // the one that it brings events to
		asked *http.Request // r with the values of the route's path
		app   *url.URL      // the application that is asked
	)
	t := newRouter(config, handlers{
		stream: func(i int) http.Handler {
			return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { route, asked = config.Routes[i], r })
		},
		ingest: func(i int) http.Handler {
			return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { into, asked = config.Routes[i], r })
		},
		behind: func(u *url.URL, _ bool) http.Handler {
			if u == nil {
				return nil
			}
			return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { app = u })
		},
	})
	a := answer{header: http.Header{}}
	t.ServeHTTP(&a, r)

	match := t.match(r)
	asks := t.preflight(r)
	if asks.granted() || asks != nil && match == nil {
		match = asks.route
	}
	e := &Explanation{Request: explainRequest(config, r), Routes: []ExplainedRoute{}}
	e.Outcome.Line, e.Outcome.Route = match.place()
	switch {
	case asks.granted():
		e.Outcome.Kind = Preflight
	case app != nil:
		e.Outcome.Kind, e.Outcome.Upstream = Passed, app.String()
		e.Outcome.Why = "no route takes it"
		switch {
		case asks != nil:
			e.Outcome.Why = asks.reason()
		case match != nil:
			e.Outcome.Why = whyNotStream(r.Header)
		}
	case route != nil:
		e.Outcome.Kind = Streamed
		var bad *badRequest
		if e.Stream, bad = explainStream(route, asked, o); e.Stream != nil {
			e.Stream.hide(newMask(slices.Clone(config.referenced)))
		}
		if bad != nil {
			e.Outcome.Kind, e.Outcome.Status, e.Outcome.Why = Refused, bad.status, bad.why()
		}
	case into != nil:
		e.Outcome.Kind = Ingested
		if bad := into.admitIngest(asked); bad != nil {
			e.Outcome.Kind, e.Outcome.Status, e.Outcome.Why = Refused, bad.status, bad.why()
		}
	case asks != nil:
		e.Outcome.Kind, e.Outcome.Status, e.Outcome.Why = Refused, a.status, asks.reason()
	default:
		e.Outcome.Kind, e.Outcome.Status, e.Outcome.Why = Refused, a.status, a.why(r)
	}
	for _, c := range config.Routes {
		x := explainRoute(c, match, r, route != nil || into != nil)
		if asks != nil && c == asks.route && into == nil {
			x.Taken, x.Why = asks.granted(), asks.reason()
		}
		if c != route {
			x.Why = c.explainIngest(r, x.Why)
		}
		e.Routes = append(e.Routes, x)
	}
	return e
}

// place returns where r stands in the table, and its name; nothing for nil.
func (r *Route) place() (line int, name string) {
	if r == nil {
		return 0, ""
	}
	return r.line, r.String()
}

// explainRequest returns what is shown of r.
func explainRequest(config *Config, r *http.Request) ExplainedRequest {
	e := ExplainedRequest{Method: r.Method, URL: r.URL.Redacted(), Host: r.Host, Headers: http.Header{}}
	open := openHeaders()
	for _, c := range config.Routes {
		forwarded := c.factory.Capabilities().Forward
		open = slices.DeleteFunc(open, func(name string) bool { return slices.Contains(forwarded, name) })
	}
	for name, values := range r.Header {
		for _, value := range values {
			if !slices.Contains(open, name) {
				value = masked
			}
			e.Headers[name] = append(e.Headers[name], value)
		}
	}
	return e
}

// masked is shown in place of what may be a secret.
const masked = "(secret)"

// openHeaders are the request headers that are no secrets, unless a route
// takes them for credentials.
func openHeaders() []string {
	return []string{
		"Accept", "Accept-Encoding", "Accept-Language",
		"Access-Control-Request-Headers", "Access-Control-Request-Method",
		"Cache-Control", "Content-Type",
		"Last-Event-Id", "Origin", "User-Agent",
	}
}

// answer keeps what a router answers by itself.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements [http.ResponseWriter].
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements [http.ResponseWriter].
func (a *answer) WriteHeader(status int) { a.status = status }

// Write implements [http.ResponseWriter].
func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }

// why words the answer to r.
func (a *answer) why(r *http.Request) string {
	switch {
	case a.status == http.StatusNotFound:
		return "no route takes it, and there is no upstream to pass it to"
	case a.status == http.StatusMethodNotAllowed:
		return "the routes of its path take " + a.header.Get("Allow") + ", not " + r.Method
	case a.header.Get("Location") != "":
		return "its path is not the route's, which is " + a.header.Get("Location")
	default:
		return strings.TrimSpace(a.body.String())
	}
}

// expressions returns those of the route n, or else of the defaults, that
// r has.
func (l *loader) expressions(n *yaml.Node, r *Route) []Expression {
	var list []Expression
	for _, f := range []Expression{
		{"event.each", r.Event.Each}, {"event.where", r.Event.Where}, {"event.type", r.Event.Type},
		{"event.data", r.Event.Data}, {"event.key", r.Event.Key}, {"event.id", r.Event.ID},
		{"key", r.Key},
	} {
		if f.Text == "" {
			continue
		}
		f.Text = "(set)" // unless it is found
		for _, from := range []*yaml.Node{n, l.fallback} {
			if from == nil {
				continue
			}
			at := strictyaml.Find(from, f.Name)
			if at.Kind == yaml.AliasNode {
				at = at.Alias
			}
			if at.Kind == yaml.ScalarNode && at.Value != "" {
				f.Text = at.Value
				break
			}
		}
		list = append(list, f)
	}
	return list
}
