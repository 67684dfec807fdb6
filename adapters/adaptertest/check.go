package adaptertest

import "sidestream/adapters"

// A check puts one promise to the test.
type check struct {
	name string
	when func(p profile) bool // nil: always
	run  func(t *trial)
}

// A profile is what decides on the promises that apply.
type profile struct {
	Harness
	*Upstream
	adapters.Capabilities
}

// resumes reports whether a Run can go on from a position.
func (p profile) resumes() bool { return p.Replayable || p.Stateful }

// conflates reports whether the source may leave out states that were
// replaced.
func (p profile) conflates() bool { return p.Stateful && !p.Replayable }

// keepsStates reports whether the source delivers every change to its states
// while it runs and, of what came before, the newest state of each key.
func (p profile) keepsStates() bool { return p.Stateful && p.Replayable }

// deletes reports whether it can be checked what becomes of a deleted key.
func (p profile) deletes() bool { return p.keepsStates() && p.Delete != nil }

// overflows reports whether the source can be made to lose numbers. That a
// state is missing is no loss, since a newer one makes up for it.
func (p profile) overflows() bool { return p.Overflow != nil && !p.Stateful }

// receives reports whether it can be checked what becomes of events that are
// pushed into a source.
func (p profile) receives() bool { return p.Ingest && p.Event != nil }

func (c check) applies(h Harness, u *Upstream) bool {
	return c.when == nil || c.when(profile{h, u, u.Factory.Capabilities()})
}

// try runs the check on an upstream that start prepares.
func (c check) try(t tb, h Harness, start func() *Upstream) {
	t.Helper()
	trial := newTrial(t, h, start)
	defer trial.stopAll()
	c.run(trial)
}

// checks returns all promises, in the order in which an adapter's author will
// want to keep them.
func checks() []check {
	return []check{
		{"open", nil, checkOpen},
		{"ingest", nil, checkIngest},
		{"hostile", func(p profile) bool { return len(p.Segments)+len(p.Tokens)+len(p.Hostile) > 0 }, checkHostile},

		{"order", nil, checkOrder},
		{"slow-emit", nil, checkSlowEmit},
		{"live", nil, checkLive},
		{"positions", nil, checkPositions},
		{"state", nil, checkState},
		{"keys", func(p profile) bool { return p.Keyed && p.Key != nil }, checkKeys},
		{"deletion", profile.deletes, checkDeletion},
		{"overflow", profile.overflows, checkOverflow},

		{"receive", profile.receives, checkReceive},
		{"receive-error", profile.receives, checkReceiveError},
		{"receive-together", profile.receives, checkReceiveTogether},
		{"receive-stop", profile.receives, checkReceiveStop},

		{"serial", nil, checkSerial},
		{"late", nil, checkLate},
		{"emit-error", nil, checkEmitError},
		{"keep", nil, checkKeep},
		{"own", nil, checkOwn},

		{"cancel", nil, checkCancel},
		{"leak", nil, checkLeak},

		{"again", nil, checkAgain},
		{"exclusive", profile.resumes, checkExclusive},
		{"resume", profile.resumes, checkResume},
		{"concurrent", func(p profile) bool { return p.Replayable }, checkConcurrent},
		{"compare", func(p profile) bool { return p.Compare != nil }, checkCompare},
		{"seek", func(p profile) bool { return p.Seekable }, checkSeek},
		{"seek-error", func(p profile) bool { return p.Seekable }, checkSeekError},

		{"replay", func(p profile) bool { return p.Partitioned }, checkReplay},
		{"replay-stop", func(p profile) bool { return p.Partitioned }, checkReplayStop},
		{"replay-lost", func(p profile) bool { return p.Partitioned }, checkReplayLost},
		{"merge", func(p profile) bool { return p.Partitioned }, checkMerge},
		{"before", func(p profile) bool { return p.Partitioned }, checkBefore},
		{"grow", func(p profile) bool { return p.Partitioned && p.Grow != nil }, checkGrow},

		{"lost-malformed", nil, checkLostMalformed},
		{"lost-foreign", profile.resumes, checkLostForeign},
		{"lost-expired", func(p profile) bool { return p.Replayable && p.Expire != nil }, checkLostExpired},
		{"lost-recreated", func(p profile) bool { return p.Replayable && p.Recreate != nil }, checkLostRecreated},

		{"failure", func(p profile) bool { return p.Fail != nil }, checkFailure},
		{"recovery", func(p profile) bool { return p.Fail != nil }, checkRecovery},
		{"reason", func(p profile) bool { return p.Fail != nil || p.Break != nil }, checkReason},
		{"permanent", func(p profile) bool { return p.Break != nil }, checkPermanent},
		{"end", func(p profile) bool { return p.End != nil }, checkEnd},
	}
}
