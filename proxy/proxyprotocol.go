package proxy

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pires/go-proxyproto"
)

// announced is a listener some of whose peers begin their connections with a
// PROXY header. It is read when the connection is first used, so that nobody
// waits for it in Accept. Others' connections are as they come.
type announced struct {
	net.Listener
	by      []Network
	timeout time.Duration                    // for the header
	refused func(peer netip.Addr, why error) // called for each connection without a proper one
}

// Accept implements [net.Listener].
func (l *announced) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	peer := peerOf(conn.RemoteAddr())
	if !hasPeer(l.by, peer) {
		return conn, nil
	}
	counted := &spoken{Conn: conn}
	return &announcedConn{
		Conn: proxyproto.NewConn(counted, proxyproto.WithPolicy(proxyproto.REQUIRE), proxyproto.SetReadHeaderTimeout(l.timeout)),
		refuse: func(err error) {
			_ = conn.Close()
			if counted.any.Load() { // and not one that a load balancer has only knocked with
				l.refused(peer, err)
			}
		},
	}, nil
}

// announced returns ln with the clients' addresses that peers in by announce.
func (s *Server) announced(ln net.Listener, by []Network) net.Listener {
	log := sampled(s.log).With().Stringer("address", ln.Addr()).Logger()
	return &announced{
		Listener: ln, by: by, timeout: time.Duration(s.table.Load().config.Limits.HeaderTimeout),
		refused: func(peer netip.Addr, why error) {
			s.metrics.refused(refusedHeader).Inc()
			log.Warn().Err(why).Str("peer", peerName(peer)).Msg("connection refused: a peer in proxy_protocol sends no proper PROXY header")
		},
	}
}

func peerName(peer netip.Addr) string {
	if !peer.IsValid() {
		return localNetwork
	}
	return peer.String()
}

// announcedConn is a connection with a PROXY header.
type announcedConn struct {
	*proxyproto.Conn
	refuse func(error)
	once   sync.Once
}

// RemoteAddr returns the client's address. It is the peer's if the header tells
// none, as that of a health check of the proxy's own, or one that is no
// client's at the other end of a connection: a path, or that of a datagram.
func (c *announcedConn) RemoteAddr() net.Addr {
	if _, ok := c.Conn.RemoteAddr().(*net.TCPAddr); ok {
		return c.Conn.RemoteAddr()
	}
	return c.Raw().RemoteAddr()
}

// Read implements [net.Conn].
func (c *announcedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil && c.ProxyHeader() == nil {
		c.once.Do(func() { c.refuse(err) })
	}
	return n, err
}

// CloseWrite is as that of a [boundedConn].
func (c *announcedConn) CloseWrite() error { return closeWrite(c.Raw()) }

// spoken is a connection that knows whether anything has come.
type spoken struct {
	net.Conn
	any atomic.Bool
}

// CloseWrite is as that of a [boundedConn].
func (c *spoken) CloseWrite() error { return closeWrite(c.Conn) }

// Read implements [net.Conn].
func (c *spoken) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.any.Store(true)
	}
	return n, err
}
