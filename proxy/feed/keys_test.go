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
		{"a gap within", feed.Options{}, "a1 gap b1", "", "a1 b1", "", true},
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
