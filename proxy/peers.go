package proxy

import (
	"net"
	"net/netip"
	"sync"
)

// perPeer is a listener that closes connections of peers that have as many
// open as they may.
type perPeer struct {
	net.Listener
	open    addressLimit
	exempt  func(peer netip.Addr) bool
	refused func()
}

// boundPeers returns ln with a bound for each peer, apart from those that are
// exempt or have no IP address.
func boundPeers(ln net.Listener, most int, exempt func(peer netip.Addr) bool, refused func()) net.Listener {
	l := &perPeer{Listener: ln, exempt: exempt, refused: refused, open: addressLimit{have: map[netip.Addr]int{}}}
	l.open.most.Store(int64(most))
	return l
}

func (l *perPeer) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		peer := peerOf(conn.RemoteAddr())
		host := hostOf(peer)
		switch {
		case l.exempt(peer):
			return conn, nil
		case l.open.take(host):
			return &peerConn{Conn: conn, give: sync.OnceFunc(func() { l.open.give(host) })}, nil
		}
		_ = conn.Close()
		l.refused()
	}
}

type peerConn struct {
	net.Conn
	give func()
}

func (c *peerConn) Close() error {
	defer c.give()
	return c.Conn.Close()
}
