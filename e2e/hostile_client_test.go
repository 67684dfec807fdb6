package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// hostileTable has a route for each way in which a client's words get into
// the name of what is polled.
func hostileTable(n *nginx) string {
	return fmt.Sprintf(`
upstream: %s
limits: {header_timeout: 1s}
drain: {window: 100ms, timeout: 1s}
defaults: {linger: 0s, poll: {every: 50ms}}
routes:
  - {path: "/one/{name}", poll: {url: "/docs/{name}.json"}}
  - {path: "/all/{rest...}", poll: {url: "/docs/{rest...}"}}
  - {path: /query, query: [q], poll: {url: "/docs/q.json?q={q}"}}
  - {path: /count, generate: {every: 20ms}}
  - {path: /good.json, poll: {}}
`, n.url)
}

// Whatever a client writes into a path stays inside its segment: nothing is
// polled outside of what the route names, no answer is a 5xx, and nobody else
// notices.
func TestHostileVariables(t *testing.T) {
	n := startNginx(t)
	n.put(t, "/good.json", `{"v": 1}`)
	n.put(t, "/secret.json", `{"secret": true}`)
	n.put(t, "/docs/q.json", `{"q": 1}`)
	s := serve(t, hostileTable(n))
	good := follow(t, s.url+"/good.json")
	good.awaitMessage(t, `{"v":1}`)

	values := []string{
		"..", ".", "%2e%2e", "%2E%2E%2F", "%2e%2e%2fsecret", "..%2fsecret", "..%5csecret", "%2f", "%2fsecret", "%5c", "a%2fb",
		"../secret", "a/../../secret", "//secret", "@127.0.0.1", "%40127.0.0.1", "x@y:z", "http:%2f%2f127.0.0.1%2fsecret",
		"%0d%0aX-Forged:%20yes", "%0a", "%00", "%7f", "%1b[2J", "%ff%fe", "%c0%ae%c0%ae", "%ed%a0%80",
		"%3fx=1", "%23frag", "%25", "%252e%252e", ";", "a;b", "%20", "{name}", "$%7bPATH%7d", "*", "%e2%80%ae",
		strings.Repeat("a", 2000), strings.Repeat("%2e", 5000), strings.Repeat("a", 64<<10), strings.Repeat("/", 5000),
	}
	for _, value := range values {
		for _, target := range []string{"/one/" + value, "/all/" + value, "/all/x/" + value, "/query?q=" + value} {
			status := firstBytes(t, s.url, "GET "+target+" HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\nConnection: close\r\n\r\n")
			if status >= 500 || status < 200 {
				t.Errorf("GET %.80s: got status %d, want a stream or a 4xx", target, status)
			}
		}
	}
	// Spaces and line breaks as they are make no request at all.
	for _, value := range []string{" x", "\r\nX-Forged: yes", "\x00", "\xff\xfe"} {
		status := firstBytes(t, s.url, "GET /one/"+value+" HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\nConnection: close\r\n\r\n")
		if status >= 500 {
			t.Errorf("GET %q: got status %d, want no 5xx", value, status)
		}
	}

	n.put(t, "/good.json", `{"v": 2}`)
	good.awaitMessage(t, `{"v":2}`)
	for _, a := range n.accesses(t) {
		if !strings.HasPrefix(a.Agent, "sidestream") {
			continue // passed through, where the application decides
		}
		path, _, _ := strings.Cut(a.URI, "?")
		if path != "/good.json" && !strings.HasPrefix(path, "/docs/") {
			t.Errorf("got a poll of %q, want none outside /docs/", a.URI)
		}
		path = strings.ToLower(path)
		if slices.ContainsFunc(strings.Split(path, "/"), dots) || strings.Contains(path, "%2f") || strings.Contains(path, "%5c") {
			t.Errorf("got a poll of %q, want no relative segment and no escaped slash in it", a.URI)
		}
	}
	if got := len(good.conns()); got != 1 {
		t.Errorf("got %d connections of a client that did nothing wrong, want 1", got)
	}
}

func dots(segment string) bool {
	segment = strings.ReplaceAll(segment, "%2e", ".")
	return segment == "." || segment == ".."
}

