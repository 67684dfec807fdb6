package proxy

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"sidestream/adapters"
	"sidestream/proxy/feed"
)

// supervise runs the stream's source until it has ended for good or ctx is
// done: again after each failure, from the position reached, with a delay
// that is random and grows ("full jitter") until the source has been well for
// longer than that.
func (s *stream) supervise(ctx context.Context) {
	r := &sourceRun{stream: s, ctx: ctx, refiner: newRefiner(s.endpoint.Route, s.vars), sampled: s.sampled()}
	backoff := s.endpoint.Backoff
	pauses := adapters.Backoff{Min: time.Duration(backoff.Min), Max: time.Duration(backoff.Max)}
	for {
		r.heard = time.Time{}
		err := runSource(ctx, s.source.Run, r.after, r.emit)
		if ctx.Err() != nil {
			return
		}
		if !r.heard.IsZero() {
			pauses.Well(time.Since(r.heard))
		}
		var lost *adapters.PositionLostError
		switch {
		case err == nil:
			s.become(sourceEnded, "")
			s.feeds.Close()
			return
		case s.denied(err):
			return
		case adapters.IsPermanent(err):
			s.log.Error().Err(err).Msg("source failed for good")
			s.become(sourceFailed, adapters.Reason(err))
			s.feeds.Close()
			return
		case errors.As(err, &lost):
			s.log.Warn().Err(err).Int64("lost", lost.Lost).Msg("source lost its position")
			if r.lose(lost) != nil {
				return // the feed is closed, and so is the stream
			}
		default:
			r.failed(err)
		}
		if r.partial { // clients have what never was a state; the source starts from one
			r.partial, r.after = false, ""
		}
		if !pauses.Wait(ctx) {
			return
		}
	}
}

// runSource runs a source once, by the given method of its. A panic is a
// failure like another.
func runSource(ctx context.Context, run func(context.Context, adapters.Position, func(adapters.Event) error) error, after adapters.Position, emit func(adapters.Event) error) error {
	return adapters.Guard(func() error { return run(ctx, after, emit) })
}

// sampled is the stream's logger for complaints about single events.
func (s *stream) sampled() zerolog.Logger { return sampled(s.log) }

// sampled returns a logger for complaints of which there may be many, so that
// one route's broken messages don't fill the disk.
func sampled(log zerolog.Logger) zerolog.Logger {
	return log.Sample(&zerolog.BurstSampler{Burst: 5, Period: 10 * time.Second})
}

// sourceRun is the supervisor's side of a source that is running.
type sourceRun struct {
	*stream
	*refiner

	ctx     context.Context //nolint:containedctx // emit has no context of its own, and its error is this one's
	sampled zerolog.Logger
	after   adapters.Position // to go on from
	heard   time.Time         // when the source first emitted something since it was run
	missed  bool              // events may have been missed, and clients weren't told
	unwell  bool              // the source says so, and hasn't said otherwise since; see [adapters.Event.Stale]

	// broken are the keys of which clients may lack the newest state, since
	// an event that led to it was not delivered. What comes next of them is
	// delivered as a state.
	broken map[string]bool

	// partial says that the last event was one of several that make up a
	// change, and not the last of them.
	partial bool
}

// lose tells clients that the source can't go on from where it was, and has it
// run again from where it can: from the oldest event, or, if clients have a
// state, from that.
func (r *sourceRun) lose(lost *adapters.PositionLostError) error {
	g := feed.Gap{Reason: lost.Reason, Requested: string(r.after), Resumed: string(lost.Resume), Lost: lost.Lost}
	r.after = lost.Resume
	if !r.can.Stateful && !(r.endpoint.Latest && lost.Reason == adapters.LostRecreated) {
		if r.can.Partitioned { // those who come back may be ahead
			r.settled.Store(false)
		}
		return r.gap(g)
	}
	if r.can.Stateful {
		r.after, r.broken = "", nil
	}
	r.endpoint.metrics.gap(g.Reason)
	r.settled.Store(false)
	return r.feeds.Restart(g)
}

// failed notes a failure that may pass.
func (r *sourceRun) failed(err error) {
	r.sampled.Warn().Err(err).Msg("source failed; it will be run again")
	r.stale(adapters.Reason(err))
	// Without positions nobody can tell what happened meanwhile. A state
	// makes up for it.
	r.missed = r.missed || !r.can.Positions && !r.can.Stateful
}

// stale notes that the upstream is not well, for the given reason.
func (r *sourceRun) stale(reason string) {
	switch now := r.condition.Load(); {
	case now.state != sourceStale:
		r.become(sourceStale, reason)
	case now.reason != reason: // for those who ask or come now
		r.condition.CompareAndSwap(now, &condition{state: now.state, since: now.since, reason: reason})
	}
}

// fresh notes that the upstream is well, unless the source says otherwise.
func (r *sourceRun) fresh() {
	if now := r.condition.Load(); now.state != sourceFresh && !r.unwell {
		r.become(sourceFresh, now.reason)
	}
}

