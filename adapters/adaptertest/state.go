package adaptertest

// checkState: a stateful source has State on every event and begins with
// whole states, the newest; any other has State on none.
func checkState(t *trial) {
	s := t.run(t.open(), "", nil)
	t.awaitLive(s)
	for i := 1; i <= few; i++ {
		t.publish(i, i)
		t.expect(s, i, i)
	}
	t.checkStates(s, "")
	if !t.Stateful {
		return
	}
	late := t.run(t.open(), "", nil)
	t.expect(late, 1, few)
	t.awaitLive(late)
	t.checkStates(late, "started on a state that is there: ")
}

// checkStates looks at what s has emitted since it began without a position.
func (t *trial) checkStates(s *session, when string) {
	t.Helper()
	got, _ := s.emitted()
	begun := make(map[string]bool) // keys that had an event
	for _, r := range events(got) {
		switch {
		case !t.Stateful && r.State != nil:
			t.Errorf("%sevent %d: got a State from an adapter without state, want none", when, r.number)
		case t.Stateful && r.State == nil:
			t.Errorf("%sevent %d: got no State, want one on every event", when, r.number)
		case t.Stateful && !begun[r.Key] && !r.whole:
			t.Errorf("%sevent %d, the first of its key: got a change, want a whole state", when, r.number)
		}
		begun[r.Key] = true
	}
}
