package proxy

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"sidestream/adapters"
	"sidestream/proxy/eventstream"
	"sidestream/proxy/feed"
)

// A departure is why a client's connection ended.
type departure string

// The reasons, as counted and logged.
const (
	leftGone         departure = "gone"          // the client closed it, or the network did
	leftWriteTimeout departure = "write_timeout" // it took nothing for write_timeout
	leftOverrun      departure = "overrun"       // it fell behind the history, and the policy is to disconnect
	leftMaxAge       departure = "max_age"
	leftDrain        departure = "drain"  // the server is leaving
	leftReload       departure = "reload" // the route was changed or taken away
	leftEnded        departure = "ended"  // the source has ended for good
	leftDenied       departure = "denied" // the upstream refuses its credentials
	leftFailed       departure = "failed" // the source has failed in a way that won't pass by itself
	leftNoRoom       departure = "no_room"
	leftUnopened     departure = "unopened"      // the source can't be opened
	leftReplay       departure = "replay_failed" // a private replay failed; the client is to try again
)

func departures() []departure {
	return []departure{
		leftGone, leftWriteTimeout, leftOverrun, leftMaxAge, leftDrain, leftReload,
		leftEnded, leftDenied, leftFailed, leftNoRoom, leftUnopened, leftReplay,
	}
}

// batchSize is how many events are read from the feed, written and flushed
// in one go.
const batchSize = 64

// client is one connection: a cursor into a stream's feed.
type client struct {
	*seat
	out *sink

	requested string    // the id that the client came with, as it came
	since     time.Time // or else from when on it wants events; zero: from now
	id        string    // the id that the client has now; empty if there is none that could be sent back

	cursor   feed.Cursor
	beyond   string      // the client has what comes up to this id; empty once it is passed
	waiting  bool        // for the stream's state
	lacking  bool        // the feed doesn't have all of that, and the source does
	caughtUp bool        // was once at the end of the feed
	idle     bool        // waits there, with nothing written since
	told     sourceState // what the client knows of the source
	scratch  []byte      // for control events

	timer    *time.Timer // fires when a heartbeat may be due, or the client is to leave
	leaveAt  time.Time   // zero: never
	leaveFor departure
	draining <-chan struct{} // nil once noticed
	closing  <-chan struct{} // nil once noticed
}

// newClient returns a client that sits at at and begins where from says.
func newClient(at *seat, out *sink, from origin) *client {
	c := &client{
		seat:      at,
		out:       out,
		cursor:    at.start,
		requested: from.id,
		since:     from.since,
		told:      sourceFresh,
		draining:  at.endpoint.server.draining,
		closing:   at.endpoint.closing,
	}
	if eventstream.ValidID(from.id) {
		c.id = from.id
	}
	if age := time.Duration(at.endpoint.MaxAge); age > 0 {
		c.leaveAt, c.leaveFor = time.Now().Add(age-rand.N(age/10+1)), leftMaxAge
	}
	return c
}

// run serves the client until it leaves or has to, and says why.
func (c *client) run(ctx context.Context) departure {
	c.timer = time.NewTimer(c.untilDue())
	defer c.timer.Stop()

	if why := c.begin(ctx); why != "" {
		_ = c.out.flush() // it leaves either way
		return why
	}
	for {
		changed, why := c.step()
		if err := c.out.flush(); err != nil {
			return c.out.reason()
		}
		if why == "" && c.lacking {
			why = c.replayState(ctx)
		}
		if why != "" {
			return why
		}
		if _, _, why := c.wait(ctx, changed, nil); why != "" {
			return why
		}
	}
}

// begin brings the client to its place in the feed, or says why it leaves
// before.
func (c *client) begin(ctx context.Context) departure {
	if c.requested == "" && !c.since.IsZero() {
		if why := c.seek(ctx); why != "" {
			return why
		}
	}
	if c.requested == "" {
		if c.can.Stateful || c.endpoint.Latest {
			c.await()
		}
		return ""
	}
	if cursor, ok := c.feed.After(c.requested); ok {
		c.cursor = cursor
		return ""
	}
	switch {
	case c.can.Replayable:
		return c.replay(ctx)
	case c.can.Stateful:
		c.await()
	default:
		c.lose()
	}
	return ""
}

