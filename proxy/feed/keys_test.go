package feed_test

import (
	"strings"
	"testing"

	"sidestream/adapters"
	"sidestream/proxy/feed"
)

// keyed returns an event "k1" of key k as a keyed source would send it.
func keyed(id string) *adapters.Event {
	return &adapters.Event{Position: adapters.Position(id), Key: id[:1], Data: []byte(id)}
}

// change returns an event that is a change, and leads to a state.
func change(id string) *adapters.Event {
	e := keyed(id)
	e.State = &adapters.State{Type: "state", Data: []byte("all of " + id)}
	return e
}

func TestLatest(t *testing.T) {
	for _, tt := range []struct {
		name     string
		options  feed.Options
		append   string
		after    string // id; empty for the zero Cursor
		want     string // ids
		then     string // what is read from next
		complete bool
	}{
		{"newest of each key", feed.Options{}, "a1 b1 a2 c1 b2", "", "a2 c1 b2", "", true},
		{"after a place", feed.Options{}, "a1 b1 a2 c1 b2", "a2", "c1 b2", "", true},
		{"after the newest", feed.Options{}, "a1 b1", "b1", "", "", true},
		{"nothing", feed.Options{}, "", "", "", "", true},
		{"a gap behind", feed.Options{}, "a1 gap", "", "a1", "gap", true},
		{"a gap within", feed.Options{Latest: true}, "a1 gap b1", "", "a1 b1", "", false},
		{"a gap before all", feed.Options{}, "a1 gap b1 a2", "", "b1 a2", "", true},
		{"kept when the log is evicted", feed.Options{Events: 1}, "a1 b1 c1 a2", "", "b1 c1 a2", "", true},
		{"key given up", feed.Options{Keys: 2}, "a1 b1 a2 c1", "", "a2 c1", "", false},
		{"key given up before the place", feed.Options{Keys: 2}, "a1 b1 a2 c1", "b1", "a2 c1", "", true},
		{"a gap that is jumped over", feed.Options{}, "a1 gap b1", "a1", "b1", "", false},
		{"a gap before the place", feed.Options{}, "a1 gap b1 a2", "b1", "a2", "", true},
		{"evicted gap behind", feed.Options{Events: 1}, "a1 gap gap", "", "a1", "gap", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for name, event := range map[string]func(string) *adapters.Event{"keys": keyed, "states": change} {
				o := tt.options
				if o.Latest && name != "keys" {
					continue // a state makes up for what is missing
				}
				o.Latest = name == "keys"
				l := feed.New(o)
				for id := range strings.FieldsSeq(tt.append) {
					if id == "gap" {
						l.AppendGap(feed.Gap{})
					} else if err := l.Append(event(id)); err != nil {
						t.Fatal(err)
					}
				}
				var c feed.Cursor
				if tt.after != "" {
					c, _ = l.After(tt.after)
				}
				entries, next, complete, ok := l.Latest(c, nil)
				var got []string
				for _, e := range entries {
					got = append(got, e.ID)
				}
				if got := strings.Join(got, " "); got != tt.want || complete != (tt.complete && ok) {
					t.Errorf("%s: got %q, complete %t, want %q, %t", name, got, complete, tt.want, tt.complete)
				}
				if got := from(t, l, next); got != tt.then {
					t.Errorf("%s: from next: got %q, want %q", name, got, tt.then)
				}
				if want := name == "keys" || tt.append != ""; ok != want {
					t.Errorf("%s: got ok %t, want %t", name, ok, want)
				}
			}
		})
	}
}

func TestLatestWithoutKeys(t *testing.T) {
	l := feed.New(feed.Options{Events: 2})
	appendAll(t, l, "a", "b", "c")
	entries, next, _, ok := l.Latest(feed.Cursor{}, nil)
	if len(entries) != 0 || next != (feed.Cursor{}) || ok {
		t.Errorf("got %d entries, next %v, ok %t, want none", len(entries), next, ok)
	}
	if got := l.Stats().Keys; got != 0 {
		t.Errorf("keys: got %d, want 0", got)
	}
}

