package feed_test

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sidestream/adapters"
	"sidestream/proxy/eventstream"
	"sidestream/proxy/feed"
)

// fill does to k what script says: "A:10" appends 10 to key A, "A:" an event
// without a position, "gap" a gap to all, "m5" marks 5, "+A" and "-A" acquire
// and release.
func fill(t *testing.T, k *feed.Keyed, script string) {
	t.Helper()
	for op := range strings.FieldsSeq(script) {
		key, position, isEvent := strings.Cut(op, ":")
		var err error
		switch {
		case isEvent && position == "":
			err = k.Append(key, &adapters.Event{Data: event("x").Data})
		case isEvent:
			err = k.Append(key, event(position))
		case op == "gap":
			err = k.AppendGap(feed.Gap{Reason: adapters.LostUnknown, Lost: 1})
		case op[0] == '+':
			k.Acquire(op[1:])
		case op[0] == '-':
			k.Release(op[1:])
		default:
			k.Mark(op[1:])
		}
		if err != nil {
			t.Fatalf("%s: got %v, want no error", op, err)
		}
	}
}

// resume returns what a client of key reads that comes with id, or "none" if
// there is no place for it.
func resume(t *testing.T, k *feed.Keyed, key, id string) string {
	t.Helper()
	l := k.Acquire(key)
	defer k.Release(key)
	c, ok := k.After(key, id)
	if !ok {
		return "none"
	}
	return from(t, l, c)
}

// R4: a client continues with the events of its key, from whatever place of
// the whole it has come to.
func TestKeyedAfter(t *testing.T) {
	idle := func(events int) feed.Idle { return feed.Idle{Events: events} }
	for _, tt := range []struct {
		name   string
		idle   feed.Idle
		fill   string
		want   map[string]string // "B 10": key B, id 10
		asOnes bool              // the same without an order
	}{
		{"own events", idle(9), "A:10 B:20 A:30", map[string]string{"A 10": "30", "B 20": "", "A 30": ""}, true},
		{"newest of another key", idle(9), "A:10 B:20", map[string]string{"A 20": ""}, true},
		{"newest of another key, of one without events", idle(9), "A:10", map[string]string{"C 10": ""}, true},
		{"newest mark", idle(9), "A:10 m15", map[string]string{"A 15": "", "C 15": ""}, true},
		{"newest, then a gap", idle(9), "A:10 B:20 gap", map[string]string{"B 20": "gap", "C 20": "none"}, true},
		{"gap, then the same mark", idle(9), "A:10 m15 gap m15", map[string]string{"C 15": "none"}, true},
		{"gap, then a mark", idle(9), "A:10 gap m15", map[string]string{"A 15": "gap", "C 15": "", "C 10": "none"}, true},
		{"two gaps", idle(9), "A:10 gap +C gap m15 B:20", map[string]string{"C 15": "gap", "C 10": "none", "C 20": "gap"}, false},

		{"event of another key", idle(9), "A:10 B:20 A:30 B:40", map[string]string{"A 20": "30", "B 30": "40"}, false},
		{"between", idle(9), "A:10 B:20 A:30", map[string]string{"A 15": "30", "B 15": "20", "A 31": "none"}, false},
		{"before all", idle(9), "A:10", map[string]string{"A 9": "none", "C 9": "none"}, false},
		{"before all, with a mark", idle(9), "m5 A:10", map[string]string{"A 5": "10", "C 7": "", "C 4": "none"}, false},
		{"without events", idle(9), "A:10 B:20", map[string]string{"C 10": "", "C 15": ""}, false},
		{"given up", idle(1), "A:10 B:20 C:30", map[string]string{"A 10": "none", "A 20": "", "B 20": "", "B 15": "none", "D 15": "none", "C 20": "30"}, false},
		{"given up, made again", idle(2), "A:10 B:20 C:30 A:40", map[string]string{"A 20": "40", "A 10": "40", "A 9": "none", "B 19": "none"}, false},
		{"read while others are given up", idle(1), "+A A:10 B:20 C:30 D:40", map[string]string{"A 10": "", "A 5": "none", "E 29": "none", "E 30": ""}, false},
		{"acquired before others are given up", idle(1), "m5 +A B:20 C:30 D:40", map[string]string{"A 5": "", "B 29": "none"}, false},
		{"across a gap", idle(9), "A:10 gap A:20", map[string]string{"A 10": "gap 20", "A 15": "gap 20", "C 15": "none", "C 20": ""}, false},
		{"read across a gap", idle(9), "m5 +C gap A:20", map[string]string{"C 5": "gap", "C 15": "gap"}, false},
		{"given up, which a gap had followed", idle(2), "A:10 gap B:20 C:30", map[string]string{"A 20": "", "A 19": "none", "D 20": ""}, false},
		{"a gap, then again what was there", idle(2), "A:10 B:20 gap A:15 A:16 C:17 D:30", map[string]string{"E 20": "none", "E 30": ""}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, o := range []feed.Options{{Compare: byNumber}, {}} {
				if !tt.asOnes && o.Compare == nil {
					continue
				}
				for client, want := range tt.want {
					k := feed.NewKeyed(feed.KeyedOptions{Log: o, Idle: tt.idle})
					fill(t, k, tt.fill)
					key, id, _ := strings.Cut(client, " ")
					if got := resume(t, k, key, id); got != want {
						t.Errorf("%s, with an order: %t: got %q, want %q", client, o.Compare != nil, got, want)
					}
				}
			}
		})
	}
}

