package feed_test

import (
	"errors"
	"strings"
	"testing"

	"sidestream/adapters"
	"sidestream/proxy/feed"
)

func TestTail(t *testing.T) {
	l := feed.New(feed.Options{Events: 6})
	if got := from(t, l, l.Tail(5)); got != "" {
		t.Errorf("tail of an empty log: got %q, want nothing", got)
	}
	appendAll(t, l, "a", "b", "gap", "c", "gap", "d", "gap")
	for n, want := range map[int]string{
		-1: "b gap c gap d gap",
		0:  "",
		1:  "d gap",
		2:  "c gap d gap",
		3:  "b gap c gap d gap",
		4:  "b gap c gap d gap",
	} {
		if got := from(t, l, l.Tail(n)); got != want {
			t.Errorf("Tail(%d): got %q, want %q", n, got, want)
		}
	}
	if l.Tail(0) != l.Live() {
		t.Errorf("Tail(0): got %v, want Live, %v", l.Tail(0), l.Live())
	}
}

// R4: a client continues right after the event that it names.
func TestAfter(t *testing.T) {
	const none = "none"
	for _, tt := range []struct {
		name   string
		events int
		append string
		state  bool
		want   map[string]string
	}{
		{"unique", 3, "a b gap c", false, map[string]string{"a": none, "b": "gap c", "c": "", "d": none, "": none}},
		{"repeated", 9, "a b a c", false, map[string]string{"a": "b a c"}},
		{"repeated, earliest evicted", 3, "a b a c", false, map[string]string{"a": none, "b": "a c"}},
		{"repeated again later", 3, "a b a c a", false, map[string]string{"a": none}},
		{"repeated when all were evicted", 2, "a b c a d", false, map[string]string{"a": "d"}},
		{"same state", 9, "a b a c", true, map[string]string{"a": "c"}},
		{"same state, earliest evicted", 3, "a b a c", true, map[string]string{"a": "c"}},
		{"newest evicted by gaps", 2, "a b gap gap gap", false, map[string]string{"a": none}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := feed.New(feed.Options{Events: tt.events})
			for p := range strings.FieldsSeq(tt.append) {
				if e := event(p); tt.state && p != "gap" {
					s := adapters.NewState(e.Position, "", e.Data)
					l.Append(&s)
				} else {
					appendAll(t, l, p)
				}
			}
			for id, want := range tt.want {
				got := none
				if c, ok := l.After(id); ok {
					got = from(t, l, c)
				}
				if got != want {
					t.Errorf("after %q: got %q, want %q", id, got, want)
				}
			}
		})
	}
}

func TestAfterEvictedNewest(t *testing.T) {
	l := feed.New(feed.Options{Events: 1})
	appendAll(t, l, "a", "gap")
	appendAll(t, l, "gap") // a and the first gap go
	if got := contents(t, l); got != "gap" {
		t.Fatalf("contents: got %q, want one gap", got)
	}
	// Nothing but a gap lies between, so that one can go on from the next.
	if c, ok := l.After("a"); !ok || from(t, l, c) != "gap" {
		t.Errorf("after the evicted newest event: got %v, %t, want the place before the gap at hand", c, ok)
	}
	appendAll(t, l, "b")
	if _, ok := l.After("a"); ok {
		t.Error("when it is no longer the newest: got a place, want none")
	}
}

// R4: a client continues after a position at which no event ends, too.
func TestMark(t *testing.T) {
	l := feed.New(feed.Options{})
	l.Mark("")
	if _, ok := l.After(""); ok {
		t.Error("after no id: got a place, want none")
	}
	appendAll(t, l, "a")
	l.Mark("m")
	appendAll(t, l, "b")
	l.Mark("")
	if c, ok := l.After("m"); !ok || from(t, l, c) != "b" {
		t.Errorf("after the mark: got %v, %t, want the place before b", c, ok)
	}
	l.Mark("a") // an event's own place comes first
	if c, ok := l.After("a"); !ok || from(t, l, c) != "b" {
		t.Errorf("after a: got %v, %t, want the place before b", c, ok)
	}
	if c, ok := l.After("m"); ok {
		t.Errorf("after an earlier mark: got %v, want none", c)
	}
}

func TestExpired(t *testing.T) {
	l := feed.New(feed.Options{Events: 2})
	for range 5 {
		l.Append(&adapters.Event{})
	}
	epoch, _, _ := strings.Cut(contents(t, l), "-")
	for id, want := range map[string]int64{
		epoch + "-1": 2,
		epoch + "-2": 1,
		epoch + "-3": 0,
		// At hand, not yet given, malformed, or another log's:
		epoch + "-4":                    -1,
		epoch + "-6":                    -1,
		epoch + "-0":                    -1,
		epoch + "-01":                   -1,
		epoch + "-+1":                   -1,
		epoch + "--1":                   -1,
		epoch + "-":                     -1,
		epoch + "-18446744073709551617": -1,
		epoch:                           -1,
		"":                              -1,
		"a-1":                           -1,
	} {
		lost := int64(-1)
		if e := l.Expired(id); e != nil {
			lost = e.Lost
			if got, want := from(t, l, e.Resume), epoch+"-4 "+epoch+"-5"; got != want {
				t.Errorf("Expired(%q): got %q to go on with, want %q", id, got, want)
			}
		}
		if lost != want {
			t.Errorf("Expired(%q): got %d, want %d", id, lost, want)
		}
	}
}

// R4: what can't be replayed is announced, and exactly.
func TestOverrun(t *testing.T) {
	l := feed.New(feed.Options{Events: 2})
	var c feed.Cursor
	appendAll(t, l, "a", "gap", "b", "c", "gap", "d")
	for range 2 {
		n, changed, err := l.Read(&c, make([]feed.Entry, 1))
		var overrun *feed.OverrunError
		if n != 0 || changed != nil || !errors.As(err, &overrun) {
			t.Fatalf("read: got %d, %v, %v, want 0, nil, OverrunError", n, changed, err)
		}
		if got, want := overrun.Lost, int64(3); got != want {
			t.Errorf("lost: got %d, want %d", got, want)
		}
		if got, want := from(t, l, overrun.Resume), "gap d"; got != want {
			t.Errorf("from Resume: got %q, want %q", got, want)
		}
		if c != (feed.Cursor{}) {
			t.Errorf("cursor: got %v, want it unchanged", c)
		}
	}
}
