package proxy

import (
	"crypto/tls"
	"encoding/binary"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// header2 is a PROXY header of version 2: its command (0 LOCAL, 1 PROXY), its
// family and transport, and what follows.
func header2(command, family byte, rest string) string {
	h := append([]byte("\r\n\r\n\x00\r\nQUIT\n"), 0x20|command, family)
	return string(binary.BigEndian.AppendUint16(h, uint16(len(rest)))) + rest
}

const (
	tcp4Addresses = "\xc0\x00\x02\x07" + "\xc6\x33\x64\x01" + "\x12\x67" + "\x01\xbb"
	tcp6Addresses = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07" +
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" + "\x12\x67" + "\x01\xbb"
	announcing = `{listen: {address: ":1", proxy_protocol: [10.0.0.0/8, "2001:db8:1::/48", 192.0.2.200]}, routes: [{path: /a, log: {}}]}`
)

func unixAddresses() string {
	path := func(s string) string { return s + strings.Repeat("\x00", 108-len(s)) }
	return path("/run/192.0.2.66:1") + path("/run/proxy.sock")
}

// A peer that is to announce its clients does, and others' words aren't taken
// for it.
func TestAnnouncedClients(t *testing.T) {
	inWorld(t, announcing, func(w *world) {
		const v1 = "PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n"
		for _, tt := range []struct{ from, header, want string }{
			{"10.1.2.3:1", v1, "192.0.2.7:4711"},
			{"[::ffff:10.1.2.3]:1", v1, "192.0.2.7:4711"},
			{"[2001:db8:1::5]:1", v1, "192.0.2.7:4711"},
			{"192.0.2.200:1", v1, "192.0.2.7:4711"},
			{"10.1.2.3:1", "PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n", "[2001:db8::7]:4711"},
			{"10.1.2.3:1", header2(1, 0x11, tcp4Addresses), "192.0.2.7:4711"},
			{"10.1.2.3:1", header2(1, 0x11, tcp4Addresses+"\x02\x00\x03foo"), "192.0.2.7:4711"}, // with more about it
			{"10.1.2.3:1", header2(1, 0x21, tcp6Addresses), "[2001:db8::7]:4711"},

			// No client's address, but a check of the proxy's own, or a client
			// that has none.
			{"10.1.2.3:1", header2(0, 0x00, ""), "10.1.2.3:1"},
			{"10.1.2.3:1", header2(0, 0x11, tcp4Addresses), "10.1.2.3:1"},
			{"10.1.2.3:1", "PROXY UNKNOWN\r\n", "10.1.2.3:1"},
			{"10.1.2.3:1", "PROXY UNKNOWN 192.0.2.7 198.51.100.1 4711 443\r\n", "10.1.2.3:1"},
			{"10.1.2.3:1", header2(1, 0x31, unixAddresses()), "10.1.2.3:1"},
			{"10.1.2.3:1", header2(1, 0x12, tcp4Addresses), "10.1.2.3:1"}, // of a datagram

			{"192.0.2.201:1", "", "192.0.2.201:1"},
			{"[2001:db8:2::5]:1", "", "[2001:db8:2::5]:1"},
			{"/run/http.sock", "", "/run/http.sock"},
		} {
			w.forget()
			c := w.wire(tt.from, tt.header+askStream)
			if got := status(c.text()); got != "200" {
				t.Errorf("from %s with %q: got status %q, want 200", tt.from, tt.header, got)
			}
			if want := `"client":"` + tt.want + `"`; !strings.Contains(w.log.String(), want) {
				t.Errorf("from %s with %q: got the log\n%s\nwant %s", tt.from, tt.header, w.log, want)
			}
			c.hangUp()
		}

		w.forget()
		c := w.wire("192.0.2.201:1", v1+askStream)
		if got := c.text(); status(got) != "400" || strings.Contains(w.log.String(), "192.0.2.7") {
			t.Errorf("a header from somebody else: got %q, want 400; log:\n%s", got, w.log)
		}
	})
}

// Without a proper header such a peer's connection is closed, without an
// answer; that is told, for somebody has to mend it.
func TestUnannouncedClients(t *testing.T) {
	inWorld(t, announcing, func(w *world) {
		for i, says := range []string{
			askStream,
			"PROXY TCP4 192.0.2.7 198.51.100.1 4711\r\n" + askStream,
			"PROXY TCP4 999.0.2.7 198.51.100.1 4711 443\r\n" + askStream,
			"PROXY TCP4 192.0.2.7",
			header2(1, 0x00, "") + askStream,
			header2(1, 0x11, tcp4Addresses[:8]) + askStream,
			"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", // TLS
		} {
			w.forget()
			c := w.wire("10.1.2.3:1", says)
			if got := c.text(); !c.closed() || got != "" {
				t.Errorf("%q: got %q, closed %v, want nothing and the end", says, got, c.closed())
			}
			if got, want := w.metric(`sidestream_refused_connections_total{reason="proxy_header"}`), numbers(1, 7)[i]; got != want {
				t.Errorf("%q: got %s refusals, want %s", says, got, want)
			}
			if says := "sends no proper PROXY header"; i < 5 && !strings.Contains(w.log.String(), says) { // five at a time are logged
				t.Errorf("got a log without %q:\n%s", says, w.log)
			}
		}
		// Whoever only looks whether somebody is there is no reason to worry.
		w.forget()
		w.wire("10.1.2.3:1", "").hangUp()
		if got := w.metric(`sidestream_refused_connections_total{reason="proxy_header"}`); got != "7" || w.log.Len() > 0 {
			t.Errorf("got %s refusals, want 7, and the log\n%s", got, w.log)
		}
	})
}

// A header is waited for as long as for those of a request, and by nobody else.
func TestSlowAnnouncement(t *testing.T) {
	table := strings.Replace(announcing, "{", "{limits: {header_timeout: 3s}, ", 1)
	inWorld(t, table, func(w *world) {
		silent := w.wire("10.1.2.3:1", "")
		slow := w.wire("10.1.2.3:2", header2(1, 0x11, tcp4Addresses)[:20])
		other := w.wire("10.1.2.3:3", header2(1, 0x11, tcp4Addresses)+askStream)
		if got := status(other.text()); got != "200" {
			t.Errorf("beside those who are slow: got status %q, want 200", got)
		}
		after(3*time.Second - 1)
		if silent.closed() || slow.closed() {
			t.Errorf("got closed %v, %v before the time is over, want neither", silent.closed(), slow.closed())
		}
		after(1)
		if !silent.closed() || !slow.closed() || other.closed() {
			t.Errorf("got closed %v, %v and %v when the time is over, want all but the last", silent.closed(), slow.closed(), other.closed())
		}
	})
}

// With TLS the header comes first.
func TestAnnouncedBeforeTLS(t *testing.T) {
	files := newCertFiles(t)
	inWorld(t, strings.Replace(announcing, `":1", `, `":1", tls: {`+files.options()+`}, `, 1), func(w *world) {
		conn := w.dialFrom("10.1.2.3:1")
		if _, err := conn.Write([]byte(header2(1, 0x11, tcp4Addresses))); err != nil {
			t.Fatal(err)
		}
		c := read(tls.Client(conn, files.trusting("http/1.1")), askStream)
		if got, want := status(c.text()), `"client":"192.0.2.7:4711"`; got != "200" || !strings.Contains(w.log.String(), want) {
			t.Errorf("got status %q and the log\n%s\nwant 200 and %s", got, w.log, want)
		}
		c.hangUp()

		c = read(tls.Client(w.dialFrom("10.1.2.3:1"), files.trusting("http/1.1")), askStream)
		if got := c.text(); !c.closed() || got != "" {
			t.Errorf("without: got %q, closed %v, want nothing and the end", got, c.closed())
		}
	})
}

// Requests that bring events know the announced address too.
func TestAnnouncedSenders(t *testing.T) {
	var seen string
	p := &post{serve: func(_ http.ResponseWriter, r *http.Request) bool { seen = r.RemoteAddr; return false }}
	inPost(t, p, strings.Replace(announcing, "log: {}", "post: {in: /in}", 1), func(w *world) {
		w.wire("10.1.2.3:1", header2(1, 0x21, tcp6Addresses)+"POST /in HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nConnection: close\r\n\r\n1")
		synctest.Wait()
		if want := "[2001:db8::7]:4711"; seen != want {
			t.Errorf("got a request from %q, want %s", seen, want)
		}
	})
}
