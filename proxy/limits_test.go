package proxy

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// onEach runs f in a world for table, with TLS and without; dial connects
// for a protocol of ALPN.
func onEach(t *testing.T, table string, f func(w *world, dial func(protocol string) net.Conn)) {
	t.Helper()
	t.Run("cleartext", func(t *testing.T) {
		inWorld(t, table, func(w *world) {
			f(w, func(string) net.Conn { return w.dialFrom("192.0.2.1:1") })
		})
	})
	t.Run("TLS", func(t *testing.T) {
		files := newCertFiles(t)
		table := strings.Replace(table, "{", `{listen: {address: ":1", tls: {`+files.options()+`}}, `, 1)
		inWorld(t, table, func(w *world) {
			f(w, func(protocol string) net.Conn {
				conn := tls.Client(w.dialFrom("192.0.2.1:1"), files.trusting(protocol))
				if err := conn.Handshake(); err != nil {
					w.t.Fatal(err)
				}
				return conn
			})
		})
	})
}

// A request with more headers than it may have is answered 431. Other
// connections, and other requests on the same one, aren't concerned.
func TestTooManyHeaders(t *testing.T) {
	const table = `{limits: {header_bytes: 8KiB}, routes: [{path: /a, log: {name: r}}]}`
	onEach(t, table, func(w *world, dial func(string) net.Conn) {
		over := make([]hpack.HeaderField, 14)
		var text strings.Builder
		for i := range over {
			over[i] = hpack.HeaderField{Name: "x-" + string(rune('a'+i)), Value: strings.Repeat("v", 1000)}
			text.WriteString(over[i].Name + ": " + over[i].Value + "\r\n")
		}
		beside := read(dial("http/1.1"), askStream)
		c := read(dial("http/1.1"), strings.Replace(askStream, "Accept", text.String()+"Accept", 1))
		after(time.Second) // net/http lets the answer arrive first
		if got := c.text(); status(got) != "431" || !c.closed() {
			w.t.Errorf("HTTP/1.1: got %q, closed %v, want status 431 and the end", got, c.closed())
		}

		h := overHTTP2(dial("h2"))
		h.ask(1, true)
		h.ask(3, true, over...)
		if got, _ := h.look(3); got != "431" {
			w.t.Errorf("HTTP/2: got status %q, want 431", got)
		}
		h.ask(5, true)
		w.publish("r", "on")
		for _, stream := range []uint32{1, 5} {
			if code, data := h.look(stream); code != "200" || !strings.Contains(data, "data: on\n") {
				w.t.Errorf("HTTP/2: got status %q and %q for a request beside it, want 200 and the event", code, data)
			}
		}

		// Far too many end the connection they are on.
		far := overHTTP2(dial("h2"))
		many := make([]hpack.HeaderField, 0, 10*len(over))
		for range 10 {
			many = append(many, over...)
		}
		far.ask(1, true, many...)
		after(5 * time.Second) // in which a pipe with nobody at its other end is given up
		if code, _ := far.look(1); code == "200" || !far.closed() {
			w.t.Errorf("HTTP/2, far too many: got status %q, closed %v, want none and the end", code, far.closed())
		}
		w.publish("r", "and on")
		if _, data := h.look(1); !strings.Contains(data, "data: and on\n") || h.closed() {
			w.t.Errorf("HTTP/2: got %q, closed %v on another connection, want the event", data, h.closed())
		}
		if got := beside.text(); !strings.Contains(got, "data: and on\n") {
			w.t.Errorf("HTTP/1.1: got %q on another connection, want the event", got)
		}
	})
}

// Who begins a request and doesn't go on is cut off.
func TestSlowHeaders(t *testing.T) {
	const table = `{limits: {header_timeout: 3s, stall_timeout: 4s}, routes: [{path: /a, log: {name: r}}]}`
	onEach(t, table, func(w *world, dial func(string) net.Conn) {
		silent, slow := read(dial("http/1.1"), ""), read(dial("http/1.1"), "GET /a HTTP/1.1\r\nHost:")
		// A client of HTTP/2 in the middle of its headers can answer no ping.
		h := overHTTP2(dial("h2"))
		h.ask(1, false)
		after(3*time.Second - 1)
		if silent.closed() || slow.closed() {
			w.t.Errorf("HTTP/1.1: got closed %v, %v before the time is over, want neither", silent.closed(), slow.closed())
		}
		after(1)
		if !silent.closed() || !slow.closed() {
			w.t.Errorf("HTTP/1.1: got closed %v, %v when the time is over, want both", silent.closed(), slow.closed())
		}
		after(5*time.Second + time.Second)
		if code, _ := h.look(1); code != "" || !h.closed() {
			w.t.Errorf("HTTP/2: got status %q, closed %v after 9s, want none and the end", code, h.closed())
		}
	})
}

