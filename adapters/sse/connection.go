package sse

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"sidestream/adapters"
	"sidestream/proxy/eventstream"
)

// busy is how many times the settle time after a request what the server had
// is taken for delivered, although it never was silent.
const busy = 10

// A connection is one response of the server, as it is delivered.
type connection struct {
	*run
	heard bool   // something came of it
	newer string // the newest id that the decoder had; the run's may be another
	stale string // what the server says to be wrong with its own upstream; empty: nothing
	end   *goodbye
}

// A goodbye is what the newest event says if it says that it is the last.
type goodbye struct {
	means error
	id    string
}

// connect makes one request and delivers what the response has. The error is
// errAgain if that has ended as responses do, and errOver if the stream has.
func (r *run) connect(ctx context.Context) error {
	reading, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	resp, err := r.ask(reading, stop) //nolint:bodyclose // the reader closes it
	if err != nil {
		return err
	}
	r.live = true
	in := read(resp.Body, &eventstream.DecoderOptions{
		MaxEvent: int(r.options.MaxEvent), MaxLine: int(r.options.MaxLine), LastEventID: r.lastID,
	}, time.Duration(r.options.IdleTimeout), stop)
	defer in.close()
	c := &connection{run: r, newer: r.lastID}
	err = c.deliver(ctx, in.deliveries)
	broken, _ := errors.AsType[*brokenError](err)
	if broken != nil && errors.Is(context.Cause(reading), errSilent) {
		err = errSilent
	}
	if ctx.Err() == nil && (broken != nil || errors.Is(err, errEmpty)) {
		r.count(outcome(err))
	}
	return err
}

// deliver emits what comes, until there is no more.
func (c *connection) deliver(ctx context.Context, deliveries <-chan delivery) error {
	settle := time.Duration(c.options.Settle)
	silence := time.NewTimer(settle)
	defer silence.Stop()
	latest := time.Now().Add(busy * settle)
	settled := false
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-silence.C:
			settled = true
			if err := c.caughtUp(); err != nil {
				return err
			}
		case d := <-deliveries:
			if err := c.take(&d); err != nil {
				return err
			}
			wait := settle
			if !settled {
				wait = min(settle, max(time.Until(latest), 0))
			}
			silence.Reset(wait)
		}
	}
	return ctx.Err()
}

// take takes what the decoder gave.
func (c *connection) take(d *delivery) error {
	if d.asked {
		c.obey(d.retry)
	}
	if d.err != nil && !isTooLong(d.err) {
		return c.finish(d.err, d.lastID)
	}
	if c.end != nil { // it was none
		id := c.end.id
		c.end = nil
		if err := c.refuse(id); err != nil {
			return err
		}
	}
	c.newer = d.lastID
	if d.err != nil {
		c.log.Warn().Err(d.err).Msg("event left out")
		return c.leaveOut(d.lastID)
	}
	return c.event(&d.event)
}

// finish returns what the end of the response means, where id is the newest
// id as of then.
func (c *connection) finish(err error, id string) error {
	if c.end != nil {
		return c.end.means
	}
	if id != c.newer { // one that came without an event
		c.learn(id)
	}
	switch {
	case !errors.Is(err, io.EOF):
		return &brokenError{err}
	case !c.heard:
		return errEmpty
	default:
		return errAgain
	}
}

// event emits what e stands for.
func (c *connection) event(e *eventstream.Event) error {
	typ, renamed := c.options.Types[e.Type]
	switch {
	case renamed:
	case strings.HasPrefix(e.Type, adapters.ReservedPrefix):
		return c.control(e)
	default:
		typ = e.Type
	}
	if typ == defaultType {
		typ = ""
	}
	out := adapters.Event{Position: c.place(e.ID), Type: typ, Data: e.Data}
	if c.env.Meta {
		out.Meta = map[string]any{"id": e.ID}
	}
	return c.tell(out, e.ID)
}

// defaultType is the type of events that name none.
const defaultType = "message"

// tell emits e, and then notes that id is the newest.
func (c *connection) tell(e adapters.Event, id string) error {
	c.heard = true
	if err := c.send(e); err != nil {
		return err
	}
	c.learn(id)
	return nil
}

// leaveOut tells that an event can't be delivered, where id is the newest id
// as of then.
func (c *connection) leaveOut(id string) error {
	return c.tell(adapters.Event{
		Position: c.place(id),
		Gap:      &adapters.Gap{Reason: adapters.LostInvalid, Lost: 1},
	}, id)
}

// refuse leaves out an event, with this id, of a type that is not the
// server's to use.
func (c *connection) refuse(id string) error {
	c.log.Warn().Msg(`event left out: its type is reserved; the option "types" can give it another name`)
	return c.leaveOut(id)
}

// caughtUp tells that the server has no more for now.
func (c *connection) caughtUp() error {
	return c.tell(adapters.Event{Live: true, Stale: c.stale, Position: c.here(c.lastID)}, c.lastID)
}
