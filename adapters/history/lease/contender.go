package lease

import (
	"context"
	"crypto/rand"
	"errors"
	mathrand "math/rand/v2"
	"sync"
	"time"
)

// jitter bounds the random delay before a lease that is free is taken, so that
// replicas don't all write at once.
const jitter = 5 * time.Millisecond

// A contender is one call of Contend.
type contender struct {
	bucket  *Bucket
	key     string
	id      string // of this call, in all processes
	teller  *teller
	cancel  context.CancelCauseFunc // ends the call
	changed chan struct{}           // holds a value if there is something new

	mu      sync.Mutex
	known   bool      // guarded by mu; the lease was looked at
	current entry     // guarded by mu; the lease as it is known
	seen    time.Time // guarded by mu; when current became so, at the latest
	newest  uint64    // guarded by mu; the greatest revision that was seen
	hold    *Held     // guarded by mu; nil while the lease isn't one's own
	unsure  bool      // guarded by mu; it may have been taken without one's knowing
	ended   uint64    // guarded by mu; the term of the last hold that has ended
	said    string    // guarded by mu; what it was to tell in the end
}

// Contend takes part in the lease called name, which may be any text. As soon
// as this contender has the lease, run is called, with a context that ends as
// soon as the lease is no longer certainly held, and with what to tell others
// by. It has to return soon then: see the package comment. The lease is kept
// for as long as run goes on, and given up when it returns.
//
// observe is told, by one goroutine, of the condition of the lease whenever
// that has changed, and of the newest one if it is slow. The last call of it
// is over when Contend returns. It may be nil.
//
// Contend returns
//   - when ctx is done: ctx.Err();
//   - when run has returned although the lease was still held: what it has
//     returned. The caller decides whether to take part again, and when;
//   - when the bucket is of no use any more, since the connection was lost, or
//     the bucket was deleted or closed, or can't be reached for three TTLs:
//     a transient [adapters.UpstreamError]. All others that take part get it,
//     too, and the bucket is to be closed and another one opened.
//
// When the lease is lost, it goes on, and run may be called again.
func (b *Bucket) Contend(ctx context.Context, name string, run func(ctx context.Context, h *Held) error, observe func(Condition)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c := &contender{
		bucket:  b,
		key:     keyOf(name),
		id:      rand.Text(),
		cancel:  cancel,
		changed: make(chan struct{}, 1),
		teller:  newTeller(observe),
	}
	defer c.teller.close()
	if err := b.join(c); err != nil {
		return err
	}
	defer b.leave(c)
	defer c.release(inner)

	for {
		h, err := c.take(inner)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return err
		}
		stood, err := c.serve(inner, h, run)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case inner.Err() != nil:
			return context.Cause(inner)
		case stood:
			return err
		}
	}
}

