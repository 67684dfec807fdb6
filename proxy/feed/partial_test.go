package feed_test

import (
	"strings"
	"testing"

	"sidestream/proxy/feed"
)

// A client that has come by another merge has a place where the merges meet,
// and nowhere else.
func TestAfterPartial(t *testing.T) {
	const none = "none"
	for _, tt := range []struct {
		name   string
		events int
		append string // "m0/1:0" marks 0/1:0
		want   map[string]string
	}{
		{"in the order of the log", 9, "0/1,0:0 0/1,1:1 0/2,1:0", map[string]string{"0/1,0:0": "0/1,1:1 0/2,1:0", "0/2,1:0": ""}},
		{"in another order", 9, "0/1,0:0 0/1,1:1 0/2,1:0", map[string]string{"0/0,1:1": none, "0/2,0:0": none}},
		{"at the same place by another order", 9, "0/1,0:0 0/1,1:1 0/2,1:0", map[string]string{"0/1,1:0": "0/2,1:0", "0/2,1:1": ""}},
		{"among records that are not in the log", 9, "0/1,0:0 0/5,5:1", map[string]string{"0/3,2:0": "0/5,5:1", "0/1,4:1": "0/5,5:1", "0/1,5:1": none}},
		{"with nobody's record of the event's log", 9, "0/1,0:0 0/3,0:0", map[string]string{"0/2,0:0": "0/3,0:0", "0/3:-1": ""}},
		{"up to the mark", 9, "0/1,0:0 m0/4,4:-1", map[string]string{"0/3,2:1": "", "0/4,4:1": "", "0/5,4:0": none}},
		{"the mark names a record that the client has", 9, "0/1,0:0 m0/4,4:1", map[string]string{"0/3,4:1": none, "0/4,3:0": ""}},
		{"before a gap", 9, "0/1,0:0 gap gap 0/5,5:1", map[string]string{"0/3,2:0": "gap gap 0/5,5:1"}},
		{"floor of an evicted event", 2, "0/1,0:0 0/2,0:0 0/2,1:1 0/2,2:1", map[string]string{"0/2:-1": "0/2,1:1 0/2,2:1", "0/1,1:1": none, "0/1:0": none}},
		{"floor of a mark", 9, "m0/3,3:-1 0/5,3:0", map[string]string{"0/3,3:0": "0/5,3:0", "0/4,3:0": "0/5,3:0", "0/2,4:1": none}},
		{"without a floor", 9, "0/5,3:0", map[string]string{"0/4,3:0": none, "0/5,3:1": ""}},
		{"another incarnation", 9, "0/1:0 1/5:0 1/9:0", map[string]string{"1/4:0": none, "1/7:0": "1/9:0", "0/1:0": "1/5:0 1/9:0"}},
		{"a log more", 9, "0/1:0 0/1,1:1", map[string]string{"0/1,0,0:0": "0/1,1:1", "0/1,0,1:2": none}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := feed.New(feed.Options{Events: tt.events, Compare: byVector, Partial: true})
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
			for _, id := range []string{"0/99,99:0", "1/99,99:0", "2/1:0", ""} {
				if c, ok := l.Beyond(id); ok {
					t.Errorf("beyond %q: got %v, want none", id, c)
				}
			}
		})
	}
}

func TestNewest(t *testing.T) {
	l := feed.New(feed.Options{})
	newest := func(l *feed.Log, want, when string) {
		t.Helper()
		if got := l.Newest(); got != want {
			t.Errorf("%s: got %q, want %q", when, got, want)
		}
	}
	newest(l, "", "empty")
	appendAll(t, l, "1")
	newest(l, "1", "after an event")
	l.Mark("2")
	newest(l, "2", "after a mark")
	appendAll(t, l, "gap")
	newest(l, "2", "after a gap")
	appendAll(t, l, "3")
	newest(l, "3", "after another event")

	k := feed.NewKeyed(feed.KeyedOptions{})
	a := k.Acquire("A")
	newest(a, "", "of a key, empty")
	fill(t, k, "B:1")
	newest(a, "1", "after an event of another key")
	k.Mark("2")
	newest(a, "2", "of a key, after a mark")
}
