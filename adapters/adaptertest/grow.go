package adaptertest

// checkGrow: what is published to a partition that was added is delivered from
// the first on, by a Run under way and by those from places before it was
// there.
func checkGrow(t *trial) {
	t.partitioned()
	s := t.run(t.open(), "", nil)
	t.awaitLive(s)
	t.publishInTurn(s, 1, few)
	got, _ := s.emitted()
	old := events(got)

	// One that begins now knows the new partition, and one at an old place
	// comes upon it.
	t.do("add a partition", t.Grow)
	late := t.run(t.open(), old[0].Position, nil)
	t.awaitLive(late)
	const last = 4 * few
	t.publish(few+1, last)
	t.expect(s, few+1, last)
	t.expect(late, 2, last)
	got, _ = s.emitted()
	var newest record
	for _, r := range events(got) {
		newest = r
	}
	for _, r := range old {
		s := t.run(t.open(), r.Position, nil)
		t.awaitLive(s)
		t.delivers(beforeLive(t.stop(s)), setOf(r.number+1, last), "Run from before there was a new partition")
		t.delivers(t.replayed(t.open(), r.Position, newest.Position), setOf(r.number+1, last), "Replay from before there was a new partition")
	}
}
