package proxy

import (
	"net/http"
	"time"

	"github.com/rs/cors"

	"sidestream/adapters"
)

// CORS lets pages of other origins read a route's stream (Fetch standard,
// https://fetch.spec.whatwg.org/#http-cors-protocol).
type CORS struct {
	// Origins are those of the pages: "https://app.example.com", with a port
	// if it isn't the scheme's own, or "https://*.example.com" for all
	// subdomains, at any depth. "*" alone stands for every origin, and goes
	// without credentials. Default: none.
	Origins []string `yaml:"origins"`

	// Credentials lets these pages send cookies and the like along, as an
	// EventSource does with withCredentials.
	Credentials bool `yaml:"credentials"`

	// Headers are what pages may send, besides Last-Event-ID, Authorization
	// and Cache-Control, and Content-Type where the route's method is another
	// one than GET.
	Headers []string `yaml:"headers"`

	// Expose are headers of the response that pages may read.
	Expose []string `yaml:"expose"`

	// MaxAge is how long browsers may remember what a preflight has granted;
	// they have bounds of their own. Default 10m; 0: not at all.
	MaxAge adapters.Duration `yaml:"max_age"`
}

// allowedHeaders are those that pages may send.
func (c *CORS) allowedHeaders(method string) []string {
	names := []string{"Last-Event-ID", "Authorization", "Cache-Control"}
	if method != http.MethodGet {
		names = append(names, "Content-Type") // of what such a request brings
	}
	return append(names, c.Headers...)
}

// policy returns what answers for a route that takes requests with method, nil
// if pages of other origins get nothing.
func (c *CORS) policy(method string) *cors.Cors {
	if len(c.Origins) == 0 {
		return nil
	}
	methods := []string{method}
	if method == http.MethodGet {
		methods = append(methods, http.MethodHead) // as ServeMux takes it
	}
	remember := int(time.Duration(c.MaxAge) / time.Second)
	if remember == 0 {
		remember = -1 // 0 would leave the header out, and the time to the browser
	}
	return cors.New(cors.Options{
		AllowedOrigins:   c.Origins,
		AllowCredentials: c.Credentials,
		AllowedMethods:   methods,
		AllowedHeaders:   c.allowedHeaders(method),
		ExposedHeaders:   c.Expose,
		MaxAge:           remember,
	})
}

// allowOrigin sets the headers by which a page of another origin may read the
// answer to req, and says in Vary that it depends on the origin.
func (r *Route) allowOrigin(w http.ResponseWriter, req *http.Request) {
	if r.cors != nil {
		r.cors.HandlerFunc(w, req)
	}
}

// A preflight is a browser's question whether a page may make a request for a
// route's stream, and the answer to it.
type preflight struct {
	route   *Route
	request *http.Request
	answer
}

// preflight returns r as a preflight, nil if it is none, or none for a route
// that has a say in it.
func (t *router) preflight(r *http.Request) *preflight {
	method := r.Header.Get("Access-Control-Request-Method")
	if r.Method != http.MethodOptions || method == "" {
		return nil
	}
	asked := *r
	asked.Method = method
	h, pattern := t.streams.Handler(lowerHost(&asked))
	if !isRouted(h) {
		return nil
	}
	route := t.claims[claim{pattern: pattern}] // and not one by which events are brought
	if route == nil || route.cors == nil {
		return nil
	}
	p := &preflight{route, r, answer{header: http.Header{}}}
	route.cors.HandlerFunc(p, r)
	return p
}

// granted reports whether the page may; an application behind is then not
// asked.
func (p *preflight) granted() bool {
	return p != nil && p.header.Get("Access-Control-Allow-Origin") != ""
}

// send writes the answer.
func (p *preflight) send(w http.ResponseWriter) {
	for name, values := range p.header {
		w.Header()[name] = values
	}
	w.WriteHeader(p.status)
}
