package nats

import (
	"context"

	"fmt"
	"sync"
	"sync/atomic"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sidestream/adapters"
)

// An upstream is a stream of JetStream as a source reads it.
//
// Each Run has an ephemeral consumer of its own, which begins right after the
// sequence that the Run goes on from, and which is given up at the first sign
// of trouble: what follows is the next Run's, from the last position. So there
// is one place only that decides where to go on, and nothing goes on by
// itself past what was missed, as the library's ordered consumer does.
type upstream struct {
	factory *factory
	way     way
	env     adapters.Env
	stream  string
	seen    atomic.Bool // the stream was there once

	mu      sync.Mutex
	orphans []string // guarded by mu; consumers that are to be deleted
}

// A beginning is where a Run begins in the stream.
type beginning struct {
	policy jetstream.ConsumerConfig

	// at is the place that it goes on from; if open is set, that is for the
	// server to say.
	at   place
	open bool

	state streamState // by which this was decided
}

// A delivery is what a Run does with the messages of its consumer.
type delivery struct {
	*session
	pull *puller
	emit func(adapters.Event) error

	// event returns the event that a message is to become; ok is false if it
	// is none.
	event func(m *natsgo.Msg, meta *natsgo.MsgMetadata) (e adapters.Event, ok bool)

	// timed says that places have the time of their message.
	timed bool

	guard guard

	at    place  // everything up to there is delivered
	count uint64 // messages that the consumer has delivered
	live  bool   // there was nothing more when the last message came
	quiet bool   // the last word was a beat
}

// A guard finds out that messages were removed before they could be
// delivered. Its errors are classified, or say that a position is lost.
type guard interface {
	// before is told of each message before it is emitted, with d.at still
	// the place before.
	before(ctx context.Context, d *delivery, meta *natsgo.MsgMetadata) error

	// behind is told of each message after it was emitted.
	behind(ctx context.Context, d *delivery, meta *natsgo.MsgMetadata) error

	// idle is told that there is nothing more up to the sequence last, and
	// returns the place that this brings the delivery to.
	idle(ctx context.Context, d *delivery, last uint64) (place, error)
}

// deliver delivers what follows the beginning, until ctx is done or something
// is wrong. guarded returns the guard for a delivery that begins at the state
// of the stream.
func (u *upstream) deliver(ctx context.Context, d *delivery, b beginning, guarded func(now *streamState) (guard, error)) error {
	c, err := u.consume(ctx, d.session, &b.state, b.policy)
	if err != nil {
		return err
	}
	defer u.release(ctx, d.session, c)

	// What the beginning was decided by may not have been so any more when
	// the consumer was created. What is so now was so then.
	now, err := d.look(ctx)
	switch {
	case err != nil:
		return err
	case now.id != b.state.id:
		return adapters.Transient(reasonAnew, nil)
	}
	d.at = b.at
	if b.open {
		d.at.id = now.id
		d.at = d.place(c.before, now.newest)
	}
	if d.guard, err = guarded(&now); err != nil {
		return err
	}
	if d.pull, err = d.session.pull(c, u.factory.options.Prefetch); err != nil {
		return err
	}
	defer d.pull.stop()
	if c.pending == 0 {
		// Nothing up to the newest message is to be delivered, if it is one
		// server that says how far the stream goes and that nothing is to come.
		// Another one may lag behind: its beats will tell how far it is.
		if b.state.last > d.at.seq && (c.node == "" || c.node == b.state.node) {
			d.at = d.place(b.state.last, b.state.newest)
		}
		if err := d.guard.behind(ctx, d, &natsgo.MsgMetadata{}); err != nil {
			return err
		}
		if err := d.tell(adapters.Event{Live: true, Position: d.at.position()}); err != nil {
			return err
		}
		d.live = true
	}
	for {
		if err := d.step(ctx); err != nil {
			return err
		}
	}
}

// step delivers the next message, or learns that there is none.
func (d *delivery) step(ctx context.Context) error {
	m, beat, err := d.pull.next(ctx)
	switch {
	case err != nil:
		return err
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case m == nil:
		return d.rest(ctx, beat)
	}
	meta, err := m.Metadata()
	switch {
	case err != nil:
		return adapters.Transient(reasonMissed, fmt.Errorf("stream %s: message without metadata: %w", d.stream, err))
	case meta.Sequence.Consumer != d.count+1:
		return adapters.Transient(reasonMissed, fmt.Errorf("stream %s: message %d of the consumer, want %d", d.stream, meta.Sequence.Consumer, d.count+1))
	}
	if err := d.guard.before(ctx, d, meta); err != nil {
		return err
	}
	d.count++
	d.quiet = false
	d.at = d.place(meta.Sequence.Stream, meta.Timestamp)
	e, wanted := d.event(m, meta)
	if wanted {
		if err := d.tell(e); err != nil {
			return err
		}
	}
	if err := d.guard.behind(ctx, d, meta); err != nil {
		return err
	}
	arrived := meta.NumPending == 0
	if arrived && !(d.live && wanted) {
		if err := d.tell(adapters.Event{Live: true, Position: d.at.position()}); err != nil {
			return err
		}
	}
	d.live = arrived
	return nil
}

// rest makes of a beat that all is delivered, and up to where. A first one,
// when messages were to come, may have been sent while the consumer passed
// over one that was removed.
func (d *delivery) rest(ctx context.Context, b beat) error {
	if b.delivered != d.count {
		return adapters.Transient(reasonMissed, fmt.Errorf("stream %s: %d messages of the consumer came, want %d", d.stream, d.count, b.delivered))
	}
	if !d.live && !d.quiet {
		d.quiet = true
		return nil
	}
	at, err := d.guard.idle(ctx, d, b.at)
	if err != nil {
		return err
	}
	if at.seq > d.at.seq {
		d.at = at
	}
	d.live = true // again, so that it is known that what clients have is current
	return d.tell(adapters.Event{Live: true, Position: d.at.position()})
}

// tell emits an event.
func (d *delivery) tell(e adapters.Event) error {
	if err := d.emit(e); err != nil {
		return emitError{err}
	}
	return nil
}

// place returns the place of a sequence of the delivery's stream, of which the
// message was stored then.
func (d *delivery) place(seq uint64, stored time.Time) place {
	p := place{id: d.at.id, seq: seq}
	if d.timed {
		p = p.stored(stored)
	}
	return p
}

// Reasons that clients may see.
const (
	reasonGone   = "stream is gone"
	reasonAnew   = "stream was created anew"
	reasonMissed = "messages of JetStream were missed"
)
