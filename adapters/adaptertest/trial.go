package adaptertest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"sidestream/adapters"
)

// tb is what the suite needs of a [testing.TB]. Its own tests put a recorder
// in its place, to see checks fail.
type tb interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// A trial is one check at work on one upstream.
type trial struct {
	tb
	profile
	start func() *Upstream

	sessions []*session
	aside    sync.WaitGroup  // what else was started
	going    context.Context //nolint:containedctx // that of aside; done when the check is over
	over     context.CancelFunc

	newest  atomic.Int64   // the last number that was published
	deleted map[string]int // by key, the last number that was published before it was deleted

	lossy    bool // Gap notices are expected
	deleting bool // so are deletions
}

func newTrial(t tb, h Harness, start func() *Upstream) *trial {
	u := start()
	going, over := context.WithCancel(context.Background())
	return &trial{
		going:   going,
		over:    over,
		tb:      t,
		profile: profile{h, u, u.Factory.Capabilities()},
		start:   start,
		deleted: make(map[string]int),
	}
}

// open opens a source of the trial's upstream.
func (t *trial) open() adapters.Source {
	t.Helper()
	src, err := t.Factory.Open(t.Vars, adapters.Env{})
	if err != nil {
		t.Fatalf("Open: got error %v, want none", err)
	}
	return src
}

// do calls one of the upstream's functions, which has to succeed.
func (t *trial) do(what string, f func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := f(ctx); err != nil {
		t.Fatalf("the harness could not %s: %v", what, err)
	}
}

// publish publishes the numbers from first to last, unless the source makes
// them by itself.
func (t *trial) publish(first, last int) {
	t.Helper()
	for i := first; i <= last && t.Publish != nil; i++ {
		t.publishing(i)
		t.do(fmt.Sprintf("publish %d", i), func(ctx context.Context) error { return t.Publish(ctx, i) })
	}
}

// publishInTurn publishes the numbers from first to last, each when s has
// delivered the one before, so that the position of each has all up to it.
func (t *trial) publishInTurn(s *session, first, last int) {
	t.Helper()
	for i := first; i <= last; i++ {
		t.publish(i, i)
		t.expect(s, i, i)
	}
}

// publishAside publishes the numbers from first to last in a goroutine of
// its own, for use where no source may be there to take them. The channel is
// closed when all are published.
func (t *trial) publishAside(first, last int) <-chan struct{} {
	done := make(chan struct{})
	t.aside.Go(func() {
		defer close(done)
		ctx, cancel := context.WithTimeout(t.going, patience)
		defer cancel()
		for i := first; i <= last && t.Publish != nil && ctx.Err() == nil; i++ {
			t.publishing(i)
			_ = t.Publish(ctx, i) // what matters is what a source makes of it
		}
	})
	return done
}

// fill publishes the numbers from 1 to n and returns the position after each,
// by number. At 0 is the last position before them, if there was one.
func (t *trial) fill(n int) []adapters.Position {
	t.Helper()
	s := t.run(t.open(), "", nil)
	t.awaitLive(s)
	positions := make([]adapters.Position, n+1)
	t.publishInTurn(s, 1, n)
	begun := false
	for _, r := range t.stop(s) {
		begun = begun || r.number > 0
		switch {
		case !begun:
			positions[0] = r.Position
		case r.kind == numbered && r.number <= n:
			positions[r.number] = r.Position
		}
	}
	return positions
}

// awaitLive waits until s has emitted a Live notice.
func (t *trial) awaitLive(s *session) {
	t.Helper()
	t.await(s, "a Live notice", func(got []record) bool {
		return len(only(live, got)) > 0
	})
}

// expect waits until s has emitted the numbers from first to last and checks
// that they came in order and once, and that none came after last. Earlier
// numbers are not looked at.
func (t *trial) expect(s *session, first, last int) {
	t.Helper()
	want := fmt.Sprintf("numbers %d to %d", first, last)
	if t.conflates() {
		want = fmt.Sprintf("number %d", last)
	}
	got := t.await(s, want, func(got []record) bool { return t.complete(s, got, first, last) })
	newest := make(map[string]int) // by key, if keys have an order each
	for _, r := range got {
		if r.kind != numbered || r.number < first || t.Publish == nil && r.number > last {
			continue
		}
		var key string
		if t.Keyed {
			key = r.Key
		}
		switch before := newest[key]; {
		case r.number > last:
			t.Errorf("got number %d, want none after %d", r.number, last)
		case r.number == before:
			t.Errorf("got number %d twice, want it once; all: %v", r.number, numbers(got))
		case r.number < before:
			t.Errorf("got number %d after %d, want upstream order; all: %v", r.number, before, numbers(got))
		}
		newest[key] = r.number
	}
}

// complete reports whether got holds all that a source must deliver to s of
// the numbers from first to last.
func (t *trial) complete(s *session, got []record, first, last int) bool {
	delivered := make(map[int]bool)
	for _, r := range got {
		delivered[r.number] = true
	}
	for i := first; i <= last; i++ {
		switch {
		case delivered[i]:
		case t.conflates() && i < last:
		case t.keepsStates() && (t.Compacts || s.precedes(i)) && t.replaced(i):
		default:
			return false
		}
	}
	return true
}

// await waits until ok holds of what s has emitted, and returns that.
func (t *trial) await(s *session, what string, ok func(got []record) bool) []record {
	t.Helper()
	got, holds := s.until(patience, ok)
	if holds {
		return got
	}
	select {
	case <-s.done:
		t.Fatalf("got %v, then Run returned %v; want %s", numbers(got), s.err, what)
	default:
		t.Fatalf("got %v after %v, want %s", numbers(got), patience, what)
	}
	return nil
}

// awaitReturn waits until s's Run has returned by itself, and returns its
// error.
func (t *trial) awaitReturn(s *session, limit time.Duration, why string) error {
	t.Helper()
	select {
	case <-s.done:
	case <-time.After(limit):
		t.Fatalf("Run had not returned %v after %s, want it to return", limit, why)
	}
	return s.err
}

// stop cancels s, waits until its Run has returned and returns what it
// emitted.
func (t *trial) stop(s *session) []record {
	t.Helper()
	s.cancel()
	_ = t.awaitReturn(s, patience, "its context was done")
	got, _ := s.emitted()
	return got
}

// stopAll stops what a check has left running.
func (t *trial) stopAll() {
	t.over()
	for _, s := range t.sessions {
		s.cancel()
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		t.aside.Wait()
		for _, s := range t.sessions {
			<-s.done
		}
	}()
	select {
	case <-stopped:
	case <-time.After(patience):
		t.Errorf("Run had not returned %v after its context was done, want it to return", patience)
	}
	t.checkUnexpected()
}

// checkUnexpected reports what sources emit only if something happens that
// this trial did not make happen.
func (t *trial) checkUnexpected() {
	for _, s := range t.sessions {
		got, _ := s.emitted()
		if notices := only(gap, got); len(notices) > 0 && !t.lossy {
			t.Errorf("got a Gap notice, %+v, want none where nothing is lost; all: %v", *notices[0].Gap, numbers(got))
		}
		if gone := only(deletion, got); len(gone) > 0 && !t.deleting {
			t.Errorf("got a deletion of key %q, want none where none is deleted; all: %v", gone[0].Key, numbers(got))
		}
	}
}