// There is no state to go on from while a change of several events is
// incomplete and its first ones are evicted.
func TestLatestInTheMiddleOfAChange(t *testing.T) {
	l := feed.New(feed.Options{Events: 2})
	l.Append(change("a1"))
	for _, tt := range []struct {
		event      *adapters.Event
		want, then string // of a reader that starts
		ok         bool
	}{
		{keyed("b1"), "a1", "b1", true},
		{keyed("b2"), "a1", "b1 b2", true},
		{keyed("b3"), "", "", false},
		{change("b4"), "a1 b4", "", true},
		{keyed("b5"), "a1 b4", "b5", true},
	} {
		l.Append(tt.event)
		entries, next, _, ok := l.Latest(feed.Cursor{}, nil)
		var got []string
		for _, e := range entries {
			got = append(got, e.ID)
		}
		if got := strings.Join(got, " "); got != tt.want || ok != tt.ok {
			t.Errorf("with %s: got %q, ok %t, want %q, %t", tt.event.Position, got, ok, tt.want, tt.ok)
		}
		if !ok {
			continue
		}
		if got := from(t, l, next); got != tt.then {
			t.Errorf("with %s: from next: got %q, want %q", tt.event.Position, got, tt.then)
		}
	}
}

// A change's state is encoded when it is asked for and not before, and once.
func TestStateIsEncodedOnce(t *testing.T) {
	l := feed.New(feed.Options{})
	e := change("a1")
	l.Append(e)
	e.State.Data = []byte("told later")

	prefix := []feed.Entry{{ID: "kept"}}
	first, _, _, _ := l.Latest(feed.Cursor{}, prefix)
	if len(first) != 2 || first[0].ID != "kept" {
		t.Fatalf("got %v, want one entry behind the one in buf", first)
	}
	if got, want := string(first[1].Block), encoded(t, "a1", "state", []byte("told later")); got != want {
		t.Errorf("block: got %q, want %q, encoded no sooner than now", got, want)
	}
	second, _, _, _ := l.Latest(feed.Cursor{}, nil)
	if &first[1].Block[0] != &second[0].Block[0] {
		t.Error("second result: got a block of its own, want the same one")
	}
}

func TestWholeStateSharesTheBlock(t *testing.T) {
	l := feed.New(feed.Options{})
	e := adapters.NewState("a", "state", []byte("all"))
	l.Append(&e)
	var read [1]feed.Entry
	c := l.Tail(-1)
	l.Read(&c, read[:])
	latest, _, _, _ := l.Latest(feed.Cursor{}, nil)
	if len(latest) != 1 || &latest[0].Block[0] != &read[0].Block[0] {
		t.Errorf("latest: got %v, want the block that is read", latest)
	}
}

// gone returns an event that takes its key away.
func gone(id string) *adapters.Event {
	e := keyed(id)
	e.State = &adapters.State{Gone: true}
	return e
}

