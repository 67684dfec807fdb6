package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sidestream/adapters"
)

// letters appends an event to the partition for each letter, which is its key
// and data.
func letters(p *Partitions, partition int, what string) {
	for _, k := range strings.Split(what, "") {
		if k != "" {
			p.Append(partition, adapters.Event{Key: k, Data: []byte(k)})
		}
	}
}

// inOrder lets each run take the first partition that is ready.
func inOrder(_ int, ready []int) int { return ready[0] }

// told returns what there is to tell of events, and of an error.
func told(events []adapters.Event, err error) string {
	var list []string
	for _, e := range events {
		what := string(e.Data)
		switch {
		case e.Live:
			what = "live"
		case isGone(e):
			what = "-" + e.Key
		}
		list = append(list, what+"@"+string(e.Position))
	}
	var lost *adapters.PositionLostError
	switch {
	case errors.As(err, &lost):
		list = append(list, fmt.Sprintf("lost %s %d, on at %s", lost.Reason, lost.Lost, lost.Resume))
	case err != nil && !errors.Is(err, context.Canceled):
		list = append(list, err.Error())
	}
	return strings.Join(list, " ")
}

// ran returns what a Run delivers until it has nothing to wait for but then,
// and what follows.
func ran(t *testing.T, p *Partitions, after adapters.Position, then func()) string {
	t.Helper()
	return started(t, p, then, func(ctx context.Context, src adapters.Source, emit emitFunc) error {
		return src.Run(ctx, after, emit)
	})
}

// replayed is ran for a Replay.
func replayed(t *testing.T, p *Partitions, after, until adapters.Position) string {
	t.Helper()
	return started(t, p, func() {}, func(ctx context.Context, src adapters.Source, emit emitFunc) error {
		err := src.(adapters.Replayer).Replay(ctx, after, until, emit)
		if errors.Is(err, context.Canceled) {
			t.Errorf("Replay(%q, %q): got stuck, want it to return", after, until)
		}
		return err
	})
}

func started(t *testing.T, p *Partitions, then func(), run func(context.Context, adapters.Source, emitFunc) error) (got string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		src, err := p.Factory().Open(nil, adapters.Env{})
		if err != nil {
			t.Fatalf("Open: got error %v, want none", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var events []adapters.Event
		done := make(chan error)
		go func() {
			done <- run(ctx, src, func(e adapters.Event) error {
				events = append(events, e)
				return nil
			})
		}()
		synctest.Wait()
		then()
		synctest.Wait()
		cancel()
		got = told(events, <-done)
	})
	return got
}

