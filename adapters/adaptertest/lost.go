package adaptertest

import (
	"context"
	"errors"
	"slices"
	"strings"

	"sidestream/adapters"
)

// malformed are positions that no adapter gives out.
func malformed() []adapters.Position {
	return []adapters.Position{
		"!", "~", " ", "\x00", "\r\nid: 1", "\xff\xfe", "?.?.?",
		adapters.Position(strings.Repeat("A", adapters.MaxPosition+1)),
		adapters.Position(strings.Repeat("9", 64<<10)),
	}
}

// checkLostMalformed: a position that says nothing to the source is reported
// lost or, if the source has state, answered with that.
func checkLostMalformed(t *trial) {
	if t.resumes() {
		t.fill(few)
	}
	for _, after := range malformed() {
		if t.FromStart {
			t.fromStart(after)
			continue
		}
		t.unknown(after, few)
	}
}

// fromStart checks that one with a position that is lost is told to go on
// where one begins that has none.
func (t *trial) fromStart(after adapters.Position) {
	t.Helper()
	err := t.isLost(t.run(t.open(), after, nil), after)
	var first [2][]string
	for i, from := range []adapters.Position{"", err.Resume} {
		s := t.run(t.open(), from, nil)
		t.awaitLive(s)
		first[i] = numbers(events(t.stop(s)))
		slices.Sort(first[i])
	}
	if !slices.Equal(first[0], first[1]) {
		t.Errorf("Run after Resume %q: got %v, want what a Run without a position begins with, %v", err.Resume, first[1], first[0])
	}
}

// checkLostForeign: so is a position of another upstream.
func checkLostForeign(t *trial) {
	other := newTrial(t.tb, t.Harness, t.start)
	defer other.stopAll()
	positions := other.fill(few + 1)
	t.fill(few)
	t.unknown(positions[2], few)
	t.unknown(positions[few+1], few)
}

// unknown checks what a Run after a position that the source can't know
// does, on an upstream with numbers up to last.
func (t *trial) unknown(after adapters.Position, last int) {
	t.Helper()
	if !t.conflates() {
		_ = t.lost(after, 1, last)
		return
	}
	s := t.run(t.open(), after, nil)
	t.expect(s, last, last)
	got, _ := s.emitted()
	if first := events(got)[0]; !first.whole {
		t.Errorf("Run after the unknown position %.40q: got a change first, want a whole state", after)
	}
	t.stop(s)
}

// checkLostExpired: a position is lost as soon as the event right after it
// is no longer there. One of a source that keeps states need not be, as long
// as all that is no longer there has been replaced.
func checkLostExpired(t *trial) {
	const last = 2 * few
	positions := t.fill(last)
	for _, gone := range []int{3, last - 1} {
		t.do("expire events", func(ctx context.Context) error { return t.Expire(ctx, gone) })
		for i := 1; i < gone; i++ {
			if t.keepsStates() && !t.forgotten(i, gone) && t.goesOn(positions[i], gone+1, last) {
				continue
			}
			err := t.lost(positions[i], gone+1, last)
			if err.Reason != adapters.LostExpired {
				t.Errorf("Run after event %d: got reason %q, want %q", i, err.Reason, adapters.LostExpired)
			}
			if want := int64(gone - i); err.Lost >= 0 && err.Lost != want {
				t.Errorf("Run after event %d: got %d events lost, want %d or a negative number", i, err.Lost, want)
			}
		}
		s := t.run(t.open(), positions[gone], nil)
		t.expect(s, gone+1, last)
	}
}

// forgotten reports whether one of the numbers behind i, up to gone, is the
// state of a key, so that who has those up to i only cannot do without it.
func (t *trial) forgotten(i, gone int) bool {
	for n := i + 1; n <= gone; n++ {
		if !t.replaced(n) {
			return true
		}
	}
	return false
}

// goesOn reports whether a Run after the given position does not say that it
// is lost, and if so checks that it delivers the numbers from first to last.
func (t *trial) goesOn(after adapters.Position, first, last int) bool {
	t.Helper()
	s := t.run(t.open(), after, nil)
	s.until(patience, func(got []record) bool { return t.complete(s, got, first, last) })
	select {
	case <-s.done:
		if errors.Is(s.err, adapters.ErrPositionLost) {
			return false
		}
	default:
	}
	t.expect(s, first, last)
	return true
}

// checkLostRecreated: a position doesn't outlive what it is a position of.
func checkLostRecreated(t *trial) {
	positions := t.fill(few)
	t.do("recreate the upstream", t.Recreate)
	t.publish(few+1, 2*few) // so that what is there looks like what was
	for i := 1; i <= few; i++ {
		err := t.lost(positions[i], few+1, 2*few)
		if err.Reason != adapters.LostRecreated {
			t.Errorf("Run after event %d of the former incarnation: got reason %q, want %q",
				i, err.Reason, adapters.LostRecreated)
		}
	}
}

// lost checks that a Run after the given position says at once that it is
// lost and, if the source is replayable, where it can go on: at the numbers
// from first to last. It returns what Run said.
func (t *trial) lost(after adapters.Position, first, last int) *adapters.PositionLostError {
	t.Helper()
	return t.saysLost(t.run(t.open(), after, nil), after, first, last)
}

// saysLost is lost for what was started after the given position.
func (t *trial) saysLost(s *session, after adapters.Position, first, last int) *adapters.PositionLostError {
	t.Helper()
	lost := t.isLost(s, after)
	if t.Replayable {
		s := t.run(t.open(), lost.Resume, nil)
		t.expect(s, first, last)
		for _, r := range events(t.stop(s)) {
			if r.number < first {
				t.Errorf("Run after Resume %q: got number %d, want none before %d", lost.Resume, r.number, first)
			}
		}
	}
	return lost
}

// isLost checks that s says at once that the position is lost that it was given,
// and returns what it says.
func (t *trial) isLost(s *session, after adapters.Position) *adapters.PositionLostError {
	t.Helper()
	err := t.awaitReturn(s, patience, "it was given a position that is lost")
	if got, _ := s.emitted(); len(got) > 0 {
		t.Errorf("Run after %.40q: got %v, want nothing but an error", after, numbers(got))
	}
	var lost *adapters.PositionLostError
	if !errors.As(err, &lost) {
		t.Fatalf("Run after %.40q: got error %v, want a PositionLostError", after, err)
	}
	if reasons := []adapters.LostReason{
		adapters.LostExpired, adapters.LostRecreated, adapters.LostUnknown,
	}; !slices.Contains(reasons, lost.Reason) {
		t.Errorf("Run after %.40q: got reason %q, want one of %q", after, lost.Reason, reasons)
	}
	switch {
	case !t.Replayable && lost.Resume != "":
		t.Errorf("Run after %.40q: got Resume %q from a source that is not replayable, want none", after, lost.Resume)
	case t.Replayable && (lost.Resume == "" || !lost.Resume.Valid()):
		t.Fatalf("Run after %.40q: got Resume %q, want a valid position", after, lost.Resume)
	}
	return lost
}
