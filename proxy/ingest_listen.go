package proxy

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"

	"github.com/rs/zerolog"
)

// ingestAddress is where a listener takes requests that bring events, and no
// others.
type ingestAddress struct {
	address string
	secure  bool // with TLS
}

// ingestAddress returns that of the route; ok is false if such requests come
// in where all others do, or if there are none.
func (r *Route) ingestAddress() (at ingestAddress, ok bool) {
	in, _ := r.ingest()
	return ingestAddress{in.Address, in.TLS != nil}, in.Address != ""
}

// ingestAddresses returns those of all routes, each once and in an order that
// stays.
func (c *Config) ingestAddresses() []ingestAddress {
	var list []ingestAddress
	for _, r := range c.Routes {
		if at, ok := r.ingestAddress(); ok {
			list = append(list, at)
		}
	}
	slices.SortFunc(list, func(a, b ingestAddress) int { return cmp.Compare(a.address, b.address) }) // none is secure and not
	return slices.Compact(list)
}

// An IngestListener takes requests that bring events, and no others. They are
// opened by [Listen].
type IngestListener struct {
	net.Listener
	at ingestAddress
}

// ingestServer returns the server for what comes in at a listener.
func (s *Server) ingestServer(at ingestAddress) *http.Server {
	return s.httpServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t := s.table.Load()
		t.settle(r, &s.log)
		t.serveIngest(at, w, r)
	}))
}

// frontOfIngest returns ln as its server sees it.
func (s *Server) frontOfIngest(l IngestListener) net.Listener {
	ln := s.bounded(l.Listener, nil)
	if l.at.secure {
		ln = tls.NewListener(ln, handshakes(s.ingestTLS(l.at, sampled(s.log))))
	}
	return ln
}

// serveIngest answers a request that has come in at a listener for those that
// bring events. Nothing else is there, and no redirect to it.
func (t *router) serveIngest(at ingestAddress, w http.ResponseWriter, r *http.Request) {
	mux := t.own[at]
	if mux == nil { // since the table was reloaded
		http.NotFound(w, r)
		return
	}
	r = lowerHost(r)
	if h, _ := mux.Handler(r); !isRouted(h) {
		a := answer{header: http.Header{}}
		if h.ServeHTTP(&a, r); a.status != http.StatusMethodNotAllowed {
			http.NotFound(w, r)
			return
		}
	}
	mux.ServeHTTP(w, r)
}

// ingestTLS returns what asks for the TLS of a listener.
func (s *Server) ingestTLS(at ingestAddress, log zerolog.Logger) func() (*tls.Config, error) {
	return func() (*tls.Config, error) {
		config, err := s.table.Load().ingestTLS(at)
		if err != nil {
			log.Error().Err(err).Str("address", at.address).Msg("connection refused: no TLS for requests that bring events")
		}
		return config, err
	}
}

// ingestTLS returns the TLS at an address. A connection is made before anybody
// knows for which route, so that all routes there have to agree on whom they
// trust.
func (t *table) ingestTLS(at ingestAddress) (*tls.Config, error) {
	var config *tls.Config
	for _, p := range t.endpoints {
		if here, _ := p.ingestAddress(); here != at {
			continue
		}
		in, _ := p.ingest()
		next, err := in.TLS()
		switch {
		case err != nil:
			return nil, fmt.Errorf("route %s: %w", p, err)
		case config != nil && !sameTrust(config, next):
			return nil, fmt.Errorf("route %s trusts other client certificates than another route with the same address", p)
		case config == nil:
			config = next
		}
	}
	if config == nil {
		return nil, errors.New("no route has TLS there since the table was reloaded")
	}
	return config, nil
}

// sameTrust reports whether the same clients pass with a and with b.
func sameTrust(a, b *tls.Config) bool {
	return a.ClientAuth == b.ClientAuth && a.MinVersion == b.MinVersion && samePool(a.ClientCAs, b.ClientCAs)
}

func samePool(a, b *x509.CertPool) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(b)
}