// C1, R4: numbers count the events of all keys, and have an order of their
// own.
func TestKeyedNumbers(t *testing.T) {
	k := feed.NewKeyed(feed.KeyedOptions{Idle: feed.Idle{Events: 3}})
	fill(t, k, "+A A: B: C: A:")
	epoch, _, _ := strings.Cut(resume(t, k, "C", ""), "-")
	if epoch != "none" {
		t.Fatalf("after no id: got %q, want none", epoch)
	}
	a := k.Acquire("A")
	epoch, _, _ = strings.Cut(contents(t, a), "-")
	id := func(n int) string { return fmt.Sprintf("%s-%d", epoch, n) }
	if got, want := contents(t, a), id(1)+" "+id(4); got != want {
		t.Errorf("A: got %q, want %q", got, want)
	}
	for _, tt := range []struct {
		key  string
		n    int
		want string
	}{
		{"A", 1, id(4)}, {"A", 2, id(4)}, {"A", 4, ""}, {"A", 5, "none"},
		{"B", 1, id(2)}, {"B", 3, ""}, {"C", 2, id(3)}, {"D", 1, ""}, {"D", 4, ""},
	} {
		if got := resume(t, k, tt.key, id(tt.n)); got != tt.want {
			t.Errorf("%s after %d: got %q, want %q", tt.key, tt.n, got, tt.want)
		}
	}

	// A stray position is given up with B, C and E: numbers still tell.
	fill(t, k, "E:x D: D: D:")
	for n, want := range map[int]string{4: "none", 5: "", 8: ""} {
		if got := resume(t, k, "B", id(n)); got != want {
			t.Errorf("given up, after %d: got %q, want %q", n, got, want)
		}
	}
	for id, want := range map[string]bool{
		id(1): true, id(5): true, id(6): false, id(8): false, id(0): false, epoch + "-01": false, "x": false, "": false,
	} {
		if got := k.Expired(id); got != want {
			t.Errorf("Expired(%q): got %t, want %t", id, got, want)
		}
	}
	fill(t, k, "gap D:")
	for n, want := range map[int]string{8: "none", 9: ""} {
		if got := resume(t, k, "B", id(n)); got != want {
			t.Errorf("across a gap, after %d: got %q, want %q", n, got, want)
		}
	}
	if a.Expired(id(1)) != nil {
		t.Error("Expired of a key's log: got something, want nil, since it gives no numbers")
	}
}

func TestKeyedMarked(t *testing.T) {
	k := feed.NewKeyed(feed.KeyedOptions{})
	l := k.Acquire("A")
	for _, tt := range []struct{ fill, want string }{
		{"", ""}, {"B:x", "x"}, {"A:y", "y"}, {"mm", "m"}, {"B:z", "z"}, {"m", "z"},
	} {
		before := l.Live()
		if tt.fill == "m" {
			k.Mark("")
		} else {
			fill(t, k, tt.fill)
		}
		if got := k.Marked("A", l.Live()); got != tt.want {
			t.Errorf("after %q: got %q, want %q", tt.fill, got, tt.want)
		}
		if got := l.Marked(before); before != l.Live() && got != "" {
			t.Errorf("after %q, at an earlier place: got %q, want nothing", tt.fill, got)
		}
	}
	if got := k.Marked("A", feed.Cursor{}); got != "" {
		t.Errorf("at the first place: got %q, want nothing", got)
	}
	if got := k.Marked("C", feed.Cursor{}); got != "" {
		t.Errorf("of a key that isn't at hand: got %q, want nothing", got)
	}
	if _, ok := k.After("C", "z"); ok {
		t.Error("after an id, of a key that isn't at hand: got a place, want none")
	}
	if got := k.Marked("C", k.Acquire("C").Live()); got != "z" {
		t.Errorf("of a key without events: got %q, want z", got)
	}
}

