package e2e

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// A cutter is a network: it passes connections on to a server, and cuts them
// when a test says so.
type cutter struct {
	url    string // http://host:port
	target string // host:port

	mu       sync.Mutex
	open     map[net.Conn]bool
	requests []sent
}

// sent is what a client sent in one piece. On a connection that a browser
// uses for several requests, each is one.
type sent struct {
	at   time.Time
	text string
}

// newCutter starts a cutter in front of the server at target, an http:// URL.
func newCutter(tb testing.TB, target string) *cutter {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	c := &cutter{
		url:    "http://" + ln.Addr().String(),
		target: strings.TrimPrefix(target, "http://"),
		open:   map[net.Conn]bool{},
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			running.Go(func() { c.pass(ctx, conn) })
		}
	})
	tb.Cleanup(func() {
		_ = ln.Close()
		cancel()
		c.cut()
		running.Wait()
	})
	return c
}

// cut breaks all connections, and returns when that was.
func (c *cutter) cut() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.open {
		_ = conn.Close()
	}
	return time.Now()
}

// requestsFor returns the requests after a time whose text holds part, in
// order.
func (c *cutter) requestsFor(part string, after time.Time) []sent {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []sent
	for _, r := range c.requests {
		if r.at.After(after) && strings.Contains(r.text, part) {
			found = append(found, r)
		}
	}
	return found
}

func (c *cutter) pass(ctx context.Context, down net.Conn) {
	defer down.Close()
	var dialer net.Dialer
	up, err := dialer.DialContext(ctx, "tcp", c.target)
	if err != nil {
		return
	}
	defer up.Close()
	defer c.forget(down, up)
	if !c.keep(ctx, down, up) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() {
		defer up.Close()
		_, _ = io.Copy(io.MultiWriter(noter{c}, up), down)
	})
	both.Go(func() {
		defer down.Close()
		_, _ = io.Copy(down, up)
	})
	both.Wait()
}

// noter notes what is written to it as requests.
type noter struct{ c *cutter }

func (n noter) Write(text []byte) (int, error) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	n.c.requests = append(n.c.requests, sent{time.Now(), string(text)})
	return len(text), nil
}

func (c *cutter) keep(ctx context.Context, conns ...net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ctx.Err() != nil {
		return false
	}
	for _, conn := range conns {
		c.open[conn] = true
	}
	return true
}

func (c *cutter) forget(conns ...net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range conns {
		delete(c.open, conn)
	}
}