// doubt takes a notice that the upstream is not well. It is no word of the
// upstream's, even if all that there is to deliver is delivered.
func (r *sourceRun) doubt(e *adapters.Event) {
	r.unwell = true
	r.stale(e.Stale)
	r.after = cmp.Or(e.Position, r.after)
	if e.Live {
		r.caughtUp(e.Position)
	}
}

// emit takes the source's next event.
func (r *sourceRun) emit(e adapters.Event) error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	if e.Stale != "" {
		r.doubt(&e)
		return nil
	}
	r.unwell = r.unwell && !e.Live
	r.fresh()
	if r.heard.IsZero() {
		r.heard = time.Now()
		missed := r.missed && (e.Gap == nil || e.Gap.Reason != adapters.LostUnknown) // or it says so itself
		r.missed = false
		if missed {
			if err := r.gap(feed.Gap{Reason: adapters.LostUnknown, Lost: -1}); err != nil {
				return err
			}
		}
	}
	prev := r.after
	if e.Position != "" {
		r.after = e.Position
	}
	switch {
	case e.Live:
		r.caughtUp(e.Position)
		return nil
	case e.Gap != nil:
		return r.gap(feed.Gap{Reason: e.Gap.Reason, Requested: string(prev), Resumed: string(e.Position), Lost: e.Gap.Lost})
	}
	r.endpoint.metrics.eventsIn.Inc()
	return r.deliver(&e, prev)
}

// caughtUp notes that the source has delivered all there is, up to pos.
func (r *sourceRun) caughtUp(pos adapters.Position) {
	r.feeds.Mark(string(pos))
	if len(r.broken) == 0 && !r.unwell {
		r.confirmed.Store(time.Now().UnixNano())
	}
	if r.settled.Swap(true) {
		return
	}
	if r.fromPieces() {
		r.feeds.Settle()
	}
	r.feeds.Wake()
}

// deliver puts what the route makes of e into the feed. A nil result means
// that it is there, or that clients were told that it can't be.
func (r *sourceRun) deliver(e *adapters.Event, prev adapters.Position) error {
	r.partial = r.can.Stateful && e.State == nil
	switch {
	case !r.broken[e.Key]:
	case r.partial:
		return nil // the state that it is a step to makes up for it
	case !e.State.Gone:
		e.Type, e.Data = e.State.Type, e.State.Data
	}
	events, err := r.refine(r.ctx, e, prev)
	confirmed := r.confirmed.Load()
	if err == nil && len(events) > 0 && e.State != nil && !r.unwell {
		r.confirmed.Store(time.Now().UnixNano()) // before a client has it
	}
	for i := 0; err == nil && i < len(events); i++ {
		err = r.feeds.Append(events[i].To, &events[i].Event)
	}
	switch {
	case errors.Is(err, feed.ErrClosed), r.ctx.Err() != nil:
		return cmp.Or(r.ctx.Err(), err)
	case err == nil && len(events) > 0:
		delete(r.broken, e.Key)
		return nil
	case r.can.Stateful:
		r.confirmed.Store(confirmed)
		if err != nil || !e.Whole() {
			r.lack(e.Key)
		}
	}
	if err != nil {
		return r.announce(r.refused(e, prev, err, r.sampled), err)
	}
	r.endpoint.metrics.dropped(droppedFiltered)
	if !r.can.Stateful && r.settled.Load() {
		r.feeds.Mark(string(e.Position)) // clients have all up to here
	}
	return nil
}

// announce tells those whom it concerns that an event was refused with err.
func (r *sourceRun) announce(g feed.Gap, err error) error {
	if refused, ok := errors.AsType[*refusal](err); ok && refused.keyed {
		r.endpoint.metrics.gap(g.Reason)
		return r.feeds.AppendGapTo(refused.to, g)
	}
	return r.gap(g)
}

// lack notes that clients may lack the newest state of key. Of more keys
// than the feed keeps, the state isn't kept either.
func (r *sourceRun) lack(key string) {
	if r.broken == nil {
		r.broken = map[string]bool{}
	}
	if len(r.broken) < r.endpoint.History.Keys {
		r.broken[key] = true
	}
}

// refused counts and logs that e can't be delivered, and returns the gap that
// says so.
func (s *stream) refused(e *adapters.Event, prev adapters.Position, err error, log zerolog.Logger) feed.Gap {
	reason := droppedUnwritten
	var refused *refusal
	if errors.As(err, &refused) {
		reason = refused.reason
	}
	s.endpoint.metrics.dropped(reason)
	log.Warn().Err(err).Str("position", string(e.Position)).Msg("event refused")
	return feed.Gap{Reason: adapters.LostInvalid, Requested: string(prev), Resumed: string(e.Position), Lost: 1}
}

// gap tells all clients of the stream that events are missing here.
func (r *sourceRun) gap(g feed.Gap) error {
	r.endpoint.metrics.gap(g.Reason)
	return r.feeds.AppendGap(g)
}
