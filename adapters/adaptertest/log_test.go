package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sidestream/adapters"
)

// follow runs a source of l until the log has nothing more for it and then
// does what else is wanted, in a bubble. It returns what was emitted and what
// Run returned once it was cancelled.
func follow(t *testing.T, l *Log, after adapters.Position, then func()) (got []adapters.Event, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		src, openErr := l.Factory().Open(nil, adapters.Env{})
		if openErr != nil {
			t.Fatalf("Open: got error %v, want none", openErr)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			err = src.Run(ctx, after, func(e adapters.Event) error {
				got = append(got, e)
				return nil
			})
		}()
		synctest.Wait()
		then()
		synctest.Wait()
		cancel()
		<-done
	})
	return got, err
}

func TestLogAssignsPositions(t *testing.T) {
	l := &Log{Name: "orders"}
	e := adapters.Event{Position: "ignored", Type: "order", Key: "k", Data: []byte("1")}
	got, err := follow(t, l, "", func() { l.Append(e, e) })
	e.Position = "orders.0.1"
	second := e
	second.Position = "orders.0.2"
	live := adapters.Event{Position: "orders.0.0", Live: true}
	if want := []adapters.Event{live, e, second}; !reflect.DeepEqual(got, want) {
		t.Errorf("got events %+v, want %+v", got, want)
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want %v", err, context.Canceled)
	}
}

// A reader that has the state before it is given the change; one that lacks
// it is given the state that the change leads to.
func TestLogStateInPlaceOfChange(t *testing.T) {
	l := &Log{Name: "doc", Form: Stateful}
	change := func(data, state string) adapters.Event {
		return adapters.Event{
			Type: "patch", Data: []byte(data),
			State: &adapters.State{Type: "document", Data: []byte(state)},
		}
	}
	l.Append(change("+a", "a"))
	got, _ := follow(t, l, "", func() {
		l.Append(change("+b", "ab"))
		synctest.Wait()
		l.AppendSteps(adapters.Event{Type: "step", Data: []byte("+c")}, change("+d", "abcd"))
		synctest.Wait()
		l.AppendSteps(adapters.Event{Type: "step", Data: []byte("+e")}, change("-de", "abc")) // left out
		l.Append(change("+d", "abcd"))
	})
	var list []string
	for _, e := range got {
		list = append(list, e.Type+string(e.Data))
	}
	if want := []string{"documenta", "", "patch+b", "step+c", "patch+d", "documentabcd"}; !reflect.DeepEqual(list, want) {
		t.Errorf("got types and data %q, want %q", list, want)
	}
	l.Expire(100)
	if got, _ := follow(t, l, "", func() {}); len(got) != 2 || string(got[0].Data) != "abcd" {
		t.Errorf("after Expire: got events %+v, want the newest state and a notice", got)
	}
}

func TestLogTellsARunThatItIsOver(t *testing.T) {
	failure := errors.New("down")
	for name, test := range map[string]struct {
		then func(l *Log)
		want error
	}{
		"failed":    {func(l *Log) { l.Fail(failure) }, failure},
		"recreated": {func(l *Log) { l.Recreate() }, adapters.ErrPositionLost},
		"expired":   {func(l *Log) { l.Stall(); l.Append(adapters.Event{}); l.Expire(1); l.Recover() }, adapters.ErrPositionLost},
		"ended":     {func(l *Log) { l.End() }, nil},
	} {
		l := new(Log)
		if _, err := follow(t, l, "", func() { test.then(l) }); !errors.Is(err, test.want) {
			t.Errorf("%s: got error %v, want %v", name, err, test.want)
		}
	}
}

func TestLogCountsRuns(t *testing.T) {
	l := new(Log)
	var during int
	follow(t, l, "", func() { during = l.Running() })
	if after := l.Running(); during != 1 || after != 0 {
		t.Errorf("got %d Runs under way and then %d, want 1 and then 0", during, after)
	}
}

// summary returns what there is to tell events by: data, "-" and the key for
// a deletion, "gap" and the count, "live"; and behind each the number in its
// position.
func summary(l *Log, events []adapters.Event) string {
	var list []string
	for _, e := range events {
		what := string(e.Data)
		switch {
		case e.Gap != nil:
			what = fmt.Sprint(e.Gap.Reason, " ", e.Gap.Lost)
		case e.Live:
			what = "live"
		case isGone(e):
			what = "-" + e.Key
		}
		if e.Position != "" {
			what += fmt.Sprint("@", numberAfter(l, e.Position))
		}
		list = append(list, what)
	}
	return strings.Join(list, ", ")
}

