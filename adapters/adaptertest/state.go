package adaptertest

// checkState: a stateful source begins with whole states, the newest, those
// of all keys if it keeps them, and spreads no change over more events than
// one without saying at once what they lead to; any other has State on none.
func checkState(t *trial) {
	s := t.run(t.open(), "", nil)
	t.awaitLive(s)
	t.publishInTurn(s, 1, few)
	t.checkStates(t.stop(s), "")
	if !t.Stateful {
		return
	}
	late := t.run(t.open(), "", nil)
	t.expect(late, 1, few)
	t.awaitLive(late)
	t.checkStates(t.stop(late), "started on a state that is there: ")
	if t.keepsStates() {
		t.checkBeginning("")
	}
}

// checkStates looks at what was emitted since the source began without a
// position.
func (t *trial) checkStates(got []record, when string) {
	t.Helper()
	begun := make(map[string]bool) // keys that had an event
	var steps []record             // of a change that isn't complete
	for _, r := range got {
		if r.kind == unwell {
			continue
		}
		switch {
		case len(steps) > 0 && (r.kind == live || r.Key != steps[0].Key):
			t.Errorf("%sgot %v after an event without State, want one of its key that has it", when, numbers([]record{r}))
		case r.kind == live || r.kind == deletion || r.kind == gap:
		case !t.Stateful && r.State != nil:
			t.Errorf("%sevent %d: got a State from an adapter without state, want none", when, r.number)
		case t.Stateful && !begun[r.Key] && !r.whole:
			t.Errorf("%sevent %d, the first of its key: got a change, want a whole state", when, r.number)
		}
		if r.kind == step {
			steps = append(steps, r)
		} else {
			steps = nil
		}
		begun[r.Key] = begun[r.Key] || r.kind == step || r.kind == numbered
	}
	if len(steps) > 0 {
		t.Errorf("%sgot %d events without State at the end, want one that has it right behind them", when, len(steps))
	}
}
