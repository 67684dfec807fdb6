package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// sidecar runs sidestream in front of an application, with a route that the
// tests of pass-through don't use.
func sidecar(t *testing.T, upstream string) *sidestream {
	t.Helper()
	return serve(t, fmt.Sprintf(`
upstream: %s
drain: {window: 100ms, timeout: 1s}
routes:
  - {path: /stream.json, poll: {}}
`, upstream))
}

// equal does the same thing to an application directly and through the
// sidecar, checks that it makes no difference, and returns the outcome.
func equal[T any](t *testing.T, h http.HandlerFunc, do func(url string) T) T {
	t.Helper()
	direct := app(t, h)
	through := sidecar(t, direct)
	got, want := do(through.url), do(direct)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %.1000v through the sidecar, want %.1000v as directly", got, want)
	}
	return got
}

// send writes a request as it stands and reads the answer.
func send(t *testing.T, url, request string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("answer to %.100q: %v", request, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("answer to %.100q: %v", request, err)
	}
	return resp, string(body)
}

// The application sees the very target that the client has sent, however
// strange.
func TestPassThroughTargets(t *testing.T) {
	echo := func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Method+" "+r.RequestURI) }
	for _, target := range []string{
		"//a/./b%2fc?x=1;y=2",
		"/a/../b",
		"/a//b/",
		"/%2e%2e/%2E%2e",
		"/a%20b+c%2Bd",
		"/caf%C3%A9",
		"/%ff%fe",
		"/stream.json",
		"/stream.json?x=%zz&&=&y",
		"/stream.json/",
		"/a;b=c,d",
		"/a?",
		"/a?b?c/d//e",
		"/a:b@c!$&'()*+,;=~-._",
		"/a|b[c]", // browsers leave these as they are
		"/" + strings.Repeat("long/", 2000),
	} {
		t.Run(fmt.Sprintf("%.40s", target), func(t *testing.T) {
			for _, method := range []string{"GET", "DELETE", "PURGE"} {
				got := equal(t, echo, func(url string) string {
					resp, body := send(t, url, method+" "+target+" HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n\r\n")
					return fmt.Sprint(resp.StatusCode, " ", body)
				})
				if want := "200 " + method + " " + target; got != want {
					t.Errorf("got %.200q, want %.200q", got, want)
				}
			}
		})
	}
}

// Headers of the connection stay on it, the others pass in both directions,
// and X-Forwarded-* tell the application who asks, which isn't what clients
// write there.
func TestPassThroughHeaders(t *testing.T) {
	seen := make(chan *http.Request, 1)
	direct := app(t, func(w http.ResponseWriter, r *http.Request) {
		seen <- r
		for _, line := range []string{
			"Connection: X-Answer-Drop", "X-Answer-Drop: 1", "Keep-Alive: timeout=5", "Proxy-Connection: close",
			"X-Answer: 1", "X-Answer: 2", "Set-Cookie: a=1", "Set-Cookie: b=2", "Www-Authenticate: Basic realm=x",
			"Server: legacy/1.0", "Date: Thu, 01 Jan 1970 00:00:00 GMT", "Cache-Control: max-age=5", "Etag: W/\"x\"",
		} {
			name, value, _ := strings.Cut(line, ": ")
			w.Header().Add(name, value)
		}
		w.WriteHeader(http.StatusTeapot)
	})
	s := sidecar(t, direct)

	const request = "GET /a HTTP/1.1\r\nHost: app.example:81\r\nConnection: close, X-Drop\r\nX-Drop: 1\r\nKeep-Alive: 5\r\n" +
		"Proxy-Connection: keep-alive\r\nTE: gzip\r\nX-Keep: 1\r\nX-Keep: 2\r\nCookie: c=d\r\nAuthorization: Bearer x\r\n" +
		"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Host: shop.example\r\nX-Forwarded-Proto: https\r\nForwarded: for=192.0.2.1\r\n" +
		"X-Real-IP: 192.0.2.1\r\nX_Forwarded_For: 192.0.2.1\r\n\r\n"
	resp, _ := send(t, s.url, request)
	in := <-seen
	for name, want := range map[string][]string{
		"X-Keep":            {"1", "2"},
		"Cookie":            {"c=d"},
		"Authorization":     {"Bearer x"},
		"X-Forwarded-For":   {"127.0.0.1"},
		"X-Forwarded-Host":  {"app.example:81"},
		"X-Forwarded-Proto": {"http"},
		"Forwarded":         nil,
		"X-Real-Ip":         nil,
		"X_forwarded_for":   nil,
		"X-Drop":            nil,
		"Keep-Alive":        nil,
		"Proxy-Connection":  nil,
		"Te":                nil,
		"User-Agent":        nil,
		"Accept-Encoding":   nil,
	} {
		if got := in.Header.Values(name); !slices.Equal(got, want) {
			t.Errorf("the application got %s: %q, want %q", name, got, want)
		}
	}
	if got, want := in.Host, "app.example:81"; got != want {
		t.Errorf("the application got Host: %q, want %q", got, want)
	}
	if got, want := resp.StatusCode, http.StatusTeapot; got != want {
		t.Errorf("got status %d, want %d", got, want)
	}
	for name, want := range map[string][]string{
		"X-Answer":         {"1", "2"},
		"Set-Cookie":       {"a=1", "b=2"},
		"Www-Authenticate": {"Basic realm=x"},
		"Server":           {"legacy/1.0"},
		"Date":             {"Thu, 01 Jan 1970 00:00:00 GMT"},
		"Cache-Control":    {"max-age=5"},
		"Etag":             {`W/"x"`},
		"X-Answer-Drop":    nil,
		"Keep-Alive":       nil,
		"Proxy-Connection": nil,
	} {
		if got := resp.Header.Values(name); !slices.Equal(got, want) {
			t.Errorf("the client got %s: %q, want %q", name, got, want)
		}
	}
}

