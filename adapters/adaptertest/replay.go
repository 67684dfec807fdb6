package adaptertest

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"time"

	"sidestream/adapters"
)

// partitioned checks that the adapter declares all that Partitioned takes.
func (t *trial) partitioned() {
	t.Helper()
	if !t.Replayable || t.Compare == nil || t.Before == nil {
		t.Fatalf("got Capabilities with Partitioned alone, want Replayable, Compare and Before as well")
	}
}

// replay starts a Replay of src, which is what Capabilities say that it is, as
// run does a Run.
func (t *trial) replay(src adapters.Source, after, until adapters.Position, h hook) *session {
	t.Helper()
	return t.replayIn(context.Background(), src, after, until, h)
}

// replayIn is replay with a context to begin with.
func (t *trial) replayIn(ctx context.Context, src adapters.Source, after, until adapters.Position, h hook) *session {
	t.Helper()
	replayer, ok := src.(adapters.Replayer)
	if !ok {
		t.Fatalf("got a source without Replay, want one, as in Capabilities.Partitioned")
	}
	return t.begin(ctx, func(ctx context.Context, emit func(adapters.Event) error) error {
		return replayer.Replay(ctx, after, until, emit)
	}, h)
}

// replayed returns what a Replay delivers, which has to be events at places
// between after and until.
func (t *trial) replayed(src adapters.Source, after, until adapters.Position) []record {
	t.Helper()
	return t.replayedBy(t.replay(src, after, until, nil), after, until)
}

// replayedBy waits for a Replay to come to its end, and checks what can be
// said of any.
func (t *trial) replayedBy(s *session, after, until adapters.Position) []record {
	t.Helper()
	err := t.awaitReturn(s, patience, "a Replay was started")
	got, _ := s.emitted()
	if err != nil {
		t.Fatalf("Replay(%q, %q): got %v, then error %v, want none", after, until, numbers(got), err)
	}
	if len(only(live, got)) > 0 {
		t.Errorf("Replay(%q, %q): got %v, want no Live notice", after, until, numbers(got))
	}
	at := after
	for _, r := range got {
		if !r.Position.Valid() || r.Position == "" {
			t.Errorf("Replay(%q, %q): got an event at %q, want a valid position", after, until, r.Position)
			return got
		}
		if order, ok := t.Compare(at, r.Position); at != "" && (!ok || order >= 0) {
			t.Errorf("Replay(%q, %q): got an event at %q, want it behind %q", after, until, r.Position, at)
		}
		if order, ok := t.Compare(r.Position, until); !ok || order > 0 {
			t.Errorf("Replay(%q, %q): got an event at %q, want none but at or before the second", after, until, r.Position)
		}
		at = r.Position
	}
	return got
}

// delivers checks that got are the given numbers, each once and those of one
// key in order. A source that keeps states may leave out those that others of
// them have replaced.
func (t *trial) delivers(got []record, want set, what string) {
	t.Helper()
	seen, newest := make(set), make(map[string]int)
	for _, r := range events(got) {
		key := t.key(r.number)
		switch {
		case !want[r.number]:
			t.Errorf("%s: got %v, want number %d not to be among them", what, numbers(got), r.number)
		case seen[r.number]:
			t.Errorf("%s: got %v, want number %d once", what, numbers(got), r.number)
		case r.number < newest[key]:
			t.Errorf("%s: got %v, want number %d, of the same key, before %d", what, numbers(got), r.number, newest[key])
		}
		seen[r.number], newest[key] = true, r.number
	}
	for i := range want {
		if !seen[i] && !(t.keepsStates() && want.replaces(i, t.key)) {
			t.Errorf("%s: got %v, want number %d among them", what, numbers(got), i)
		}
	}
}

// checkReplay: a Replay delivers what lies between two places, and nothing
// that comes behind.
func checkReplay(t *trial) {
	t.partitioned()
	positions := t.fill(few)
	src := t.open()
	begun := t.run(t.open(), "", nil)
	t.awaitLive(begun)
	got := t.stop(begun)
	begins, place := events(beforeLive(got)), only(live, got)[0].Position

	for j := 1; j <= few; j++ {
		for i, after := range positions[:j+1] {
			if after != "" {
				t.delivers(t.replayed(src, after, positions[j]), setOf(i+1, j), "Replay of the numbers from "+between(i, j))
			}
		}
		start := setOf(1, j)
		if len(begins) == 0 {
			start = nil
		}
		t.delivers(t.replayed(src, "", positions[j]), start, "Replay from the start "+between(0, j))
	}
	t.delivers(t.replayed(src, positions[1], place), setOf(2, few), "Replay up to a Live notice, "+between(1, few))

	got = t.replayed(src, positions[1], positions[few])
	rest := setOf(2, few)
	for _, r := range got {
		delete(rest, r.number)
		s := t.run(t.open(), r.Position, nil)
		t.awaitLive(s)
		t.delivers(t.stop(s), rest, "Run from a position that a Replay gave, "+between(1, few))
	}

	// What happens meanwhile is behind the end.
	release := make(chan struct{})
	s := t.replay(src, positions[1], positions[few], func(ctx context.Context, _ adapters.Event) error {
		select {
		case <-release:
		case <-ctx.Done():
		}
		return nil
	})
	awaitAny(t, s)
	t.publish(few+1, 2*few)
	close(release)
	t.delivers(t.replayedBy(s, positions[1], positions[few]), setOf(2, few), "Replay while more is published, "+between(1, few))
}

