package proxy

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// turnedAway checks that c was answered as R6 wants it: 200, a retry longer
// than usual, the end.
func turnedAway(t *testing.T, c *connection, atLeast, atMost int) {
	t.Helper()
	if !c.ended() {
		t.Fatal("the client was let in")
	}
	got := retryLines(c.bytes())
	if len(got) != 1 || got[0] < atLeast || got[0] > atMost {
		t.Errorf("retry: got %v, want one of %d to %d", got, atLeast, atMost)
	}
	if typ := c.resp.Header.Get("Content-Type"); typ != eventStreamType {
		t.Errorf("Content-Type: got %q, want %q", typ, eventStreamType)
	}
}

func TestLimits(t *testing.T) {
	const page = "https://app.example"
	const defaults = `trusted_proxies: [unix], defaults: {cors: {origins: ["` + page + `"], credentials: true}}`
	for _, tt := range []struct{ name, table string }{
		{"clients of the route", `routes: [{path: "/{x}", log: {name: p}, max_clients: 2}]`},
		{"clients in all", `limits: {clients: 2}, routes: [{path: "/{x}", log: {name: p}}]`},
		{"clients of an address", `limits: {clients_per_address: 2}, routes: [{path: "/{x}", log: {name: p}}]`},
		{"streams of the route", `routes: [{path: "/{x}", log: {name: p}, max_streams: 2}]`},
		{"streams in all", `limits: {streams: 2}, routes: [{path: "/{x}", log: {name: p}}]`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, "{"+defaults+", "+tt.table+"}", func(w *world) {
				connect := func(path string) *connection {
					c := w.connect(path, "X-Forwarded-For: 192.0.2.1", "Origin: "+page)
					// The page has to see that it isn't an error (R6, R10).
					h := c.resp.Header
					if got := h.Get("Access-Control-Allow-Origin") + " " + h.Get("Access-Control-Allow-Credentials"); got != page+" true" {
						t.Errorf("%s: got origin and credentials %q allowed, want %q", path, got, page+" true")
					}
					return c
				}
				a, b := connect("/a"), connect("/b")
				turnedAway(t, connect("/c"), 15000, 30000)
				a.drop()
				after(time.Minute)
				c := connect("/c")
				if c.ended() {
					t.Error("there is room again, but the client was turned away")
				}
				b.drop()
				c.drop()
				if got := w.metric(`sidestream_disconnects_total{reason="no_room",route="/{x}"}`); got != "1" {
					t.Errorf("counted: got %s, want 1", got)
				}
			})
		})
	}
}

// Clients are counted by the addresses that they come from: with IPv6 by
// networks of 64 bits, and without one not at all. Nothing is kept of those
// who have left.
func TestClientsPerAddress(t *testing.T) {
	const table = `{trusted_proxies: [unix], limits: {clients_per_address: 1}, routes: [{path: /p, log: {name: p}}]}`
	inWorld(t, table, func(w *world) {
		connections := map[string]*connection{}
		for _, tt := range []struct {
			from string
			room bool
		}{
			{"192.0.2.1", true},
			{"192.0.2.1:4711", false},
			{"::ffff:192.0.2.1", false},
			{"192.0.2.2", true},
			{"2001:db8:0:1::1", true},
			{"2001:db8:0:1:ffff:ffff:ffff:ffff", false},
			{"2001:db8:0:2::1", true},
		} {
			c := w.connect("/p", "X-Forwarded-For: "+tt.from)
			if got := !c.ended(); got != tt.room {
				t.Errorf("from %s: got room %v, want %v", tt.from, got, tt.room)
			}
			if tt.room {
				connections[tt.from] = c
			}
		}
		connections["none"], connections["none either"] = w.connect("/p"), w.connect("/p")

		// Who is there already counts after a reload, too.
		w.server.Reload(w.parse(strings.Replace(table, "address: 1", "address: 0", 1)))
		connections["without a bound"] = w.connect("/p", "X-Forwarded-For: 192.0.2.1")
		w.server.Reload(w.parse(strings.Replace(table, "address: 1", "address: 2", 1)))
		turnedAway(t, w.connect("/p", "X-Forwarded-For: 192.0.2.1"), 15000, 30000)

		for from, c := range connections {
			if c.ended() {
				t.Errorf("%s: got its stream ended, want it open", from)
			}
			c.drop()
		}
		if got := len(w.server.perAddr.have); got != 0 {
			t.Errorf("addresses that are kept: got %d, want none", got)
		}
		if got := w.metric(`sidestream_disconnects_total{reason="no_room",route="/p"}`); got != "4" {
			t.Errorf("counted: got %s, want 4", got)
		}
	})
}

