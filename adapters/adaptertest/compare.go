package adaptertest

import (
	"cmp"

	"sidestream/adapters"
)

// checkCompare: positions are ordered as they are delivered, and those that
// are not of one incarnation of one upstream have no order. Of a Partitioned
// source those that several Runs deliver are ordered by what one has there.
func checkCompare(t *trial) {
	if !t.Positions {
		t.Errorf("got Capabilities with Compare alone, want Positions as well")
	}
	const last = 2*few + 1 // so that numbers differ in length
	s := t.run(t.open(), "", nil)
	t.awaitLive(s)
	t.publishInTurn(s, 1, last)
	got := t.stop(s)
	t.checkOrderOf(got, "")
	first := events(got)[0].Position
	if t.resumes() {
		s := t.run(t.open(), first, nil)
		t.awaitLive(s)
		t.checkOrderOf(t.stop(s), "a Run that was resumed: ")
	}
	if t.Stateful {
		s := t.run(t.open(), "", nil)
		t.awaitLive(s)
		t.checkOrderOf(t.stop(s), "a Run that begins with states: ")
	}
	if t.Partitioned {
		other := newTrial(t.tb, t.Harness, t.start)
		defer other.stopAll()
		other.checkPartialOrder()
	}

	for _, p := range malformed() {
		t.checkNoOrder(first, p, "the second is malformed")
		t.checkNoOrder(p, first, "the first is malformed")
		t.checkNoOrder(p, p, "both are malformed")
	}
	other := newTrial(t.tb, t.Harness, t.start)
	defer other.stopAll()
	foreign := other.fill(1)[1]
	t.checkNoOrder(first, foreign, "the second is of another upstream")
	t.checkNoOrder(foreign, first, "the first is of another upstream")
	if t.Recreate == nil {
		return
	}
	t.do("recreate the upstream", t.Recreate)
	s = t.run(t.open(), "", nil)
	t.awaitLive(s)
	t.publish(last+1, last+1)
	t.expect(s, last+1, last+1)
	recreated := events(t.stop(s))[0].Position
	t.checkNoOrder(first, recreated, "the second is of a later incarnation")
	t.checkNoOrder(recreated, first, "the first is of a later incarnation")
}

// checkOrderOf checks that the positions in got increase from event to event.
// A notice may repeat the one before it.
func (t *trial) checkOrderOf(got []record, when string) {
	t.Helper()
	for i, a := range got {
		for j, b := range got {
			if a.Position == "" || b.Position == "" {
				continue
			}
			want := cmp.Compare(i, j)
			order, ok := t.Compare(a.Position, b.Position)
			notice := got[max(i, j)].kind == live
			switch {
			case !ok:
				t.Errorf("%sCompare(%q, %q): got not ok, want the order of two positions of one upstream", when, a.Position, b.Position)
				return
			case cmp.Compare(order, 0) != want && (order != 0 || !notice):
				sign := [...]string{"a negative number", "0", "a positive number"}[want+1]
				t.Errorf("%sCompare(%q, %q): got %d, want %s, as they were delivered", when, a.Position, b.Position, order, sign)
				return
			}
		}
	}
}

// checkNoOrder checks that a and b cannot be compared.
func (t *trial) checkNoOrder(a, b adapters.Position, why string) {
	t.Helper()
	if order, ok := t.Compare(a, b); ok {
		t.Errorf("Compare(%.40q, %.40q): got %d and ok, want not ok, since %s", a, b, order, why)
	}
}
