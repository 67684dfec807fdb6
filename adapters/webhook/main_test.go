package webhook

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"sidestream/adapters"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open returns the factory of a route at /in, or at /in/{name} with the given
// variables, that takes requests from anybody, with options as change leaves
// them. change may be nil.
func open(tb testing.TB, change func(*Options), vars ...string) *factory {
	tb.Helper()
	f, err := configured(change, vars...)
	if err != nil {
		tb.Fatalf("Configure: got error %v, want none", err)
	}
	return f.(*factory)
}

func configured(change func(*Options), vars ...string) (adapters.Factory, error) {
	route := adapters.Route{Path: "/in", Vars: vars}
	for _, name := range vars {
		route.Path += "/{" + name + "}"
	}
	return Adapter().Configure(route, func(options any) error {
		o := options.(*Options)
		o.Verify.None = true
		if change != nil {
			change(o)
		}
		return nil
	})
}

// post returns a request that brings body. headers are names and values in
// turn.
func post(body string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/in", strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

// A sink is where events go to. The zero value takes all of them.
type sink struct {
	mu     sync.Mutex
	vars   []adapters.Vars  // guarded by mu; of each call
	events []adapters.Event // guarded by mu; of all calls that have not failed
	fails  error            // what calls return
}

func (s *sink) receive(_ context.Context, vars adapters.Vars, events []adapters.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.vars = append(s.vars, maps.Clone(vars))
	if s.fails == nil {
		s.events = append(s.events, events...)
	}
	return s.fails
}

func (s *sink) got() []adapters.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

// serve has f answer r, with receive to deliver to.
func serve(f *factory, r *http.Request, receive adapters.ReceiveFunc) *http.Response {
	w := httptest.NewRecorder()
	handler(f, receive).ServeHTTP(w, r)
	return w.Result()
}

// handler is f where it is mounted, for all methods.
func handler(f *factory, receive adapters.ReceiveFunc) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(f.Ingest().Path, func(w http.ResponseWriter, r *http.Request) { f.ServeIngest(w, r, receive) })
	return mux
}

// one has f answer r with 204 and returns the event that it has brought.
func one(t *testing.T, f *factory, r *http.Request) adapters.Event {
	t.Helper()
	var s sink
	answer := serve(f, r, s.receive)
	got := s.got()
	if answer.StatusCode != http.StatusNoContent || len(got) != 1 {
		t.Fatalf("got status %d (%q) and %d events, want 204 and one", answer.StatusCode, text(answer), len(got))
	}
	return got[0]
}

// text returns the body of an answer.
func text(answer *http.Response) string {
	data, err := io.ReadAll(answer.Body)
	return string(data) + errorText(err)
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

var errDown = errors.New("down")
