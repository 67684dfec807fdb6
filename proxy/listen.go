package proxy

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/rs/zerolog"
)

// Listeners are where a server is reached.
type Listeners struct {
	Public []PublicListener
	Ingest []IngestListener
	Admin  net.Listener // nil for none
}

// A PublicListener takes all requests but those for the admin pages. They are
// opened by [Listen]; one that is made of nothing but a net.Listener takes
// connections as they come.
type PublicListener struct {
	net.Listener
	announced []Network     // peers that send PROXY headers
	tls       *certificates // nil for none
}

// newPublic returns a listener that lacks only its net.Listener for the binding
// at path in the table.
func newPublic(path string, b Binding) (l PublicListener, err error) {
	l.announced = b.ProxyProtocol
	if b.TLS != nil {
		l.tls, err = newCertificates(path, *b.TLS)
	}
	return l, err
}

// Listen opens the listeners that config names. What TLS they need is read.
func Listen(ctx context.Context, config *Config) (l Listeners, err error) {
	defer func() {
		if err != nil {
			l.close()
			l = Listeners{}
		}
	}()
	for i, b := range config.Listen {
		public, err := newPublic(fmt.Sprintf("listen[%d]", i), b)
		if err != nil {
			return l, fmt.Errorf("listen at %s: %w", b.Address, err)
		}
		if public.Listener, err = listenAt(ctx, b.Address, b.Mode); err != nil {
			return l, fmt.Errorf("listen: %w", err)
		}
		l.Public = append(l.Public, public)
	}
	for _, at := range config.ingestAddresses() {
		ln, err := listenAt(ctx, at.address, 0)
		if err != nil {
			return l, fmt.Errorf("listen for requests that bring events: %w", err)
		}
		l.Ingest = append(l.Ingest, IngestListener{ln, at})
	}
	if config.Admin != "" && config.Admin != adminOff {
		if l.Admin, err = listenAt(ctx, config.Admin, 0); err != nil {
			return l, fmt.Errorf("admin: %w", err)
		}
	}
	return l, nil
}

func listenAt(ctx context.Context, address string, mode FileMode) (net.Listener, error) {
	network, name := splitAddress(address)
	if network == "unix" {
		return listenSocket(ctx, name, mode)
	}
	var lc net.ListenConfig
	return lc.Listen(ctx, network, name)
}

func (l Listeners) close() {
	for _, ln := range l.Public {
		_ = ln.Close()
	}
	for _, ln := range l.Ingest {
		_ = ln.Close()
	}
	if l.Admin != nil {
		_ = l.Admin.Close()
	}
}

// bounded returns ln with the bounds of its connections. Proxies, which are
// those that announce clients or that the table trusts, may have any number of
// them, since they carry those of many.
func (s *Server) bounded(ln net.Listener, announcing []Network) net.Listener {
	limits := s.table.Load().config.Limits
	b := newBounded(ln, limits.Connections, limits.ConnectionsPerAddress, time.Duration(limits.HeaderTimeout))
	b.exempt = func(peer netip.Addr) bool {
		return hasPeer(announcing, peer) || hasPeer(s.table.Load().config.trusted, peer)
	}
	b.refused = s.metrics.refused(refusedTooMany).Inc
	return b
}

// front returns ln as a server sees it: with the bounds of its connections,
// which begin as its binding says.
func (s *Server) front(l PublicListener) net.Listener {
	ln := s.bounded(l.Listener, l.announced)
	if len(l.announced) > 0 {
		ln = s.announced(ln, l.announced)
	}
	if l.tls != nil {
		ln = l.tls.secure(ln, s.logOf(l))
	}
	return ln
}

func (s *Server) logOf(l PublicListener) zerolog.Logger {
	return s.log.With().Stringer("address", l.Addr()).Logger()
}
