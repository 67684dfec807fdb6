package generate

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sidestream/adapters"
)

// A tick is an event and when it came, since Run began.
type tick struct {
	after      time.Duration
	typ, event string
}

// run runs a source of f for a time, in a bubble, and returns what came. Each
// event takes slow to be taken.
func run(t *testing.T, f adapters.Factory, vars adapters.Vars, limit, slow time.Duration) (ticks []tick, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		src, openErr := f.Open(vars, adapters.Env{})
		if openErr != nil {
			t.Fatalf("Open: got error %v, want none", openErr)
		}
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		start := time.Now()
		err = src.Run(ctx, "", func(e adapters.Event) error {
			if !e.Live {
				ticks = append(ticks, tick{time.Since(start), e.Type, string(e.Data)})
				<-time.After(slow)
			}
			return nil
		})
	})
	return ticks, err
}

func times(ticks []tick) []time.Duration {
	var list []time.Duration
	for _, t := range ticks {
		list = append(list, t.after)
	}
	return list
}

// X1: the time every second, the first at once, in exact steps.
func TestClock(t *testing.T) {
	f := open(t, nil, func(o *Options) { o.Data = `{{.Time.Format "15:04:05"}}` })
	got, err := run(t, f, nil, 2500*time.Millisecond, 0)
	want := []tick{{0, "", "00:00:00"}, {time.Second, "", "00:00:01"}, {2 * time.Second, "", "00:00:02"}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got error %v, want %v", err, context.DeadlineExceeded)
	}
}

// X1: a JSON ping every 2 seconds, which is what there is without a template.
func TestDefaultEvent(t *testing.T) {
	f := open(t, nil, func(o *Options) { o.Every, o.Count, o.First = adapters.Duration(2*time.Second), 2, "after_interval" })
	got, err := run(t, f, nil, time.Minute, 0)
	if want := []time.Duration{2 * time.Second, 4 * time.Second}; !slices.Equal(times(got), want) || err != nil {
		t.Fatalf("got events after %v, error %v, want them after %v, none", times(got), err, want)
	}
	var second struct {
		N    int
		Time time.Time
	}
	if err := json.Unmarshal([]byte(got[1].event), &second); err != nil || second.N != 2 || second.Time.IsZero() {
		t.Errorf("got %s, error %v, want JSON with number 2 and its time", got[1].event, err)
	}
}

func TestSlowEmit(t *testing.T) {
	for name, test := range map[string]struct {
		slow, want int // milliseconds; want is between two events
	}{
		"within the interval":     {700, 1000},
		"as long as the interval": {1000, 1000},
		"longer":                  {1300, 1300},
		"longer than several":     {3400, 3400},
	} {
		f := open(t, nil, func(o *Options) { o.Count = 4 })
		got, err := run(t, f, nil, time.Minute, time.Duration(test.slow)*time.Millisecond)
		var want []time.Duration
		for i := range 4 {
			want = append(want, time.Duration(i*test.want)*time.Millisecond)
		}
		if !slices.Equal(times(got), want) || err != nil {
			t.Errorf("%s: got events after %v, error %v, want them after %v, none", name, times(got), err, want)
		}
	}
}

// An emit that was slow once leaves no trace in the times that follow.
func TestIntervalAfterSlowEmit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, _ := open(t, nil, func(o *Options) { o.Count, o.Data = 4, "{{.N}}" }).Open(nil, adapters.Env{})
		start := time.Now()
		var got []string
		err := src.Run(t.Context(), "", func(e adapters.Event) error {
			if e.Live {
				return nil
			}
			got = append(got, string(e.Data)+" "+time.Since(start).String())
			if len(got) == 1 {
				<-time.After(2500 * time.Millisecond)
			}
			return nil
		})
		if want := []string{"1 0s", "2 2.5s", "3 3s", "4 4s"}; !slices.Equal(got, want) || err != nil {
			t.Errorf("got %q, error %v, want %q, none", got, err, want)
		}
	})
}

