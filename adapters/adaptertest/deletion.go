package adaptertest

// checkDeletion: that a key is deleted reaches a Run under way, and one that
// goes on from before it, as an event with State.Gone; one that begins anew
// hears nothing of the key.
func checkDeletion(t *trial) {
	const victim = 2
	s := t.run(t.open(), "", nil)
	t.awaitLive(s)
	t.publishInTurn(s, 1, few)
	t.delete(victim)
	key := t.key(victim)
	got := t.await(s, "the deletion of key "+key, func(got []record) bool { return len(only(deletion, got)) > 0 })
	t.checkTokens(got)
	t.checkGone(got, key, "the Run under way: ")
	place := only(deletion, got)[0].Position

	t.checkBeginning("after a deletion: ")
	for _, r := range events(got) {
		s := t.run(t.open(), r.Position, nil)
		t.awaitLive(s)
		t.expect(s, r.number+1, few)
		resumed := beforeLive(t.stop(s))
		if !t.checkGone(resumed, key, "Run after event "+numbers([]record{r})[0]+": ") {
			return
		}
	}
	after := t.run(t.open(), place, nil)
	t.awaitLive(after)
	if got := t.stop(after); len(events(got))+len(only(deletion, got)) > 0 {
		t.Errorf("Run after the deletion: got %v, want nothing but a Live notice", numbers(got))
	}

	// A key may come back.
	t.publish(few+1, 2*few)
	t.expect(s, few+1, 2*few)
	t.checkBeginning("after a deletion, and more: ")
}

// checkGone checks that got has one deletion, that of key, behind all that
// was published to it, and reports whether it has.
func (t *trial) checkGone(got []record, key, when string) bool {
	t.Helper()
	gone := only(deletion, got)
	if len(gone) != 1 {
		t.Errorf("%sgot %v, want one deletion of key %q", when, numbers(got), key)
		return false
	}
	if e := gone[0]; e.Key != key || e.State.Type != "" || len(e.State.Data) > 0 {
		t.Errorf("%sgot a deletion of key %q with the State %+v, want one of %q with nothing but Gone", when, e.Key, *e.State, key)
	}
	over := false
	for _, r := range got {
		over = over || r.kind == deletion
		if over && r.kind == numbered && t.key(r.number) == key {
			t.Errorf("%sgot %v, want the deletion behind number %d, which was published to its key before", when, numbers(got), r.number)
		}
	}
	return true
}
