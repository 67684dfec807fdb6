package poll

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sidestream/adapters"
	"sidestream/adapters/poll/pace"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve starts an upstream.
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
		if edit != nil {
			edit(options.(*Options))
		}
		return nil
	})
}

// often makes polls follow each other as fast as they may.
func often(o *Options) { o.Every, o.Jitter = evenly(pace.MinEvery), 0 }

// open returns the source of a route "/doc" on upstream that polls often.
func open(t *testing.T, upstream *url.URL, env adapters.Env, edit func(*Options)) *stateSource {
	t.Helper()
	f := configure(t, adapters.Route{Path: "/doc", Upstream: upstream}, func(o *Options) {
		often(o)
		if edit != nil {
			edit(o)
		}
	})
	s, err := f.Open(nil, env)
	if err != nil {
		t.Fatal(err)
	}
	return s.(*stateSource)
}

var errEnough = errors.New("enough")

// take runs s until it has emitted n times, notices included.
func take(t *testing.T, s adapters.Source, after adapters.Position, n int) []adapters.Event {
	t.Helper()
	var got []adapters.Event
	err := s.Run(t.Context(), after, func(e adapters.Event) error {
		if got = append(got, e); len(got) == n {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Fatalf("Run: got %v after %d events, want %d events", err, len(got), n)
	}
	return got
}

// fail runs s, which must not emit anything, and returns its error.
func fail(t *testing.T, s adapters.Source) error {
	t.Helper()
	return s.Run(t.Context(), "", func(e adapters.Event) error {
		t.Errorf("emitted %q, want nothing", e.Data)
		return errEnough
	})
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

// A script answers requests without a network, for tests of time.
type script func(*http.Request) (*http.Response, error)

func (f script) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func reply(status int, body string) *http.Response {
	w := httptest.NewRecorder()
	w.WriteHeader(status)
	io.WriteString(w, body)
	return w.Result()
}

// reach notes that a request has come to its host, as a client with a network
// does, which may take its time to answer.
func reach(r *http.Request) {
	if trace := httptrace.ContextClientTrace(r.Context()); trace != nil {
		trace.GotConn(httptrace.GotConnInfo{})
	}
}

// hold keeps a request until it is given up or d has passed.
func hold(r *http.Request, d time.Duration) error {
	reach(r)
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-r.Context().Done():
		return r.Context().Err()
	}
}

// evenly is an interval that doesn't adapt.
func evenly(d time.Duration) pace.Every {
	return pace.Every{Min: adapters.Duration(d), Max: adapters.Duration(d)}
}

// direct makes requests as they come.
type direct struct{ http.RoundTripper }

func (d direct) Do(req *http.Request, _ http.Header, prepare func(*http.Request)) (*http.Response, error) {
	prepare(req)
	resp, err := d.RoundTrip(req)
	if resp != nil {
		resp.Request = req
	}
	return resp, err
}

func (d direct) Describe(req *http.Request, _ http.Header) http.Header { return req.Header }

func (d direct) Close() {}

func newTestSource(rt http.RoundTripper, edit func(*Options)) *stateSource {
	return openTest(rt, edit).(*stateSource)
}

func openTest(rt http.RoundTripper, edit func(*Options)) adapters.Source {
	return openOn(new(pace.Hosts), rt, edit)
}

// openOn returns a source that shares hosts with others.
func openOn(hosts *pace.Hosts, rt http.RoundTripper, edit func(*Options)) adapters.Source {
	o := defaults()
	o.URL = "http://legacy.test/doc"
	if edit != nil {
		edit(&o)
	}
	f, err := build(&o, adapters.Route{}, hosts)
	if err != nil {
		panic(err)
	}
	f.(*factory).client = direct{rt}
	s, err := f.Open(nil, adapters.Env{})
	if err != nil {
		panic(err)
	}
	return s
}

func pollerOf(s adapters.Source) *poller {
	if list, ok := s.(*listSource); ok {
		return list.poller
	}
	return s.(*stateSource).poller
}

// until runs s for a span of time.
func until(t *testing.T, s adapters.Source, span time.Duration, emit func(adapters.Event) error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), span)
	defer cancel()
	return s.Run(ctx, "", emit)
}