// Ids that were never given out, and other absurd headers: a stream or a 4xx,
// never a byte that breaks the stream (W1, W3), never more memory for it.
func TestHostileHeaders(t *testing.T) {
	n := startNginx(t)
	n.put(t, "/good.json", `{"v": 1}`)
	s := serve(t, hostileTable(n))
	good := follow(t, s.url+"/good.json")
	good.awaitMessage(t, `{"v":1}`)
	before := s.memory(t)

	const end = "Accept: text/event-stream\r\nConnection: close\r\n\r\n"
	many := func(n int) string {
		var b strings.Builder
		for i := range n {
			_, _ = fmt.Fprintf(&b, "X-%d: v\r\n", i)
		}
		return b.String()
	}
	for name, head := range map[string]string{
		"long id":            "Last-Event-ID: " + strings.Repeat("x", 60<<10) + "\r\n",
		"longer id":          "Last-Event-ID: " + strings.Repeat("x", 64<<10) + "\r\n",
		"much longer id":     "Last-Event-ID: " + strings.Repeat("x", 1<<20) + "\r\n",
		"10,000 headers":     many(10_000),
		"4,000 headers":      many(4_000),
		"invalid UTF-8":      "Last-Event-ID: \xff\xfe\xc0\xaf\r\nX-Odd: \xff\r\n",
		"control characters": "Last-Event-ID: a\x01\x1b[2J\r\n",
		"NUL":                "Last-Event-ID: a\x00b\r\n",
		"two ids":            "Last-Event-ID: a\r\nLast-Event-ID: b\r\n",
		"non-ASCII id":       "Last-Event-ID: naïve\r\n",
		"tilde":              "Last-Event-ID: a~999999999999999999999\r\n",
		"JSON":               "Last-Event-ID: {\"a\":[\"</script>\"]}\r\n",
		"folded":             "Last-Event-ID: a\r\n  event: forged\r\n",
		"bare CR":            "Last-Event-ID: a\rdata: forged\r\n",
		"huge Accept":        "Accept: " + strings.Repeat("text/event-stream;q=0.5,", 2000) + "*/*\r\n",
		"odd Accept":         "Accept: ;;;,,=q/\x80;q=nan,text/event-stream;q=1e999\r\n",
		"wrong length":       "Content-Length: 99999999999999999999\r\n",
		"two lengths":        "Content-Length: 1\r\nContent-Length: 2\r\n",
		"length and chunked": "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
		"odd coding":         "Transfer-Encoding: gzip, chunked\r\n",
		"no host":            "Host: b\r\n",
	} {
		for _, path := range []string{"/good.json", "/count"} {
			status, events := firstEvent(t, s.url, "GET "+path+" HTTP/1.1\r\nHost: a\r\n"+head+end)
			if status >= 500 && status != http.StatusNotImplemented {
				t.Errorf("%s, %s: got status %d, want a stream or a 4xx", name, path, status)
			}
			if strings.ContainsAny(events, "\x00\x1b") || strings.Contains(events, "\nevent: forged") || !utf8.ValidString(events) {
				t.Errorf("%s, %s: got %.300q, want nothing of the header as it came", name, path, events)
			}
		}
	}
	for _, id := range []string{"%00", "a%00b", "%ff%fe", "a%0d%0adata:%20forged%0d%0a%0d%0a", strings.Repeat("x", 50<<10), "%F0%9F%8E%88", "-", "%20"} {
		for _, param := range []string{"lastEventId", "last-event-id", "last_event_id"} {
			for _, path := range []string{"/good.json", "/count"} {
				status, events := firstEvent(t, s.url, "GET "+path+"?"+param+"="+id+" HTTP/1.1\r\nHost: a\r\n"+end)
				if status != http.StatusOK {
					t.Errorf("%s, %s=%.50s: got status %d, want a stream", path, param, id, status)
				}
				if strings.ContainsAny(events, "\x00\r") || strings.Contains(events, "\ndata: forged") || !utf8.ValidString(events) {
					t.Errorf("%s, %s=%.50s: got %.300q, want nothing of the id as it came", path, param, id, events)
				}
			}
		}
	}

	// A request whose headers never end.
	for _, piece := range []string{"X-Bomb: " + strings.Repeat("x", 4000) + "\r\n", strings.Repeat("x", 4000)} {
		conn := dial(t, s.url)
		_, err := io.WriteString(conn, "GET /good.json HTTP/1.1\r\nHost: a\r\n")
		for sent := 0; err == nil; sent += len(piece) {
			if sent > 64<<20 {
				t.Fatal("got 64 MiB of headers taken, want an end")
			}
			_, err = io.WriteString(conn, piece)
		}
		_ = conn.Close()
	}
	// And some that stop halfway: they are closed after header_timeout.
	var halfway []net.Conn
	for range 50 {
		conn := dial(t, s.url)
		if _, err := io.WriteString(conn, "GET /good.json HTTP/1.1\r\nHost:"); err != nil {
			t.Fatal(err)
		}
		halfway = append(halfway, conn)
	}
	for _, conn := range halfway {
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, conn); err != nil {
			t.Errorf("got %v for a request that never comes, want the connection closed", err)
		}
		_ = conn.Close()
	}

	n.put(t, "/good.json", `{"v": 2}`)
	good.awaitMessage(t, `{"v":2}`)
	if got := len(good.conns()); got != 1 {
		t.Errorf("got %d connections of a client that did nothing wrong, want 1", got)
	}
	s.grown(t, before, 64<<20)
}