func TestPartitionsRun(t *testing.T) {
	for name, test := range map[string]struct {
		like  *Partitions
		logs  string // what is in each
		set   func(p *Partitions)
		after adapters.Position
		then  func(p *Partitions)
		want  string
	}{
		"no partitions": {like: &Partitions{}, want: "live@t.0.-:"},
		"from the end": {like: &Partitions{}, logs: "ab c", then: func(p *Partitions) { letters(p, 0, "d") },
			want: "live@t.0.-:2,1 d@t.0.0:3,1"},
		"from the oldest": {like: &Partitions{Oldest: true}, logs: "ab c", set: func(p *Partitions) { p.Expire(0, 1) },
			want: "b@t.0.0:2,0 c@t.0.1:2,1 live@t.0.-:2,1"},
		"from a position": {like: &Partitions{}, logs: "ab cd", after: "t.0.1:1,1", want: "b@t.0.0:2,1 d@t.0.1:2,2 live@t.0.-:2,2"},
		"from before there was a partition": {like: &Partitions{}, logs: "ab cd", after: "t.0.0:1",
			want: "b@t.0.0:2,0 c@t.0.1:2,1 d@t.0.1:2,2 live@t.0.-:2,2"},
		"a new partition": {like: &Partitions{}, logs: "a", then: func(p *Partitions) { p.Add(2); letters(p, 2, "z") },
			want: "live@t.0.-:1 z@t.0.2:1,0,1"},
		"states": {like: &Partitions{States: true}, logs: "aba cc", want: "b@t.0.0:2,1 a@t.0.0:3,1 c@t.0.1:3,2 live@t.0.-:3,2"},
		"states, one deleted": {like: &Partitions{States: true}, logs: "ab c", set: func(p *Partitions) { p.Delete("a"); p.Delete("x") },
			then: func(p *Partitions) { letters(p, 0, "a"); p.Delete("a"); letters(p, 0, "d") },
			want: "b@t.0.0:2,0 c@t.0.1:3,1 live@t.0.-:3,1 a@t.0.0:4,1 -a@t.0.0:5,1 d@t.0.0:6,1"},
		"states from a position": {like: &Partitions{States: true}, logs: "aba", after: "t.0.-:0",
			want: "a@t.0.0:1 b@t.0.0:2 a@t.0.0:3 live@t.0.-:3"},
		"expired": {like: &Partitions{}, logs: "abc de f", set: func(p *Partitions) { p.Expire(0, 2); p.Expire(1, 9) }, after: "t.0.2:1,1,1",
			want: "lost expired 2, on at t.0.-:2,2,1"},
		"expired up to there": {like: &Partitions{}, logs: "abc", set: func(p *Partitions) { p.Expire(0, 2) }, after: "t.0.0:2",
			want: "c@t.0.0:3 live@t.0.-:3"},
		"expired in a partition that has come": {like: &Partitions{}, logs: "a bc", set: func(p *Partitions) { p.Expire(1, 1) }, after: "t.0.0:1",
			want: "lost expired 1, on at t.0.-:1,1"},
		"expired while it is held up": {like: &Partitions{}, logs: "a", after: "t.0.0:1", want: "live@t.0.-:1 lost expired 1, on at t.0.-:2",
			then: func(p *Partitions) { p.Stall(); letters(p, 0, "b"); p.Expire(0, 2); p.Recover() }},
		"recreated": {like: &Partitions{}, logs: "ab c", set: (*Partitions).Recreate, after: "t.0.0:1,0", want: "lost recreated -1, on at t.1.-:0,0"},
		"recreated meanwhile": {like: &Partitions{}, logs: "a", after: "t.0.0:1", then: (*Partitions).Recreate,
			want: "live@t.0.-:1 lost recreated -1, on at t.1.-:0"},
		"behind the end":          {like: &Partitions{}, logs: "a b", after: "t.0.0:2,0", want: "lost unknown -1, on at t.0.-:0,0"},
		"of a partition too many": {like: &Partitions{}, logs: "a", after: "t.0.0:1,0", want: "lost unknown -1, on at t.0.-:0"},
		"not a position":          {like: &Partitions{}, logs: "a", after: "nonsense", want: "lost unknown -1, on at t.0.-:0"},
		"failed":                  {like: &Partitions{}, then: func(p *Partitions) { p.Fail(errors.New("down")) }, want: "live@t.0.-: down"},
	} {
		t.Run(name, func(t *testing.T) {
			p := like(test.like, test.logs)
			if test.set != nil {
				test.set(p)
			}
			got := ran(t, p, test.after, func() {
				if test.then != nil {
					test.then(p)
				}
			})
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// like returns partitions of a form with what is in each of logs, which are
// taken in order.
func like(form *Partitions, logs string) *Partitions {
	p := &Partitions{Name: "t", States: form.States, Oldest: form.Oldest, Choose: inOrder}
	for i, what := range strings.Fields(logs) {
		p.Add(1)
		letters(p, i, what)
	}
	return p
}

func TestPartitionsReplay(t *testing.T) {
	for name, test := range map[string]struct {
		like         *Partitions
		set          func(p *Partitions)
		after, until adapters.Position // of "abc def"
		want         string
	}{
		"within one":           {after: "t.0.0:1,0", until: "t.0.0:2,0", want: "b@t.0.0:2,0"},
		"nothing":              {after: "t.0.0:1,0", until: "t.0.0:1,0"},
		"the same place":       {after: "t.0.0:1,1", until: "t.0.1:1,1"},
		"that of a notice":     {after: "t.0.0:2,2", until: "t.0.-:3,3", want: "c@t.0.0:3,2 f@t.0.1:3,3"},
		"of both":              {after: "t.0.0:1,1", until: "t.0.0:3,3", want: "b@t.0.0:2,1 c@t.0.0:3,1 e@t.0.1:3,2 f@t.0.1:3,3"},
		"neither before":       {after: "t.0.0:3,0", until: "t.0.1:1,2", want: "d@t.0.1:3,1 e@t.0.1:3,2"},
		"a partition more":     {after: "t.0.0:2", until: "t.0.0:3,1", want: "c@t.0.0:3,0 d@t.0.1:3,1"},
		"from the end":         {until: "t.0.0:3,3"},
		"from the oldest":      {like: &Partitions{Oldest: true}, until: "t.0.0:2,1", want: "a@t.0.0:1,0 b@t.0.0:2,0 d@t.0.1:2,1"},
		"to no position":       {after: "t.0.0:1,0", want: "lost unknown -1, on at t.0.-:0,0"},
		"expired before":       {set: func(p *Partitions) { p.Expire(0, 2) }, after: "t.0.0:1,0", until: "t.0.1:3,1", want: "lost expired 1, on at t.0.-:2,0"},
		"expired, and all":     {set: func(p *Partitions) { p.Expire(0, 3) }, after: "t.0.-:0,0", until: "t.0.0:2,1", want: "lost expired 2, on at t.0.-:3,0"},
		"expired at the side":  {set: func(p *Partitions) { p.Expire(1, 2) }, after: "t.0.0:1,0", until: "t.0.0:2,0", want: "b@t.0.0:2,0"},
		"of another time":      {set: (*Partitions).Recreate, after: "t.0.0:1,0", until: "t.0.0:2,0", want: "lost recreated -1, on at t.1.-:0,0"},
		"when all has ended":   {set: (*Partitions).End, after: "t.0.0:1,0", until: "t.0.0:2,0", want: "b@t.0.0:2,0"},
		"states":               {like: &Partitions{States: true}, set: func(p *Partitions) { letters(p, 0, "ab") }, until: "t.0.0:4,1", want: "b@t.0.0:2,0 c@t.0.0:3,0 a@t.0.0:4,0 d@t.0.1:4,1"},
		"states, deleted last": {like: &Partitions{States: true}, set: func(p *Partitions) { p.Delete("a") }, until: "t.0.0:4,1", want: "b@t.0.0:2,0 c@t.0.0:3,0 d@t.0.1:4,1"},
	} {
		t.Run(name, func(t *testing.T) {
			form := test.like
			if form == nil {
				form = new(Partitions)
			}
			p := like(form, "abc def")
			if test.set != nil {
				test.set(p)
			}
			if got := replayed(t, p, test.after, test.until); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// Two Runs take the same events in different orders, and the same run of
// partitions of the same seed in the same one.
func TestPartitionsOrder(t *testing.T) {
	run := func(seed uint64) (orders []string) {
		p := &Partitions{Name: "t", Oldest: true, Seed: seed}
		p.Add(3)
		for i := range 3 {
			letters(p, i, "abcdefgh")
		}
		for range 2 {
			orders = append(orders, ran(t, p, "", func() {}))
		}
		return orders
	}
	first := run(1)
	if first[0] == first[1] {
		t.Errorf("got %q twice, want another order for each Run", first[0])
	}
	if again := run(1); !slices.Equal(again, first) {
		t.Errorf("got %q for the same seed, want %q", again, first)
	}
	if other := run(2); other[0] == first[0] {
		t.Errorf("got %q for another seed, want another order", other[0])
	}
}

// A run that is told to wait asks again when something happens.
func TestPartitionsChoose(t *testing.T) {
	p := like(&Partitions{Oldest: true}, "ab cd")
	var asked []string
	allowed := 0
	p.Choose = func(run int, ready []int) int {
		asked = append(asked, fmt.Sprint(run, ready))
		if allowed == 0 {
			return []int{-1, 99}[len(asked)%2]
		}
		allowed--
		return ready[len(ready)-1]
	}
	allow := func(n int) { p.mu.Lock(); allowed = n; p.mu.Unlock() }
	got := ran(t, p, "", func() {
		allow(1)
		p.Wake()
		synctest.Wait()
		allow(2)
		letters(p, 0, "e")
	})
	if want := "c@t.0.1:0,1 d@t.0.1:0,2 a@t.0.0:1,2"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if want := []string{"1 [0 1]", "1 [0 1]", "1 [0 1]", "1 [0 1]", "1 [0]", "1 [0]"}; !slices.Equal(asked, want) {
		t.Errorf("got asked %q, want %q", asked, want)
	}
	allow(9)
	if got, want := replayed(t, p, "t.0.-:1,1", "t.0.0:2,2"), "d@t.0.1:1,2 b@t.0.0:2,2"; got != want {
		t.Errorf("Replay: got %q, want %q", got, want)
	}
	if got, want := asked[len(asked)-1], "2 [0]"; got != want {
		t.Errorf("got asked %q for a Replay, want %q", got, want)
	}
}

func TestPartitionsRunning(t *testing.T) {
	p := like(new(Partitions), "a")
	var during int
	ran(t, p, "", func() { during = p.Running() })
	if after := p.Running(); during != 1 || after != 0 {
		t.Errorf("got %d Runs under way and then %d, want 1 and then 0", during, after)
	}
}

func TestPartitionsCompare(t *testing.T) {
	p := &Partitions{Name: "t"}
	can := p.Factory().Capabilities()
	for _, test := range []struct {
		a, b  adapters.Position
		order int
		ok    bool
	}{
		{"t.0.0:1,0", "t.0.0:1,0", 0, true},
		{"t.0.0:1,1", "t.0.1:1,1", 0, true},
		{"t.0.0:1,1", "t.0.-:1,1", 0, true},
		{"t.0.0:1", "t.0.0:1,0", 0, true},
		{"t.0.0:2,1", "t.0.0:10,1", -1, true},
		{"t.0.0:1,1", "t.0.1:1,2", -1, true},
		{"t.0.0:1", "t.0.1:1,2", -1, true},
		{"t.0.0:1,1", "t.0.-:1,2", -1, true},
		{"t.0.-:1,1", "t.0.1:1,2", -1, true},
		{"t.0.0:1,1", "t.0.0:1,2", -1, true}, // although it has what is right before the second
		{"t.0.0:1,2", "t.0.1:2,1", 0, false},
		{"t.0.0:1,1", "t.1.0:1,1", 0, false},
		{"t.0.0:1,1", "u.0.0:1,1", 0, false},
		{"t.0.0:1,1", "", 0, false},
		{"t.0.0:1,1", "t.0.0:01,1", 0, false},
		{"t.0.0:1,1", "t.0.0:1,-1", 0, false},
		{"t.0.0:1,1", "t.0.0:1,x", 0, false},
		{"t.0.0:1,1", "t.0.1:1,0", 0, false}, // behind none
		{"t.0.0:1,1", "t.0.2:1,1", 0, false},
		{"t.0.0:1,1", "t.0.-1:1,1", 0, false},
		{"t.0.0:1,1", "t.-1.0:1,1", 0, false},
		{"t.0.0:1,1", "t.0:1,1", 0, false},
		{"t.0.0:1,1", "t.0.0:1,99999999999999999999", 0, false},
	} {
		if order, ok := can.Compare(test.a, test.b); order != test.order || ok != test.ok {
			t.Errorf("Compare(%q, %q): got %d, %t, want %d, %t", test.a, test.b, order, ok, test.order, test.ok)
		}
		if order, ok := can.Compare(test.b, test.a); order != -test.order || ok != test.ok {
			t.Errorf("Compare(%q, %q): got %d, %t, want %d, %t", test.b, test.a, order, ok, -test.order, test.ok)
		}
	}
	for at, want := range map[adapters.Position]adapters.Position{
		"t.0.1:3,2": "t.0.-:3,1", "t.4.0:1": "t.4.-:0", "t.0.-:3,2": "", "t.0.0:0": "", "u.0.0:1": "", "": "",
	} {
		if got, ok := can.Before(at); got != want || ok != (want != "") {
			t.Errorf("Before(%q): got %q, %t, want %q", at, got, ok, want)
		}
	}
	if got, want := p.At(1, 3, 2), adapters.Position("t.0.1:3,2"); got != want {
		t.Errorf("At: got %q, want %q", got, want)
	}
}

func TestPartitionsSeek(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, time.January, n, 0, 0, 0, 0, time.UTC) }
	p := &Partitions{Name: "t"}
	p.Add(2)
	for i, days := range [][]int{{1, 3, 5}, {2, 4}} {
		for _, n := range days {
			p.Append(i, adapters.Event{Time: day(n)})
		}
	}
	p.Append(1, adapters.Event{})
	p.Expire(0, 1)
	src, err := p.Factory().Open(nil, adapters.Env{})
	if err != nil {
		t.Fatalf("Open: got error %v, want none", err)
	}
	for n, want := range map[int]adapters.Position{1: "t.0.-:1,0", 3: "t.0.-:1,1", 4: "t.0.-:2,1", 5: "t.0.-:2,3", 6: "t.0.-:3,3"} {
		if got, err := src.(adapters.Seeker).Seek(t.Context(), day(n)); got != want || err != nil {
			t.Errorf("Seek to day %d: got %q, error %v, want %q and none", n, got, err, want)
		}
	}
}
