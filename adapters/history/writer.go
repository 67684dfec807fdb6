package history

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"sidestream/adapters"
	"sidestream/adapters/history/lease"
	"sidestream/adapters/nats"
)

// A writer writes what the inner source delivers, during one hold of the lease.
//
// Each message is written only if the one before it on its subject is the one
// that this writer knows of. The first is a mark. So a replica that holds the
// lease no more, but hasn't noticed, can't write from the moment on that its
// successor has begun.
type writer struct {
	run     *run
	held    *lease.Held
	session *nats.Session
	stream  jetstream.Stream

	name  string // of this writer; no other ever has the same
	count uint64 // messages written
	last  uint64 // the sequence of the newest one
	state uint64 // and of the newest one with a state; 0: none
	whole *adapters.State

	looked time.Time // when it was last seen that the state is still there

	after   adapters.Position // of the inner source, to go on from
	heard   time.Time         // when it first emitted something since it was run
	missed  bool              // something may have been missed, and that isn't written yet
	partial bool              // the newest event is one of several that make up a change, and not the last
	known   bool              // it was told how the upstream is doing
	stale   string            // and what: why it isn't well, or ""
}

// A writeError says that nothing can be written any more in this hold of the
// lease.
type writeError struct{ error }

func (e *writeError) Unwrap() error { return e.error }

// errFenced is the error of a writer that has a successor.
var errFenced = errors.New("another replica writes the history now")

// newWriter begins to write. From then on nobody else can who did before.
func (r *run) newWriter(ctx context.Context, held *lease.Held) (*writer, error) {
	session, err := r.home.session(ctx)
	if err != nil {
		return nil, err
	}
	stream, err := r.home.ensure(ctx, session, r.factory, true)
	if err != nil {
		return nil, err
	}
	w := &writer{run: r, held: held, session: session, stream: stream, name: rand.Text()}
	for {
		newest, err := last(ctx, stream, r.subject, r.timeout())
		if err != nil {
			return nil, err
		}
		w.last, w.after, w.partial = newest.seq, newest.Position, false
		if err := w.inherit(ctx, &newest); err != nil {
			return nil, err
		}
		if newest.seq > 0 {
			w.again()
		}
		err = w.mark(ctx, entry{Mark: markBegin})
		if !errors.Is(err, errFenced) {
			return w, err
		} // the one before has written once more
	}
}

// inherit takes over the state that was written last.
func (w *writer) inherit(ctx context.Context, newest *record) error {
	if !w.run.factory.can.Stateful {
		return nil
	}
	w.state, w.whole = newest.stateAt(), nil
	if w.state == 0 {
		w.after = "" // so that there will be one
		return nil
	}
	r := *newest
	if r.seq != w.state {
		var err error
		if r, err = at(ctx, w.stream, w.state, w.run.timeout()); err != nil {
			return err
		}
	}
	e, err := r.event(r.payload, time.Time{})
	if r.seq == 0 || err != nil || e.State == nil {
		w.state, w.after = 0, ""
		return nil //nolint:nilerr // a state that can't be had is written anew
	}
	w.whole = e.State
	w.partial = newest.Mark == "" && !newest.hasState()
	return nil
}

// timeout bounds one exchange with the servers.
func (r *run) timeout() time.Duration { return time.Duration(r.home.options.Timeout) }

// event writes an event.
func (w *writer) event(ctx context.Context, e *adapters.Event) error {
	x, payload := entryOf(e)
	can := w.run.factory.can
	w.partial = can.Stateful && e.State == nil
	err := w.write(ctx, x, payload)
	switch {
	case errors.Is(err, errTooLarge) && can.Stateful, errors.Is(err, errUnwritable) && can.Stateful:
		w.after, w.partial = "", true // its state is needed
		return adapters.Transient(reasonUnkept, err)
	case errors.Is(err, errTooLarge), errors.Is(err, errUnwritable):
		w.run.log.Warn().Err(err).Msg("event refused")
		return w.mark(ctx, entry{Mark: markGap, Reason: adapters.LostInvalid, Lost: 1})
	case err != nil:
		return err
	}
	if e.State != nil {
		w.state, w.whole = w.last, e.State
	}
	return nil
}

