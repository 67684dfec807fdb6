package pace

import (
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sidestream/adapters"
)

func TestEvery(t *testing.T) {
	for text, want := range map[string]string{"2s": "2s", "1h30m": "1h30m0s", "2": "", "-1s": "", "often": ""} {
		var e Every
		err := e.UnmarshalText([]byte(text))
		if (err != nil) != (want == "") || err == nil && (e.String() != want || e.Min != e.Max) {
			t.Errorf("%q: got %v, %v, want %q", text, e, err, want)
		}
	}
	e := Every{Min: adapters.Duration(time.Second), Max: adapters.Duration(time.Minute)}
	if got, err := e.MarshalText(); err != nil || string(got) != "1s to 1m0s" {
		t.Errorf("got %q, %v, want 1s to 1m0s", got, err)
	}
}

func TestEveryCheck(t *testing.T) {
	const ms, year = time.Millisecond, 365 * 24 * time.Hour
	for _, tt := range []struct {
		min, max time.Duration
		want     string
	}{
		{10 * ms, 10 * ms, ""},
		{10 * ms, year, ""},
		{year, year, ""},
		{0, 0, "every: 0s is too short; polls are at least 10ms apart"},
		{9 * ms, time.Second, "every.min: 9ms is too short; polls are at least 10ms apart"},
		{time.Second, year + 1, "every.max: 8760h0m0.000000001s is too long; polls are at most 8760h0m0s apart"},
		{2 * time.Second, time.Second, "every: min 2s is longer than max 1s; set both"},
	} {
		var c adapters.OptionErrors
		Every{adapters.Duration(tt.min), adapters.Duration(tt.max)}.Check("every", &c)
		got := ""
		if err := c.Err(); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%v to %v: got %q, want %q", tt.min, tt.max, got, tt.want)
		}
	}
}

// due checks when a schedule's next poll is, counted from noon.
func due(t *testing.T, s *Schedule, want time.Duration, wantWhy string) {
	t.Helper()
	at, why := s.Due()
	if got := at.Sub(noon); got != want || why != wantWhy {
		t.Errorf("due: got %v %q, want %v %q", got, why, want, wantWhy)
	}
}

func TestSchedule(t *testing.T) {
	s := NewSchedule(always(10*time.Second), 0, 0.25)
	if at, why := s.Due(); !at.IsZero() || why != "" {
		t.Errorf("due before the first poll: got %v %q, want at once", at, why)
	}
	s.Sent(noon)
	due(t, s, 12500*time.Millisecond, "every") // by the phase, once
	s.Sent(noon.Add(20 * time.Second))
	due(t, s, 30*time.Second, "every")
	s.Unchanged() // has no effect
	due(t, s, 30*time.Second, "every")
}

// TestScheduleSoon: news brings the next poll nearer, once, but no advice is
// overruled and no interval made longer.
func TestScheduleSoon(t *testing.T) {
	s := NewSchedule(always(10*time.Second), 0, 0)
	s.Sent(noon)
	s.Soon()
	due(t, s, MinSoon, "news")
	s.Sent(noon)
	due(t, s, 10*time.Second, "every")
	s.Soon()
	s.Wait(Advice{Wait: time.Second, Why: "retry-after"}, noon)
	if at, why := s.Due(); at.Sub(noon) < time.Second || why != "retry-after" {
		t.Errorf("got %v %q, want at least 1s by retry-after", at.Sub(noon), why)
	}
	s = NewSchedule(always(MinEvery), 0, 0)
	s.Sent(noon)
	s.Soon()
	due(t, s, MinEvery, "every")
}

func TestScheduleAdapts(t *testing.T) {
	s := NewSchedule(Every{adapters.Duration(2 * time.Second), adapters.Duration(8 * time.Second)}, 0, 0)
	s.Sent(noon)
	for _, want := range []float64{3, 4.5, 6.75, 8, 8} {
		s.Unchanged()
		due(t, s, time.Duration(want*1e9), "every")
	}
	s.Changed()
	due(t, s, 2*time.Second, "every")
}

