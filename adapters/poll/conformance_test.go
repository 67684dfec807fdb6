package poll

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"sidestream/adapters"
	"sidestream/adapters/adaptertest"
)

func TestConformance(t *testing.T) {
	adaptertest.Run(t, adaptertest.Harness{
		Start:    startLegacy,
		Segments: []string{"v"},
		Hostile:  []adapters.Vars{{"rest": ""}, {"rest": "a/../b"}, {"rest": "a//b"}, {"rest": "a\r\nb"}},
	})
}

func startLegacy(tb testing.TB) *adaptertest.Upstream {
	tb.Helper()
	app := new(legacy)
	upstream := serve(tb, app.ServeHTTP)
	return &adaptertest.Upstream{
		Factory: configure(tb, adapters.Route{
			Path: "/state/{v}/{rest...}", Vars: []string{"v", "rest"}, Upstream: upstream,
		}, often),
		Vars:    adapters.Vars{"v": "a", "rest": "b/c"},
		Publish: func(_ context.Context, i int) error { return app.set(func() { app.state = i }) },
		Number: func(e adapters.Event) (int, error) {
			var doc struct{ Number int }
			err := json.Unmarshal(e.Data, &doc)
			return doc.Number, err
		},
		Fail:    func(context.Context) error { return app.set(func() { app.failing = true }) },
		Recover: func(context.Context) error { return app.set(func() { app.failing = false }) },
		Stall:   func(context.Context) error { return app.set(func() { app.stalled = true }) },
		End:     func(context.Context) error { return app.set(func() { app.ended = true }) },
		Private: []string{upstream.Host, "state"},
	}
}

// legacy is an application whose state is a number. It ends after its last
// state was fetched.
type legacy struct {
	mu                      sync.Mutex // guards what follows
	state, fetched          int
	failing, stalled, ended bool
}

func (l *legacy) set(f func()) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	return nil
}

func (l *legacy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	etag := fmt.Sprintf(`W/"%d"`, l.state)
	switch {
	case l.stalled:
		l.mu.Unlock()
		<-r.Context().Done()
		l.mu.Lock()
	case l.failing:
		w.WriteHeader(http.StatusServiceUnavailable)
	case l.ended && l.fetched == l.state:
		w.WriteHeader(http.StatusGone)
	case r.Header.Get("If-None-Match") == etag:
		w.WriteHeader(http.StatusNotModified)
	default:
		l.fetched = l.state
		w.Header().Set("ETag", etag)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"number": %d}`, l.state)
	}
}