func TestJitterStaysWithinBounds(t *testing.T) {
	f := open(t, nil, func(o *Options) { o.Jitter, o.Count = 0.25, 2000 })
	got, _ := run(t, f, nil, time.Hour, 0)
	least, most := time.Hour, time.Duration(0)
	for i := range len(got) - 1 {
		step := got[i+1].after - got[i].after
		least, most = min(least, step), max(most, step)
	}
	const lo, hi = 750 * time.Millisecond, 1250 * time.Millisecond
	if least < lo || most > hi {
		t.Errorf("got intervals from %v to %v, want them from %v to %v", least, most, lo, hi)
	}
	if least > lo+20*time.Millisecond || most < hi-20*time.Millisecond {
		t.Errorf("got intervals from %v to %v, want them to use the range from %v to %v", least, most, lo, hi)
	}
}

// X2, X3: four types at random, by weight, and an end after 30 events. With a
// seed the choice is the same each time.
func TestRandomChoice(t *testing.T) {
	types := []Event{
		{Type: "coinToss", Weight: new(4), Data: `{{pick "heads" "tails"}}`},
		{Type: "dieRoll", Weight: new(3), Data: `{{random 1 6}}`},
		{Type: "catFact", Weight: new(2)},
		{Data: "a message"},
	}
	show := func(seed uint64, count int) []tick {
		t.Helper()
		f := open(t, nil, func(o *Options) { o.Every, o.Seed, o.Count, o.Events = 0, seed, count, types })
		got, err := run(t, f, nil, time.Minute, 0)
		if len(got) != count || err != nil {
			t.Fatalf("got %d events, error %v, want %d, none", len(got), err, count)
		}
		return got
	}
	if a, b := show(7, 30), show(7, 30); !slices.Equal(a, b) {
		t.Errorf("same seed: got %v and then %v, want the same", a, b)
	}
	if a, b := show(7, 30), show(8, 30); slices.Equal(a, b) {
		t.Errorf("another seed: got %v both times, want another choice", a)
	}
	if a, b := show(0, 30), show(0, 30); slices.Equal(a, b) {
		t.Errorf("no seed: got %v both times, want another choice", a)
	}

	const count = 10_000
	seen := make(map[string]int)
	data := make(map[string]int)
	for _, e := range show(1, count) {
		seen[e.typ]++
		data[e.typ+e.event]++
	}
	for typ, share := range map[string]float64{"coinToss": 0.4, "dieRoll": 0.3, "catFact": 0.2, "": 0.1} {
		if got := float64(seen[typ]) / count; math.Abs(got-share) > 0.02 {
			t.Errorf("type %q: got a share of %.3f, want %.1f", typ, got, share)
		}
	}
	want := []string{"a message", "catFact", "coinTossheads", "coinTosstails",
		"dieRoll1", "dieRoll2", "dieRoll3", "dieRoll4", "dieRoll5", "dieRoll6"}
	if got := slices.Sorted(maps.Keys(data)); !slices.Equal(got, want) {
		t.Errorf("got events %q, want %q", got, want)
	}
}

// X4: a ticker for the symbol in the path.
func TestVariablesAreData(t *testing.T) {
	f := open(t, []string{"symbol", "currency"}, func(o *Options) {
		o.Type, o.Count = "stockTicker", 1
		o.Data = `{{.Vars.symbol}} 64.31 {{json .Vars.symbol}}{{.Vars.currency}}`
	})
	got, err := run(t, f, adapters.Vars{"symbol": `{{.N}}"<b>/..`, "other": "\x00"}, time.Minute, 0)
	want := []tick{{0, "stockTicker", `{{.N}}"<b>/.. 64.31 "{{.N}}\"<b>/.."`}}
	if !slices.Equal(got, want) || err != nil {
		t.Errorf("got %+v, error %v, want %+v, none", got, err, want)
	}
}

// X5: three messages in order, the third of two lines; and from the first
// again.
func TestCycle(t *testing.T) {
	f := open(t, nil, func(o *Options) {
		o.Choose, o.Count = "cycle", 4
		o.Events = []Event{{Data: "first message"}, {Data: "second message"}, {Data: "third message,\nsecond line"}}
	})
	got, err := run(t, f, nil, time.Minute, 0)
	want := []tick{
		{0, "", "first message"}, {time.Second, "", "second message"},
		{2 * time.Second, "", "third message,\nsecond line"}, {3 * time.Second, "", "first message"},
	}
	if !slices.Equal(got, want) || err != nil {
		t.Errorf("got %+v, error %v, want %+v, none", got, err, want)
	}
}

