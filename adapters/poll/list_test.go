package poll

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sidestream/adapters"
)

// newList returns a source with emit: append on answers made by rt.
func newList(rt script, edit func(*Options)) *listSource {
	return openTest(rt, func(o *Options) {
		o.Every, o.Jitter = evenly(time.Second), 0
		o.Emit, o.Items.Key = emitAppend, ".id"
		if edit != nil {
			edit(o)
		}
	}).(*listSource)
}

// follow runs s after a position for a span of time and returns what it
// delivered.
func follow(t *testing.T, s adapters.Source, after adapters.Position, span time.Duration) ([]adapters.Event, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), span)
	defer cancel()
	var list []adapters.Event
	err := s.Run(ctx, after, func(e adapters.Event) error {
		if !e.Live {
			list = append(list, e)
		}
		return nil
	})
	return list, err
}

func numbered(from, to int) string {
	items := []string{}
	for i := from; i <= to; i++ {
		items = append(items, fmt.Sprintf(`{"id":%d}`, i))
	}
	return strings.Join(items, ",")
}

func data(events []adapters.Event) string { return strings.Join(texts(events), ",") }

// TestListWindow: a feed shows only its newest entries. What left it while
// nobody looked is announced.
func TestListWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		newest := 5
		feed := script(func(*http.Request) (*http.Response, error) {
			return reply(http.StatusOK, "["+numbered(newest-4, newest)+"]"), nil
		})
		s := newList(feed, func(o *Options) { o.Items.Start = startAll })
		got, _ := follow(t, s, "", 500*time.Millisecond)
		if data(got) != numbered(1, 5) {
			t.Fatalf("got %s, want %s", data(got), numbered(1, 5))
		}
		third, last := got[2].Position, got[4].Position
		newest = 7
		for name, s := range map[string]adapters.Source{"the same source": s, "another": newList(feed, nil)} {
			if got, err := follow(t, s, third, 1500*time.Millisecond); data(got) != numbered(4, 7) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s, after the third: got %s, %v, want %s", name, data(got), err, numbered(4, 7))
			}
		}
		newest = 20
		// The same source still has what it was answered before.
		for name, s := range map[string]adapters.Source{numbered(6, 7): s, "": newList(feed, nil)} {
			got, err := follow(t, s, last, 1500*time.Millisecond)
			var lost *adapters.PositionLostError
			if data(got) != name || !errors.As(err, &lost) || lost.Reason != adapters.LostExpired || lost.Lost >= 0 {
				t.Fatalf("after the fifth: got %s, %v, want %s and the rest lost", data(got), err, name)
			}
			if got, _ := follow(t, s, lost.Resume, 1500*time.Millisecond); data(got) != numbered(16, 20) {
				t.Errorf("%s: after that: got %s, want %s", name, data(got), numbered(16, 20))
			}
		}
	})
}

// TestListRemovals: items that are taken away upstream, the last delivered
// one too, neither lose nor repeat others.
func TestListRemovals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := []string{numbered(1, 3), numbered(1, 2), numbered(1, 2) + "," + numbered(4, 5), "", numbered(6, 6), numbered(5, 7)}
		n := 0
		s := newList(func(*http.Request) (*http.Response, error) {
			n++
			return reply(http.StatusOK, "["+answers[min(n, len(answers))-1]+"]"), nil
		}, nil)
		got, err := follow(t, s, "", 3500*time.Millisecond)
		if want := numbered(4, 5); data(got) != want {
			t.Errorf("got %s, %v, want %s", data(got), err, want)
		}
		// All that is in a list which was empty has come since.
		got, err = follow(t, s, got[1].Position, 3*time.Second)
		if want := numbered(6, 7); data(got) != want {
			t.Errorf("after the list was empty: got %s, %v, want %s", data(got), err, want)
		}
	})
}

