package proxy

import (
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
)

// table is a routing table in service.
type table struct {
	*router
	config    *Config
	endpoints []*endpoint

	distrusted sync.Once // for the complaint about a proxy
}

// newTable makes a table of config. Endpoints of the table before it whose
// configuration hasn't changed are kept, with their clients.
func newTable(config *Config, before *table, s *Server) *table {
	kept := map[string]*endpoint{}
	if before != nil {
		for _, p := range before.endpoints {
			kept[p.fingerprint] = p
		}
	}
	t := &table{config: config}
	for _, r := range config.Routes {
		p := kept[r.fingerprint]
		if p == nil {
			p = newEndpoint(r, s)
		}
		t.endpoints = append(t.endpoints, p)
	}
	t.router = newRouter(config, handlers{
		stream: func(i int) http.Handler { return t.endpoints[i] },
		ingest: func(i int) http.Handler { return http.HandlerFunc(t.endpoints[i].serveIngest) },
		behind: s.passthroughOf,
	})
	for i, err := range t.shadowed {
		if err != nil {
			t.endpoints[i].log.Warn().Err(err).Msg("requests with other methods don't go to this route's upstream")
		}
	}
	return t
}

// router gives requests to the streams of routes and to applications.
type router struct {
	streams  *http.ServeMux // the routes, with the applications behind them, and where events are brought
	others   *http.ServeMux // their paths, for other methods, if they have applications of their own
	fallback http.Handler   // the table's application; nil if there is none
	shadowed []error        // for each route why it isn't in others although it has an application

	claims map[claim]*Route                 // all of them
	own    map[ingestAddress]*http.ServeMux // where events are brought, by the listeners for just that
}

// handlers are what a router gives requests to.
type handlers struct {
	stream func(i int) http.Handler // for the streams of the i-th route
	ingest func(i int) http.Handler // for requests that bring events to it

	// behind is for an application; nil for none. It may be beside a stream:
	// then the request's Accept has decided that it is the application's.
	behind func(app *url.URL, beside bool) http.Handler
}

// newRouter makes a router of config.
func newRouter(config *Config, h handlers) *router {
	t := &router{
		streams: http.NewServeMux(), others: http.NewServeMux(),
		fallback: h.behind(config.Upstream, false),
		shadowed: make([]error, len(config.Routes)),
		claims:   map[claim]*Route{}, own: map[ingestAddress]*http.ServeMux{},
	}
	for i, r := range config.Routes {
		beside := h.behind(r.upstream, true)
		for _, c := range r.claims() {
			t.claims[c] = r
			mux, to := t.streams, routed{r.negotiate(h.stream(i), beside)}
			if c.ingest {
				mux, to = t.ingestMux(r), routed{h.ingest(i)}
			}
			if err := handle(mux, c.pattern, to); err != nil {
				panic(err) // Parse has tried it
			}
		}
		if r.Upstream != "" {
			// Of two routes with one path and applications of their own, the
			// first has the other methods.
			t.shadowed[i] = handle(t.others, r.pathPattern(), routed{h.behind(r.upstream, false)})
		}
	}
	return t
}

// ingestMux returns where requests are routed that bring events to r.
func (t *router) ingestMux(r *Route) *http.ServeMux {
	at, own := r.ingestAddress()
	if !own {
		return t.streams
	}
	if t.own[at] == nil {
		t.own[at] = http.NewServeMux()
	}
	return t.own[at]
}

// ServeHTTP routes a request. ServeMux would redirect a path that isn't
// clean, or lacks the slash of a subtree; where an application is behind,
// that is for the application to decide.
func (t *router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	asks := t.preflight(r)
	if asks.granted() {
		asks.send(w)
		return
	}
	r = lowerHost(r)
	if h, pattern := t.streams.Handler(r); !isRouted(h) {
		if other, _ := t.others.Handler(r); isRouted(other) {
			other.ServeHTTP(w, r)
			return
		}
		if t.fallback != nil {
			t.fallback.ServeHTTP(w, r)
			return
		}
		if asks != nil {
			asks.send(w)
			return
		}
		if t.claims[claim{pattern: pattern, ingest: true}] != nil || wronglyRedirected(r) { // who brings events follows no redirect
			http.NotFound(w, r)
			return
		}
		if to := t.claims[claim{pattern: pattern}]; to != nil {
			to.allowOrigin(w, r) // a page follows no redirect that it may not read
		}
	}
	t.streams.ServeHTTP(w, r)
}

// wronglyRedirected reports whether ServeMux would redirect the request to its
// path made clean, although it is none that redirects are for: GET or HEAD, as
// browsers make them.
func wronglyRedirected(r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return false
	}
	clean := path.Clean("/" + r.URL.Path)
	return r.URL.Path != clean && (clean == "/" || r.URL.Path != clean+"/")
}

// lowerHost returns r with its host in lower case, as patterns have theirs
// (RFC 9110 section 4.2.3).
func lowerHost(r *http.Request) *http.Request {
	host := strings.ToLower(r.Host)
	if host == r.Host {
		return r
	}
	lower := *r
	lower.Host = host
	return &lower
}

// routed marks the handlers of a router, in contrast to ServeMux's own.
type routed struct{ http.Handler }

func isRouted(h http.Handler) bool {
	_, ok := h.(routed)
	return ok
}

// negotiate gives stream the requests that are for it, and the others to
// behind, which may be nil.
func (r *Route) negotiate(stream, behind http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch {
		case behind != nil && !wantsStream(req.Header):
			behind.ServeHTTP(w, req)
		case behind == nil && !canTakeStream(req.Header):
			w.Header().Set("Vary", "Accept")
			w.Header().Set("Cache-Control", "no-store")
			r.allowOrigin(w, req)
			http.Error(w, "this is a stream: send Accept: "+eventStreamType, http.StatusNotAcceptable)
		default:
			stream.ServeHTTP(w, req)
		}
	})
}

// passthroughOf returns the handler for requests that go to u, or nil.
func (s *Server) passthroughOf(u *url.URL, beside bool) http.Handler {
	if u == nil {
		return nil
	}
	return newPassthrough(u, beside, s)
}
