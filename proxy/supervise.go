package proxy

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"

	"sidestream/adapters"
	"sidestream/proxy/feed"
)

// supervise runs the stream's source until it has ended for good or ctx is
// done: again after each failure, from the position reached, with a delay
// that is random and grows ("full jitter").
func (s *stream) supervise(ctx context.Context) {
	r := &sourceRun{stream: s, ctx: ctx, refiner: newRefiner(s.endpoint.Route, s.vars)}
	// One route's broken messages must not fill the disk with complaints.
	r.sampled = s.log.Sample(&zerolog.BurstSampler{Burst: 5, Period: 10 * time.Second})

	for delay := backoff(s.endpoint.Backoff, 0); ; {
		r.heard = false
		err := r.run(ctx)
		if ctx.Err() != nil {
			return
		}
		if r.heard {
			delay = backoff(s.endpoint.Backoff, 0)
		}
		var lost *adapters.PositionLostError
		switch {
		case err == nil:
			s.become(sourceEnded, "")
			s.feed.Close()
			return
		case adapters.IsPermanent(err):
			reason := adapters.Reason(err)
			s.log.Error().Err(err).Msg("source failed for good")
			s.failure.Store(&reason)
			s.become(sourceEnded, reason)
			s.feed.Close()
			return
		case errors.As(err, &lost):
			s.log.Warn().Err(err).Int64("lost", lost.Lost).Msg("source lost its position")
			r.gap(feed.Gap{Reason: lost.Reason, Requested: string(r.after), Resumed: string(lost.Resume), Lost: lost.Lost})
			r.after = lost.Resume
		default:
			r.failed(err)
		}
		wait := time.NewTimer(rand.N(delay()) + 1)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return
		}
	}
}

// backoff returns a function whose nth call gives the bound of the nth delay.
func backoff(b Backoff, n int) func() time.Duration {
	return func() time.Duration {
		d := time.Duration(b.Max)
		if doubled := time.Duration(b.Min) << n; n < 32 && doubled > 0 {
			d = min(d, doubled)
		}
		n++
		return max(d, 1)
	}
}

// sourceRun is the supervisor's side of a source that is running.
type sourceRun struct {
	*stream
	*refiner

	ctx     context.Context //nolint:containedctx // emit has no context of its own, and its error is this one's
	sampled zerolog.Logger
	after   adapters.Position // to go on from
	heard   bool              // the source has emitted something since it was run
	missed  bool              // events may have been missed, and clients weren't told
}

// run runs the source once. A panic is a failure like another.
func (r *sourceRun) run(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return r.source.Run(ctx, r.after, r.emit)
}

// failed notes a failure that may pass.
func (r *sourceRun) failed(err error) {
	r.sampled.Warn().Err(err).Msg("source failed; it will be run again")
	if r.condition.Load().state != sourceStale {
		r.become(sourceStale, adapters.Reason(err))
	}
	// Without positions nobody can tell what happened meanwhile. A state
	// makes up for it.
	r.missed = r.missed || !r.can.Positions && !r.can.Stateful
}

// emit takes the source's next event.
func (r *sourceRun) emit(e adapters.Event) error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	if !r.heard {
		r.heard = true
		if state := r.condition.Load(); state.state != sourceFresh {
			r.become(sourceFresh, state.reason)
		}
		if r.missed {
			r.missed = false
			r.gap(feed.Gap{Reason: adapters.LostUnknown, Lost: -1})
		}
	}
	prev := r.after
	if e.Position != "" {
		r.after = e.Position
	}
	if e.Live {
		r.feed.Mark(string(e.Position))
		return nil
	}
	r.endpoint.metrics.eventsIn.Inc()
	r.deliver(&e, prev)
	return nil
}

// deliver puts what the route makes of e into the feed.
func (r *sourceRun) deliver(e *adapters.Event, prev adapters.Position) {
	events, err := r.refine(r.ctx, e, prev)
	if err != nil {
		r.refused(e, prev, err)
		return
	}
	if len(events) == 0 {
		r.endpoint.metrics.dropped(droppedFiltered)
	}
	for i := range events {
		if err := r.feed.Append(&events[i]); err != nil && !errors.Is(err, feed.ErrClosed) {
			r.refused(e, prev, &refusal{droppedUnwritten, err})
			return
		}
	}
}

// refused counts, logs and announces that e can't be delivered.
func (r *sourceRun) refused(e *adapters.Event, prev adapters.Position, err error) {
	reason := droppedUnwritten
	var refused *refusal
	if errors.As(err, &refused) {
		reason = refused.reason
	}
	r.endpoint.metrics.dropped(reason)
	r.sampled.Warn().Err(err).Str("position", string(e.Position)).Msg("event refused")
	r.gap(feed.Gap{Reason: adapters.LostInvalid, Requested: string(prev), Resumed: string(e.Position), Lost: 1})
}

func (r *sourceRun) gap(g feed.Gap) {
	r.endpoint.metrics.gap(g.Reason)
	if err := r.feed.AppendGap(g); err != nil && !errors.Is(err, feed.ErrClosed) {
		r.log.Error().Err(err).Msg("announcing a gap")
	}
}
