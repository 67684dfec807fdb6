package proxy

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// bounded is a listener with bounds of its open connections. Where there is no
// room at all, nothing is accepted. Of a peer that has as many as it may, as
// many again are let in for a short time, to be told when to come back: a browser
// whose connection is closed without an answer may give up its EventSource for
// good (R6). More are closed at once.
//
// Its connections can be closed for writing alone, which net/http does so that
// its last answer isn't cut off by what it hasn't read, and which
// golang.org/x/net/netutil's hide.
type bounded struct {
	net.Listener
	room     chan struct{}              // has an element for each connection
	exempt   func(peer netip.Addr) bool // from perPeer, as are peers that have no IP address
	refused  func()                     // called for each connection over a peer's bound
	patience time.Duration              // with such a connection
	closed   chan struct{}              // by Close
	close    func() error               // once
	perPeer  addressLimit
	over     addressLimit // those over the bound of perPeer
}

// newBounded returns ln with room for so many connections in all, and of each
// peer; 0 is no bound. Those over the bound of a peer last no longer than
// patience.
func newBounded(ln net.Listener, most, perPeer int, patience time.Duration) *bounded {
	b := &bounded{
		Listener: ln, room: make(chan struct{}, most), closed: make(chan struct{}),
		patience: patience,
		perPeer:  addressLimit{have: map[netip.Addr]int{}}, over: addressLimit{have: map[netip.Addr]int{}},
	}
	b.perPeer.most.Store(int64(perPeer))
	b.over.most.Store(int64(perPeer))
	b.close = sync.OnceValue(func() error {
		close(b.closed)
		return ln.Close()
	})
	return b
}

// Close implements [net.Listener].
func (l *bounded) Close() error { return l.close() }

// Accept implements [net.Listener].
func (l *bounded) Accept() (net.Conn, error) {
	select {
	case l.room <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			<-l.room
			return nil, err
		}
		peer := peerOf(conn.RemoteAddr())
		host := hostOf(peer)
		if l.exempt(peer) {
			host = netip.Addr{} // which has no bound
		}
		if l.perPeer.take(host) {
			return &boundedConn{Conn: conn, give: sync.OnceFunc(func() {
				l.perPeer.give(host)
				<-l.room
			})}, nil
		}
		l.refused()
		if l.over.take(host) {
			end := time.AfterFunc(l.patience, func() { _ = conn.Close() })
			return &boundedConn{Conn: conn, over: true, give: sync.OnceFunc(func() {
				end.Stop()
				l.over.give(host)
				<-l.room
			})}, nil
		}
		_ = conn.Close()
	}
}

// boundedConn is a connection that has been counted.
type boundedConn struct {
	net.Conn
	give func() // once
	over bool   // the bound of its peer
}

// Close implements [net.Conn].
func (c *boundedConn) Close() error {
	defer c.give()
	return c.Conn.Close()
}

// CloseWrite says that nothing more will be written.
func (c *boundedConn) CloseWrite() error { return closeWrite(c.Conn) }

// closeWrite closes a connection for writing, if it can be.
func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
