package pace

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// idle checks that nothing is left of any turn or waiter.
func idle(t *testing.T, h *Host) {
	t.Helper()
	g := h.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inFlight != 0 || g.queue.Len() != 0 || g.circuit.probe != nil {
		t.Errorf("got %d in flight, %d in the queue, probe %v, want none", g.inFlight, g.queue.Len(), g.circuit.probe != nil)
	}
	if g.timer != nil && g.timer.Stop() {
		t.Error("the timer is still set")
	}
}

// TestCancel: whatever holds up a waiter, it leaves at once when cancelled,
// and its turn goes to the next.
func TestCancel(t *testing.T) {
	for name, block := range map[string]func(t *testing.T, h *Host) (release func()){
		"rate": func(*testing.T, *Host) func() { return func() {} },
		"in flight": func(t *testing.T, h *Host) func() {
			t.Helper()
			turn := take(t, h)
			return func() { turn.Done(Answered, Advice{}) }
		},
		"pause": func(t *testing.T, h *Host) func() {
			t.Helper()
			take(t, h).Done(Answered, Advice{Wait: time.Second, All: true})
			return func() {}
		},
		"down": func(t *testing.T, h *Host) func() {
			t.Helper()
			use(t, h, unreachableCallers, Unreachable)
			return func() {}
		},
		"probe": func(t *testing.T, h *Host) func() {
			t.Helper()
			use(t, h, unreachableCallers, Unreachable)
			probe := take(t, h)
			return func() { probe.Done(Answered, Advice{}) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var hosts Hosts
				h := hosts.Join("a", Limits{InFlight: 1, Rate: 1})
				use(t, h, 1, Answered)
				release := block(t, h)
				ctx, cancel := context.WithCancel(t.Context())
				var waiting sync.WaitGroup
				for range 3 {
					waiting.Go(func() {
						if _, err := h.Acquire(ctx, true); !errors.Is(err, context.Canceled) {
							t.Errorf("got %v, want context.Canceled", err)
						}
					})
				}
				synctest.Wait()
				waiting.Go(func() { take(t, h).Done(Answered, Advice{}) })
				synctest.Wait()
				begin := time.Now()
				cancel()
				synctest.Wait()
				h.gate.mu.Lock()
				got := h.gate.queue.Len()
				h.gate.mu.Unlock()
				if got != 1 {
					t.Errorf("in the queue: got %d, want 1", got)
				}
				release()
				waiting.Wait()
				if got := time.Since(begin); got > time.Second {
					t.Errorf("the next: got its turn after %v, want within 1s", got)
				}
				idle(t, h)
				h.Leave()
			})
		})
	}
}

// TestCancelledBefore: a caller that is cancelled already gets no turn.
func TestCancelledBefore(t *testing.T) {
	var hosts Hosts
	h := hosts.Join("a", Limits{})
	defer h.Leave()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Acquire(ctx, true); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	idle(t, h)
}

// TestTakenBack: a turn that is granted just before its waiter is cancelled
// takes none of the others' time, by the rate or as a probe.
func TestTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hosts Hosts
		h := hosts.Join("a", Limits{Rate: 1000, InFlight: 1})
		defer h.Leave()
		for _, down := range []bool{false, true} {
			if down {
				use(t, h, unreachableCallers, Unreachable)
			}
			pass(time.Minute)
			begin := time.Now()
			for range 100 {
				w := &waiter{ready: make(chan struct{}), wait: true}
				place, err := h.gate.enqueue(w)
				if err != nil || w.turn == nil {
					t.Fatalf("got %v, %v, want a turn", w.turn, err)
				}
				h.gate.withdraw(w, place)
			}
			idle(t, h)
			use(t, h, 1, Answered)
			if got := time.Since(begin); got != 0 {
				t.Errorf("down %v: got the next turn after %v, want at once", down, got)
			}
		}
	})
}

// TestRandomly: with callers that are cancelled at random, over a host that
// fails and recovers at random, the bounds hold at every moment and no turn
// is lost.
func TestRandomly(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			const callers, rounds, bound, rate = 50, 30, 5, 200
			var hosts Hosts
			h := hosts.Join("a", Limits{InFlight: bound, Rate: rate})
			begin := time.Now()
			var (
				calls    sync.WaitGroup
				mu       sync.Mutex
				inFlight int
				granted  int
			)
			call := func(r *rand.Rand) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(r.IntN(100))*time.Millisecond)
				defer cancel()
				turn, err := h.Acquire(ctx, r.IntN(3) > 0)
				if err != nil {
					if !errors.Is(err, ErrDown) && !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("seed %d: got %v, want ErrDown or context.DeadlineExceeded", seed, err)
					}
					return
				}
				mu.Lock()
				inFlight++
				granted++
				if most := 2 + int(time.Since(begin)*rate/time.Second); granted > most || inFlight > bound {
					t.Errorf("seed %d: got %d turns by now, %d of them out, want at most %d and %d", seed, granted, inFlight, most, bound)
				}
				mu.Unlock()
				pass(time.Duration(r.IntN(20)) * time.Millisecond)
				mu.Lock()
				inFlight--
				mu.Unlock()
				a := Advice{Wait: time.Duration(r.IntN(10)) * time.Millisecond, All: r.IntN(10) == 0}
				turn.Done(Result(r.IntN(3)), a)
			}
			for i := range uint64(callers) {
				calls.Go(func() {
					r := rand.New(rand.NewPCG(seed, i))
					for range rounds {
						call(r)
						pass(time.Duration(r.IntN(50)) * time.Millisecond)
					}
				})
			}
			calls.Wait()
			idle(t, h)
			take(t, h).Done(Answered, Advice{})
			h.Leave()
		})
	}
}

// TestConcurrently is [TestRandomly] without virtual time, in which
// cancellations come between any two instructions.
func TestConcurrently(t *testing.T) {
	const callers, rounds, bound = 8, 500, 2
	var (
		hosts    Hosts
		calls    sync.WaitGroup
		inFlight = make(chan struct{}, bound)
	)
	kept := hosts.Join("a", Limits{InFlight: bound})
	for range callers {
		calls.Go(func() {
			for i := range rounds {
				h := hosts.Join("a", Limits{InFlight: bound + i%2})
				ctx, cancel := context.WithCancel(t.Context())
				calls.Go(cancel)
				if turn, err := h.Acquire(ctx, true); err == nil {
					select {
					case inFlight <- struct{}{}:
					default:
						t.Error("more turns are out than the bound")
						<-inFlight
						inFlight <- struct{}{}
					}
					runtime.Gosched()
					<-inFlight
					turn.Done(Answered, Advice{})
				}
				h.Leave()
			}
		})
	}
	calls.Wait()
	idle(t, kept)
	kept.Leave()
	if len(hosts.gates) != 0 {
		t.Errorf("got %d hosts remembered, want none", len(hosts.gates))
	}
}