// Clients that read nothing are disconnected after write_timeout; what they
// leave unread is not kept for them, and nobody waits for them.
func TestClientsThatNeverRead(t *testing.T) {
	const stuck = 30
	n := startNginx(t)
	document := func(v int) string { return fmt.Sprintf(`{"a":%d,"pad":%q}`, v, strings.Repeat("x", 700<<10)) }
	n.put(t, "/doc.json", document(0))
	s := serve(t, plain(n, "20ms", "    write_timeout: 1s", "    history: {bytes: 4MiB}", "    heartbeat: 100ms"))
	for range stuck {
		conn := dial(t, s.url)
		defer conn.Close()
		if err := conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "GET /doc.json HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	s.awaitClients(t, "/doc.json", stuck)
	good := follow(t, s.url+"/doc.json")
	good.awaitMessage(t, document(0))
	before := s.memory(t)
	const timedOut = `sidestream_disconnects_total{reason="write_timeout",route="/doc.json"}`
	v := 0
	for ; s.metric(t, timedOut) < stuck; v++ {
		if v > 200 {
			t.Fatalf("got %v clients disconnected after 200 documents, want %d", s.metric(t, timedOut), stuck)
		}
		n.put(t, "/doc.json", document(v+1))
		good.awaitMessage(t, document(v+1))
	}
	if got := len(good.messages()); got != v+1 {
		t.Errorf("got %d messages, want all %d", got, v+1)
	}
	if got := len(good.conns()); got != 1 {
		t.Errorf("got %d connections of the client that reads, want 1", got)
	}
	s.awaitClients(t, "/doc.json", 1)
	s.grown(t, before, 128<<20)
}

func dial(t *testing.T, url string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// firstBytes sends a request as it stands, and returns the status of the
// answer, or 0 if there is none.
func firstBytes(t *testing.T, url, request string) (status int) {
	t.Helper()
	status, _ = answer(t, url, request, func(*bufio.Reader) string { return "" })
	return status
}

// firstEvent returns the status, and of a stream all up to the end of its
// first event.
func firstEvent(t *testing.T, url, request string) (status int, text string) {
	t.Helper()
	return answer(t, url, request, func(body *bufio.Reader) string {
		var text strings.Builder
		for !strings.HasSuffix(text.String(), "\n\n") {
			line, err := body.ReadString('\n')
			text.WriteString(line)
			if err != nil {
				break
			}
		}
		return text.String()
	})
}

func answer(t *testing.T, url, request string, read func(body *bufio.Reader) string) (status int, text string) {
	t.Helper()
	conn := dial(t, url)
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	// The server may answer and close before it has read it all.
	go func() { _, _ = io.WriteString(conn, request) }()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%.100q: got no answer in %v, want one", request, patience)
		}
		return 0, ""
	}
	// Closing the body would read a stream to its end; the connection is
	// closed in its place.
	return resp.StatusCode, read(bufio.NewReader(resp.Body))
}