// checkReplayStop: a Replay ends as a Run does when its context is done, when
// emit fails and when the upstream does, and leaves nothing behind.
func checkReplayStop(t *trial) {
	t.partitioned()
	positions := t.fill(few)
	src := t.open()
	within := func(h hook) *session { return t.replay(src, positions[1], positions[few], h) }
	inEmit := func(then func(ctx context.Context) error) hook {
		return func(ctx context.Context, _ adapters.Event) error {
			<-ctx.Done()
			return then(ctx)
		}
	}
	for when, h := range map[string]hook{
		"in emit, which then succeeds": inEmit(func(context.Context) error { return nil }),
		"in emit, which then fails":    inEmit(context.Context.Err),
	} {
		s := within(h)
		awaitAny(t, s)
		t.cancelled(s, when)
		t.checkGrowth("Replay, cancelled "+when, func() {
			s := within(h)
			awaitAny(t, s)
			t.stop(s)
		})
	}
	t.checkGrowth("Replay, cancelled before it connects", func() { t.stop(within(nil)) })
	t.checkGrowth("Replay, cancelled while it connects", func() {
		s := within(nil)
		runtime.Gosched()
		t.stop(s)
	})
	t.checkGrowth("Replay", func() { _ = t.awaitReturn(within(nil), patience, "a Replay was started") })
	done, cancel := context.WithCancel(context.Background())
	cancel()
	t.cancelled(t.replayIn(done, src, positions[1], positions[few], nil), "before it was started")

	errStop := errors.New("stop")
	var emitted atomic.Int32
	s := within(func(context.Context, adapters.Event) error {
		emitted.Add(1)
		return errStop
	})
	if err := t.awaitReturn(s, patience, "emit failed"); !errors.Is(err, errStop) {
		t.Errorf("emit failed: got error %v from Replay, want emit's own, %q", err, errStop)
	}
	if n := emitted.Load(); n != 1 {
		t.Errorf("emit was called %d times by a Replay although it failed, want Replay to stop", n)
	}
	if t.Fail != nil {
		t.do("fail", t.Fail)
		t.isTransient(t.awaitReturn(within(nil), patience, "it was started on an upstream that fails"))
		t.do("recover", t.Recover)
		t.delivers(t.replayed(src, positions[1], positions[few]), setOf(2, few), "Replay when the failure has passed")
	}
	if t.Stall != nil {
		t.do("stall", t.Stall)
		s := within(nil)
		select { // a moment for it to get stuck
		case <-s.done:
		case <-time.After(20 * time.Millisecond):
		}
		t.cancelled(s, "while the upstream does not answer")
	}
}

// checkReplayLost: a Replay from a position that is lost says so, as a Run
// does.
func checkReplayLost(t *trial) {
	t.partitioned()
	const last, gone = 2 * few, few
	positions := t.fill(last)
	other := newTrial(t.tb, t.Harness, t.start)
	defer other.stopAll()
	lost := func(after, until adapters.Position, first, last int) adapters.LostReason {
		t.Helper()
		return t.saysLost(t.replay(t.open(), after, until, nil), after, first, last).Reason
	}
	for _, after := range malformed() {
		if t.FromStart {
			_ = t.isLost(t.replay(t.open(), after, positions[last], nil), after)
			continue
		}
		_ = lost(after, positions[last], 1, last)
	}
	_ = lost(other.fill(few)[2], positions[last], 1, last)

	if t.Expire != nil {
		t.do("expire events", func(ctx context.Context) error { return t.Expire(ctx, gone) })
		for i := 1; i < gone; i++ {
			for _, j := range []int{i + 1, gone, last} {
				if t.keepsStates() && !t.forgotten(i, min(gone, j)) {
					continue
				}
				if got := lost(positions[i], positions[j], gone+1, last); got != adapters.LostExpired {
					t.Errorf("Replay after event %d, which has expired: got reason %q, want %q", i, got, adapters.LostExpired)
				}
			}
		}
		t.delivers(t.replayed(t.open(), positions[gone], positions[last]), setOf(gone+1, last), "Replay of what has not expired")
	}
	if t.Recreate != nil {
		t.do("recreate the upstream", t.Recreate)
		t.publish(last+1, 2*last)
		if got := lost(positions[1], positions[last], last+1, 2*last); got != adapters.LostRecreated {
			t.Errorf("Replay after an event of the former incarnation: got reason %q, want %q", got, adapters.LostRecreated)
		}
	}
}