// fail ends the call with an error. If that is that the bucket is another one,
// nothing is known of the lease any more.
func (c *contender) fail(err error) {
	if !errors.Is(err, errOther) {
		c.cancel(err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancel(err)
	c.current, c.unsure = entry{}, false
	if c.hold != nil {
		c.hold.end(err)
	}
	c.tell()
}

// take returns once the lease is taken. Its error is ctx's cause. If requests
// fail for too long, the bucket does.
func (c *contender) take(ctx context.Context) (*Held, error) {
	b := c.bucket
	failing := time.Time{}
	for {
		err := c.await(ctx)
		if err == nil {
			var h *Held
			if h, err = c.try(ctx); h != nil {
				return h, nil
			}
		}
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case err == nil:
			failing = time.Time{}
			continue
		case errors.Is(err, errChanged): // and what has come of it is not seen yet
			failing = time.Time{}
		case failing.IsZero():
			failing = time.Now()
		case time.Since(failing) > b.options.patience():
			b.fail(silent(err)) // which ends ctx
			continue
		}
		pause(ctx, b.options.backoff())
	}
}

// await returns nil once the lease may be taken.
func (c *contender) await(ctx context.Context) error {
	c.mu.Lock()
	known := c.known
	c.mu.Unlock()
	if !known {
		if err := c.look(ctx); err != nil {
			return err
		}
	}
	shaken := false
	for {
		c.mu.Lock()
		delay := c.delay()
		c.mu.Unlock()
		if delay <= 0 {
			if shaken {
				return nil
			}
			shaken, delay = true, mathrand.N(jitter)
		}
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
		case <-c.changed:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// delay returns after what time the lease may be taken, if it doesn't change.
// The caller holds c.mu.
func (c *contender) delay() time.Duration {
	if e := &c.current; e.free() || e.ID == c.id || c.bucket.left(c.key, e) {
		return 0
	}
	return time.Until(c.seen.Add(c.current.lasts(c.bucket.options.TTL)))
}

// try takes the lease as it is known. It returns nil if that has failed, with
// an error if there is nothing new that explains it.
func (c *contender) try(ctx context.Context) (*Held, error) {
	b := c.bucket
	c.mu.Lock()
	free := c.delay() <= 0 // still: this revision, not one that came just now
	expected := c.current.revision
	c.unsure = c.unsure || free
	c.mu.Unlock()
	if !free {
		return nil, nil
	}

	h := &Held{contender: c, told: make(chan struct{}, 1)}
	sent := time.Now()
	r := c.record()
	revision, err := b.write(ctx, c.key, r, expected)
	if err == nil {
		r.Term = revision
		h.term = revision
		if c.begin(h, entry{record: r, revision: revision}, sent) {
			return h, nil
		}
		return nil, nil
	}
	if !errors.Is(err, errChanged) {
		return nil, err // if it was written, the lease is one's own, to be taken again
	}
	c.mu.Lock()
	before := c.current
	c.unsure = false
	c.mu.Unlock()
	if err := c.look(ctx); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == before {
		return nil, errChanged // but the server that was asked doesn't know it yet
	}
	return nil, nil
}

// record returns what is written of a lease that is taken.
func (c *contender) record() record {
	o := &c.bucket.options
	return record{ID: c.id, Holder: o.Holder, TTL: o.TTL.Milliseconds()}
}

// look reads the lease.
func (c *contender) look(ctx context.Context) error {
	e, err := c.bucket.read(ctx, c.key)
	if err != nil {
		return err
	}
	c.note(e, time.Now())
	return nil
}

// note takes in that the lease was so at some time before at.
func (c *contender) note(e entry, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case e.revision > 0 && e.revision <= c.newest:
		return // old news
	case e.revision == 0 && c.known && c.current.revision == 0:
		return
	}
	c.known, c.current, c.seen = true, e, at
	c.newest = max(c.newest, e.revision)
	if c.hold != nil && e.ID != c.id {
		c.hold.end(errTaken)
	}
	signal(c.changed)
	c.tell()
}

// tell tells the condition. The caller holds c.mu.
func (c *contender) tell() {
	e := &c.current
	mine := c.hold != nil && e.ID == c.id && !e.free()
	others := e.ID != c.id && !e.free() && !c.bucket.left(c.key, e)
	c.teller.put(Condition{
		Held:   mine || others,
		Mine:   mine,
		Holder: e.Holder,
		Term:   e.Term,
		State:  e.State,
	})
}

// release gives up the lease if it is, or may be, one's own. Whatever ran
// under it has returned.
func (c *contender) release(ctx context.Context) {
	b := c.bucket
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*b.options.request())
	defer cancel()
	for ctx.Err() == nil && b.conn.IsConnected() {
		c.mu.Lock()
		e, unsure := c.current, c.unsure
		c.mu.Unlock()
		switch {
		case e.ID == c.id && !e.free():
			e.Released, e.State = true, c.lastWords(&e)
			revision, err := b.write(ctx, c.key, e.record, e.revision)
			if err == nil {
				e.revision = revision
				c.note(e, time.Now())
				return
			}
		case !unsure:
			return
		}
		c.mu.Lock()
		c.unsure = false
		c.mu.Unlock()
		if c.look(ctx) != nil {
			c.mu.Lock()
			c.unsure = true
			c.mu.Unlock()
		}
		pause(ctx, jitter)
	}
}

// lastWords returns what the last hold was to tell at its end, if e is of its
// term.
func (c *contender) lastWords(e *entry) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.Term == c.ended {
		return c.said
	}
	return e.State
}

// backoff is the random pause after a request that has failed.
func (o *Options) backoff() time.Duration { return o.TTL/40 + mathrand.N(o.TTL/40) }

// pause waits for d, or until ctx is done.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
