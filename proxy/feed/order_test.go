package feed_test

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sidestream/adapters"
	"sidestream/proxy/feed"
)

// byNumber is the order of ids that are numbers, however they are written.
func byNumber(a, b string) (int, bool) {
	m, errA := strconv.Atoi(a)
	n, errB := strconv.Atoi(b)
	return m - n, errA == nil && errB == nil
}

// R4: with an order, a client continues after an id that no event has.
func TestAfterByOrder(t *testing.T) {
	const none = "none"
	for _, tt := range []struct {
		name   string
		events int
		append string // "m5" marks 5
		want   map[string]string
	}{
		{"between events", 9, "10 20 30", map[string]string{"15": "20 30", "29": "30"}},
		{"newest and behind", 9, "10 20", map[string]string{"20": "", "21": none}},
		{"without a floor", 9, "10 20", map[string]string{"9": none, "10": "20"}},
		{"floor of an evicted event", 2, "10 20 30", map[string]string{"9": none, "10": "20 30", "19": "20 30"}},
		{"floor of a mark", 9, "m5 10 20", map[string]string{"4": none, "5": "10 20", "9": "10 20"}},
		{"floor of the first mark", 9, "m5 m7 10", map[string]string{"5": "10", "6": "10", "4": none}},
		{"no floor of a later mark", 9, "10 m15 20", map[string]string{"9": none, "12": "20", "15": "20"}},
		{"up to the mark", 9, "10 m15", map[string]string{"12": "", "15": "", "16": none}},
		{"marks alone", 9, "m5 m8", map[string]string{"4": none, "5": "", "7": "", "8": "", "9": none}},
		{"the same place in other words", 9, "10 20 30", map[string]string{"020": "30", "030": ""}},
		{"gap right behind", 9, "10 gap 20", map[string]string{"10": "gap 20", "15": "gap 20"}},
		{"gap, then a mark", 9, "10 gap m15 20", map[string]string{"12": "gap 20", "15": "20"}},
		{"gaps within", 9, "10 gap gap 20 gap 30", map[string]string{"10": "gap gap 20 gap 30", "25": "gap 30"}},
		{"evicted gap before the oldest event", 2, "10 gap 20 30", map[string]string{"10": none, "15": none, "20": "30", "25": "30"}},
		{"evicted gap after the mark", 2, "m5 gap 20 30", map[string]string{"5": none, "15": none, "25": "30"}},
		{"mark behind gaps of which some are evicted", 2, "gap gap gap m5 10", map[string]string{"5": "10", "6": none}},
		{"mark behind an evicted gap, gaps at hand", 2, "gap gap gap m5", map[string]string{"4": none, "5": ""}},
		{"newest event evicted by gaps", 2, "10 gap gap gap", map[string]string{"10": "gap gap", "9": none}},
		{"strays", 9, "10 x 20 y", map[string]string{"15": none, "x": "20 y"}},
		{"strays, and a newest with an order", 9, "10 x 20 y 30", map[string]string{"15": "x 20 y 30", "25": "y 30"}},
		{"another incarnation", 9, "x y 10 20", map[string]string{"9": none, "15": "20", "y": "10 20"}},
		{"not an id", 9, "m5 10", map[string]string{"z": none, "": none}},
		{"the source began again", 9, "10 20 30 20 30 40", map[string]string{"35": "40", "25": "30 40"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := feed.New(feed.Options{Events: tt.events, Compare: byNumber})
			for p := range strings.FieldsSeq(tt.append) {
				if mark, ok := strings.CutPrefix(p, "m"); ok {
					l.Mark(mark)
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

func TestBeyond(t *testing.T) {
	l := feed.New(feed.Options{Compare: byNumber})
	if c, ok := l.Beyond("1"); ok {
		t.Errorf("of an empty log: got %v, want none", c)
	}
	appendAll(t, l, "10", "20", "gap")
	l.Mark("25")
	live := l.Live()
	appendAll(t, l, "30")
	for id, want := range map[string]string{"10": "20 gap 30", "15": "20 gap 30", "25": "30", "30": ""} {
		if c, ok := l.Beyond(id); !ok || from(t, l, c) != want {
			t.Errorf("beyond %s: got %v, %t, want the place before %q", id, c, ok, want)
		}
	}
	if c, ok := l.Beyond("31"); !ok || c != l.Live() || c == live {
		t.Errorf("beyond what is newest: got %v, %t, want the live place", c, ok)
	}
	for _, id := range []string{"9", "x", ""} {
		if c, ok := l.Beyond(id); ok {
			t.Errorf("beyond %q: got %v, want none", id, c)
		}
	}
	l.Mark("40")
	if _, ok := l.After("35"); !ok {
		t.Error("after an id up to the mark: got none, want a place")
	}
	unordered := feed.New(feed.Options{})
	appendAll(t, unordered, "10")
	if c, ok := unordered.Beyond("11"); ok {
		t.Errorf("without an order: got %v, want none", c)
	}
}

// The same when the log has become small again.
func TestAfterRepeatedWhenSmallAgain(t *testing.T) {
	for before := range 40 {
		synctest.Test(t, func(t *testing.T) {
			l := feed.New(feed.Options{Age: time.Minute})
			appendAll(t, l, "x")
			for i := range before {
				appendAll(t, l, "b"+strconv.Itoa(i))
			}
			time.Sleep(time.Minute)
			appendAll(t, l, "x", "y")
			if c, ok := l.After("x"); !ok || from(t, l, c) == "y" {
				t.Errorf("%d between: got %v, %t, want the place behind the first", before, c, ok)
			}
			time.Sleep(time.Second)
			l.Trim()
			if got, want := contents(t, l), "x y"; got != want {
				t.Fatalf("contents: got %q, want %q", got, want)
			}
			if c, ok := l.After("x"); ok {
				t.Errorf("%d between, first evicted: got %v, want none", before, c)
			}
		})
	}
}

// An id is looked for in as many ways as there are sizes of a log, all with
// the same result.
func TestAfterRepeatedInAnySize(t *testing.T) {
	for before := range 40 {
		for between := range 20 {
			l := feed.New(feed.Options{Events: before + between + 2})
			for i := range before {
				appendAll(t, l, "b"+strconv.Itoa(i))
			}
			appendAll(t, l, "x")
			for i := range between {
				appendAll(t, l, "i"+strconv.Itoa(i))
			}
			appendAll(t, l, "x")
			c, ok := l.After("x")
			if want := l.Tail(between + 1); !ok || c != want {
				t.Fatalf("%d before, %d between: got %v, %t, want %v, behind the first", before, between, c, ok, want)
			}
			for i := range before + 1 { // until the first is evicted
				appendAll(t, l, "a"+strconv.Itoa(i))
			}
			if c, ok := l.After("x"); ok {
				t.Fatalf("%d before, %d between, first evicted: got %v, want none", before, between, c)
			}
		}
	}
}

func TestMarkedAtTheStart(t *testing.T) {
	l := feed.New(feed.Options{})
	l.Mark("m")
	if got, want := l.Marked(feed.Cursor{}), "m"; got != want {
		t.Errorf("the place before the first event: got %q, want %q", got, want)
	}
}

// BenchmarkAfter finds ids that no event has, in a full log.
func BenchmarkAfter(b *testing.B) {
	for _, events := range []int{1 << 10, 1 << 17} {
		b.Run(fmt.Sprintf("events=%d", events), func(b *testing.B) {
			l := feed.New(feed.Options{Events: events, Bytes: 1 << 30, Compare: byNumber})
			for i := range events + 1 {
				if err := l.Append(&adapters.Event{Position: adapters.Position(strconv.Itoa(2 * i))}); err != nil {
					b.Fatal(err)
				}
			}
			for i := 0; b.Loop(); i++ {
				if _, ok := l.After(strconv.Itoa(2*(i%events) + 1)); !ok {
					b.Fatal("got no place, want one")
				}
			}
			runtime.KeepAlive(l)
		})
	}
}