// A client that came further by another way goes on live.
func TestKeyedBeyond(t *testing.T) {
	k := feed.NewKeyed(feed.KeyedOptions{Log: feed.Options{Compare: byNumber}})
	fill(t, k, "A:10 B:20")
	l := k.Acquire("A")
	if c, ok := l.Beyond("15"); !ok || c != l.Live() {
		t.Errorf("up to the newest of all keys: got %v, %t, want the live place", c, ok)
	}
	if c, ok := l.Beyond("25"); !ok || c != l.Live() {
		t.Errorf("behind it: got %v, %t, want the live place", c, ok)
	}
}

// What nobody reads is bounded; the key that changed longest ago goes first.
func TestIdle(t *testing.T) {
	idle := func(events int) feed.Idle { return feed.Idle{Events: events} }
	for _, tt := range []struct {
		name string
		idle feed.Idle
		fill string
		want string // keys of A to F that are at hand
	}{
		{"events", idle(2), "A:1 B:2 C:3", "B C"},
		{"changed again", idle(2), "A:1 B:2 A:3 C:4", "C"},
		{"changed again, with room", idle(3), "A:1 B:2 A:3 C:4", "A C"},
		{"whole", idle(3), "A:1 A:2 B:3 C:4", "B C"},
		{"bytes", feed.Idle{Bytes: 2*blockSize + blockSize/2}, "A:1 B:2 C:3", "B C"},
		{"newest stays", idle(1), "A:1 A:2 A:3", "A"},
		{"newest stays, with others that are read", idle(1), "+A A:1 B:2 B:3", "A B"},
		{"read", idle(1), "+A A:1 B:2 C:3 D:4", "A D"},
		{"released, still the newest", idle(1), "+A A:1 A:2 -A", "A"},
		{"released, changed longest ago", idle(2), "+A A:1 B:2 C:3 -A", "B C"},
		{"released in another order", idle(3), "+A +B +C A:1 B:2 C:3 -C -A -B D:4", "B C D"},
		{"released, then changed", idle(3), "+A +B A:1 B:2 -B -A A:3 C:4", "A C"},
		{"released, one between", idle(3), "+B A:1 B:2 C:3 -B D:4", "B C D"},
		{"read again", idle(2), "A:1 B:2 +A C:3 D:4", "A C D"},
		{"released and read again", idle(2), "+A A:1 B:2 -A +A C:3 D:4", "A C D"},
		{"two readers", idle(1), "+A +A A:1 -A B:2 C:3", "A C"},
		{"gaps count", idle(3), "A:1 B:2 gap C:3 D:4", "C D"},
		{"nothing in it", idle(9), "+A +B -A", "B"},
		{"gaps alone", idle(9), "+A +B gap -A", "B"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := feed.NewKeyed(feed.KeyedOptions{Idle: tt.idle})
			fill(t, k, tt.fill)
			var got []string
			for key := range strings.FieldsSeq("A B C D E F") {
				if k.HasKey(key) {
					got = append(got, key)
				}
			}
			if got := strings.Join(got, " "); got != tt.want {
				t.Errorf("at hand: got %q, want %q", got, tt.want)
			}
			if got, want := k.Stats().Keys, len(got); got != want {
				t.Errorf("keys: got %d, want %d", got, want)
			}
		})
	}
}

func TestIdleAge(t *testing.T) {
	for name, apply := range map[string]func(k *feed.Keyed){
		"Trim":      (*feed.Keyed).Trim,
		"Stats":     func(k *feed.Keyed) { k.Stats() },
		"Append":    func(k *feed.Keyed) { k.Append("C", event("3")) },
		"AppendGap": func(k *feed.Keyed) { k.AppendGap(feed.Gap{}) },
		"Release":   func(k *feed.Keyed) { k.Release("R") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := feed.NewKeyed(feed.KeyedOptions{Idle: feed.Idle{Age: time.Minute}})
				fill(t, k, "+R R:0 A:1")
				time.Sleep(time.Minute)
				fill(t, k, "B:2")
				if !k.HasKey("A") {
					t.Error("at the age of a minute: got A given up, want it at hand")
				}
				time.Sleep(time.Nanosecond)
				apply(k)
				if k.HasKey("A") {
					t.Error("after a minute: got A at hand, want it given up")
				}
				time.Sleep(time.Hour)
				k.Trim()
				if got, want := k.HasKey("B"), name != "Append"; got != want {
					t.Errorf("after an hour, B at hand: got %t, want %t, since it is the newest", got, want)
				}
			})
		})
	}
}