func TestScheduleJitter(t *testing.T) {
	for _, tt := range []struct {
		jitter    float64
		low, high time.Duration
	}{
		{0.1, 900 * time.Millisecond, 1100 * time.Millisecond},
		{1, MinEvery, 2 * time.Second},
	} {
		s := NewSchedule(always(time.Second), tt.jitter, 0)
		var gaps []time.Duration
		for range 10_000 {
			s.Sent(noon)
			at, _ := s.Due()
			gaps = append(gaps, at.Sub(noon))
		}
		low, high := slices.Min(gaps), slices.Max(gaps)
		if low < tt.low || high > tt.high || high-low < (tt.high-tt.low)*9/10 {
			t.Errorf("jitter %v: got gaps from %v to %v, want them spread from %v to %v", tt.jitter, low, high, tt.low, tt.high)
		}
	}
}

func TestScheduleWait(t *testing.T) {
	s := NewSchedule(always(time.Second), 0, 0)
	s.Sent(noon)
	s.Wait(Advice{Wait: time.Millisecond, Why: "max-age"}, noon)
	due(t, s, time.Second, "every")

	s.Wait(Advice{Wait: time.Minute, Why: "retry-after"}, noon)
	at, why := s.Due()
	if wait := at.Sub(noon); wait < time.Minute || wait > 66*time.Second || why != "retry-after" {
		t.Errorf("got %v %q, want from 60s to 66s by retry-after", wait, why)
	}
	s.Wait(Advice{Wait: 2 * time.Second, Why: "max-age"}, noon) // no shorter for it
	s.Wait(Advice{Wait: -time.Minute}, noon)
	if again, _ := s.Due(); !again.Equal(at) {
		t.Errorf("after a shorter wait: got %v, want %v", again, at)
	}
	s.Sent(at)
	due(t, s, at.Sub(noon)+time.Second, "every")

	waits := map[time.Duration]bool{}
	for range 100 {
		s := NewSchedule(always(time.Second), 0, 0)
		s.Wait(Advice{Wait: time.Minute, Why: "retry-after"}, noon)
		at, _ := s.Due()
		waits[at.Sub(noon)] = true
	}
	if len(waits) < 90 {
		t.Errorf("a hundred that were told the same: got %d different waits, want about as many", len(waits))
	}

	s.Wait(Advice{Wait: math.MaxInt64, Why: "x"}, at)
	if far, _ := s.Due(); far.Sub(at) > MaxWait*11/10 {
		t.Errorf("got %v, want at most a tenth more than %v", far.Sub(at), MaxWait)
	}
}

func TestPhases(t *testing.T) {
	var p Phases
	var got []float64
	for range 8 {
		got = append(got, p.Next())
	}
	want := []float64{0, 1. / 2, 1. / 4, 3. / 4, 1. / 8, 5. / 8, 3. / 8, 7. / 8}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	p.count.Store(math.MaxUint64)
	if last := p.Next(); last >= 1 {
		t.Errorf("the last phase: got %v, want less than 1", last)
	}
}

// TestSpread: a thousand polls that start together are spread evenly from
// their second interval on.
func TestSpread(t *testing.T) {
	const every, windows = 10 * time.Second, 60
	for _, tt := range []struct {
		jitter float64
		few    int
	}{{0, 2}, {0.1, 50}} {
		synctest.Test(t, func(t *testing.T) {
			var (
				phases Phases
				begin  = time.Now()
				polls  sync.WaitGroup
				mu     sync.Mutex
				counts [windows]int
			)
			poll := func(s *Schedule) {
				for {
					now := time.Now()
					second := int(now.Sub(begin) / time.Second)
					if second >= windows {
						return
					}
					mu.Lock()
					counts[second]++
					mu.Unlock()
					s.Sent(now)
					at, _ := s.Due()
					pass(at.Sub(now))
				}
			}
			for range 1000 {
				polls.Go(func() { poll(NewSchedule(always(every), tt.jitter, phases.Next())) })
			}
			polls.Wait()
			if counts[0] != 1000 {
				t.Errorf("first polls: got %d, want 1000 at once", counts[0])
			}
			steady := counts[every/time.Second+1:]
			low, high := slices.Min(steady), slices.Max(steady)
			t.Logf("jitter %v: from %d to %d polls in a second", tt.jitter, low, high)
			if low < 100-tt.few || high > 100+tt.few {
				t.Errorf("jitter %v: got from %d to %d polls in a second, want 100 ± %d", tt.jitter, low, high, tt.few)
			}
		})
	}
}
