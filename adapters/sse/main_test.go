package sse

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sidestream/adapters"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve starts a server.
func serve(tb testing.TB, h http.HandlerFunc) *url.URL {
	tb.Helper()
	server := httptest.NewServer(h)
	tb.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		tb.Fatal(err)
	}
	return u
}

// begin starts a stream.
func begin(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	io.WriteString(w, text)
	w.(http.Flusher).Flush()
}

// configure returns the factory of a route with default options, except for
// what edit changes.
func configure(tb testing.TB, route adapters.Route, edit func(*Options)) *factory {
	tb.Helper()
	f, err := tryConfigure(route, edit)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { f.(io.Closer).Close() })
	return f.(*factory)
}

func tryConfigure(route adapters.Route, edit func(*Options)) (adapters.Factory, error) {
	return Adapter().Configure(route, func(options any) error {
		o := options.(*Options)
		hasten(o)
		if edit != nil {
			edit(o)
		}
		return nil
	})
}

// hasten makes a source wait for little.
func hasten(o *Options) {
	o.Settle = adapters.Duration(20 * time.Millisecond)
	o.Retry, o.MinRetry = adapters.Duration(minWait), adapters.Duration(minWait)
}

// open returns the source of a route "/events" on upstream.
func open(tb testing.TB, upstream *url.URL, env adapters.Env, edit func(*Options)) *source {
	tb.Helper()
	s, err := configure(tb, adapters.Route{Path: "/events", Upstream: upstream}, edit).Open(nil, env)
	if err != nil {
		tb.Fatal(err)
	}
	return s.(*source)
}

// A script answers requests without a network.
type script func(*http.Request) (*http.Response, error)

func (f script) Do(req *http.Request, _ http.Header, _ func(*http.Request)) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	return f(req)
}

func (script) Describe(req *http.Request, _ http.Header) http.Header { return req.Header }

func (script) Close() {}

// openScript returns a source with default options, except for what edit
// changes, whose requests f answers.
func openScript(env adapters.Env, f script, edit func(*Options)) *source {
	o := defaults()
	o.URL = "http://events.test/"
	if edit != nil {
		edit(&o)
	}
	made, err := build(o, adapters.Route{})
	if err != nil {
		panic(err)
	}
	made.client = f
	s, err := made.Open(nil, env)
	if err != nil {
		panic(err)
	}
	return s.(*source)
}

// answer is a stream that ends.
func answer(text string) *http.Response { return reply(http.StatusOK, strings.NewReader(text)) }

// held is a stream that is held open, once it has brought text.
func held(r *http.Request, text string) *http.Response {
	return reply(http.StatusOK, io.MultiReader(strings.NewReader(text), hold(r.Context().Done())))
}

func reply(status int, body io.Reader) *http.Response {
	return &http.Response{
		Status: http.StatusText(status), StatusCode: status,
		Header: http.Header{"Content-Type": {streamType}}, Body: io.NopCloser(body),
	}
}

// hold is a body that brings nothing more, until it is closed.
type hold <-chan struct{}

func (h hold) Read([]byte) (int, error) {
	<-h
	return 0, context.Canceled
}

var errEnoughOf = errors.New("enough of it")

// take runs s until it has emitted n times, notices included.
func take(t *testing.T, s adapters.Source, after adapters.Position, n int) []adapters.Event {
	t.Helper()
	var got []adapters.Event
	err := s.Run(t.Context(), after, func(e adapters.Event) error {
		if got = append(got, e); len(got) == n {
			return errEnoughOf
		}
		return nil
	})
	if !errors.Is(err, errEnoughOf) {
		t.Fatalf("Run: got %v after %v, want %d events", err, words(got), n)
	}
	return got
}

// all runs s until it returns.
func all(t *testing.T, s adapters.Source, after adapters.Position) ([]adapters.Event, error) {
	t.Helper()
	var got []adapters.Event
	err := s.Run(t.Context(), after, func(e adapters.Event) error {
		got = append(got, e)
		return nil
	})
	return got, err
}

// words writes events as "position|type|data", and notices by their names.
func words(events []adapters.Event) []string {
	list := []string{}
	for _, e := range events {
		switch {
		case e.Gap != nil:
			list = append(list, "gap "+string(e.Gap.Reason)+at(e))
		case e.Stale != "" && e.Live:
			list = append(list, "stale and live: "+e.Stale+at(e))
		case e.Stale != "":
			list = append(list, "stale: "+e.Stale+at(e))
		case e.Live:
			list = append(list, "live"+at(e))
		default:
			list = append(list, string(e.Position)+"|"+e.Type+"|"+string(e.Data))
		}
	}
	return list
}

func at(e adapters.Event) string {
	if e.Position == "" {
		return ""
	}
	return " at " + string(e.Position)
}

// A tally records outcomes.
type tally struct {
	mu   sync.Mutex
	list []string // guarded by mu
}

func (c *tally) env() adapters.Env {
	return adapters.Env{Result: func(outcome string) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.list = append(c.list, outcome)
	}}
}

func (c *tally) get() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.list
}