// Who never finishes a handshake is cut off as well.
func TestSlowHandshake(t *testing.T) {
	files := newCertFiles(t)
	table := strings.Replace(secured(files.options()), "{", "{limits: {header_timeout: 3s}, ", 1)
	inWorld(t, table, func(w *world) {
		silent, slow := w.wire("192.0.2.1:1", ""), w.wire("192.0.2.1:2", "\x16\x03\x01\x02\x00\x01")
		after(3*time.Second - 1)
		if silent.closed() || slow.closed() {
			t.Errorf("got closed %v, %v before the time is over, want neither", silent.closed(), slow.closed())
		}
		after(1)
		if !silent.closed() || !slow.closed() {
			t.Errorf("got closed %v, %v when the time is over, want both", silent.closed(), slow.closed())
		}
		w.presents(files, "one")
	})
}

// A connection that isn't used is closed, and one with a stream isn't.
func TestIdleConnections(t *testing.T) {
	const table = `{limits: {idle_timeout: 30s}, routes: [{path: /a, log: {name: r}}]}`
	onEach(t, table, func(w *world, dial func(string) net.Conn) {
		const none = "GET /none HTTP/1.1\r\nHost: x\r\n\r\n"
		idle := read(dial("http/1.1"), none)
		if got := status(idle.text()); got != "404" {
			w.t.Errorf("got status %q, want 404", got)
		}
		idle2, busy := overHTTP2(dial("h2")), overHTTP2(dial("h2"))
		busy.ask(1, true)
		after(30*time.Second - 1)
		if idle.closed() || idle2.closed() {
			w.t.Errorf("got closed %v, by HTTP/2 %v, before the time is over, want neither", idle.closed(), idle2.closed())
		}
		after(5 * time.Second) // HTTP/2 says so first, and waits a little
		if !idle.closed() || !idle2.closed() {
			w.t.Errorf("got closed %v, by HTTP/2 %v, when the time is over, want both", idle.closed(), idle2.closed())
		}
		w.publish("r", "on")
		if _, data := busy.look(1); !strings.Contains(data, "data: on\n") {
			w.t.Errorf("got %q on a connection with a stream, want the event", data)
		}
	})
}

// A connection of HTTP/2 has as many requests as it may, is told so, and one
// more is refused, by itself (RFC 9113 section 5.1.2).
func TestHTTP2Streams(t *testing.T) {
	const table = `{limits: {http2_streams: 3}, routes: [{path: /a, log: {name: r}}]}`
	onEach(t, table, func(w *world, dial func(string) net.Conn) {
		c := overHTTP2(dial("h2"))
		if got := c.settings[http2.SettingMaxConcurrentStreams]; got != 3 {
			w.t.Errorf("got %d streams announced, want 3", got)
		}
		for stream := uint32(1); stream <= 7; stream += 2 {
			c.ask(stream, true)
		}
		w.publish("r", "on")
		for stream := uint32(1); stream <= 5; stream += 2 {
			if code, data := c.look(stream); code != "200" || !strings.Contains(data, "data: on\n") {
				w.t.Errorf("got status %q and %q for a request within the bound, want 200 and the event", code, data)
			}
		}
		if code, _ := c.look(7); code != "" || c.reset[7] != http2.ErrCodeProtocol {
			w.t.Errorf("got status %q, reset by %v for one more, want it refused", code, c.reset[7])
		}
		c.write(func() error { return c.framer.WriteRSTStream(1, http2.ErrCodeCancel) })
		c.ask(9, true)
		if code, _ := c.look(9); code != "200" {
			w.t.Errorf("got status %q when there is room again, want 200", code)
		}
	})
}

// When the server drains, streams end and HTTP/2 connections are told to go,
// with TLS and without.
func TestDrainOfHTTP2(t *testing.T) {
	const table = `{drain: {window: 1s, timeout: 5s}, routes: [{path: /a, log: {name: r}}]}`
	onEach(t, table, func(w *world, dial func(string) net.Conn) {
		c := overHTTP2(dial("h2"))
		c.ask(1, true)
		w.publish("r", "on")
		w.stop()
		after(3 * time.Second)
		if _, data := c.look(1); !strings.Contains(data, "data: on\n") || len(retryLines(data)) != 2 || !c.goAway || !c.closed() {
			w.t.Errorf("got %q, told to go %v, closed %v, want a retry line at the end, and both", data, c.goAway, c.closed())
		}
		if len(w.done) == 0 {
			w.t.Error("got a server that goes on, want its end")
		}
	})
}
