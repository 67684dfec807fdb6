package history

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/history/lease"
	"sidestream/adapters/nats"
)

// takePart takes part in running the inner source until ctx is done: it
// contends for the lease, again after each failure.
func (r *run) takePart(ctx context.Context) {
	pauses := r.pauses()
	for {
		began := time.Now()
		err := r.contend(ctx)
		if ctx.Err() != nil {
			return
		}
		pauses.Well(time.Since(began))
		if errors.Is(err, errFenced) { // and is well
			r.env.Log.Info().Msg("source is run by another replica now")
		} else {
			r.log.Warn().Err(err).Msg("no part in running the source; it will be tried again")
			r.gate.condition(adapters.Reason(err), 0)
		}
		if !pauses.Wait(ctx) {
			return
		}
	}
}

// contend takes part until something is wrong with the leases.
func (r *run) contend(ctx context.Context) error {
	leases, err := r.home.leases(ctx)
	if err != nil {
		return err
	}
	err = leases.Contend(ctx, r.subject,
		func(ctx context.Context, held *lease.Held) error { return &leadError{r.lead(ctx, held)} },
		func(c lease.Condition) {
			if c.Held && !c.Mine { // one's own is known, whether it could be told or not
				r.hear(c.State)
			}
		})
	var led *leadError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &led):
		return led.error
	}
	r.home.drop(ctx, leases)
	return passing(nats.Classify(fmt.Errorf("leases: %w", err)))
}

// A leadError is what running the inner source has come to, in contrast to
// failures of the leases.
type leadError struct{ error }

// What the holder of a lease tells the others of its upstream: nothing as long
// as nothing is known; that it is well, and up to which sequence is stored what
// there was; or why it isn't.
const (
	toldFresh = "fresh "
	toldStale = "stale "
)

// hear takes what another replica tells.
func (r *run) hear(told string) {
	if why, stale := strings.CutPrefix(told, toldStale); stale {
		r.gate.condition(why, 0)
	} else if text, fresh := strings.CutPrefix(told, toldFresh); fresh {
		seq, _ := strconv.ParseUint(text, 10, 64)
		r.gate.condition("", seq)
	}
}

// lead runs the inner source, again after each failure, for as long as ctx
// lasts, and writes what it delivers. It is to the log what the supervisor in
// package proxy is to the feed, with the same rules of what is missed. It returns an error if it can't write, and
// makes the whole run fail if the inner source has failed for good.
func (r *run) lead(ctx context.Context, held *lease.Held) error {
	w, err := r.newWriter(ctx, held)
	if err != nil {
		return err
	}
	r.leads.Store(true)
	r.env.Log.Info().Uint64("term", held.Term()).Msg("source is run by this replica")
	defer func() {
		r.leads.Store(false)
		r.env.Log.Info().Uint64("term", held.Term()).Msg("source is no longer run by this replica")
	}()
	pauses := adapters.Backoff{Min: r.factory.keep.MinBackoff, Max: r.factory.keep.MaxBackoff}
	for {
		w.heard = time.Time{}
		err := adapters.Guard(func() error {
			return r.inner.Run(ctx, w.after, func(e adapters.Event) error { return w.take(ctx, e) })
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !w.heard.IsZero() {
			pauses.Well(time.Since(w.heard))
		}
		var lost *adapters.PositionLostError
		var unwritten *writeError
		switch {
		case err == nil:
			if err := w.mark(ctx, entry{Mark: markEnd}); err != nil {
				return err
			}
			<-ctx.Done() // or another replica would run it again
			return ctx.Err()
		case errors.As(err, &unwritten):
			return unwritten.error
		case adapters.IsPermanent(err):
			r.gate.fail(ended{err})
			return err
		case errors.As(err, &lost):
			r.log.Warn().Err(err).Int64("lost", lost.Lost).Msg("source lost its position")
			if err := w.lose(ctx, lost); err != nil {
				return err
			}
		default:
			w.failed(err)
		}
		if !pauses.Wait(ctx) {
			return ctx.Err()
		}
	}
}

// take writes what the inner source emits.
func (w *writer) take(ctx context.Context, e adapters.Event) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if e.Stale != "" {
		w.tell(e.Stale)
		if !e.Live {
			return nil
		}
	}
	if w.heard.IsZero() {
		w.heard = time.Now()
		if w.missed && (e.Gap == nil || e.Gap.Reason != adapters.LostUnknown) {
			if err := w.mark(ctx, entry{Mark: markGap, Reason: adapters.LostUnknown, Lost: -1}); err != nil {
				return err
			}
		}
		w.missed = false
	}
	if e.Position != "" {
		w.after = e.Position
	}
	var err error
	switch {
	case e.Live:
	case e.Gap != nil:
		err = w.mark(ctx, entry{Mark: markGap, Reason: e.Gap.Reason, Lost: e.Gap.Lost})
	default:
		err = w.event(ctx, &e)
	}
	if err == nil {
		err = w.keepState(ctx)
	}
	if err == nil && e.Stale == "" {
		w.tell("")
	}
	return err
}

// failed notes a failure of the inner source that may pass.
func (w *writer) failed(err error) {
	w.run.log.Warn().Err(err).Msg("source failed; it will be run again")
	w.tell(adapters.Reason(err))
	w.again()
}

// again notes that the inner source is run again, after it has failed or at
// another replica. One without positions may have missed something, which a
// state makes up for.
func (w *writer) again() {
	can := w.run.factory.can
	w.missed = w.missed || !can.Positions && !can.Stateful
	if w.partial { // what was written last never was a state; the source starts from one
		w.partial, w.after = false, ""
	}
}

// lose notes that the inner source can't go on from where it was.
func (w *writer) lose(ctx context.Context, lost *adapters.PositionLostError) error {
	w.after, w.partial = lost.Resume, false
	if w.run.factory.can.Stateful {
		w.after = "" // its state makes up for it
		return nil
	}
	return w.mark(ctx, entry{Mark: markGap, Reason: lost.Reason, Lost: lost.Lost})
}
