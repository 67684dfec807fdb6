package poll

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"sidestream/adapters"
)

// raw returns a handler that takes the connection over and writes text.
func raw(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		io.WriteString(conn, text)
	}
}

// status returns a handler that answers with nothing but a status.
func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func reset(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
	conn.(*net.TCPConn).SetLinger(0)
	conn.Close()
}

func endless(w http.ResponseWriter, _ *http.Request) {
	chunk := []byte(strings.Repeat("[", 1<<10))
	for {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

func slowDrip(w http.ResponseWriter, r *http.Request) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		io.WriteString(w, "[")
		http.NewResponseController(w).Flush()
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}

func gzipBomb(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(w)
	defer z.Close()
	zeros := make([]byte, 1<<20)
	for range 64 {
		if _, err := z.Write(zeros); err != nil {
			return
		}
	}
}

func brokenGzip(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Encoding", "gzip")
	io.WriteString(w, "{\"a\":1}, and this is no gzip")
}

func TestFailures(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	const unreadable = "upstream sent an unreadable body"
	tests := []struct {
		name            string
		handler         http.HandlerFunc
		reason, outcome string
	}{
		{"400", status(400), "upstream answered 400", "400"},
		{"401", status(401), "upstream answered 401", "401"},
		{"404", status(404), "upstream answered 404", "404"},
		{"429", status(429), "upstream answered 429", "429"},
		{"500", status(500), "upstream answered 500", "500"},
		{"503", status(503), "upstream answered 503", "503"},
		{"206", status(206), "upstream answered 206", "206"},
		{"302 without a location", status(302), "upstream answered 302", "302"},
		{"status with a body", raw("HTTP/1.1 503 secret\r\nContent-Length: 6\r\n\r\nsecret"), "upstream answered 503", "503"},
		{"not HTTP", raw("SSH-2.0-OpenSSH\r\n"), "upstream failed", "error"},
		{"closed at once", raw(""), "upstream failed", "error"},
		{"reset", reset, "connection reset", "error"},
		{"garbage", raw(head + "Content-Length: 4\r\n\r\noops"), unreadable, "unreadable"},
		{"half a body", raw(head + "Content-Length: 100\r\n\r\n{\"a\":1}"), unreadable, "unreadable"},
		{"half a chunked body", raw(head + "Transfer-Encoding: chunked\r\n\r\n7\r\n{\"a\":1}\r\n"), unreadable, "unreadable"},
		{"broken chunk", raw(head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n"), unreadable, "unreadable"},
		{"more than announced", raw(head + "Content-Length: 5\r\n\r\n{\"a\":1}"), unreadable, "unreadable"},
		{"close-delimited half", raw(head + "Connection: close\r\n\r\n{\"a\":"), unreadable, "unreadable"},
		{"two lengths", raw(head + "Content-Length: 5\r\nContent-Length: 7\r\n\r\n{\"a\":1}"), "upstream failed", "error"},
		{"broken gzip", brokenGzip, unreadable, "unreadable"},
		{"other coding", raw(head + "Content-Encoding: br\r\nContent-Length: 2\r\n\r\n{}"), unreadable, "unreadable"},
		{"endless body", endless, "upstream's answer is too large", "too_large"},
		{"announced too large", raw(head + "Content-Length: 999999\r\n\r\n{}"), "upstream's answer is too large", "too_large"},
		{"gzip bomb", gzipBomb, "upstream's answer is too large", "too_large"},
		{"slow drip", slowDrip, "timeout", "timeout"},
		{"no answer", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "timeout", "timeout"},
		{"huge headers", raw(head + "X-Pad: " + strings.Repeat("x", 1<<20) + "\r\n\r\n{}"), "upstream failed", "error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var counted tally
			s := open(t, serve(t, tt.handler), counted.env(), func(o *Options) {
				o.URL, o.Answer.MaxBody = "/doc?key=hunter2", 64<<10
				if tt.outcome == "timeout" {
					o.Timeout = adapters.Duration(100 * time.Millisecond)
				}
			})
			wantTransient(t, fail(t, s), tt.reason)
			if got := counted.get(); !slices.Equal(got, []string{tt.outcome}) {
				t.Errorf("counted: got %v, want [%s]", got, tt.outcome)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	upstream, _ := url.Parse(server.URL)
	server.Close()
	var counted tally
	wantTransient(t, fail(t, open(t, upstream, counted.env(), nil)), "connection refused")
	if got := counted.get(); !slices.Equal(got, []string{"refused"}) {
		t.Errorf("counted: got %v, want [refused]", got)
	}
}

func wantTransient(t *testing.T, err error, reason string) {
	t.Helper()
	var u *adapters.UpstreamError
	if !errors.As(err, &u) || u.Permanent || u.Reason != reason {
		t.Fatalf("got %v, want a transient UpstreamError for reason %q", err, reason)
	}
	if s := err.Error(); !strings.Contains(s, ": GET http://127.0.0.1:") || strings.Contains(s, "/doc") || strings.Contains(s, "hunter2") {
		t.Errorf("got error %q, want the upstream in it, without path and query", err)
	}
}

func TestBodyAtTheBound(t *testing.T) {
	upstream := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "12345") })
	for limit, ok := range map[adapters.Size]bool{4: false, 5: true} {
		s := open(t, upstream, adapters.Env{}, func(o *Options) { o.Answer.MaxBody = limit })
		if !ok {
			wantTransient(t, fail(t, s), "upstream's answer is too large")
		} else if got := string(take(t, s, "", 1)[0].Data); got != "12345" {
			t.Errorf("got %q, want 12345", got)
		}
	}
}

func TestGzip(t *testing.T) {
	upstream := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Type", "application/json")
		z := gzip.NewWriter(w)
		defer z.Close()
		io.WriteString(z, `{"b": 1, "a": 2}`)
	})
	if got, want := string(take(t, open(t, upstream, adapters.Env{}, nil), "", 1)[0].Data), `{"a":2,"b":1}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestRedirects(t *testing.T) {
	elsewhere := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("got a request elsewhere, want none") })
	upstream := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var left int
		switch _, err := fmt.Sscanf(r.URL.Path, "/hops/%d/doc", &left); {
		case err != nil:
			w.Header().Set("Location", r.URL.Query().Get("to"))
			w.WriteHeader(http.StatusMovedPermanently)
		case left > 0:
			http.Redirect(w, r, fmt.Sprintf("/hops/%d/doc?key=hunter2", left-1), []int{301, 302, 303, 307, 308}[left%5])
		default:
			io.WriteString(w, "there")
		}
	})
	tests := []struct{ name, url, reason string }{
		{"as many as allowed", "/hops/5/doc", ""},
		{"one more", "/hops/6/doc", "upstream redirected too often"},
		{"absolute", "/doc?to=" + upstream.String() + "/hops/0/doc%23fragment", ""},
		{"other port", "/doc?to=" + elsewhere.String() + "/hunter2", "upstream redirected elsewhere"},
		{"other host", "/doc?to=http://evil.test/hunter2", "upstream redirected elsewhere"},
		{"other host, other scheme", "/doc?to=https://evil.test/hunter2", "upstream redirected elsewhere"},
		{"scheme-relative", "/doc?to=//evil.test/hunter2", "upstream redirected elsewhere"},
		{"user", "/doc?to=http://hunter2@" + upstream.Host + "/hops/0/doc", "upstream redirected elsewhere"},
		{"other protocol", "/doc?to=file:///hunter2", "upstream redirected elsewhere"},
		{"nonsense", "/doc?to=http://[hunter2", "upstream redirected elsewhere"},
		{"nowhere", "/doc?to=", "upstream answered 301"},
		{"upgrade of the scheme is followed", "/doc?to=https://" + upstream.Host + "/hunter2", "upstream failed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var counted tally
			s := open(t, upstream, counted.env(), func(o *Options) { o.URL = tt.url })
			if tt.reason != "" {
				wantTransient(t, fail(t, s), tt.reason)
			} else if got := string(take(t, s, "", 1)[0].Data); got != "there" {
				t.Errorf("got %q, want there", got)
			}
			if got := counted.get(); len(got) != 1 {
				t.Errorf("counted: got %v, want one outcome for the whole poll", got)
			}
		})
	}
}