// R9: whatever clients do, nothing is left of them.
func TestNothingIsLeft(t *testing.T) {
	inWorld(t, `routes: [{path: "/{x}", log: {name: p}, linger: 1s}]`, func(w *world) {
		for i := range 50 {
			w.connect(fmt.Sprintf("/%d", i%7)).drop()
		}
		after(2 * time.Second)
		for name, want := range map[string]string{
			`sidestream_clients{route="/{x}"}`:                         "0",
			`sidestream_streams{route="/{x}"}`:                         "0",
			`sidestream_sources{route="/{x}",state="fresh"}`:           "0",
			`sidestream_disconnects_total{reason="gone",route="/{x}"}`: "50",
		} {
			if got := w.metric(name); got != want {
				t.Errorf("%s: got %s, want %s", name, got, want)
			}
		}
		s := w.server
		if c, st := s.clients.have.Load(), s.streams.have.Load(); c != 0 || st != 0 {
			t.Errorf("counted against the limits: %d clients and %d streams, want none", c, st)
		}
		if got := w.upstream("p").Running(); got != 0 {
			t.Errorf("sources running: got %d, want 0", got)
		}
	})
}

func TestRefusedRequests(t *testing.T) {
	inWorld(t, `
routes:
  - {path: "/v/{x}", log: {name: p}}
  - {path: "/q", query: [a, b], log: {name: p}}
`, func(w *world) {
		for _, tt := range []struct {
			path string
			want int
		}{
			{"/v/" + strings.Repeat("x", 1025), 404},
			{"/v/a%00b", 404},
			{"/v/a%0d%0ab", 404},
			{"/v/%ff", 404},
			{"/v/a%2fb", 404}, // the adapter's own rule
			{"/v/%2e%2e", 404},
			{"/nowhere", 404},
			{"/q?a=1&a=2", 400},
			{"/q?a=%00", 400},
			{"/q?a=" + strings.Repeat("x", 1025), 400},
		} {
			resp := w.get(tt.path)
			resp.Body.Close()
			if resp.StatusCode != tt.want {
				t.Errorf("%.40s: got status %d, want %d", tt.path, resp.StatusCode, tt.want)
			}
		}
		resp := w.do(http.MethodPost, "/q")
		resp.Body.Close()
		if got := resp.StatusCode; got != http.StatusMethodNotAllowed {
			t.Errorf("POST with nothing behind: got status %d, want 405", got)
		}
		// Absent and empty are not the same key; what isn't a variable
		// doesn't matter.
		conns := []*connection{w.connect("/q"), w.connect("/q?a=x"), w.connect("/q?b=x"), w.connect("/q?a=x&_=123")}
		if got, want := w.metric(`sidestream_streams{route="/q"}`), "3"; got != want {
			t.Errorf("streams: got %s, want %s", got, want)
		}
		for _, c := range conns {
			c.drop()
		}
	})
}

// A connection too many waits; it is not refused.
func TestConnectionsAreBounded(t *testing.T) {
	inWorld(t, `{limits: {connections: 2}, routes: [{path: /p, log: {name: p}}]}`, func(w *world) {
		first, second := w.connect("/p"), w.connect("/p")
		third := make(chan *http.Response, 1)
		go func() { third <- w.get("/p") }()
		after(time.Minute)
		select {
		case <-third:
			t.Error("a third connection was served")
		default:
		}
		first.drop()
		resp := <-third
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("once there is room: got status %d, want 200", resp.StatusCode)
		}
		second.drop()
	})
}