func TestKeyedTrim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := feed.NewKeyed(feed.KeyedOptions{Log: feed.Options{Age: time.Minute}})
		fill(t, k, "A:1 A:2 B:3")
		time.Sleep(time.Hour)
		want := feed.KeyedStats{Keys: 2, Events: 2, Bytes: 2 * blockSize, IdleKeys: 2, IdleEvents: 2, IdleBytes: 2 * blockSize}
		if got := k.Stats(); got != want {
			t.Errorf("stats: got %+v, want %+v", got, want)
		}
	})
}

// Only readers of the key are woken by its events, all by what concerns all.
func TestKeyedWaking(t *testing.T) {
	for _, tt := range []struct {
		name   string
		wake   func(k *feed.Keyed)
		others bool
	}{
		{"Append", func(k *feed.Keyed) { k.Append("A", event("a")) }, false},
		{"AppendGap", func(k *feed.Keyed) { k.AppendGap(feed.Gap{}) }, true},
		{"Settle", (*feed.Keyed).Settle, true},
		{"Wake", (*feed.Keyed).Wake, true},
		{"Close", (*feed.Keyed).Close, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := feed.NewKeyed(feed.KeyedOptions{})
			woken := map[string]<-chan struct{}{}
			for _, key := range []string{"A", "B"} {
				l := k.Acquire(key)
				c := l.Live()
				_, changed, _ := l.Read(&c, make([]feed.Entry, 1))
				woken[key] = changed
			}
			tt.wake(k)
			for key, changed := range woken {
				got := false
				select {
				case <-changed:
					got = true
				default:
				}
				if want := tt.others || key == "A"; got != want {
					t.Errorf("reader of %s: got woken: %t, want %t", key, got, want)
				}
			}
		})
	}
}

func TestKeyedClose(t *testing.T) {
	k := feed.NewKeyed(feed.KeyedOptions{})
	fill(t, k, "A:1")
	a := k.Acquire("A")
	k.Close()
	k.Close()
	if err := k.Append("A", event("2")); !errors.Is(err, feed.ErrClosed) {
		t.Errorf("Append: got %v, want ErrClosed", err)
	}
	if err := k.Append("A", &adapters.Event{Type: "\n"}); !errors.Is(err, feed.ErrClosed) {
		t.Errorf("Append of a bad event: got %v, want ErrClosed", err)
	}
	if err := k.AppendGap(feed.Gap{}); !errors.Is(err, feed.ErrClosed) {
		t.Errorf("AppendGap: got %v, want ErrClosed", err)
	}
	for name, l := range map[string]*feed.Log{"at hand": a, "asked for later": k.Acquire("B")} {
		c := l.Live()
		if _, _, err := l.Read(&c, make([]feed.Entry, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("read of a key %s: got %v, want io.EOF", name, err)
		}
	}
}

// What can't be encoded leaves no trace, not even of its key.
func TestKeyedAppendRefuses(t *testing.T) {
	k := feed.NewKeyed(feed.KeyedOptions{})
	if err := k.Append("A", &adapters.Event{Data: []byte("\xff")}); !errors.Is(err, eventstream.ErrData) {
		t.Errorf("error: got %v, want ErrData", err)
	}
	if got, want := k.Stats(), (feed.KeyedStats{}); got != want {
		t.Errorf("stats: got %+v, want none", got)
	}
	fill(t, k, "A:")
	if got := contents(t, k.Acquire("A")); !strings.HasSuffix(got, "-1") {
		t.Errorf("id of the next event: got %q, want number 1", got)
	}
}

func TestKeyedGapIsOfUnknownSize(t *testing.T) {
	for lost, want := range map[int64]int64{5: -1, 0: 0, -1: -1} {
		k := feed.NewKeyed(feed.KeyedOptions{})
		l := k.Acquire("A")
		if err := k.AppendGap(feed.Gap{Lost: lost}); err != nil {
			t.Fatal(err)
		}
		var c feed.Cursor
		var buf [1]feed.Entry
		if n, _, err := l.Read(&c, buf[:]); n != 1 || err != nil || buf[0].Gap.Lost != want {
			t.Errorf("a gap of %d: got %d entries, %v, lost %d, want %d", lost, n, err, buf[0].Gap.Lost, want)
		}
	}
}

func TestReleaseOfWhatNobodyReads(t *testing.T) {
	k := feed.NewKeyed(feed.KeyedOptions{})
	fill(t, k, "A:1")
	for _, key := range []string{"A", "B"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("release of %s: got no panic, want one", key)
				}
			}()
			k.Release(key)
		}()
	}
}

