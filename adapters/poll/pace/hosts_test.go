package pace

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestRate: turns are spaced evenly, and a pause in demand saves up none.
func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hosts Hosts
		h := hosts.Join("a", Limits{Rate: 10})
		defer h.Leave()
		begin := time.Now()
		var got []time.Duration
		for i := range 6 {
			if i == 3 {
				pass(time.Second)
			}
			turn := take(t, h)
			got = append(got, time.Since(begin)/time.Millisecond)
			turn.Done(Answered, Advice{})
		}
		if want := []time.Duration{0, 100, 200, 1200, 1300, 1400}; !slices.Equal(got, want) {
			t.Errorf("turns at: got %v ms, want %v ms", got, want)
		}
	})
}

// TestHighRate: above 100 a second turns may bunch within 10ms.
func TestHighRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hosts Hosts
		h := hosts.Join("a", Limits{Rate: 1000})
		defer h.Leave()
		begin := time.Now()
		use(t, h, 10, Answered)
		if got := time.Since(begin); got != 0 {
			t.Errorf("10 turns: got %v, want at once", got)
		}
		use(t, h, 1000, Answered)
		if got := time.Since(begin); got != time.Second {
			t.Errorf("1000 more: got %v, want 1s", got)
		}
	})
}

// TestRateRaised: a turn that is far off by a rate that no longer holds comes
// by the one that does.
func TestRateRaised(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hosts Hosts
		slow, h := hosts.Join("a", Limits{Rate: 0.001}), hosts.Join("a", Limits{Rate: 1})
		defer h.Leave()
		use(t, h, 1, Answered)
		begin := time.Now()
		var waiting sync.WaitGroup
		waiting.Go(func() { take(t, h).Done(Answered, Advice{}) })
		synctest.Wait()
		slow.Leave()
		waiting.Wait()
		if got := time.Since(begin); got != time.Second {
			t.Errorf("next turn: got %v, want 1s", got)
		}
	})
}

// TestInFlight: turns beyond the bound are granted as others are given back,
// first come, first served.
func TestInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hosts Hosts
		h := hosts.Join("a", Limits{InFlight: 2})
		defer h.Leave()
		begin := time.Now()
		var (
			polls sync.WaitGroup
			mu    sync.Mutex
			order []int
		)
		for key := range 6 {
			polls.Go(func() {
				turn := take(t, h)
				mu.Lock()
				order = append(order, key)
				mu.Unlock()
				pass(time.Second)
				turn.Done(Answered, Advice{})
				turn.Done(Answered, Advice{}) // counts once
			})
			synctest.Wait() // so that they ask in this order
		}
		polls.Wait()
		if got := time.Since(begin); got != 3*time.Second {
			t.Errorf("6 polls of 1s, 2 at a time: got %v, want 3s", got)
		}
		for i := range 3 {
			slices.Sort(order[2*i : 2*i+2]) // those start together
		}
		if want := []int{0, 1, 2, 3, 4, 5}; !slices.Equal(order, want) {
			t.Errorf("order: got %v, want %v", order, want)
		}
	})
}

// TestPause: while an API has no quota left nobody gets a turn, over all
// members; the longest pause holds, and advice for one resource is none.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hosts Hosts
		h, same, other := hosts.Join("a", Limits{}), hosts.Join("a", Limits{}), hosts.Join("b", Limits{})
		defer h.Leave()
		defer same.Leave()
		defer other.Leave()
		begin := time.Now()
		turns := []*Turn{take(t, h), take(t, h), take(t, h)}
		turns[0].Done(Answered, Advice{Wait: 30 * time.Second, All: true})
		turns[1].Done(Answered, Advice{Wait: 5 * time.Second, All: true})
		turns[2].Done(Answered, Advice{Wait: time.Hour})
		use(t, other, 1, Answered)
		if got := time.Since(begin); got != 0 {
			t.Errorf("another host: got a turn after %v, want at once", got)
		}
		use(t, same, 1, Answered)
		if got := time.Since(begin); got != 30*time.Second {
			t.Errorf("got a turn after %v, want 30s", got)
		}
		take(t, h).Done(Answered, Advice{Wait: 1000 * time.Hour, All: true})
		use(t, h, 1, Answered)
		if got := time.Since(begin); got != 30*time.Second+MaxWait {
			t.Errorf("got a turn after %v, want %v more", got, MaxWait)
		}
	})
}

// TestFair: of a thousand keys that always want to poll, each gets the same.
func TestFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const keys, rate, seconds = 1000, 100, 100
		var hosts Hosts
		h := hosts.Join("a", Limits{Rate: rate, InFlight: keys})
		defer h.Leave()
		end := time.Now().Add(seconds*time.Second - time.Millisecond)
		var (
			polls  sync.WaitGroup
			counts [keys]int
		)
		for key := range keys {
			polls.Go(func() {
				for {
					turn := take(t, h)
					over := time.Now().After(end)
					if !over {
						counts[key]++
						pass(time.Millisecond)
					}
					turn.Done(Answered, Advice{})
					if over {
						return
					}
				}
			})
		}
		polls.Wait()
		if low, high := slices.Min(counts[:]), slices.Max(counts[:]); low != 10 || high != 10 {
			t.Errorf("got from %d to %d polls a key, want 10 each", low, high)
		}
	})
}

// TestNotStarved: keys with a long interval lose nothing to those with a
// short one.
func TestNotStarved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const keys, greedy, rate = 1000, 100, 100
		var hosts Hosts
		h := hosts.Join("a", Limits{Rate: rate})
		defer h.Leave()
		end := time.Now().Add(5 * time.Minute)
		var (
			polls  sync.WaitGroup
			phases Phases
			mu     sync.Mutex
			late   time.Duration // the longest that a patient key waited
			counts [keys]int
		)
		poll := func(key int, every time.Duration, phase float64) {
			pass(time.Duration(phase * float64(every)))
			for due := time.Now(); due.Before(end); due = due.Add(every) {
				pass(time.Until(due))
				turn := take(t, h)
				waited := time.Since(due)
				turn.Done(Answered, Advice{})
				mu.Lock()
				counts[key]++
				if key >= greedy {
					late = max(late, waited)
				} else {
					due = time.Now()
				}
				mu.Unlock()
			}
		}
		for key := range keys {
			every := 15 * time.Second // 900 keys: 60 a second
			if key < greedy {
				every = MinEvery // 100 keys: 10000 a second
			}
			polls.Go(func() { poll(key, every, phases.Next()) })
		}
		polls.Wait()
		if got := slices.Min(counts[greedy:]); got < 19 {
			t.Errorf("patient keys: got %d polls in 5m, want one in 15s", got)
		}
		if low, high := slices.Min(counts[:greedy]), slices.Max(counts[:greedy]); low < high*9/10 || low < 100 {
			t.Errorf("greedy keys: got from %d to %d polls, want what is left, in equal parts", low, high)
		}
		// All others are in the queue at most once.
		if late > keys*time.Second/rate {
			t.Errorf("a patient key waited %v, want at most %v", late, keys*time.Second/rate)
		}
		t.Logf("patient: %d to %d polls, waited up to %v; greedy: %d to %d", slices.Min(counts[greedy:]),
			slices.Max(counts[greedy:]), late, slices.Min(counts[:greedy]), slices.Max(counts[:greedy]))
	})
}
