package adaptertest

import (
	"context"
	"testing"
	"time"

	"sidestream/adapters"
)

// A Harness lets the suite work on one adapter, in one configuration.
type Harness struct {
	// Start prepares an upstream that nobody else uses, and undoes it with
	// t.Cleanup. The suite calls it at least once for each promise.
	Start func(t testing.TB) *Upstream

	// Segments are the names of variables that become a segment of a URL's
	// path upstream, Tokens of those that become part of another name, such
	// as a subject. The suite tries values that no such name may hold.
	Segments, Tokens []string

	// Hostile are further variables that Open must refuse: those that are
	// harmful to this kind of upstream only. The variables that an element
	// leaves out are taken from Upstream.Vars.
	Hostile []adapters.Vars
}

// An Upstream is what the source under test reads from.
//
// Its functions return when what they say is done. Those that are nil stand
// for what the upstream cannot do or the harness cannot bring about, and the
// promises that concern it are not checked.
type Upstream struct {
	// Factory opens the sources under test, with Vars. The factory's start,
	// for a Run without a position, has to be the live edge or a place
	// before it.
	Factory adapters.Factory
	Vars    adapters.Vars

	// Publish makes the upstream emit number i, or change its state to i.
	// Numbers begin at 1 and grow. Publish may be called concurrently, and
	// may block until a source has taken the event.
	//
	// It is nil if sources make their events by themselves. They then have
	// to make numbers 1, 2, 3… without end, each source its own, and quickly:
	// the suite waits for some dozens.
	//
	// If the adapter is Keyed, the numbers should go to several keys.
	Publish func(ctx context.Context, i int) error

	// Number tells which number e was published as; 0 stands for a state
	// that was there before. It is not called for Live notices, nor for the
	// events without State of a source that has it. It may be called
	// concurrently and keeps nothing of e.
	Number func(e adapters.Event) (int, error)

	// Fail makes the upstream fail in a way that may pass, for Runs under
	// way and for those to come, and Recover ends that. Set both or none.
	Fail, Recover func(ctx context.Context) error

	// Stall makes the upstream accept what reaches it, a connection or a
	// request, and not answer. It isn't undone.
	Stall func(ctx context.Context) error

	// Break makes the upstream fail in a way that needs somebody to mend it.
	Break func(ctx context.Context) error

	// Private are texts that clients must not get to see when the upstream
	// has failed: its address, credentials.
	Private []string

	// Expire makes the upstream forget numbers up to n, and only those.
	Expire func(ctx context.Context, n int) error

	// Recreate deletes the upstream's events and starts it anew under the
	// same name.
	Recreate func(ctx context.Context) error

	// End ends the upstream for good, once what was published is delivered.
	End func(ctx context.Context) error
}

const (
	patience = 10 * time.Second // for a condition to come true
	prompt   = 5 * time.Second  // for a source to obey
)

// Run checks every promise that applies to h, each in a subtest of t.
func Run(t *testing.T, h Harness) {
	t.Helper()
	sample := h.Start(t)
	if sample.Factory == nil || sample.Number == nil || (sample.Fail == nil) != (sample.Recover == nil) {
		t.Fatal("adaptertest: the harness lacks Factory, Number, or one of Fail and Recover")
	}
	for _, c := range checks() {
		if !c.applies(h, sample) {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			c.try(t, h, func() *Upstream { return h.Start(t) })
		})
	}
}

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
