package adaptertest

import "slices"

// checkBeginning checks that a Run without a position begins with the state of
// each key that is there, the newest, and with nothing else unless the harness
// says that there is more.
func (t *trial) checkBeginning(when string) {
	t.Helper()
	s := t.run(t.open(), "", nil)
	t.awaitLive(s)
	got := beforeLive(t.stop(s))
	state := make(map[string]int)
	for _, r := range got {
		switch {
		case r.kind == deletion:
			delete(state, r.Key)
		case r.kind == numbered && r.number > 0:
			state[t.key(r.number)] = r.number
		default:
			continue
		}
		if !t.History && (r.kind == deletion || t.replaced(r.number)) {
			t.Errorf("%sRun without a position: got %v, want it to begin with the newest state of each key that is there", when, numbers(got))
			return
		}
	}
	for key, want := range t.there() {
		if state[key] != want {
			t.Errorf("%sRun without a position: got %v, want it to begin with number %d, the state of key %q", when, numbers(got), want, key)
		}
		delete(state, key)
	}
	for key, number := range state {
		t.Errorf("%sRun without a position: got number %d, want nothing of key %q, which is gone", when, number, key)
	}
}

// checkResumeWithin checks that a Run that stops while it begins with states
// can go on with those that it has not got to.
func (t *trial) checkResumeWithin() {
	t.Helper()
	s := t.run(t.open(), "", nil)
	t.awaitLive(s)
	begun := events(beforeLive(t.stop(s)))
	for i, r := range begun {
		s := t.run(t.open(), r.Position, nil)
		t.awaitLive(s)
		got := events(beforeLive(t.stop(s)))
		for _, rest := range begun[i+1:] {
			if !t.replaced(rest.number) && !slices.ContainsFunc(got, func(r record) bool { return r.number == rest.number }) {
				t.Errorf("Run after event %d: got %v, want those that a Run without a position delivers behind it, %v",
					r.number, numbers(got), numbers(begun[i+1:]))
				break
			}
		}
	}
}
