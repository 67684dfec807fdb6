package e2e

import (
	"context"
	"net"
	"sync"
	"testing"
)

// A wire is a network in front of one server. It can be cut, and it can
// stall: then nothing arrives and nobody is told, as with a cable that was
// pulled out.
type wire struct {
	address string // host:port
	target  string // host:port
	room    int    // bytes that the sockets of a connection may hold each way; 0: as the system likes

	// tap, if not nil, is given what clients send, in the pieces that come.
	tap func(text []byte)

	mu     sync.Mutex
	open   map[*net.TCPConn]bool
	passes chan struct{} // closed while bytes pass
}

// newWire starts a wire in front of the server at target. What a wire holds
// hides that the one who reads is slow, so there may be little room for it.
func newWire(tb testing.TB, target string, room int) *wire {
	tb.Helper()
	w := &wire{target: target, room: room}
	w.start(tb)
	return w
}

// start listens, and passes connections on until the test ends.
func (w *wire) start(tb testing.TB) {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	w.address, w.open, w.passes = ln.Addr().String(), map[*net.TCPConn]bool{}, make(chan struct{})
	close(w.passes)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			running.Go(func() { w.pass(ctx, conn.(*net.TCPConn)) })
		}
	})
	tb.Cleanup(func() {
		_ = ln.Close()
		cancel()
		w.cut()
		running.Wait()
	})
}

// cut breaks all connections, without a good-bye.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for conn := range w.open {
		_ = conn.SetLinger(0) // a reset
		_ = conn.Close()
	}
}

// stall stops all bytes. Those under way arrive when the wire is healed.
func (w *wire) stall() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.passes = make(chan struct{})
}

func (w *wire) heal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.passes)
}

// passable returns a channel that is closed when bytes pass.
func (w *wire) passable() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.passes
}

func (w *wire) pass(ctx context.Context, down *net.TCPConn) {
	defer down.Close()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", w.target)
	if err != nil {
		return
	}
	up := conn.(*net.TCPConn)
	defer up.Close()
	if !w.keep(ctx, down, up) {
		return
	}
	defer w.forget(down, up)
	var both sync.WaitGroup
	both.Go(func() { w.copy(ctx, up, down, w.tap) })
	both.Go(func() { w.copy(ctx, down, up, nil) })
	both.Wait()
}

// copy passes bytes on until one of the ends has closed, and closes the other.
// tap may be nil.
func (w *wire) copy(ctx context.Context, to, from *net.TCPConn, tap func([]byte)) {
	defer to.Close()
	if w.room > 0 {
		_, _ = from.SetReadBuffer(w.room), to.SetWriteBuffer(w.room)
	}
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		select {
		case <-w.passable():
		case <-ctx.Done():
			return
		}
		if n > 0 && tap != nil {
			tap(buf[:n])
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				_ = from.Close()
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (w *wire) keep(ctx context.Context, conns ...*net.TCPConn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ctx.Err() != nil {
		return false
	}
	for _, conn := range conns {
		w.open[conn] = true
	}
	return true
}

func (w *wire) forget(conns ...*net.TCPConn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, conn := range conns {
		delete(w.open, conn)
	}
}