// What the application has compressed passes as it is, and nothing that it
// hasn't is.
func TestPassThroughGzip(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = io.WriteString(z, strings.Repeat("text ", 1000))
	_ = z.Close()
	h := func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") == "" {
			_, _ = io.WriteString(w, strings.Repeat("text ", 1000))
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(packed.Bytes())
	}
	for accept, want := range map[string]string{"": strings.Repeat("text ", 1000), "Accept-Encoding: gzip\r\n": packed.String()} {
		got := equal(t, h, func(url string) string {
			_, body := send(t, url, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"+accept+"\r\n")
			return body
		})
		if got != want {
			t.Errorf("with %q: got a body of %d bytes, want the application's own %d", accept, len(got), len(want))
		}
	}
}

// HEAD, ranges, conditional requests and errors of nginx arrive as they are.
func TestPassThroughNginx(t *testing.T) {
	n := startNginx(t)
	n.put(t, "/doc.json", `{"orders": 1}`)
	n.put(t, "/old.json", "")
	n.end(t, "/old.json")
	s := sidecar(t, n.url)
	resp, _ := get(t, n.url+"/doc.json", "")
	etag := resp.Header.Get("Etag")
	for _, c := range []struct {
		request string
		status  int
	}{
		{"HEAD /doc.json", 200},
		{"GET /doc.json\r\nRange: bytes=2-8", 206},
		{"GET /doc.json\r\nRange: bytes=99-", 416},
		{"GET /doc.json\r\nIf-None-Match: " + etag, 304},
		{"GET /missing", 404},
		{"POST /doc.json\r\nContent-Length: 0", 405},
		{"GET /old.json", 410},
		{"OPTIONS /doc.json", 405},
	} {
		t.Run(strings.ReplaceAll(c.request, "\r\n", ", "), func(t *testing.T) {
			line, headers, _ := strings.Cut(c.request, "\r\n")
			request := line + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + headers
			if headers != "" {
				request += "\r\n"
			}
			outcome := func(url string) string {
				resp, body := send(t, url, request+"\r\n")
				for _, name := range []string{"Date", "Connection"} {
					resp.Header.Del(name)
				}
				return fmt.Sprintln(resp.StatusCode, resp.ContentLength, resp.Header, body)
			}
			got, want := outcome(s.url), outcome(n.url)
			if got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			if !strings.HasPrefix(got, strconv.Itoa(c.status)) {
				t.Errorf("got %s, want status %d", got, c.status)
			}
		})
	}
}

// 103 arrives before the answer that it announces is there.
func TestPassThroughEarlyHints(t *testing.T) {
	type result struct {
		Code  int
		Links []string
	}
	hinted := make(chan struct{})
	h := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		select {
		case <-hinted:
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(w, "done")
	}
	got := equal(t, h, func(url string) []result {
		var hints []result
		trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
			hints = append(hints, result{code, header["Link"]})
			hinted <- struct{}{}
			return nil
		}}
		req, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodGet, url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return append(hints, result{resp.StatusCode, resp.Header["Link"]})
	})
	if len(got) != 2 || got[0].Code != http.StatusEarlyHints || len(got[0].Links) != 1 {
		t.Errorf("got %v, want 103 with a link and 200", got)
	}
}

// An application that isn't there is an answer that says so, since this is no
// stream.
func TestPassThroughNobodyThere(t *testing.T) {
	n := startNginx(t)
	s := sidecar(t, n.url)
	n.kill()
	if resp, _ := get(t, s.url+"/doc.json", ""); resp.StatusCode != http.StatusBadGateway {
		t.Errorf("got status %d, want 502", resp.StatusCode)
	}
}
