package feed_test

import (
	"errors"
	"strings"
	"testing"

	"sidestream/adapters"
	"sidestream/proxy/feed"
)

// latestIDs returns what Latest gives to one who starts, and "none" if there is
// no state.
func latestIDs(l *feed.Log, c feed.Cursor) (ids string, complete bool) {
	entries, _, complete, ok := l.Latest(c, nil)
	if !ok {
		return "none", complete
	}
	got := make([]string, 0, len(entries))
	for _, e := range entries {
		got = append(got, e.ID)
	}
	return strings.Join(got, " "), complete
}

// What was kept of a source that began anew is no state of it.
func TestRestart(t *testing.T) {
	l := feed.New(feed.Options{})
	for _, id := range []string{"a1", "b1"} {
		l.Append(change(id))
	}
	c, _ := l.After("a1")
	if err := l.Restart(feed.Gap{Reason: adapters.LostRecreated}); err != nil {
		t.Fatal(err)
	}
	if got := l.Stats().Keys; got != 0 {
		t.Errorf("keys: got %d, want 0", got)
	}
	if got, _ := latestIDs(l, feed.Cursor{}); got != "none" {
		t.Errorf("who starts: got %q, want none", got)
	}
	if got, want := from(t, l, c), "b1 gap"; got != want {
		t.Errorf("who reads on: got %q, want %q", got, want)
	}
	l.Settle()
	if got, complete := latestIDs(l, feed.Cursor{}); got != "" || !complete {
		t.Errorf("who starts when it has settled: got %q, complete %t, want nothing, true", got, complete)
	}
	l.Append(change("c2"))
	if got, complete := latestIDs(l, feed.Cursor{}); got != "c2" || !complete {
		t.Errorf("who starts: got %q, complete %t, want c2, true", got, complete)
	}
	if got, complete := latestIDs(l, c); got != "c2" || complete {
		t.Errorf("who jumps: got %q, complete %t, want c2, false", got, complete)
	}
	l.Close()
	if err := l.Restart(feed.Gap{}); !errors.Is(err, feed.ErrClosed) {
		t.Errorf("when it is closed: got %v, want ErrClosed", err)
	}
}

func TestKeyedRestart(t *testing.T) {
	k := feed.NewKeyed(feed.KeyedOptions{Idle: feed.Idle{Events: 1}})
	k.Settle()
	for _, key := range []string{"A", "B", "C"} { // A and B are given up
		k.Append(key, change(strings.ToLower(key)+"1"))
	}
	c := k.Acquire("C")
	if err := k.Restart(feed.Gap{Reason: adapters.LostRecreated, Lost: 5}); err != nil {
		t.Fatal(err)
	}
	a := k.Acquire("A")
	for key, l := range map[string]*feed.Log{"A": a, "C": c} {
		if got, _ := latestIDs(l, feed.Cursor{}); got != "none" {
			t.Errorf("%s, who starts: got %q, want none", key, got)
		}
	}
	k.Settle()
	for key, l := range map[string]*feed.Log{"A": a, "C": c, "B": k.Acquire("B")} {
		if got, complete := latestIDs(l, feed.Cursor{}); got != "" || !complete {
			t.Errorf("%s, who starts when it has settled: got %q, complete %t, want nothing, true", key, got, complete)
		}
	}
	if got, want := contents(t, c), "c1 gap"; got != want {
		t.Errorf("C: got %q, want %q", got, want)
	}
	k.Close()
	if err := k.Restart(feed.Gap{}); !errors.Is(err, feed.ErrClosed) {
		t.Errorf("when it is closed: got %v, want ErrClosed", err)
	}
}

// A gap of one key is for the readers of that key, now or later.
func TestAppendGapTo(t *testing.T) {
	for _, tt := range []struct {
		name, fill string
		want       map[string]string // "B 10": key B, id 10
	}{
		{"at hand", "A:10 B:20 A!", map[string]string{"A 10": "gap", "A 20": "gap", "B 20": ""}},
		{"not at hand", "A:10 C!", map[string]string{"C 10": "gap", "A 10": ""}},
		{"before all", "m5 C!", map[string]string{"C 5": "gap", "D 5": ""}},
		{"given up", "A:10 B:20 A! B:30 B:31", map[string]string{"A 10": "none", "A 20": "none", "A 31": "none", "B 20": "30 31"}},
		{"given up, then more", "A:10 B:20 A! B:30 B:31 B:32", map[string]string{"A 31": "none", "A 32": ""}},
		{"given up, behind events", "A:10 A! A:11 B:20 B:21 B:22", map[string]string{"A 11": "", "A 10": "none", "C 15": ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for client, want := range tt.want {
				k := feed.NewKeyed(feed.KeyedOptions{Log: feed.Options{Compare: byNumber}, Idle: feed.Idle{Events: 4}})
				for op := range strings.FieldsSeq(tt.fill) {
					if key, is := strings.CutSuffix(op, "!"); !is {
						fill(t, k, op)
					} else if err := k.AppendGapTo(key, feed.Gap{Lost: 1}); err != nil {
						t.Fatal(err)
					}
				}
				key, id, _ := strings.Cut(client, " ")
				if got := resume(t, k, key, id); got != want {
					t.Errorf("%s: got %q, want %q", client, got, want)
				}
			}
		})
	}
}

func TestAppendGapToWakesAndCounts(t *testing.T) {
	k := feed.NewKeyed(feed.KeyedOptions{})
	l := k.Acquire("A")
	c := l.Live()
	_, changed, _ := l.Read(&c, make([]feed.Entry, 1))
	if err := k.AppendGapTo("A", feed.Gap{Lost: 3}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-changed:
	default:
		t.Error("reader: got left waiting, want woken")
	}
	var buf [1]feed.Entry
	if n, _, err := l.Read(&c, buf[:]); n != 1 || err != nil || buf[0].Gap.Lost != 3 {
		t.Errorf("got %d entries, %v, lost %d, want 3 lost", n, err, buf[0].Gap.Lost)
	}
	k.Close()
	if err := k.AppendGapTo("A", feed.Gap{}); !errors.Is(err, feed.ErrClosed) {
		t.Errorf("when it is closed: got %v, want ErrClosed", err)
	}
}