// await makes the client wait for the current state, to begin with that.
func (c *client) await() {
	c.waiting = true
	c.cursor = c.feed.Tail(-1)
}

// lose announces that what follows the requested id can't be had, and goes
// on from the oldest event at hand, or from the current state if clients
// begin with one.
func (c *client) lose() {
	g := feed.Gap{Reason: adapters.LostUnknown, Requested: c.requested, Lost: -1}
	c.cursor = c.feed.Tail(-1)
	if expired := c.feeds.Expired(c.to, c.requested); expired != nil {
		g.Reason, g.Resumed, g.Lost = adapters.LostExpired, expired.ResumeID, expired.Lost
		c.cursor = expired.Resume
	}
	if g.Lost != 0 {
		c.announce(&g)
	}
	if c.can.Stateful || c.endpoint.Latest {
		c.requested = ""
		c.await()
	}
}

// step writes what is ready, up to a batch. The channel that it returns is
// closed when there is more.
func (c *client) step() (changed <-chan struct{}, why departure) {
	c.tell(sourceFresh)
	if c.startFromState(); c.lacking {
		return c.endpoint.server.always, ""
	}
	batch := c.endpoint.server.batches.get()
	defer c.endpoint.server.batches.put(batch)

	n, changed, err := c.feed.Read(&c.cursor, batch[:])
	var overrun *feed.OverrunError
	switch {
	case errors.As(err, &overrun):
		return c.endpoint.server.always, c.overrun(overrun)
	case errors.Is(err, io.EOF):
		return nil, c.end()
	case n == 0:
		c.idle = true
		// Only now is nothing missed that happens after the look.
		c.tell(sourceFresh)
		c.tell(sourceStale)
		c.markLive()
		return changed, ""
	}
	ready := batch[:n]
	if c.waiting {
		// Gaps are news. A state that came only now is given as such.
		ready = slices.DeleteFunc(ready, func(e feed.Entry) bool { return e.Gap == nil })
	}
	c.write(ready)
	if c.idle && len(ready) > 0 && c.out.flush() == nil {
		c.endpoint.metrics.fanOut.Observe(time.Since(ready[0].At).Seconds())
	}
	c.idle = false
	return c.endpoint.server.always, ""
}

func (c *client) write(entries []feed.Entry) {
	events, before := 0, c.out.bytes
	for i := range entries {
		if c.out.err != nil {
			break
		}
		e := &entries[i]
		at := e.ID
		if e.Gap != nil {
			at = e.Gap.Resumed
		}
		if at != "" && c.has(at) {
			continue
		}
		if e.Gap != nil {
			c.scratch = appendGap(c.scratch[:0], c.id, e.Gap)
			c.out.write(c.scratch)
			continue
		}
		c.out.write(e.Block)
		c.id = e.ID
		events++
	}
	c.endpoint.metrics.sent(events, c.out.bytes-before)
}

// has reports whether the client has the event with this id already, since a
// private replay has brought it further than the feed.
func (c *client) has(id string) bool {
	if c.beyond == "" {
		return false
	}
	if order, ok := c.endpoint.order(id, c.beyond); ok && order <= 0 {
		return true
	}
	c.beyond = ""
	return false
}

// startFromState gives a client that waits for it the current state, or what
// follows the state that it has, once there is one.
func (c *client) startFromState() {
	if !c.waiting {
		return
	}
	if cursor, ok := c.feed.After(c.requested); ok && c.requested != "" {
		c.cursor, c.waiting = cursor, false
		return
	}
	if c.fromPieces() && !c.settled.Load() {
		return
	}
	c.waiting = !c.jump(feed.Cursor{})
}

