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
	// that was there before. It is not called for notices and deletions, nor
	// for the events without State of a source that has it. It may be called
	// concurrently and keeps nothing of e.
	Number func(e adapters.Event) (int, error)

	// Key tells which key number i is published to, as the source is to give
	// it in Event.Key. Sources that are Replayable, Stateful and Keyed need
	// it, since it says which numbers have been replaced. If sources are
	// Partitioned, the numbers should go to several keys in several
	// partitions, those of one key to one.
	Key func(i int) string

	// Event returns what number i is received as, with nothing in it but what
	// Publish has there. It is for sources that are Receivers; without it, what
	// they promise of Receive isn't checked. There has to be room for 8 calls at
	// once of 5 events each.
	Event func(i int) adapters.Event

	// Delete deletes the key that number i was published to.
	Delete func(ctx context.Context, i int) error

	// FromStart says that one whose position says nothing to the source goes
	// on where one begins that has none, and not with the oldest event.
	FromStart bool

	// Compacts says that the upstream may drop a state as soon as its key
	// has a newer one, so that a source gets it only if it is in time.
	Compacts bool

	// History says that sources which are Replayable and Stateful begin,
	// without a position, with all the states that are at hand, and not just
	// with the newest of each key.
	History bool

	// Grow adds a partition to the upstream. Of every few numbers published
	// from then on, at least one has to go to it, with a key of its own.
	Grow func(ctx context.Context) error

	// Overflow publishes the numbers from first on, to one key, until some
	// of them must be lost to a source that is held up in emit all the while.
	// It returns the last number, and does not wait for the source. The bound
	// that it breaks has to have room for the 40 numbers that the suite
	// publishes at a time where nothing may be lost.
	Overflow func(ctx context.Context, first int) (last int, err error)

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
	if p := (profile{h, sample, sample.Factory.Capabilities()}); p.keepsStates() && p.Keyed && p.Key == nil {
		t.Fatal("adaptertest: the harness lacks Key, which sources that are Replayable, Stateful and Keyed need")
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
