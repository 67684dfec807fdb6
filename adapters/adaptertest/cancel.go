package adaptertest

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"runtime/pprof"
	"time"

	"sidestream/adapters"
)

// A moment is a point in the life of a Run at which it is cancelled.
type moment struct {
	name string
	hook hook // of the Run, or nil

	// reach returns when the Run is there.
	reach func(t *trial, s *session)
}

func moments() []moment {
	return []moment{
		{"before it connects", nil, func(*trial, *session) {}},
		{"while it connects", nil, func(*trial, *session) { runtime.Gosched() }},
		{"in emit, which then succeeds", func(ctx context.Context, _ adapters.Event) error {
			<-ctx.Done()
			return nil
		}, awaitAny},
		{"in emit, which then fails", func(ctx context.Context, _ adapters.Event) error {
			<-ctx.Done()
			return ctx.Err()
		}, awaitAny},
		{"between events", nil, func(t *trial, s *session) { t.awaitLive(s) }},
	}
}

func awaitAny(t *trial, s *session) {
	t.await(s, "an event or a Live notice", func(got []record) bool { return len(got) > 0 })
}

// checkCancel: a Run whose context is done returns the context's error, and
// soon, whatever it is doing.
func checkCancel(t *trial) {
	src := t.open()
	for _, m := range moments() {
		s := t.run(src, "", m.hook)
		m.reach(t, s)
		t.cancelled(s, m.name)
	}

	done, cancel := context.WithCancel(context.Background())
	cancel()
	t.cancelled(t.runIn(done, src, "", nil), "before it was run")

	if t.Stall != nil {
		t.do("stall", t.Stall)
		s := t.run(src, "", nil)
		select { // a moment for it to get stuck
		case <-s.done:
		case <-time.After(20 * time.Millisecond):
		}
		t.cancelled(s, "while the upstream does not answer")
	}
}

// cancelled cancels s and checks how its Run returns.
func (t *trial) cancelled(s *session, when string) {
	t.Helper()
	s.cancel()
	err := t.awaitReturn(s, prompt, "it was cancelled "+when)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled %s: got error %v, want %v", when, err, context.Canceled)
	}
}

// checkLeak: however often Run is called and at whatever moment it is
// cancelled, nothing of it stays behind. A connection that sources share may
// stay, so what counts is growth.
func checkLeak(t *trial) {
	src := t.open()
	for _, m := range moments() {
		t.checkGrowth("Run, cancelled "+m.name, func() {
			s := t.run(src, "", m.hook)
			m.reach(t, s)
			t.stop(s)
		})
	}
}

// checkGrowth checks that repeating f does not add goroutines each time.
func (t *trial) checkGrowth(what string, f func()) {
	t.Helper()
	const times = 20
	for range 2 { // what is started once and shared
		f()
	}
	before := runtime.NumGoroutine()
	for range times {
		f()
	}
	timeout := time.After(patience)
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for runtime.NumGoroutine() >= before+times/2 {
		select {
		case <-poll.C:
		case <-timeout:
			var stacks bytes.Buffer
			_ = pprof.Lookup("goroutine").WriteTo(&stacks, 1) // a buffer takes everything
			t.Fatalf("%d times %s: got %d goroutines, want the %d there were before\n%.4096s",
				times, what, runtime.NumGoroutine(), before, stacks.String())
		}
	}
}