// jump writes the newest event of each key after the place from, and moves
// the cursor behind it, unless there is nothing to go on from. If the feed has
// given up some of what a new client begins with, and the source has it, the
// client is left lacking.
func (c *client) jump(from feed.Cursor) bool {
	entries, next, complete, ok := c.feed.Latest(from, nil)
	switch {
	case !ok:
		return false
	case complete:
	case from == feed.Cursor{} && c.endpoint.matcher != nil && c.can.Replayable:
		c.lacking = true
		return true
	default:
		c.announce(&feed.Gap{Reason: adapters.LostOverflow, Requested: c.id, Lost: -1})
	}
	c.write(entries)
	c.cursor = next
	return true
}

// overrun deals with a client that fell behind the history.
func (c *client) overrun(o *feed.OverrunError) departure {
	ahead := c.beyond != ""
	switch {
	case c.waiting, c.has(o.ResumeID): // it misses nothing: a state makes up for it, or it has it already
		c.cursor = o.Resume
	case c.endpoint.Slow == SlowDisconnect && c.id != "":
		return leftOverrun // without an id it could not come back to where it was
	case c.endpoint.Slow == SlowLatest, c.can.Stateful:
		if !c.jump(c.cursor) {
			// In the middle of a change, the beginning of which is evicted.
			// The client has moved on from the id that it came with.
			c.waiting, c.requested, c.cursor = true, "", o.Resume
		}
	default:
		g := feed.Gap{Reason: adapters.LostOverflow, Requested: c.id, Resumed: o.ResumeID, Lost: o.Lost}
		if ahead { // it had some of them
			g.Lost = -1
		}
		c.announce(&g)
		c.cursor = o.Resume
	}
	return ""
}

// wait returns when there is more to write, or with the reason to leave. In
// the meantime it keeps the connection warm.
func (c *client) wait(ctx context.Context, changed <-chan struct{}, items <-chan catchupItem) (item catchupItem, more bool, why departure) {
	window := c.endpoint.server.drainWindow()
	for {
		select {
		case <-changed:
			return item, true, ""
		case item, more = <-items:
			return item, more, ""
		case <-ctx.Done():
			return item, false, leftGone
		case <-c.draining:
			c.draining = nil
			c.leaveWithin(window, leftDrain)
		case <-c.closing:
			c.closing = nil
			c.leaveWithin(window, leftReload)
		case <-c.timer.C:
			if !c.leaveAt.IsZero() && !time.Now().Before(c.leaveAt) {
				return item, false, c.leaveFor
			}
			c.beat()
			if c.out.flush() != nil {
				return item, false, c.out.reason()
			}
			c.timer.Reset(c.untilDue())
		}
	}
}

// leaveWithin makes the client leave at a random moment within the window,
// unless it is to leave sooner anyway.
func (c *client) leaveWithin(window time.Duration, why departure) {
	at := time.Now().Add(rand.N(window + 1))
	if c.leaveAt.IsZero() || at.Before(c.leaveAt) {
		c.leaveAt, c.leaveFor = at, why
	}
	c.timer.Reset(c.untilDue())
}

// beat writes a heartbeat if nothing was written for long enough.
func (c *client) beat() {
	h := c.endpoint.Heartbeat
	if h.Every == 0 || time.Since(c.out.lastWrite) < time.Duration(h.Every) {
		return
	}
	if h.Event == "" {
		c.out.write([]byte(eventstream.Heartbeat))
		return
	}
	c.scratch = appendText(c.scratch[:0], c.id, h.Event, "{}")
	c.out.write(c.scratch)
}

// untilDue is the time until the timer is next needed. Writing something in
// the meantime only makes a heartbeat due later, so the timer isn't touched
// for that.
func (c *client) untilDue() time.Duration {
	const never = 24 * time.Hour
	due := time.Now().Add(never)
	if every := time.Duration(c.endpoint.Heartbeat.Every); every > 0 {
		due = c.out.lastWrite.Add(every)
	}
	if !c.leaveAt.IsZero() && c.leaveAt.Before(due) {
		due = c.leaveAt
	}
	return time.Until(due)
}
