package adaptertest

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"sidestream/adapters"
)

// A station is a place that a Run has passed, and what one has who is there.
type station struct {
	adapters.Position
	has  set
	last int // the number right before it; 0: none, it is that of a notice
}

// before reports whether s is before b: whether one at b has all that one at s
// has, and more.
func (s station) before(b station) bool {
	return s.has.within(b.has) && len(s.has) < len(b.has)
}

// merges publishes the numbers from 1 to n and returns the stations of several
// Runs, in orders as different as can be brought about: one is given the
// numbers in turn, others what has gathered while they were held up.
func (t *trial) merges(n int) [][]station {
	t.Helper()
	hold := func(until <-chan struct{}) hook {
		return func(ctx context.Context, e adapters.Event) error {
			if !e.Live {
				return nil
			}
			select {
			case <-until:
			case <-ctx.Done():
			}
			return nil
		}
	}
	half, all := make(chan struct{}), make(chan struct{})
	runs := []*session{t.run(t.open(), "", nil)}
	for _, until := range []chan struct{}{half, all, all} {
		runs = append(runs, t.run(t.open(), "", hold(until)))
	}
	for _, s := range runs {
		t.awaitLive(s)
	}
	t.publishInTurn(runs[0], 1, n/2)
	close(half)
	t.publishInTurn(runs[0], n/2+1, n)
	close(all)
	var merges [][]station
	for _, s := range runs {
		t.expect(s, 1, n)
		if m := stations(t.stop(s)); len(m) > 0 && len(m[len(m)-1].has) == n {
			merges = append(merges, m) // otherwise there is no telling what it has passed
		}
	}
	return merges
}

// stations returns the places in got, of a Run on an upstream that was empty.
func stations(got []record) (passed []station) {
	has := make(set)
	for _, r := range got {
		switch {
		case r.kind == numbered && r.number > 0:
			has[r.number] = true
			passed = append(passed, station{r.Position, maps.Clone(has), r.number})
		case r.kind == live && r.Position != "":
			passed = append(passed, station{r.Position, maps.Clone(has), 0})
		}
	}
	return passed
}

// checkMerge: whoever has come by one Run is brought to a place of another by
// a Replay of just what is missing.
func checkMerge(t *trial) {
	t.partitioned()
	merges := t.merges(2 * few)
	src := t.open()
	for x, from := range merges {
		for y, to := range merges {
			if x == y || x > 0 && y > 0 {
				continue // the first is unlike all others
			}
			for _, a := range from {
				for _, b := range to {
					if !a.before(b) {
						continue
					}
					t.delivers(t.replayed(src, a.Position, b.Position), b.has.without(a.has),
						"Replay from a place of one Run, "+string(a.Position)+", to one of another, "+string(b.Position))
				}
			}
		}
	}
}

// checkPartialOrder checks that positions of several Runs are ordered as what
// one has there is.
func (t *trial) checkPartialOrder() {
	t.Helper()
	passed := slices.Concat(t.merges(2 * few)...)
	for _, a := range passed {
		for _, b := range passed {
			want, wantOK := 0, true
			switch {
			case len(a.has) == len(b.has) && a.has.within(b.has):
			case a.before(b):
				want = -1
			case b.before(a):
				want = 1
			default:
				wantOK = false
			}
			order, ok := t.Compare(a.Position, b.Position)
			order = cmp.Compare(order, 0)
			switch {
			case ok && wantOK && want == 0 && (a.last == 0 || b.last == 0):
				// A notice may be behind what is never delivered.
			case ok != wantOK || ok && order != want:
				t.Errorf("Compare(%q, %q), of a Run that has delivered %v and one that has delivered %v: got %d, %t, want %d, %t",
					a.Position, b.Position, a.sorted(), b.sorted(), order, ok, want, wantOK)
				return
			}
		}
	}
}

// sorted returns what one has at s, with what is right before it at the end.
func (s station) sorted() []int {
	list := slices.Sorted(maps.Keys(s.has))
	if i := slices.Index(list, s.last); i >= 0 {
		list = append(slices.Delete(list, i, i+1), s.last)
	}
	return list
}

// checkBefore: Before returns the place right before an event.
func checkBefore(t *trial) {
	t.partitioned()
	src := t.open()
	for _, m := range t.merges(few) {
		for i, s := range m {
			before, ok := t.Before(s.Position)
			if s.last == 0 {
				if ok {
					t.Errorf("Before(%q): got %q, want not ok for a place that is right behind no event", s.Position, before)
				}
				continue
			}
			if !ok || before == "" || !before.Valid() {
				t.Errorf("Before(%q): got %q, %t, want a valid position", s.Position, before, ok)
				return
			}
			t.delivers(t.replayed(src, before, s.Position), set{s.last: true}, "Replay from before an event to behind it")
			if i == 0 {
				continue
			}
			if order, ok := t.Compare(m[i-1].Position, before); !ok || order > 0 {
				t.Errorf("Before(%q): got %q, want a place that is not before the event before, at %q", s.Position, before, m[i-1].Position)
			}
		}
	}
	for _, p := range append(malformed(), "") {
		if before, ok := t.Before(p); ok {
			t.Errorf("Before(%.40q): got %q, want not ok for what is no position", p, before)
		}
	}
}
