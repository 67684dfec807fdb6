package proxy

import (
	"net/http"
	"net/url"
	"strings"
)

// table is a routing table in service.
type table struct {
	config    *Config
	endpoints []*endpoint

	streams  *http.ServeMux // the routes, with the applications behind them
	others   *http.ServeMux // their paths, for other methods, if they have applications of their own
	fallback http.Handler   // the table's application; nil if there is none
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
	t := &table{
		config: config, streams: http.NewServeMux(), others: http.NewServeMux(),
		fallback: s.passthroughOf(config.Upstream),
	}
	for _, r := range config.Routes {
		p := kept[r.fingerprint]
		if p == nil {
			p = newEndpoint(r, s)
		}
		t.endpoints = append(t.endpoints, p)
		behind := s.passthroughOf(r.upstream)
		if err := handle(t.streams, r.muxPattern(), routed{negotiate(p, behind)}); err != nil {
			panic(err) // Parse has tried it
		}
		if r.Upstream == "" {
			continue
		}
		// Of two routes with one path and applications of their own, the
		// first has the other methods.
		if err := handle(t.others, r.pathPattern(), routed{behind}); err != nil {
			p.log.Warn().Err(err).Msg("requests with other methods don't go to this route's upstream")
		}
	}
	return t
}

// ServeHTTP routes a request. ServeMux would redirect a path that isn't
// clean, or lacks the slash of a subtree; where an application is behind,
// that is for the application to decide.
func (t *table) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if host := strings.ToLower(r.Host); host != r.Host { // RFC 9110 section 4.2.3
		lower := *r
		lower.Host = host
		r = &lower
	}
	if h, _ := t.streams.Handler(r); !isRouted(h) {
		if other, _ := t.others.Handler(r); isRouted(other) {
			other.ServeHTTP(w, r)
			return
		}
		if t.fallback != nil {
			t.fallback.ServeHTTP(w, r)
			return
		}
	}
	t.streams.ServeHTTP(w, r)
}

// routed marks the handlers of a table, in contrast to ServeMux's own.
type routed struct{ http.Handler }

func isRouted(h http.Handler) bool {
	_, ok := h.(routed)
	return ok
}

// negotiate gives stream the requests that are for it, and the others to
// behind, which may be nil.
func negotiate(stream, behind http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case behind != nil && !wantsStream(r.Header):
			behind.ServeHTTP(w, r)
		case behind == nil && !canTakeStream(r.Header):
			w.Header().Set("Vary", "Accept")
			http.Error(w, "this is a stream: send Accept: "+eventStreamType, http.StatusNotAcceptable)
		default:
			stream.ServeHTTP(w, r)
		}
	})
}

// passthroughOf returns the handler for requests that go to u, or nil.
func (s *Server) passthroughOf(u *url.URL) http.Handler {
	if u == nil {
		return nil
	}
	return newPassthrough(u, s)
}
