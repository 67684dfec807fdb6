package adaptertest

import (
	"sidestream/adapters"
)

// checkPositions: positions are valid tokens, unique unless they name a
// state, and set on every event that is neither a step nor a notice or, if
// the adapter has none, on nothing.
func checkPositions(t *trial) {
	if t.Replayable && !t.Positions {
		t.Errorf("got Capabilities with Replayable alone, want Positions as well")
	}
	s := t.run(t.open(), "", nil)
	t.awaitLive(s)
	t.publishInTurn(s, 1, few)
	got := t.stop(s)
	t.checkTokens(got)
	if !t.resumes() {
		return
	}
	for _, r := range events(got) {
		if r.number == 1 {
			s := t.run(t.open(), r.Position, nil)
			t.expect(s, 2, few)
			t.checkTokens(t.stop(s))
		}
	}
}

func (t *trial) checkTokens(got []record) {
	t.Helper()
	const aStep = -1 // in place of a number
	numberAt := make(map[adapters.Position]int)
	for _, r := range got {
		at, seen := numberAt[r.Position]
		switch {
		case !t.Positions && r.Position != "":
			t.Errorf("event %d: got position %q from an adapter without positions, want none", r.number, r.Position)
		case !r.Position.Valid():
			t.Errorf("event %d: got position %q, want a valid one (see Position.Valid)", r.number, r.Position)
		case r.kind == live || r.kind == gap || r.kind == unwell || !t.Positions || r.kind == step && r.Position == "":
		case r.Position == "":
			t.Errorf("event %d: got no position, want one on every event", r.number)
		case seen && (r.kind == step || !t.conflates()), seen && at == aStep:
			t.Errorf("event %d: got position %q, which event %d had, want one of its own", r.number, r.Position, at)
		}
		switch r.kind {
		case step:
			numberAt[r.Position] = aStep
		case numbered, deletion:
			numberAt[r.Position] = r.number
		case live, gap, unwell:
		}
	}
}