// The state that a key starts with is that of the source, as far as nothing
// was given up that may have belonged to it.
func TestKeyedLatest(t *testing.T) {
	live := func(key, id string) func(k *feed.Keyed) { return func(k *feed.Keyed) { k.Append(key, change(id)) } }
	dead := func(key, id string) func(k *feed.Keyed) { return func(k *feed.Keyed) { k.Append(key, gone(id)) } }
	settle := (*feed.Keyed).Settle
	for _, tt := range []struct {
		name    string
		options feed.Options
		do      []func(k *feed.Keyed)

		entries      int
		complete, ok bool
	}{
		{"nothing yet", feed.Options{}, nil, 0, false, false},
		{"settled", feed.Options{}, []func(*feed.Keyed){settle}, 0, true, true},
		{"settled with others", feed.Options{}, []func(*feed.Keyed){live("B", "b1"), settle}, 0, true, true},
		{"at hand", feed.Options{}, []func(*feed.Keyed){live("A", "a1"), live("B", "b1")}, 1, true, true},
		{"given up", feed.Options{}, []func(*feed.Keyed){live("A", "a1"), live("B", "b1"), live("C", "c1"), settle}, 0, false, true},
		{"another was given up", feed.Options{}, []func(*feed.Keyed){live("B", "a1"), live("C", "b1"), live("D", "c1"), settle}, 0, false, true},
		{"given up, not settled", feed.Options{}, []func(*feed.Keyed){live("A", "a1"), live("B", "b1"), live("C", "c1")}, 0, false, false},
		{"given up when it was gone", feed.Options{}, []func(*feed.Keyed){dead("A", "a1"), live("B", "b1"), live("C", "c1"), settle}, 0, true, true},
		{
			"given up, with a key of its own given up before", feed.Options{Keys: 1},
			[]func(*feed.Keyed){live("A", "a1"), live("A", "b1"), dead("A", "b2"), live("B", "b1"), live("C", "c1"), settle}, 0, false, true,
		},
		{"given up, and there again", feed.Options{}, []func(*feed.Keyed){live("A", "a1"), live("B", "b1"), live("C", "c1"), live("A", "b2")}, 1, false, true},
		{"latest, at hand", feed.Options{Latest: true}, []func(*feed.Keyed){live("A", "a1")}, 1, true, true},
		{"latest, nothing", feed.Options{Latest: true}, nil, 0, true, true},
		{
			"latest, given up", feed.Options{Latest: true},
			[]func(*feed.Keyed){
				func(k *feed.Keyed) { k.Append("A", keyed("a1")) }, live("B", "b1"), live("C", "c1"),
			}, 0, false, true,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.options.Events = 1
			k := feed.NewKeyed(feed.KeyedOptions{Log: tt.options, Idle: feed.Idle{Events: 2}})
			for _, do := range tt.do {
				do(k)
			}
			entries, _, complete, ok := k.Acquire("A").Latest(feed.Cursor{}, nil)
			if len(entries) != tt.entries || complete != tt.complete || ok != tt.ok {
				t.Errorf("got %d entries, complete %t, ok %t, want %d, %t, %t", len(entries), complete, ok, tt.entries, tt.complete, tt.ok)
			}
		})
	}
}

// Who has resumed misses nothing of a key's state, even if some of it was
// given up before the log began.
func TestKeyedLatestOfOneWhoResumed(t *testing.T) {
	k := feed.NewKeyed(feed.KeyedOptions{Log: feed.Options{Compare: byNumber}, Idle: feed.Idle{Events: 1}})
	for i, key := range []string{"A", "B", "C"} {
		e := adapters.NewState(adapters.Position(strconv.Itoa(i)), "", nil)
		if err := k.Append(key, &e); err != nil {
			t.Fatal(err)
		}
	}
	k.Settle()
	l := k.Acquire("A")
	c, ok := k.After("A", "2")
	if !ok {
		t.Fatal("after the newest: got no place, want one")
	}
	if err := k.Append("A", gone("3")); err != nil {
		t.Fatal(err)
	}
	if entries, _, complete, ok := l.Latest(c, nil); len(entries) != 1 || !complete || !ok {
		t.Errorf("who resumed: got %d entries, complete %t, ok %t, want 1, true, true", len(entries), complete, ok)
	}
	if entries, _, complete, ok := l.Latest(feed.Cursor{}, nil); len(entries) != 0 || complete || !ok {
		t.Errorf("who starts: got %d entries, complete %t, ok %t, want 0, false, true", len(entries), complete, ok)
	}
}
