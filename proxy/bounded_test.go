package proxy

import (
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Who has as many connections as one address may have gets no more, until one
// is closed. Others aren't concerned, and neither is a proxy in front.
func TestConnectionsOfOneAddress(t *testing.T) {
	table := strings.Replace(announcing, "{", "{trusted_proxies: [172.16.0.0/12], limits: {connections_per_address: 2}, ", 1)
	inWorld(t, table, func(w *world) {
		refused := func(want string) {
			t.Helper()
			if got := w.metric(`sidestream_refused_connections_total{reason="too_many"}`); got != want {
				t.Errorf("got %s refusals, want %s", got, want)
			}
		}
		open := func(from, header string) *wire {
			t.Helper()
			c := w.wire(from, header+askStream)
			if got := status(c.text()); got != "200" {
				t.Errorf("from %s: got status %q, want 200", from, got)
			}
			return c
		}
		refuse := func(from string) {
			t.Helper()
			if c := w.wire(from, askStream); !c.closed() || c.text() != "" {
				t.Errorf("from %s: got %q, closed %v, want nothing and the end", from, c.text(), c.closed())
			}
		}
		refused("0")
		first := open("192.0.2.1:1", "")
		open("192.0.2.1:2", "")
		refuse("192.0.2.1:3")
		refuse("[::ffff:192.0.2.1]:4") // the same one
		refused("2")
		open("192.0.2.2:1", "")
		open("[2001:db8::1]:1", "")

		first.hangUp()
		open("192.0.2.1:5", "")
		refuse("192.0.2.1:6")
		refused("3")

		open("[2001:db8::2]:1", "") // the same network, which one host may have
		refuse("[2001:db8::3]:1")
		open("[2001:db8:0:1::1]:1", "")
		refused("4")

		for range 5 {
			open("172.16.2.3:1", "")
			open("10.1.2.3:1", "PROXY TCP4 192.0.2.1 198.51.100.1 4711 443\r\n")
			open("/run/http.sock", "")
		}
		refused("4")
	})
}

// When there is no room at all, others wait until there is, and whoever waits
// doesn't keep the server from ending.
func TestConnectionsInAll(t *testing.T) {
	inWorld(t, `{limits: {connections: 2}, routes: [{path: /a, log: {}}]}`, func(w *world) {
		first := w.wire("192.0.2.1:1", askStream)
		w.wire("192.0.2.2:1", askStream)
		third := make(chan net.Conn, 1)
		go func() { third <- w.dialFrom("192.0.2.3:1") }()
		after(time.Minute)
		if len(third) > 0 {
			t.Error("got a third connection, want it to wait")
		}
		first.hangUp()
		if c := read(<-third, askStream); status(c.text()) != "200" {
			t.Errorf("got %q when there is room, want status 200", c.text())
		}
		go func() { // it may be refused
			client, server := net.Pipe()
			_, _ = w.public.connect(w.t.Context(), client, server)
		}()
		synctest.Wait()
		w.stop()
		after(time.Minute) // in which the server drains
		if len(w.done) == 0 {
			t.Error("got a server that goes on while somebody waits, want its end")
		}
	})
}