// put appends an event for each letter of what: a small one is the key and the
// data of a state, a capital deletes the key of its small one, # compacts.
func put(l *Log, what string) {
	for _, k := range strings.Split(what, "") {
		switch key := strings.ToLower(k); {
		case k == "#":
			l.Compact()
		case k != key:
			l.Delete(key)
		default:
			l.Append(adapters.Event{Key: key, Data: []byte(key)})
		}
	}
}

// What a reader of a bucket is given depends on when it came and from where.
func TestLogBucket(t *testing.T) {
	for name, test := range map[string]struct {
		before string // what is put
		set    func(l *Log)
		after  int    // of the position to run from; negative: none
		then   string // what is put then, at once
		want   string
	}{
		"empty":                      {"", nil, -1, "", "live@0"},
		"newest of each key":         {"abac", nil, -1, "", "b@2, a@3, c@4, live@4"},
		"nothing of a deleted key":   {"abaA", nil, -1, "", "b@2, live@4"},
		"a key that came back":       {"aAa", nil, -1, "", "a@3, live@3"},
		"every change from then":     {"a", nil, -1, "aaAa", "a@1, live@1, a@2, a@3, -a@4, a@5"},
		"from a position":            {"abaac", nil, 1, "", "b@2, a@4, c@5, live@5"},
		"a deletion that was missed": {"abA", nil, 1, "", "b@2, -a@3, live@3"},
		"from the end":               {"ab", nil, 2, "b", "live@2, b@3"},
		"compacted while behind":     {"a", nil, 1, "bb#", "live@1, b@3"},
		"compacted, and more":        {"aab#", nil, 1, "ab", "a@2, b@3, live@3, a@4, b@5"},
		"expired but replaced":       {"aba", func(l *Log) { l.Expire(1) }, 0, "", "b@2, a@3, live@3"},
		"expired, and made up for":   {"ab", func(l *Log) { l.Expire(1); put(l, "a") }, 0, "", "b@2, a@3, live@3"},
		"expired and missed":         {"aba", func(l *Log) { l.Expire(2) }, 1, "", "lost expired 1, on at 2"},
		"expired and gone":           {"aba", func(l *Log) { l.Expire(2) }, -1, "", "a@3, live@3"},
		"expired before":             {"aba", func(l *Log) { l.Expire(2) }, 2, "", "a@3, live@3"},
		"recreated":                  {"ab", (*Log).Recreate, 1, "", "lost recreated -1, on at 0"},
		"behind the end":             {"ab", nil, 3, "", "lost unknown -1, on at 0"},
	} {
		l := &Log{Name: "b", Form: Bucket}
		put(l, test.before)
		var after adapters.Position
		if test.after >= 0 {
			after = l.position(test.after)
		}
		if test.set != nil {
			test.set(l)
		}
		events, err := follow(t, l, after, func() {
			l.Stall()
			put(l, test.then)
			l.Recover()
		})
		got := summary(l, events)
		var lost *adapters.PositionLostError
		if errors.As(err, &lost) {
			got += fmt.Sprintf("lost %s %d, on at %d", lost.Reason, lost.Lost, numberAfter(l, lost.Resume))
		}
		if got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

// What is replaced while a reader is on its way to it is delivered all the
// same, unless it is gone.
func TestLogBucketWhileBehind(t *testing.T) {
	for then, want := range map[string]string{
		"bA":  "a@1, b@2, b@3, -a@4, live@4",
		"bA#": "a@1, b@3, -a@4, live@4",
	} {
		l := &Log{Name: "b", Form: Bucket}
		put(l, "ab")
		var got []adapters.Event
		ctx, cancel := context.WithCancel(t.Context())
		src, err := l.Factory().Open(nil, adapters.Env{})
		if err != nil {
			t.Fatalf("Open: got error %v, want none", err)
		}
		err = src.Run(ctx, "", func(e adapters.Event) error {
			if got = append(got, e); len(got) == 1 {
				put(l, then)
			}
			if e.Live {
				cancel()
			}
			return nil
		})
		if got := summary(l, got); got != want || !errors.Is(err, context.Canceled) {
			t.Errorf("%q while behind: got %q, error %v, want %q and %v", then, got, err, want, context.Canceled)
		}
	}
}

// A new incarnation of a bucket has nothing to do with the keys of the former.
func TestLogBucketRecreated(t *testing.T) {
	l := &Log{Name: "b", Form: Bucket}
	put(l, "abcccc#")
	l.Recreate()
	put(l, "ccc")
	l.Expire(2)
	events, err := follow(t, l, l.position(0), func() { put(l, "cc") })
	if got, want := summary(l, events), "c@3, live@3, c@4, c@5"; got != want || !errors.Is(err, context.Canceled) {
		t.Errorf("got %q, error %v, want %q and %v", got, err, want, context.Canceled)
	}
}

// A reader is told of all that is lost at one place in one notice.
func TestLogDrop(t *testing.T) {
	fill := func(l *Log) {
		l.Stall()
		one := adapters.Event{Data: []byte("x")}
		l.Append(one)
		l.Drop(2)
		l.Drop(1)
		l.Append(one)
		l.Drop(1)
		l.Recover()
	}
	for form, want := range map[Form]string{
		Positionless: "live, x, overflow 3, x, overflow 1",
		Replayable:   "live@0, x@1, overflow 3@4, x@5, overflow 1@6",
	} {
		l := &Log{Name: "d", Form: form}
		events, _ := follow(t, l, "", func() { fill(l) })
		if got := summary(l, events); got != want {
			t.Errorf("form %d: got %q, want %q", form, got, want)
		}
	}
	l := &Log{Name: "d"}
	fill(l)
	for range 2 {
		events, _ := follow(t, l, l.position(1), func() {})
		if got, want := summary(l, events), "overflow 3@4, x@5, overflow 1@6, live@6"; got != want {
			t.Errorf("resumed: got %q, want %q", got, want)
		}
	}
}

func TestLogDropPanicsWithState(t *testing.T) {
	for _, form := range []Form{Stateful, Bucket} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("form %d: got no panic, want one", form)
				}
			}()
			(&Log{Form: form}).Drop(1)
		}()
	}
}

