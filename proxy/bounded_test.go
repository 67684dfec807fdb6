package proxy

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Who has as many connections as one address may have is told to come back until
// one is closed. Others aren't concerned, and neither is a proxy in front.
func TestConnectionsOfOneAddress(t *testing.T) {
	table := strings.Replace(announcing, "{", "{trusted_proxies: [172.16.0.0/12], limits: {connections_per_address: 2, retry: 20s}, ", 1)
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
			c := w.wire(from, askStream)
			after(time.Second) // net/http lets the answer arrive first
			got := c.text()
			if lines := retryLines(got); status(got) != "200" || len(lines) != 1 || !strings.Contains(got, "\r\nConnection: close\r\n") || !c.closed() {
				t.Errorf("from %s: got %q, closed %v, want status 200, when to come back, and the end", from, got, c.closed())
			} else if d := lines[0]; d < 20_000 || d > 40_000 {
				t.Errorf("from %s: got retry %d ms, want 20000 to 40000", from, d)
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

// Over the bound a connection gets an answer that says when to come back, of
// whatever kind the request takes, and of that which its route's pages can read;
// then it ends, as it does without a request.
func TestConnectionsOverTheBound(t *testing.T) {
	const table = `{limits: {connections_per_address: 1, header_timeout: 3s, retry: 20s}, upstream: "unix:/run/no.sock",` +
		` routes: [{path: /a, log: {name: r}, cors: {origins: ["https://app.example"]}}]}`
	onEach(t, table, func(w *world, dial func(string) net.Conn) {
		inside := read(dial("http/1.1"), askStream)
		for _, tt := range []struct{ path, more, status, has string }{
			{"/a", "Accept: text/event-stream\r\nOrigin: https://app.example\r\n", "200", "Access-Control-Allow-Origin: https://app.example\r\n"},
			{"/a", "Accept: text/html\r\n", "503", "Retry-After: "},
			{"/own", "Accept: text/event-stream\r\n", "200", "retry: "},
			{"/own", "Accept: text/event-stream\r\nOrigin: https://any.example\r\n", "200", "Access-Control-Allow-Origin: https://any.example\r\n"},
			{"/own", "", "503", "Retry-After: "},
		} {
			c := read(dial("http/1.1"), "GET "+tt.path+" HTTP/1.1\r\nHost: x\r\n"+tt.more+"\r\n")
			after(time.Second) // net/http lets the answer arrive first
			got := c.text()
			if status(got) != tt.status || !strings.Contains(got, tt.has) || !strings.Contains(got, "\r\nConnection: close\r\n") || !c.closed() {
				w.t.Errorf("%s, %q: got %q, closed %v, want status %s, %q, and the end", tt.path, tt.more, got, c.closed(), tt.status, tt.has)
			}
		}

		h := overHTTP2(dial("h2"))
		h.ask(1, true)
		after(2 * time.Second) // HTTP/2 says so first, and waits a little
		if code, data := h.look(1); code != "200" || len(retryLines(data)) != 1 || !h.goAway || !h.closed() {
			w.t.Errorf("HTTP/2: got status %q and %q, told to go %v, closed %v, want 200, when to come back, and both", code, data, h.goAway, h.closed())
		}

		silent := read(dial("http/1.1"), "")
		if further := read(w.dialFrom("192.0.2.1:9"), askStream); !further.closed() || further.text() != "" {
			w.t.Errorf("beside another over the bound: got %q, closed %v, want nothing and the end", further.text(), further.closed())
		}
		after(3*time.Second - 1)
		if silent.closed() {
			w.t.Error("got the end of one without a request before the time is over, want it to stay")
		}
		after(1)
		if !silent.closed() {
			w.t.Error("got one without a request that stays, want its end")
		}
		if got := w.metric(`sidestream_refused_connections_total{reason="too_many"}`); got != "8" {
			w.t.Errorf("got %s refusals, want 7", got)
		}
		w.publish("r", "on")
		if got := inside.text(); !strings.Contains(got, "data: on\n") {
			w.t.Errorf("got %q within the bound, want the event", got)
		}
		inside.hangUp()
		again := read(dial("http/1.1"), askStream)
		w.publish("r", "and on")
		if got := again.text(); !strings.Contains(got, "data: and on\n") {
			w.t.Errorf("got %q when there is room again, want the event", got)
		}
	})
}

// Requests that bring events are told to come back as well, wherever they come
// in.
func TestSendersOverTheBound(t *testing.T) {
	served := 0
	p := &post{serve: func(http.ResponseWriter, *http.Request) bool { served++; return false }}
	inPost(t, p, `{limits: {connections_per_address: 1}, routes: [{path: /a, post: {in: /in}}, {path: /b, post: {in: /in, listen: ":1"}}]}`, func(w *world) {
		const bring = "POST /in HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1"
		for i, l := range []*pipeListener{w.public, w.own[":1"]} {
			dial := func() net.Conn {
				client, server := net.Pipe()
				conn, err := l.connect(w.t.Context(), client, from{server, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1}})
				if err != nil {
					t.Fatal(err)
				}
				return conn
			}
			inside := read(dial(), bring)
			c := read(dial(), bring)
			after(time.Second) // net/http lets the answer arrive first
			if got := c.text(); status(got) != "503" || !strings.Contains(got, "\r\nRetry-After: ") || !c.closed() {
				t.Errorf("got %q, closed %v, want status 503, when to come back, and the end", got, c.closed())
			}
			if inside.closed() || served != i+1 {
				t.Errorf("got %d requests served, closed %v within the bound, want %d and not", served, inside.closed(), i+1)
			}
			inside.hangUp()
		}
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
