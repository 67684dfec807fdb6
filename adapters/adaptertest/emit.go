package adaptertest

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"sidestream/adapters"
)

// checkSerial: emit is called by one goroutine at a time, whatever happens
// upstream at once.
func checkSerial(t *trial) {
	// Emit is held for a moment, to give another call the chance to overlap.
	const hold = 2 * time.Millisecond
	serial := func() hook {
		var inside atomic.Int32
		return func(context.Context, adapters.Event) error {
			if inside.Add(1) > 1 {
				t.Errorf("emit was called while another call of it had not returned, want one at a time")
			}
			<-time.After(hold)
			inside.Add(-1)
			return nil
		}
	}
	s := t.run(t.open(), "", serial())
	t.awaitLive(s)
	t.publishAtOnce(1, few)
	t.publish(few+1, few+1)
	t.expect(s, few+1, few+1)
	if !t.resumes() {
		return
	}
	// What is caught up with and what happens meanwhile must not overlap
	// either.
	got, _ := s.emitted()
	s = t.run(t.open(), events(got)[0].Position, serial())
	t.publishAtOnce(few+2, 2*few)
	t.publish(2*few+1, 2*few+1)
	t.expect(s, 2*few+1, 2*few+1)
}

// publishAtOnce publishes the numbers from first to last concurrently.
func (t *trial) publishAtOnce(first, last int) {
	t.Helper()
	var all sync.WaitGroup
	for i := first; i <= last; i++ {
		done := t.publishAside(i, i)
		all.Go(func() { <-done })
	}
	all.Wait()
}

// checkLate: when Run has returned, emit is not called any more.
func checkLate(t *trial) {
	src := t.open()
	errStop := errors.New("stop")
	canceled := t.run(src, "", nil)
	t.awaitLive(canceled)
	t.stop(canceled)
	refused := t.run(src, "", func(context.Context, adapters.Event) error { return errStop })
	_ = t.awaitReturn(refused, patience, "emit failed")

	// What would reach those two reaches a third.
	third := t.run(src, "", nil)
	t.awaitLive(third)
	t.publish(1, few)
	t.await(third, "what happens next", func(got []record) bool {
		return t.complete(third, got, few, few) || t.Publish == nil && len(events(got)) >= few
	})
	t.stop(third)
	for _, s := range []*session{canceled, refused, third} {
		s.mu.Lock()
		if s.late > 0 {
			t.Errorf("emit was called %d times after Run had returned, want none", s.late)
		}
		s.mu.Unlock()
	}
}

// checkEmitError: Run returns what emit returns, and stops at it.
func checkEmitError(t *trial) {
	errStop := errors.New("stop")
	for _, at := range []string{"a Live notice", "an event"} {
		var failed atomic.Bool
		ready := make(chan struct{}, 1)
		s := t.run(t.open(), "", func(_ context.Context, e adapters.Event) error {
			if failed.Load() {
				t.Errorf("emit was called after it had failed on %s, want Run to stop", at)
			}
			if e.Live {
				select {
				case ready <- struct{}{}:
				default:
				}
			}
			if e.Live == (at == "a Live notice") {
				failed.Store(true)
				return errStop
			}
			return nil
		})
		select {
		case <-ready:
		case <-s.done:
		case <-time.After(patience):
		}
		t.publishAside(1, 1)
		err := t.awaitReturn(s, patience, "emit failed on "+at)
		if !errors.Is(err, errStop) {
			t.Errorf("emit failed on %s: got error %v, want emit's own, %q", at, err, errStop)
		}
	}
}

// checkKeep: a source leaves alone what it has handed over.
func checkKeep(t *trial) {
	s := t.run(t.open(), "", nil)
	t.awaitLive(s)
	t.publish(1, few)
	t.expect(s, 1, few)
	for _, r := range events(t.stop(s)) {
		if got, want := r.Event, r.copy; !reflect.DeepEqual(got, want) {
			t.Errorf("event %d was changed after it was emitted: got %+v, want %+v", r.number, got, want)
		}
	}
}

// checkOwn: what the callee does to an event that it was handed does not
// reach the source.
func checkOwn(t *trial) {
	scribble := func(_ context.Context, e adapters.Event) error {
		blot(e.Data)
		if e.State != nil {
			blot(e.State.Data)
			*e.State = adapters.State{}
		}
		for name, values := range e.Headers {
			clear(values)
			delete(e.Headers, name)
		}
		clear(e.Meta)
		return nil
	}
	src := t.open()
	s := t.run(src, "", scribble)
	t.awaitLive(s)
	t.publishInTurn(s, 1, few)
	first := events(t.stop(s))[0]
	if !t.resumes() {
		return
	}
	for range 2 {
		s = t.run(src, first.Position, scribble)
		t.expect(s, first.number+1, few)
		t.stop(s)
	}
}

func blot(data []byte) {
	for i := range data {
		data[i] = '#'
	}
}