func TestLogSeek(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, time.January, n, 0, 0, 0, 0, time.UTC) }
	for name, test := range map[string]struct {
		days   []int // of the events; 0: none
		expire int
		seek   time.Time
		want   int
	}{
		"empty":                   {nil, 0, day(1), 0},
		"before all":              {[]int{2, 3}, 0, day(1), 0},
		"at an event":             {[]int{2, 3, 4}, 0, day(3), 1},
		"between two":             {[]int{2, 3, 5}, 0, day(4), 2},
		"behind all":              {[]int{2, 3}, 0, day(4), 2},
		"two of one time":         {[]int{2, 3, 3}, 0, day(3), 1},
		"times out of order":      {[]int{2, 5, 3, 6}, 0, day(4), 1},
		"events that have none":   {[]int{0, 3, 0}, 0, day(3), 1},
		"none has one":            {[]int{0, 0}, 0, day(1), 2},
		"what is left of expired": {[]int{2, 3, 4}, 2, day(1), 2},
	} {
		l := &Log{Name: "s"}
		for _, n := range test.days {
			var e adapters.Event
			if n > 0 {
				e.Time = day(n)
			}
			l.Append(e)
		}
		l.Expire(test.expire)
		src, err := l.Factory().Open(nil, adapters.Env{})
		if err != nil {
			t.Fatalf("Open: got error %v, want none", err)
		}
		got, err := src.(adapters.Seeker).Seek(t.Context(), test.seek)
		if want := l.position(test.want); got != want || err != nil {
			t.Errorf("%s: got position %q, error %v, want %q and none", name, got, err, want)
		}
	}
}

func TestLogCompare(t *testing.T) {
	l := &Log{Name: "c"}
	for _, test := range []struct {
		a, b  adapters.Position
		order int
		ok    bool
	}{
		{"c.0.1", "c.0.1", 0, true},
		{"c.0.2", "c.0.10", -1, true},
		{"c.0.10", "c.0.2", 1, true},
		{"c.0.1", "c.1.1", 0, false},
		{"c.0.1", "d.0.1", 0, false},
		{"d.0.1", "d.0.1", 0, false},
		{"c.0.1", "", 0, false},
		{"c.0.1", "c.0.01", 0, false},
		{"c.0.1", "c.0.+1", 0, false},
		{"c.0.1", "c.0.-1", 0, false},
		{"c.0.1", "c.0.1.1", 0, false},
		{"c.0.1", "c.0", 0, false},
		{"c.0.1", "c.0.99999999999999999999", 0, false},
	} {
		if order, ok := l.Factory().Capabilities().Compare(test.a, test.b); order != test.order || ok != test.ok {
			t.Errorf("Compare(%q, %q): got %d, %v, want %d, %v", test.a, test.b, order, ok, test.order, test.ok)
		}
	}
}
