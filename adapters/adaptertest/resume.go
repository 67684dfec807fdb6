package adaptertest

import "sidestream/adapters"

// checkAgain: a source whose Run has returned can be run again, and goes on
// where it was.
func checkAgain(t *trial) {
	src := t.open()
	s := t.run(src, "", nil)
	t.awaitLive(s)
	t.publishInTurn(s, 1, few)
	got := events(t.stop(s))
	newest := got[len(got)-1]
	for _, r := range got {
		if r.number == few && t.Publish != nil {
			newest = r
		}
	}
	last := newest.number
	switch {
	case t.resumes():
		t.publish(last+1, last+few) // while nobody listens
		s = t.run(src, newest.Position, nil)
	case t.Publish != nil:
		s = t.run(src, "", nil)
		t.awaitLive(s)
		t.publish(last+1, last+few)
	default:
		s = t.run(src, "", nil)
	}
	t.expect(s, last+1, last+few)
	for _, r := range events(t.stop(s)) {
		if t.Publish == nil && r.number <= last {
			t.Errorf("the second Run: got number %d, want none up to %d, which the first has delivered", r.number, last)
		}
	}
}

// checkExclusive: a Run after a position does not deliver the event of that
// position, nor an earlier one.
func checkExclusive(t *trial) {
	positions := t.fill(few)
	for i := 1; i <= few; i++ {
		s := t.run(t.open(), positions[i], nil)
		t.awaitLive(s)
		for _, r := range events(t.stop(s)) {
			if r.number <= i {
				t.Errorf("Run after event %d: got number %d, want only later ones", i, r.number)
			}
		}
	}
}

// checkResume: from every position, on a source that was just opened, what
// follows is delivered, and then what is new.
func checkResume(t *trial) {
	positions := t.fill(few)
	var last *session
	for i, after := range positions {
		if after == "" {
			continue // no position before the first event
		}
		last = t.run(t.open(), after, nil)
		if i < few {
			t.expect(last, i+1, few)
		}
	}
	t.awaitLive(last)
	t.publish(few+1, 2*few)
	t.expect(last, few+1, 2*few)
	if t.keepsStates() {
		t.checkResumeWithin()
	}
}

// checkConcurrent: Runs of one source do not disturb one another.
func checkConcurrent(t *trial) {
	src := t.open()
	live := t.run(src, "", nil)
	t.awaitLive(live)
	t.publishInTurn(live, 1, few)
	got, _ := live.emitted()
	positions := make(map[int]adapters.Position)
	for _, r := range events(got) {
		positions[r.number] = r.Position
	}
	starts := []int{1, 2, few - 1, few}
	var catchUps []*session
	for _, i := range starts {
		catchUps = append(catchUps, t.run(src, positions[i], nil))
	}
	t.publish(few+1, 2*few-1)
	for n, s := range catchUps {
		t.expect(s, starts[n]+1, 2*few-1) // now all have caught up
	}
	t.publish(2*few, 2*few)
	for n, s := range catchUps {
		t.expect(s, starts[n]+1, 2*few)
	}
	t.expect(live, 1, 2*few)
}
