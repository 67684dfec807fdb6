package proxy

import (
	"strings"
	"testing"
)

// Who has as many connections as one address may have gets no more, until one
// is closed. Others aren't concerned, and neither is a proxy in front.
func TestConnectionsOfOneAddress(t *testing.T) {
	table := strings.Replace(announcing, "{", "{limits: {connections_per_address: 2}, ", 1)
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

		for range 5 {
			open("10.1.2.3:1", "PROXY TCP4 192.0.2.1 198.51.100.1 4711 443\r\n")
			open("/run/http.sock", "")
		}
		refused("3")
	})
}
