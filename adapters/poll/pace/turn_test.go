package pace

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestHold: a request that is held makes room for the next one, once; its end
// makes none, but brings what came of it.
func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hosts Hosts
		h := hosts.Join("a", Limits{InFlight: 1})
		defer h.Leave()
		held := take(t, h)
		var granted *Turn
		var waiting sync.WaitGroup
		waiting.Go(func() { granted = take(t, h) })
		synctest.Wait()
		held.Hold()
		held.Hold() // counts once
		waiting.Wait()
		full := func(when string) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			if _, err := h.Acquire(ctx, true); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: got %v, want context.DeadlineExceeded", when, err)
			}
		}
		full("one held, one in flight")
		held.Done(Answered, Advice{Wait: time.Minute, All: true})
		held.Done(Answered, Advice{}) // counts once
		held.Hold()                   // is late
		full("one in flight")
		granted.Done(Answered, Advice{})
		granted.Hold()
		idle(t, h)
		begin := time.Now()
		late := take(t, h)
		late.Done(Answered, Advice{Wait: time.Minute, All: true})
		take(t, h).Done(Answered, Advice{})
		if got := time.Since(begin); got < time.Minute {
			t.Errorf("got a turn after %v, want the pause that an answer asked for", got)
		}
	})
}

// TestHoldWhileDown: a host that was reached is up, though the answer to the
// probe may be far off, and whatever comes of that.
func TestHoldWhileDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hosts Hosts
		h := hosts.Join("a", Limits{})
		defer h.Leave()
		for down := false; !down; _, down = h.Down() {
			use(t, h, 1, Unreachable)
		}
		probe := take(t, h)
		if _, err := h.Acquire(t.Context(), false); !errors.Is(err, ErrDown) {
			t.Errorf("probe under way: got %v, want ErrDown", err)
		}
		probe.Hold()
		begin := time.Now()
		turn, err := h.Acquire(t.Context(), false)
		if _, down := h.Down(); err != nil || down || time.Since(begin) > 0 {
			t.Fatalf("probe held: got %v after %v, down %v, want a turn at once", err, time.Since(begin), down)
		}
		probe.Done(Abandoned, Advice{})
		turn.Done(Answered, Advice{})
		if _, down := h.Down(); down {
			t.Error("probe given up: got down, want up")
		}
		idle(t, h)
	})
}