// Who starts never hears of a key that is gone; who may have it, does.
func TestLatestGone(t *testing.T) {
	one := int64(len("a") + len("id: a2\ndata: a2\n\n"))
	for _, tt := range []struct {
		name    string
		options feed.Options
		append  string // "-a2" takes a away
		after   string
		want    string
		then    string

		complete bool
	}{
		{"start", feed.Options{}, "a1 b1 -a2", "", "b1", "", true},
		{"start, nothing left", feed.Options{}, "a1 -a2", "", "", "", true},
		{"jump", feed.Options{}, "a1 b1 -a2 b2", "a1", "-a2 b2", "", true},
		{"jump from behind it", feed.Options{}, "a1 b1 -a2 b2", "a2", "b2", "", true},
		{"back again", feed.Options{}, "a1 -a2 a3 b1", "a1", "a3 b1", "", true},
		{"gone twice", feed.Options{}, "a1 -a2 b1 -a3", "a1", "b1 -a3", "", true},
		{"never there", feed.Options{}, "a1 -b1", "a1", "-b1", "", true},
		{"in the order of the log", feed.Options{}, "a1 b1 c1 -a2 d1 -c2 e1", "a1", "b1 -a2 d1 -c2 e1", "", true},
		{"evicted from the log", feed.Options{Events: 1}, "a1 b1 -a2 c1", "", "b1 c1", "", true},
		{"pushes out no key that lives", feed.Options{Keys: 2}, "a1 b1 -c1 -d1 -e1", "", "a1 b1", "", true},
		{"given up, start", feed.Options{Keys: 1}, "a1 b1 -b2 -c1", "", "", "", false},
		{"given up, start with all that lives", feed.Options{Keys: 1}, "a1 -b1 -c1", "", "a1", "", true},
		{"given up, jump", feed.Options{Keys: 1}, "a1 -b1 -c1", "a1", "-c1", "", false},
		{"given up, jump from behind it", feed.Options{Keys: 1}, "a1 -b1 -c1", "b1", "-c1", "", true},
		{"bytes", feed.Options{KeyBytes: 2 * one}, "a1 -b1 -c1 -d1", "a1", "-c1 -d1", "", false},
		{"bytes, no room for one", feed.Options{KeyBytes: one - 1, Events: 1}, "a1 -b1", "a1", "", "", false},
		{"bytes, no room for one, start", feed.Options{KeyBytes: one - 1, Events: 1}, "a1 -b1", "", "a1", "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := feed.New(tt.options)
			cursors := map[string]feed.Cursor{"": {}}
			for id := range strings.FieldsSeq(tt.append) {
				e := keyed(id)
				if id, is := strings.CutPrefix(id, "-"); is {
					e = gone(id)
				} else {
					e.State = &adapters.State{Data: e.Data}
				}
				if err := l.Append(e); err != nil {
					t.Fatal(err)
				}
				cursors[strings.TrimPrefix(id, "-")] = l.Live()
			}
			entries, next, complete, ok := l.Latest(cursors[tt.after], nil)
			var got []string
			for _, e := range entries {
				id := e.ID
				if strings.Contains(tt.append, "-"+id) {
					id = "-" + id
				}
				got = append(got, id)
				if want := encoded(t, e.ID, "", []byte(e.ID)); string(e.Block) != want {
					t.Errorf("block: got %q, want the event's own, %q", e.Block, want)
				}
			}
			if got := strings.Join(got, " "); got != tt.want || complete != tt.complete || !ok {
				t.Errorf("got %q, complete %t, ok %t, want %q, %t, true", got, complete, ok, tt.want, tt.complete)
			}
			if got := from(t, l, next); got != tt.then {
				t.Errorf("from next: got %q, want %q", got, tt.then)
			}
		})
	}
}

// A reader that has come from somewhere is not one that starts, even if
// nothing was ever appended before it.
func TestLatestFromTheFirstPlace(t *testing.T) {
	l := feed.New(feed.Options{Events: 1})
	c := l.Live()
	for _, e := range []*adapters.Event{gone("a1"), change("b1")} {
		if err := l.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		from feed.Cursor
		want int
	}{{c, 2}, {feed.Cursor{}, 1}} {
		entries, _, complete, ok := l.Latest(tt.from, nil)
		if len(entries) != tt.want || !complete || !ok {
			t.Errorf("from %v: got %d entries, complete %t, ok %t, want %d, true, true", tt.from, len(entries), complete, ok, tt.want)
		}
	}
}

func TestSettle(t *testing.T) {
	for _, tt := range []struct {
		name    string
		events  int
		append  string // "settle" settles, "gap" is one, "a1!" is the end of a change
		entries int
		then    string
		ok      bool
	}{
		{"not yet", 9, "", 0, "", false},
		{"nothing", 9, "settle", 0, "", true},
		{"gaps", 9, "gap settle gap", 0, "gap", true},
		{"in the middle of a change", 9, "a1 settle", 0, "", false},
		{"in the middle, then its end", 9, "a1 settle a2!", 1, "", true},
		{"a change of several", 9, "settle a1 a2", 0, "a1 a2", true},
		{"a change of several, of which one is evicted", 1, "settle a1 a2", 0, "", false},
		{"a change of several, then its end", 1, "settle a1 a2!", 1, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := feed.New(feed.Options{Events: tt.events})
			for op := range strings.FieldsSeq(tt.append) {
				switch id, end := strings.CutSuffix(op, "!"); {
				case op == "settle":
					l.Settle()
				case op == "gap":
					appendAll(t, l, op)
				case end:
					l.Append(change(id))
				default:
					l.Append(keyed(id))
				}
			}
			entries, next, complete, ok := l.Latest(feed.Cursor{}, nil)
			if len(entries) != tt.entries || ok != tt.ok || complete != ok {
				t.Errorf("got %d entries, complete %t, ok %t, want %d, %t, %t", len(entries), complete, ok, tt.entries, tt.ok, tt.ok)
			}
			if ok {
				if got := from(t, l, next); got != tt.then {
					t.Errorf("from next: got %q, want %q", got, tt.then)
				}
			}
		})
	}
}