const reasonUnkept = "the document is too large for the history"

// lookInterval is how often a writer looks whether the state is still there.
const lookInterval = 2 * time.Second

// keepState writes the state once more if the log has dropped it. It is called
// with everything that the inner source says, which is often enough: an inner
// source that is well says so from time to time.
func (w *writer) keepState(ctx context.Context) error {
	if w.partial || w.whole == nil || w.whole.Gone || time.Since(w.looked) < w.run.home.look {
		return nil
	}
	request, cancel := context.WithTimeout(ctx, w.run.timeout())
	defer cancel()
	info, err := w.stream.Info(request)
	if err != nil {
		return nil // it is looked at again, and what can't be written is noticed
	}
	w.looked = time.Now()
	if info.State.Msgs > 0 && info.State.FirstSeq <= w.state {
		return nil
	}
	x, payload := stateMark(w.whole)
	if err := w.write(ctx, x, payload); err != nil {
		return err
	}
	w.state = w.last
	return nil
}

// mark writes a mark.
func (w *writer) mark(ctx context.Context, x entry) error { return w.write(ctx, x, nil) }

// write writes an entry, and tries until that is done. Its errors are that the
// entry is too large, or writeErrors.
func (w *writer) write(ctx context.Context, x entry, payload []byte) error {
	x.Position = w.after
	if !x.hasState() {
		x.StateAt = w.state
	}
	m, err := x.message(w.run.subject, payload, w.run.factory.most(w.session))
	if err != nil {
		return err
	}
	id := w.name + "." + strconv.FormatUint(w.count, 36)
	pauses := w.run.pauses()
	for {
		request, cancel := context.WithTimeout(ctx, w.run.timeout())
		ack, err := w.session.PublishMsg(request, m, jetstream.WithExpectLastSequencePerSubject(w.last),
			jetstream.WithMsgID(id), jetstream.WithExpectStream(w.run.factory.stream), jetstream.WithRetryAttempts(0))
		cancel()
		if err == nil {
			w.last = ack.Sequence
			break
		}
		var api *jetstream.APIError
		switch {
		case ctx.Err() != nil:
			return &writeError{ctx.Err()}
		case errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence:
			written, err := w.uncertain(ctx, id)
			switch {
			case err != nil:
				return err
			case written:
				w.count++
				return nil
			}
			continue
		case isClosed(w.session.Lost), errors.Is(err, jetstream.ErrNoStreamResponse), errors.Is(err, jetstream.ErrStreamNotFound):
			return &writeError{passing(nats.Classify(err))}
		}
		err = passing(nats.Classify(fmt.Errorf("write to the history: %w", err)))
		w.run.log.Warn().Err(err).Msg("the history can't be written; it will be tried again")
		w.tell(adapters.Reason(err))
		if !pauses.Wait(ctx) {
			return &writeError{ctx.Err()}
		}
	}
	w.count++
	return nil
}

// uncertain finds out why a message with this id can't be written: an attempt
// that got no answer has written it, or somebody else has written, or, if there
// is no error, the log has dropped what was written last.
func (w *writer) uncertain(ctx context.Context, id string) (written bool, err error) {
	newest, err := last(ctx, w.stream, w.run.subject, w.run.timeout())
	switch {
	case err != nil:
		return false, &writeError{err}
	case newest.id == id:
		w.last = newest.seq
		return true, nil
	case newest.seq == 0 && w.last != 0 && !w.held.Lost():
		w.last = 0
		return false, nil
	}
	return false, &writeError{errFenced}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// tell tells everybody why the upstream isn't well, or, with "", that it is.
func (w *writer) tell(stale string) {
	if w.known && stale == w.stale {
		return
	}
	w.known, w.stale = true, stale
	told := toldStale + stale
	fresh := uint64(0)
	if stale == "" {
		fresh = w.last
		told = toldFresh + strconv.FormatUint(fresh, 10)
	}
	w.run.gate.condition(stale, fresh)
	w.held.Tell(told)
}
