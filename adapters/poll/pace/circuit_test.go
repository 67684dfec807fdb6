package pace

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hosts Hosts
		h := hosts.Join("a", Limits{})
		defer h.Leave()
		use(t, h, unreachableCallers-1, Unreachable)
		use(t, h, 1, Answered) // not in a row
		first := time.Now()
		use(t, h, unreachableCallers-2, Unreachable)
		pass(time.Second)
		use(t, h, 1, Abandoned) // says nothing
		use(t, h, 1, Unreachable)
		if _, down := h.Down(); down {
			t.Errorf("after %d in a row: got down, want up", unreachableCallers-1)
		}
		use(t, h, 1, Unreachable)
		if since, down := h.Down(); !down || !since.Equal(first) {
			t.Errorf("after %d in a row: got %v, %v, want down since %v", unreachableCallers, since, down, first)
		}
		if _, err := h.Acquire(t.Context(), false); !errors.Is(err, ErrDown) {
			t.Errorf("Acquire without waiting: got %v, want ErrDown", err)
		}
		use(t, h, 1, Answered)
		if since, down := h.Down(); down || !since.IsZero() {
			t.Errorf("once answered: got %v, %v, want up", since, down)
		}
		turn, err := h.Acquire(t.Context(), false)
		if err != nil {
			t.Fatalf("Acquire without waiting: got %v", err)
		}
		turn.Done(Answered, Advice{})
	})
}

// TestDownInQueue: who doesn't wait for a host that is down is turned away
// even if already in the queue; who waits keeps the place.
func TestDownInQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hosts Hosts
		h := hosts.Join("a", Limits{InFlight: 1})
		defer h.Leave()
		use(t, h, unreachableCallers-1, Unreachable)
		last := take(t, h)
		var (
			waiting sync.WaitGroup
			refused atomic.Int32
		)
		for i := range 6 {
			waiting.Go(func() {
				turn, err := h.Acquire(t.Context(), i%2 == 0)
				if err != nil {
					refused.Add(1)
					return
				}
				turn.Done(Answered, Advice{})
			})
		}
		synctest.Wait()
		last.Done(Unreachable, Advice{})
		synctest.Wait()
		if got := refused.Load(); got != 3 {
			t.Errorf("got %d turned away, want 3", got)
		}
		waiting.Wait()
		if got := refused.Load(); got != 3 {
			t.Errorf("once answered: got %d turned away, want 3", got)
		}
	})
}

// TestOldFailures: requests that were sent before the host was last heard
// don't take it down when they time out at last.
func TestOldFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hosts Hosts
		h := hosts.Join("a", Limits{})
		defer h.Leave()
		var old []*Turn
		for range unreachableCallers {
			old = append(old, take(t, h))
		}
		pass(time.Second)
		use(t, h, 1, Answered)
		for _, turn := range old {
			turn.Done(Unreachable, Advice{})
		}
		if _, down := h.Down(); down {
			t.Error("got down, want up")
		}
	})
}

// TestProbes: the distances double up to a bound; an abandoned probe neither
// counts nor brings the next one nearer.
func TestProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hosts Hosts
		h := hosts.Join("a", Limits{})
		defer h.Leave()
		use(t, h, unreachableCallers, Unreachable)
		varied := false
		for i, tt := range []struct {
			seconds float64
			r       Result
		}{
			{1, Unreachable},
			{2, Abandoned},
			{2, Unreachable},
			{4, Unreachable},
			{8, Unreachable},
			{16, Unreachable},
			{30, Unreachable},
			{30, Answered},
		} {
			begin, delay := time.Now(), time.Duration(tt.seconds*1e9)
			turn := take(t, h)
			if got := time.Since(begin); got < delay*3/4 || got > delay {
				t.Errorf("probe %d: got it after %v, want from %v to %v", i+1, got, delay*3/4, delay)
			}
			varied = varied || time.Since(begin) < delay
			turn.Done(tt.r, Advice{})
		}
		if !varied {
			t.Error("the distances are exact, want them varied by chance")
		}
		use(t, h, unreachableCallers, Unreachable)
		begin := time.Now()
		use(t, h, 1, Answered)
		if got := time.Since(begin); got > firstRetry {
			t.Errorf("first probe of the next time: got it after %v, want at most %v", got, firstRetry)
		}
	})
}

// TestOneProbe: while one is out there is no other, unless the host is heard
// by another way.
func TestOneProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hosts Hosts
		h := hosts.Join("a", Limits{})
		defer h.Leave()
		early := take(t, h)
		use(t, h, unreachableCallers, Unreachable)
		probe := take(t, h)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := h.Acquire(ctx, true); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a second probe: got %v, want context.DeadlineExceeded", err)
		}
		early.Done(Answered, Advice{})
		use(t, h, 1, Answered)            // there is no need to wait for the probe
		probe.Done(Unreachable, Advice{}) // is older
		if _, down := h.Down(); down {
			t.Error("got down, want up")
		}
	})
}

// TestDeadHost: five hundred keys ask a host that is dead for five minutes.
func TestDeadHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const keys, outage = 500, 5 * time.Minute
		var hosts Hosts
		h := hosts.Join("a", Limits{})
		defer h.Leave()
		begin := time.Now()
		var (
			polls        sync.WaitGroup
			mu           sync.Mutex
			asked        int             // during the outage
			answered     []time.Duration // of each key, the first one, counted from its end
			inFlight, up int
		)
		exchange := func() Result {
			mu.Lock()
			inFlight++
			up = max(up, inFlight)
			dead := time.Since(begin) < outage
			if dead {
				asked++
			}
			mu.Unlock()
			pass(100 * time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			inFlight--
			if dead {
				return Unreachable
			}
			answered = append(answered, time.Since(begin)-outage)
			return Answered
		}
		for range keys {
			polls.Go(func() {
				s := NewSchedule(always(2*time.Second), 0, 0)
				for r := Unreachable; r != Answered; {
					at, _ := s.Due()
					pass(time.Until(at))
					turn := take(t, h)
					s.Sent(time.Now())
					r = exchange()
					turn.Done(r, Advice{})
				}
			})
		}
		polls.Wait()
		first, last := slices.Min(answered), slices.Max(answered)
		t.Logf("%d requests in %v; back after %v, all %d keys %v later, at most %d at a time",
			asked, outage, first, keys, last-first, up)
		// 24 until it is known (20 at once, and one for each that fails
		// before the fifth), then 5 probes in at least 23s, then one in 22.5s
		// to 30s.
		if asked < 24+5+8 || asked > 24+5+13 {
			t.Errorf("requests in %v: got %d, want from 37 to 42", outage, asked)
		}
		if first > lastRetry+100*time.Millisecond {
			t.Errorf("back after %v, want at most %v", first, lastRetry)
		}
		if len(answered) != keys || up > DefaultInFlight {
			t.Errorf("got %d keys back, %d at a time, want %d, at most %d at a time", len(answered), up, keys, DefaultInFlight)
		}
		if want := keys / DefaultInFlight * 100 * time.Millisecond; last-first > want {
			t.Errorf("all keys are back after %v, want %v", last-first, want)
		}
	})
}
