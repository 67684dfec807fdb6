package proxy

import (
	"cmp"
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sidestream/adapters"
	"sidestream/proxy/feed"
)

// A client whose replay has brought it further than the feed is told of nothing
// that lies behind it, a gap included (another replica was ahead).
func TestGapBehindTheClient(t *testing.T) {
	for name, test := range map[string]struct {
		resumed string
		told    bool
	}{
		"behind":       {"3", false},
		"where it is":  {"5", false},
		"ahead":        {"7", true},
		"who knows":    {"", true},
		"of elsewhere": {"x", true},
	} {
		t.Run(name, func(t *testing.T) {
			r := &Route{Path: "/", Method: http.MethodGet}
			p := &endpoint{Route: r, metrics: newMetrics("").route(r), order: func(a, b string) (int, bool) {
				m, err := strconv.Atoi(a)
				n, again := strconv.Atoi(b)
				return cmp.Compare(m, n), err == nil && again == nil
			}}
			answer := httptest.NewRecorder()
			c := &client{
				seat:   &seat{stream: &stream{endpoint: p}},
				out:    newSink(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody), time.Second),
				beyond: "5",
			}
			c.write([]feed.Entry{{Gap: &feed.Gap{Reason: adapters.LostUnknown, Resumed: test.resumed}}})
			if told := strings.Contains(answer.Body.String(), "stream.gap"); told != test.told {
				t.Errorf("got a gap: %v, want %v", told, test.told)
			}
		})
	}
}

// Where what is received is kept whether the source runs or not, it has to wait
// for the run that is to deliver it to those who are connected already.
func TestReceiveWaitsForTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct {
			can  adapters.Capabilities
			want bool // that it waits
		}{{adapters.Capabilities{}, false}, {adapters.Capabilities{Replayable: true}, true}} {
			into := &receiverOf{}
			s := &stream{source: into, over: t.Context(), can: test.can, heard: make(chan struct{})}
			done := make(chan error, 1)
			go func() { done <- s.receive(t.Context(), nil) }()
			synctest.Wait()
			if waits := into.calls == 0; waits != test.want {
				t.Errorf("replayable: %v; it waits: %v, want %v", test.can.Replayable, waits, test.want)
			}
			close(s.heard)
			if err := <-done; err != nil || into.calls != 1 {
				t.Errorf("got error %v and %d calls, want none and 1", err, into.calls)
			}
		}
	})
}

type receiverOf struct {
	adapters.Source
	calls int
}

func (r *receiverOf) Receive(context.Context, []adapters.Event) error {
	r.calls++
	return nil
}

// A client whose private run has nothing more to deliver goes over to the feed
// as soon as that gets to its place, although nothing happens then.
func TestFeedComesToTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := new(lateSource)
		w := newWorld(t)
		w.registry = adapters.NewRegistry(adapters.New("late",
			func() struct{} { return struct{}{} },
			func(struct{}, adapters.Route) (adapters.Factory, error) { return late, nil }))
		w.boot(`routes: [{path: /late, late: {}}]`)
		c := w.connect("/late", "Last-Event-ID: 5")
		after(time.Second / 2)
		if got := late.running.Load(); got != 2 {
			t.Errorf("got %d sources running while the shared one is late, want 2", got)
		}
		after(time.Second)
		if got := late.running.Load(); got != 1 {
			t.Errorf("got %d sources running once it is there, want 1", got)
		}
		c.wants()
		c.drop()
		w.shutdown()
	})
}

// A lateSource has nothing to deliver. Its shared Run says so after a second,
// private ones at once.
type lateSource struct{ running atomic.Int64 }

func (*lateSource) Capabilities() adapters.Capabilities {
	return adapters.Capabilities{Positions: true, Replayable: true, Compare: func(a, b adapters.Position) (int, bool) {
		return cmp.Compare(a, b), true
	}}
}

func (s *lateSource) Open(adapters.Vars, adapters.Env) (adapters.Source, error) { return s, nil }

func (s *lateSource) Run(ctx context.Context, at adapters.Position, emit func(adapters.Event) error) error {
	s.running.Add(1)
	defer s.running.Add(-1)
	if at == "" && !adapters.Pause(ctx, time.Second) {
		return ctx.Err()
	}
	if err := emit(adapters.Event{Live: true, Position: "5"}); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}
