package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// plain returns the table of a sidecar in front of nginx with one route that
// polls /doc.json, quick enough for tests. more are further lines of the
// route, indented by four spaces.
func plain(n *nginx, every string, more ...string) string {
	return fmt.Sprintf(`
upstream: %s
drain: {window: 500ms, timeout: 1s}
defaults: {retry: 100ms, linger: 500ms, backoff: {min: 20ms, max: 100ms}, live_marker: false}
routes:
  - path: /doc.json
    poll: {every: %s, jitter: 0}
%s`, n.url, every, strings.Join(more, "\n"))
}

// A browser that has the application's own URL gets a stream, and everybody
// else what the application has to say, to the byte.
func TestSameURL(t *testing.T) {
	n := startNginx(t)
	n.put(t, "/doc.json", `{"orders": 1}`)
	s := serve(t, plain(n, "50ms"))

	for _, accept := range []string{"", "*/*", "application/json", "text/html,application/xhtml+xml,*/*;q=0.8"} {
		t.Run("pass through, accept "+accept, func(t *testing.T) {
			direct, directBody := get(t, n.url+"/doc.json", accept)
			through, body := get(t, s.url+"/doc.json", accept)
			if got, want := body, directBody; got != want {
				t.Errorf("got body %q, want %q", got, want)
			}
			for _, resp := range []*http.Response{direct, through} {
				for _, name := range []string{"Date", "Connection"} {
					resp.Header.Del(name)
				}
			}
			direct.Header.Set("Vary", "Accept") // since whoever accepts a stream gets one
			if got, want := fmt.Sprint(through.Status, through.Header), fmt.Sprint(direct.Status, direct.Header); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			for _, name := range []string{"Etag", "Last-Modified"} {
				if through.Header.Get(name) == "" {
					t.Errorf("got no %s, want nginx's", name)
				}
			}
		})
	}

	t.Run("R1 headers of the stream", func(t *testing.T) {
		c := follow(t, s.url+"/doc.json")
		c.await(t, 1)
		conn := c.conns()[0]
		for name, want := range map[string]string{
			"Content-Type":      "text/event-stream",
			"Cache-Control":     "no-cache, no-transform",
			"X-Accel-Buffering": "no",
			"Connection":        "keep-alive",
			"Content-Length":    "",
			"Content-Encoding":  "",
		} {
			if got := conn.header.Get(name); conn.status != http.StatusOK || got != want {
				t.Errorf("got %d %s: %q, want 200 and %q", conn.status, name, got, want)
			}
		}
	})

	t.Run("rewritten, an event; unchanged, nothing", func(t *testing.T) {
		c := follow(t, s.url+"/doc.json")
		c.awaitMessage(t, `{"orders":1}`)
		for _, p := range n.awaitPolls(t, "/doc.json", 5) {
			if p.Status != http.StatusNotModified || p.IfNoneMatch == "" {
				t.Errorf("got a poll of an unchanged document with If-None-Match %q answered %d, want 304", p.IfNoneMatch, p.Status)
			}
		}
		n.put(t, "/doc.json", `{"orders": 2}`)
		c.awaitMessage(t, `{"orders":2}`)
		// The same document in another layout is no change.
		n.put(t, "/doc.json", "{\n  \"orders\": 2\n}")
		n.awaitPolls(t, "/doc.json", 3)
		n.put(t, "/doc.json", `{"orders": 3}`)
		c.awaitMessage(t, `{"orders":3}`)
		if got, want := c.messages(), []string{`{"orders":1}`, `{"orders":2}`, `{"orders":3}`}; !slices.Equal(got, want) {
			t.Errorf("got messages %q, want %q", got, want)
		}
	})
}

