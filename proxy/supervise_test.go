package proxy

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sidestream/adapters"
	"sidestream/proxy/feed"
)

func TestStaleAndFresh(t *testing.T) {
	inWorld(t, `routes: [{path: /s, log: {name: s}, live_marker: false}]`, func(w *world) {
		w.publish("s", "one")
		c := w.connect("/s")
		defer c.drop()
		w.upstream("s").Fail(adapters.Transient("upstream answered 503", errors.New("GET http://10.0.0.1/secret")))
		stale := `s.0.1 stream.stale {"since":"2000-01-01T00:00:00Z","reason":"upstream answered 503"}`
		c.wants("s.0.1 one", stale)
		// A client that comes now has the last good state, and is told.
		late := w.connect("/s")
		defer late.drop()
		late.wants("s.0.1 one", stale)
		after(time.Minute)
		c.wants("s.0.1 one", stale) // told once
		w.upstream("s").Recover()
		after(time.Minute)
		c.wants("s.0.1 one", stale, "s.0.1 stream.fresh …")
		w.publish("s", "two")
		late.wants("s.0.1 one", stale, "s.0.1 stream.fresh …", "s.0.2 two")
		after(time.Minute)
		if strings.Contains(c.bytes(), "10.0.0.1") {
			t.Error("clients are told of the upstream's address")
		}
	})
}

func TestUpstreamDownFromTheStart(t *testing.T) {
	inWorld(t, `routes: [{path: /s, log: {name: s}, live_marker: false}]`, func(w *world) {
		w.upstream("s").Fail(io.ErrUnexpectedEOF)
		c := w.connect("/s") // R6: 200
		defer c.drop()
		c.wants(` stream.stale …`)
		w.upstream("s").Recover()
		w.publish("s", "one")
		after(time.Minute)
		c.wants(` stream.stale …`, ` stream.fresh …`, "s.0.1 one")
	})
}

func TestSourceGoesOnFromItsPosition(t *testing.T) {
	inWorld(t, `routes: [{path: /r, log: {name: r}}]`, func(w *world) {
		c := w.connect("/r")
		defer c.drop()
		w.publish("r", "1")
		w.upstream("r").Fail(io.ErrUnexpectedEOF)
		w.publish("r", "2", "3")
		w.upstream("r").Recover()
		after(time.Minute)
		c.wants("r.0.1 1", "r.0.1 stream.stale …", "r.0.1 stream.fresh …", "r.0.2 2", "r.0.3 3")
	})
}

func TestSourceLosesItsPosition(t *testing.T) {
	inWorld(t, `routes: [{path: /r, log: {name: r}}]`, func(w *world) {
		c := w.connect("/r")
		defer c.drop()
		w.publish("r", "1")
		w.upstream("r").Fail(io.ErrUnexpectedEOF)
		w.publish("r", numbers(2, 6)...)
		w.upstream("r").Expire(4)
		w.upstream("r").Recover()
		after(time.Minute)
		gap := `r.0.1 stream.gap {"reason":"expired","requested":"r.0.1","resumed":"r.0.4","lost":3}`
		c.wants("r.0.1 1", "r.0.1 stream.stale …", gap, "r.0.1 stream.fresh …", "r.0.5 5", "r.0.6 6")
		// The gap stands between the events for who comes later, too.
		late := w.connect("/r", "Last-Event-ID: r.0.1")
		defer late.drop()
		late.wants(gap, "r.0.5 5", "r.0.6 6")

		w.upstream("r").Recreate()
		w.upstream("r").Fail(io.ErrUnexpectedEOF)
		w.upstream("r").Recover()
		w.publish("r", "new")
		after(time.Minute)
		if got := strings.Join(c.seen(), "\n"); !strings.Contains(got, `"reason":"recreated"`) || !strings.HasSuffix(got, "r.1.1 new") {
			t.Errorf("after the upstream was recreated: got\n%s", got)
		}
	})
}

func TestWithoutPositionsAFailureIsAGap(t *testing.T) {
	inWorld(t, `routes: [{path: /p, log: {name: p}}]`, func(w *world) {
		c := w.connect("/p")
		defer c.drop()
		w.publish("p", "1")
		w.upstream("p").Fail(io.ErrUnexpectedEOF)
		w.publish("p", "lost")
		w.upstream("p").Recover()
		after(time.Minute)
		w.publish("p", "2")
		c.wants("E-1 1", "E-1 stream.stale …", "E-1 stream.fresh …",
			`E-1 stream.gap {"reason":"unknown","requested":"","resumed":"","lost":null}`, "E-2 2")
	})
}

// R6: what won't pass by itself may still be mended, so nobody is sent away
// for good.
func TestPermanentFailure(t *testing.T) {
	inWorld(t, `routes: [{path: /r, log: {name: r}, linger: 0s}]`, func(w *world) {
		c := w.connect("/r")
		w.upstream("r").Fail(adapters.Permanent("no such topic", errors.New("topic orders on kafka:9092")))
		c.wants(` stream.stale {"since":"2000-01-01T00:00:00Z","reason":"no such topic"}`)
		if !c.ended() {
			t.Error("the response goes on")
		}
		if got := retryLines(c.bytes()); len(got) != 2 || got[1] < 15000 {
			t.Errorf("retry: got %v, want a last one of 15000 or more", got)
		}
		// Once the cause is gone, clients that come anew are served.
		w.upstream("r").Recover()
		again := w.connect("/r")
		defer again.drop()
		w.publish("r", "1")
		again.wants("r.0.1 1")
	})
}

// countingSource fails at once, and notes when it was run.
type countingSource struct{ runs []time.Time }

func (s *countingSource) Run(context.Context, adapters.Position, func(adapters.Event) error) error {
	s.runs = append(s.runs, time.Now())
	return io.ErrUnexpectedEOF
}

func TestBackoff(t *testing.T) {
	inWorld(t, `routes: [{path: /p, log: {name: p}, backoff: {min: 100ms, max: 1s}}]`, func(w *world) {
		p := w.server.table.Load().endpoints[0]
		counting := &countingSource{}
		s := &stream{endpoint: p, source: counting, feeds: oneFeed{feed.New(feed.Options{})}, log: zerolog.Nop()}
		s.condition.Store(&condition{state: sourceStale})
		ctx, cancel := context.WithTimeout(w.t.Context(), time.Hour)
		defer cancel()
		s.supervise(ctx)
		bound := 50 * time.Millisecond
		for i := 1; i < len(counting.runs); i++ {
			bound = min(2*bound, time.Second)
			if d := counting.runs[i].Sub(counting.runs[i-1]); d > bound+time.Millisecond {
				t.Fatalf("delay %d: got %v, want at most %v", i, d, bound)
			}
		}
		// Full jitter: half of the bound on average.
		if n := len(counting.runs); n < 6000 || n > 8500 {
			t.Errorf("got %d runs in an hour, want about 7200", n)
		}
	})
}

func TestPanickingSource(t *testing.T) {
	inWorld(t, `routes: [{path: /s, log: {name: s}}]`, func(w *world) {
		c := w.connect("/s")
		defer c.drop()
		for _, p := range w.server.table.Load().endpoints {
			for _, s := range p.streams {
				s.source = panicking{}
				if err := runSource(w.t.Context(), s.source.Run, "", nil); err == nil || !strings.Contains(err.Error(), "panic: boom") {
					t.Errorf("got error %v, want one that names the panic", err)
				}
			}
		}
	})
}

type panicking struct{ adapters.Source }

func (panicking) Run(_ context.Context, _ adapters.Position, _ func(adapters.Event) error) error {
	panic("boom")
}
