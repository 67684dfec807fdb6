package lease

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"
)

// MaxState bounds what a holder may tell of itself, in bytes.
const MaxState = 4 << 10

// spacing is the least time between two writes of one holder.
const spacing = 50 * time.Millisecond

// Why a lease is no longer held.
var (
	errTaken   = errors.New("the lease is somebody else's")
	errExpired = errors.New("the lease could not be renewed in time")
	errOver    = errors.New("the lease was given up")
)

// Held is a lease while it is held, for the one that runs under it.
type Held struct {
	contender *contender
	term      uint64
	told      chan struct{} // holds a value if there is a state to write

	// Guarded by the contender's mu.
	state string
	until time.Time // the lease is certainly held until then
	timer *time.Timer
	over  bool                    // it is not any more
	stop  context.CancelCauseFunc // ends the context of run
	rest  context.CancelFunc      // ends the renewals
}

// Term returns the number of this term, which is greater than that of every
// former one of the lease, whoever had it, for as long as the bucket exists: a
// fencing token. It is the revision of the entry by which the lease was taken.
func (h *Held) Term() uint64 { return h.term }

// Lost reports whether the lease is no longer certainly held, by the clock and
// not only by what was noticed so far; then run's context is done, too. It is
// to be asked right before what must not be done twice.
func (h *Held) Lost() bool {
	c := h.contender
	c.mu.Lock()
	defer c.mu.Unlock()
	h.expire()
	return h.over
}

// Tell tells the others a short text about what runs. It doesn't wait: if much
// is told, they are told the newest, after 50 ms at the latest if the server
// is quick, and the last in any case, unless the lease is lost. What is longer
// than [MaxState] is cut off, and what isn't UTF-8 replaced.
func (h *Held) Tell(state string) {
	if len(state) > MaxState {
		state = state[:MaxState]
	}
	state = strings.ToValidUTF8(state, "")
	c := h.contender
	c.mu.Lock()
	defer c.mu.Unlock()
	if h.state != state {
		h.state = state
		signal(h.told)
	}
}

// begin makes the lease held, by an entry that was sent to be written then. It
// reports false if that is not so any more.
func (c *contender) begin(h *Held, e entry, sent time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unsure = false
	if e.revision > c.newest {
		c.known, c.current, c.seen, c.newest = true, e, time.Now(), e.revision
	}
	h.until = sent.Add(c.bucket.options.certain())
	if c.current.ID != c.id || c.current.free() || !time.Now().Before(h.until) {
		return false
	}
	c.hold = h
	c.tell()
	return true
}

// serve runs what is to be run under a lease that was just taken, and keeps
// the lease until it has returned. stood reports whether the lease was still
// held then.
func (c *contender) serve(ctx context.Context, h *Held, run func(context.Context, *Held) error) (stood bool, err error) {
	inner, stop := context.WithCancelCause(ctx)
	defer stop(errOver)
	renewing, rest := context.WithCancel(context.WithoutCancel(ctx)) // while run winds up, too
	c.mu.Lock()
	h.stop, h.rest = stop, rest
	h.timer = time.AfterFunc(time.Until(h.until), func() { h.Lost() })
	over := h.over
	c.mu.Unlock()
	if over { // before it began
		h.timer.Stop()
		rest()
		return false, nil
	}

	var keeper sync.WaitGroup
	keeper.Go(func() { c.keep(renewing, h) })
	defer func() { // also if run panics
		rest()
		keeper.Wait()
		c.mu.Lock()
		defer c.mu.Unlock()
		h.expire()
		stood = !h.over
		h.end(errOver)
		c.ended, c.said = h.term, h.state // for the release to tell
	}()
	return false, run(inner, h)
}

// end ends the hold. The caller holds c.mu.
func (h *Held) end(cause error) {
	if h.over {
		return
	}
	h.over = true
	c := h.contender
	if c.hold == h {
		c.hold = nil
	}
	if h.stop != nil {
		h.timer.Stop()
		h.stop(cause)
		h.rest()
	}
	c.tell()
}

// expire ends the hold if its time is over, and sets the timer to when it will
// be. The caller holds c.mu.
func (h *Held) expire() {
	if h.over {
		return
	}
	left := time.Until(h.until)
	if left <= 0 {
		h.end(errExpired)
		return
	}
	h.timer.Reset(left)
}

// keep renews the lease until ctx is done, or it is lost.
func (c *contender) keep(ctx context.Context, h *Held) {
	interval := c.bucket.options.renewal()
	timer := time.NewTimer(interval)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-h.told:
		case <-ctx.Done():
			return
		}
		for !c.renew(ctx, h) && ctx.Err() == nil {
			pause(ctx, min(c.bucket.options.backoff(), interval/10))
		}
		timer.Reset(interval)
		pause(ctx, spacing)
	}
}

// renew writes the lease once and reports whether that is done. What becomes
// of a write that wasn't answered is found out by the next one: if it was
// written, that one will say that the lease has changed, and reading it that
// it was by oneself.
func (c *contender) renew(ctx context.Context, h *Held) bool {
	c.mu.Lock()
	expected := c.current.revision
	r := c.record()
	r.Term, r.State = h.term, h.state
	mine := c.current.ID == c.id
	c.mu.Unlock()
	if !mine {
		return false // and the hold has ended
	}
	sent := time.Now()
	revision, err := c.bucket.write(ctx, c.key, r, expected)
	if err == nil {
		c.note(entry{record: r, revision: revision}, time.Now())
		c.mu.Lock()
		defer c.mu.Unlock()
		h.expire() // an answer that comes too late doesn't bring it back
		if until := sent.Add(c.bucket.options.certain()); !h.over && until.After(h.until) {
			h.until = until
			h.timer.Reset(time.Until(until))
		}
		return true
	}
	if errors.Is(err, errChanged) {
		_ = c.look(ctx) // or else with the next attempt
	}
	return false
}