// What curl -N prints is what goes over the wire: C2 (retry without a blank
// line after it), C1 (each event has its id), W2 (a data line for each line).
func TestCurl(t *testing.T) {
	n := startNginx(t)
	n.put(t, "/notes.txt", "first\nsecond\r\nthird")
	s := serve(t, fmt.Sprintf(`
upstream: %s
routes:
  - path: /notes.txt
    poll: {every: 50ms, type: notes}
    retry: 1234ms
    live_marker: false
`, n.url))
	id := follow(t, s.url+"/notes.txt").await(t, 1)[0].ID
	if _, err := exec.LookPath("curl"); err != nil {
		t.Fatalf("%v (setup.sh installs what the tests need)", err)
	}
	p := launch(t, "curl", "-sN", "-H", "Accept: text/event-stream", s.url+"/notes.txt")
	want := "retry: 1234\nid: " + id + "\nevent: notes\ndata: first\ndata: second\ndata: third\n\n"
	wait(t, fmt.Sprintf("curl printing %q", want), func() (any, bool) {
		got := p.output.String()
		return fmt.Sprintf("%q", got), got == want
	})
}

// R2: a response's headers and its first line are there before the upstream
// has said anything, and while it doesn't.
func TestHeadersBeforeUpstream(t *testing.T) {
	silent := hang(t)
	s := serve(t, fmt.Sprintf("upstream: %s\nroutes:\n  - {path: /doc, poll: {every: 1s}}\n", silent))
	c := follow(t, s.url+"/doc")
	wait(t, "200 and the retry line", func() (any, bool) {
		conn := c.conns()
		return conn, len(conn) == 1 && conn[0].status == http.StatusOK
	})
}

// X8, and the reason why the program exists: a thousand clients cost the
// application one poll an interval, each gets every change, and when they are
// gone so are the polls (R9).
func TestThousandClientsOnePoll(t *testing.T) {
	const (
		clients = 1000
		every   = 200 * time.Millisecond
		linger  = 500 * time.Millisecond // in plain
	)
	n := startNginx(t)
	n.put(t, "/doc.json", `{"v": 0}`)
	s := serve(t, plain(n, every.String()))
	all, leave := gather(t, s.url+"/doc.json", clients)
	all.await(t, "the first document", newest(`{"v":0}`))

	polls := n.awaitPolls(t, "/doc.json", 15)
	for i := range polls[1:] {
		// nginx notes the time when it has answered, in milliseconds.
		if apart := polls[i+1].Time.Sub(polls[i].Time); apart < every/2 {
			t.Errorf("got polls %v apart, want %v", apart, every)
		}
	}
	span := polls[len(polls)-1].Time.Sub(polls[0].Time)
	if got, want := float64(len(polls)-1), float64(span)/float64(every); got > want*1.1 || got < want*0.7 {
		t.Errorf("got %v polls in %v, want %.1f", got, span, want)
	}

	want := []string{`{"v":0}`}
	for v := 1; v <= 3; v++ {
		n.put(t, "/doc.json", fmt.Sprintf(`{"v": %d}`, v))
		want = append(want, fmt.Sprintf(`{"v":%d}`, v))
		all.await(t, want[v], newest(want[v]))
	}
	for _, c := range all {
		if got := c.messages(); !slices.Equal(got, want) {
			t.Fatalf("got messages %q, want %q", got, want)
		}
		if got := len(c.conns()); got != 1 {
			t.Fatalf("got %d connections, want 1", got)
		}
	}

	leave()
	left := time.Now()
	s.awaitLog(t, "stream closed", 1)
	wait(t, "no poll for three intervals", func() (any, bool) {
		polls := n.polls(t, "/doc.json")
		last := polls[len(polls)-1].Time
		if last.After(left.Add(linger + 2*every)) {
			t.Fatalf("got a poll %v after the last client had left, want none after %v", last.Sub(left), linger)
		}
		return last, time.Since(last) > 3*every
	})
	if got := s.metric(t, `sidestream_streams{route="/doc.json"}`); got != 0 {
		t.Errorf("got %v open streams after all had left, want 0", got)
	}
	if got := s.metric(t, `sidestream_clients{route="/doc.json"}`); got != 0 {
		t.Errorf("got %v clients after all had left, want 0", got)
	}
}

// get makes one request on a connection of its own and reads the answer, not
// decompressed.
func get(t *testing.T, url, accept string) (*http.Response, string) {
	t.Helper()
	req := request(t, http.MethodGet, url)
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true, DisableCompression: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}