// A count is of the events that were taken, over all Runs of the source.
func TestCountGoesOnWhenRunAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, _ := open(t, nil, func(o *Options) { o.Count, o.Data = 3, "{{.N}}" }).Open(nil, adapters.Env{})
		errFull := errors.New("full")
		var got []string
		emit := func(e adapters.Event) error {
			if e.Live {
				return nil
			}
			got = append(got, string(e.Data))
			if len(got) == 2 {
				return errFull
			}
			return nil
		}
		if err := src.Run(t.Context(), "", emit); !errors.Is(err, errFull) {
			t.Errorf("first Run: got error %v, want %v", err, errFull)
		}
		for range 2 { // the second time, there is nothing left
			if err := src.Run(t.Context(), "", emit); err != nil {
				t.Errorf("Run up to the end: got error %v, want none", err)
			}
		}
		if want := []string{"1", "2", "2", "3"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestFailingTemplateIsPermanent(t *testing.T) {
	for name, data := range map[string]string{
		"event could not be made": `{{if eq .N 2}}{{random 1 0}}{{end}}`,
		"event too large":         `{{range .N}}12345{{end}}`,
	} {
		f := open(t, nil, func(o *Options) { o.MaxBytes, o.Data = 9, data })
		got, err := run(t, f, nil, time.Minute, 0)
		if len(got) != 1 || !adapters.IsPermanent(err) || adapters.Reason(err) != name {
			t.Errorf("got %d events, error %v, reason %q, want 1, a permanent one, %q",
				len(got), err, adapters.Reason(err), name)
		}
	}
}

func TestRandomCoversItsRange(t *testing.T) {
	f := open(t, nil, func(o *Options) {
		o.Every, o.Count = 0, 1000
		o.Data = `{{random -2 2}} {{random 5 5}} {{len (printf "%d" (random -9223372036854775808 9223372036854775807))}}`
	})
	got, err := run(t, f, nil, time.Minute, 0)
	if err != nil {
		t.Fatalf("got error %v, want none", err)
	}
	seen := make(map[string]bool)
	for _, e := range got {
		lo, rest, _ := strings.Cut(e.event, " ")
		if five, _, _ := strings.Cut(rest, " "); five != "5" {
			t.Errorf("got %q from 5 to 5, want 5", five)
		}
		seen[lo] = true
	}
	want := map[string]bool{"-2": true, "-1": true, "0": true, "1": true, "2": true}
	if !reflect.DeepEqual(seen, want) {
		t.Errorf("got %v from -2 to 2, want %v", seen, want)
	}
}

// The sources of a route share templates, and nothing that they would have to
// wait for one another for.
func TestSourcesAtOnce(t *testing.T) {
	f := open(t, []string{"user"}, func(o *Options) {
		o.Every, o.Count, o.Seed, o.Data = 0, 100, 1, "{{random 1 100}} {{pick 1 2 3}} {{.Vars.user}}"
	})
	var all sync.WaitGroup
	last := make([]string, 8)
	for i := range last {
		all.Go(func() {
			src, err := f.Open(adapters.Vars{"user": "ann"}, adapters.Env{})
			if err != nil {
				t.Errorf("Open: got error %v, want none", err)
				return
			}
			err = src.Run(t.Context(), "", func(e adapters.Event) error {
				last[i] = string(e.Data)
				return nil
			})
			if err != nil {
				t.Errorf("Run: got error %v, want none", err)
			}
		})
	}
	all.Wait()
	for _, got := range last {
		if want := last[0]; got != want || !strings.HasSuffix(got, " ann") {
			t.Errorf("got last event %q, want %q, which the same seed gave another source", got, want)
		}
	}
}

func BenchmarkRun(b *testing.B) {
	src, err := open(b, nil, func(o *Options) { o.Every = 0 }).Open(nil, adapters.Env{})
	if err != nil {
		b.Fatalf("Open: got error %v, want none", err)
	}
	errStop := errors.New("stop")
	b.ReportAllocs()
	err = src.Run(b.Context(), "", func(adapters.Event) error {
		if b.Loop() {
			return nil
		}
		return errStop
	})
	if !errors.Is(err, errStop) {
		b.Fatalf("Run: got error %v, want %v", err, errStop)
	}
}
