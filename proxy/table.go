package proxy

import (
	"net/http"
	"net/url"
	"path"
	"strings"
)

// table is a routing table in service.
type table struct {
	config    *Config
	mux       *http.ServeMux
	endpoints []*endpoint
	fallback  http.Handler // nil if nothing is behind
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
	t := &table{config: config, mux: http.NewServeMux()}
	if config.Upstream != nil {
		t.fallback = s.passthrough(config.Upstream)
		t.mux.Handle("/", t.fallback)
	}
	for _, r := range config.Routes {
		p := kept[r.fingerprint]
		if p == nil {
			p = newEndpoint(r, s)
		}
		t.endpoints = append(t.endpoints, p)
		if err := handle(t.mux, r, negotiate(p, s.passthroughOf(r.upstream))); err != nil {
			panic(err) // Parse has tried it
		}
	}
	return t
}

// ServeHTTP routes a request.
func (t *table) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// ServeMux would redirect a path that isn't clean. That is for the
	// application to decide.
	if t.fallback != nil && !isClean(r.URL.Path) {
		t.fallback.ServeHTTP(w, r)
		return
	}
	t.mux.ServeHTTP(w, r)
}

func isClean(p string) bool {
	clean := path.Clean(p)
	return p == clean || p == clean+"/" || !strings.HasPrefix(p, "/")
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
	return s.passthrough(u)
}

func (s *Server) passthrough(u *url.URL) http.Handler {
	return newPassthrough(u, s.transport, s.metrics, s.log.With().Str("upstream", u.Host).Logger())
}
