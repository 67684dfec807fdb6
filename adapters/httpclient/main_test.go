package httpclient

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"sidestream/adapters"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hidden is part of every secret of these tests, and of every payload.
const hidden = "hunter2"

// clean checks that an error gives nothing away.
func clean(tb testing.TB, err error) {
	tb.Helper()
	for text := err; text != nil; {
		if s := text.Error(); strings.Contains(s, hidden) || strings.Contains(s, "classified") {
			tb.Errorf("got error %q, want one without secrets", s)
		}
		u, ok := text.(interface{ Unwrap() error })
		if !ok {
			return
		}
		text = u.Unwrap()
	}
}

// newClient returns a client with default options, except for what edit
// changes.
func newClient(tb testing.TB, edit func(*Options)) *Client {
	tb.Helper()
	o := Defaults()
	if edit != nil {
		edit(&o)
	}
	var c adapters.OptionErrors
	if o.Check(&c); c.Err() != nil {
		tb.Fatalf("Check: got %v, want no error", c.Err())
	}
	client := New(o)
	tb.Cleanup(client.Close)
	return client
}

// request returns a request whose URL must not be in errors.
func request(tb testing.TB, method, target string, body io.Reader) *http.Request {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), method, target+"?q=classified", body)
	if err != nil {
		tb.Fatal(err)
	}
	return req
}

// get returns what a GET of target answers, body included.
func get(tb testing.TB, c *Client, target string, forward http.Header) (*http.Response, string) {
	tb.Helper()
	return do(tb, c, request(tb, http.MethodGet, target, nil), forward)
}

func do(tb testing.TB, c *Client, req *http.Request, forward http.Header) (*http.Response, string) {
	tb.Helper()
	resp, err := c.Do(req, forward, nil)
	if err != nil {
		tb.Fatalf("Do: got %v, want no error", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return resp, string(body)
}

// fails checks that a GET of target fails with an error that holds the given
// parts and no secret, and returns it.
func fails(tb testing.TB, c *Client, target string, parts ...string) error {
	tb.Helper()
	resp, err := c.Do(request(tb, http.MethodGet, target, nil), nil, nil)
	if err == nil {
		resp.Body.Close()
		tb.Fatalf("Do: got status %d, want an error", resp.StatusCode)
	}
	clean(tb, err)
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			tb.Errorf("Do: got error %q, want it to hold %q", err, part)
		}
	}
	if adapters.IsPermanent(err) {
		tb.Errorf("Do: got a permanent error %q, want a transient one", err)
	}
	return err
}

// A log records the requests that servers get.
type log struct {
	mu   sync.Mutex
	list []*http.Request // guarded by mu

	closed chan struct{} // holds a value when a connection was closed
}

func (l *log) close() {
	select {
	case l.closed <- struct{}{}:
	default:
	}
}

func (l *log) waitClosed() { <-l.closed }

func (l *log) add(r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, r)
}

func (l *log) all() []*http.Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.list)
}

// last returns the last request.
func (l *log) last(tb testing.TB) *http.Request {
	tb.Helper()
	list := l.all()
	if len(list) == 0 {
		tb.Fatal("got no request, want one")
	}
	return list[len(list)-1]
}

// serve starts a server whose requests are recorded.
func serve(tb testing.TB, h http.HandlerFunc) (*log, string) {
	tb.Helper()
	l, server := record(h)
	server.Start()
	tb.Cleanup(server.Close)
	return l, server.URL
}

func record(h http.HandlerFunc) (*log, *httptest.Server) {
	l := &log{closed: make(chan struct{}, 1)}
	return l, httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.add(r)
		h(w, r)
	}))
}

func ok(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") }

// write writes a file of a temporary directory and returns its path.
func write(tb testing.TB, path, content string) string {
	tb.Helper()
	if !filepath.IsAbs(path) {
		path = filepath.Join(tb.TempDir(), path)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

func parse(tb testing.TB, s string) *url.URL {
	tb.Helper()
	u, err := url.Parse(s)
	if err != nil {
		tb.Fatal(err)
	}
	return u
}

// want compares the values of headers. An empty value wants none.
func want(tb testing.TB, what string, got http.Header, pairs map[string]string) {
	tb.Helper()
	for _, name := range slices.Sorted(maps.Keys(pairs)) {
		if g := strings.Join(got.Values(name), "|"); g != pairs[name] {
			tb.Errorf("%s: %s: got %q, want %q", what, name, g, pairs[name])
		}
	}
}

func equal[T comparable](tb testing.TB, what string, got, want T) {
	tb.Helper()
	if got != want {
		tb.Errorf("%s: got %s, want %s", what, fmt.Sprint(got), fmt.Sprint(want))
	}
}