// TestListCursor: the cursor is kept across polls, and ids carry it.
func TestListCursor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		total := 3
		var asked []string
		api := script(func(r *http.Request) (*http.Response, error) {
			asked = append(asked, r.URL.RawQuery)
			from := 0
			fmt.Sscanf(r.URL.Query().Get("since"), "c%d", &from)
			// The API repeats the item at the cursor, as many with timestamps do.
			return reply(http.StatusOK, fmt.Sprintf(`{"items":[%s],"next":"c%d"}`, numbered(max(from, 1), total), total)), nil
		})
		edit := func(o *Options) {
			o.Query, o.Cursor = map[string]string{"since": "{cursor}"}, Cursor{Next: ".next", Start: "c0"}
			o.Items.Each, o.Items.Start = ".items[]", startAll
		}
		s := newList(api, edit)
		got, _ := follow(t, s, "", 500*time.Millisecond)
		if data(got) != numbered(1, 3) {
			t.Fatalf("got %s, want %s", data(got), numbered(1, 3))
		}
		total = 5
		more, _ := follow(t, s, got[2].Position, 1500*time.Millisecond)
		if data(more) != numbered(4, 5) {
			t.Errorf("got %s, want %s", data(more), numbered(4, 5))
		}
		if want := []string{"since=c0", "since=c3"}; !slices.Equal(asked[:2], want) {
			t.Errorf("asked %q, want %q first", asked, want)
		}
		for i, e := range append(got, more...) {
			rest, err := follow(t, newList(api, edit), e.Position, 500*time.Millisecond)
			if want := numbered(i+2, 5); data(rest) != want {
				t.Errorf("another source after %s: got %s, %v, want %s", e.Data, data(rest), err, want)
			}
			if i >= 2 && rest != nil && rest[0].Position == "" {
				t.Error("got no position, want one on each event")
			}
		}
	})
}

// TestListMeets: a Run from an old position gets its items with the ids that
// they had in the Run before, and asks for nothing that was just answered.
func TestListMeets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		s := newList(func(*http.Request) (*http.Response, error) {
			n++
			return reply(http.StatusOK, "["+numbered(1, 3+n)+"]"), nil
		}, nil)
		shared, _ := follow(t, s, "", 2500*time.Millisecond) // three polls
		asked := n
		private, _ := follow(t, s, shared[0].Position, 400*time.Millisecond)
		if n != asked {
			t.Errorf("got %d requests of the second Run, want none: the last answer is fresh", n-asked)
		}
		if len(private) != 1 || private[0].Position != shared[1].Position {
			t.Errorf("got %v, want the position %s that the first Run gave", private, shared[1].Position)
		}
	})
}

func TestListBadPositions(t *testing.T) {
	s := newList(func(*http.Request) (*http.Response, error) { return reply(http.StatusOK, "[]"), nil }, nil)
	for _, pos := range []adapters.Position{
		"x", "AQ", place{}.position()[:8], place{cursor: strings.Repeat("c", maxCursor+1)}.position(), positionOf([]byte("x")),
	} {
		var lost *adapters.PositionLostError
		if err := s.Run(t.Context(), pos, ignore); !errors.As(err, &lost) || lost.Resume == "" {
			t.Errorf("%q: got %v, want the position lost, and one to go on from", pos, err)
		}
	}
}

func TestPlace(t *testing.T) {
	for _, p := range []place{
		{}, {all: true}, {cursor: "c"}, {cursor: "a b\xff~", mark: markOf("x"), all: true},
		{cursor: strings.Repeat("c", maxCursor), mark: markOf("")},
	} {
		pos := p.position()
		if got, ok := parsePlace(pos); !ok || got != p || !pos.Valid() {
			t.Errorf("%+v: got %+v, %v by way of %q, want it back", p, got, ok, pos)
		}
	}
}

// TestMemoryIsBounded holds the memory to its bound, however long the list.
func TestMemoryIsBounded(t *testing.T) {
	m := newMemory(10)
	for i := range 1000 {
		key := markOf(strconv.Itoa(i))
		pos := place{mark: key}.position()
		if got := m.add(key, pos); got != pos {
			t.Fatalf("got %s, want %s", got, pos)
		}
		if got := m.add(key, "other"); got != pos {
			t.Fatalf("again: got %s, want the first, %s", got, pos)
		}
	}
	if len(m.known) != 10 || len(m.order) != 10 || cap(m.order) > 100 {
		t.Errorf("got %d known, %d in order (of %d), want 10", len(m.known), len(m.order), cap(m.order))
	}
}
