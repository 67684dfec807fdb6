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
	most    int
	exempt  []Network
	refused func()

	mu   sync.Mutex
	open map[netip.Addr]int // guarded by mu
}

// boundPeers returns ln with a bound for each peer, apart from those that are
// exempt or have no IP address.
func boundPeers(ln net.Listener, most int, exempt []Network, refused func()) net.Listener {
	return &perPeer{Listener: ln, most: most, exempt: exempt, refused: refused, open: map[netip.Addr]int{}}
}

func (l *perPeer) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		peer := peerOf(conn.RemoteAddr())
		switch {
		case !peer.IsValid() || hasPeer(l.exempt, peer):
			return conn, nil
		case l.take(peer):
			return &peerConn{Conn: conn, give: sync.OnceFunc(func() { l.give(peer) })}, nil
		}
		_ = conn.Close()
		l.refused()
	}
}

func (l *perPeer) take(peer netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[peer] >= l.most {
		return false
	}
	l.open[peer]++
	return true
}

func (l *perPeer) give(peer netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[peer]--; l.open[peer] == 0 {
		delete(l.open, peer)
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
