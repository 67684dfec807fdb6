package sse

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"sidestream/adapters"
)

// A source reads one stream of a server.
type source struct {
	*factory
	url *url.URL
	env adapters.Env
	log zerolog.Logger // sampled

	nonce    string       // tells this source's own positions from those of others
	unplaced atomic.Int64 // how many of them it has made

	trace func(name, text string) // for explanations; nil: nobody wants to know

	mu     sync.Mutex      // guards what follows
	retry  time.Duration   // what the server has asked for; 0: nothing
	due    time.Time       // no request before
	newest string          // where the feed numbers events: the newest id
	adrift bool            // a Run that began at the live edge has failed before it had a position
	report adapters.Report // Next and Why are those of due
}

// Run implements [adapters.Source].
//
// That a response ends is, with this kind of upstream, no failure but how it
// makes clients reconnect. So Run asks again by itself, when it is time, and
// announces a gap unless the server is told where to go on. Everything else
// that goes wrong is returned.
func (s *source) Run(ctx context.Context, after adapters.Position, emit func(adapters.Event) error) error {
	r := &run{source: s, emit: emit}
	if err := r.start(after); err != nil {
		return err
	}
	for {
		if err := s.pause(ctx); err != nil {
			return err
		}
		switch err := r.connect(ctx); {
		case r.refusal != nil:
			return r.refusal
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errOver):
			return nil
		case errors.Is(err, errAgain):
			s.put(s.interval(), "retry")
			r.again()
		case errors.Is(err, adapters.ErrPositionLost):
			return err
		default:
			s.put(s.asked(), "retry")
			r.strand()
			return s.failed(err)
		}
	}
}

// A run is one Run of a source.
type run struct {
	*source
	emit    func(adapters.Event) error
	refusal error // what emit has returned, which ends the run

	given   bool              // the run was given a position, and nothing has come of it yet
	reached adapters.Position // of the newest event, or what the run was given
	lastID  string            // the newest id
	live    bool              // a response has begun
	missed  bool              // events may be missing before the next, and nobody was told
}

// start takes up a run where after says, or says that there is no such place.
func (r *run) start(after adapters.Position) error {
	lost := &adapters.PositionLostError{Reason: adapters.LostUnknown, Lost: -1}
	if r.options.IDs == idsReplay {
		lost.Resume = beginning
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.options.IDs == idsNumber:
		r.lastID = r.newest // which is more than nothing
		if after != "" {
			return lost
		}
	case after == "", after == beginning:
		r.missed, r.adrift = r.adrift, false
	default:
		id, ok := r.decodeID(after)
		if !ok {
			return lost
		}
		r.given, r.reached, r.lastID = true, after, id
	}
	return nil
}

// again notes what the end of a response means to the next one.
func (r *run) again() {
	_, resumes := r.encodeID(r.lastID)
	r.missed = r.missed || !resumes || r.options.IDs == idsNumber
}

// strand notes what a failure means to the next run. Whoever was at the live
// edge and has no position can't say there that something may be missing.
func (r *run) strand() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.adrift = r.adrift || r.options.IDs != idsNumber && r.reached == "" && (r.live || r.missed)
}

// send emits e, behind what has to be said before.
func (r *run) send(e adapters.Event) error {
	if r.missed {
		if err := r.pass(adapters.Event{Gap: &adapters.Gap{Reason: adapters.LostUnknown, Lost: -1}}); err != nil {
			return err
		}
		r.missed = false
	}
	return r.pass(e)
}

func (r *run) pass(e adapters.Event) error {
	if err := r.emit(e); err != nil {
		r.refusal = err
		return err
	}
	r.given = false
	r.reached = cmp.Or(e.Position, r.reached)
	return nil
}

// learn notes the newest id, once all that came before it is delivered.
func (r *run) learn(id string) {
	r.lastID = id
	if r.options.IDs == idsNumber {
		r.mu.Lock()
		r.newest = id
		r.mu.Unlock()
	}
}

// pause waits until a request may be made.
func (s *source) pause(ctx context.Context) error {
	s.mu.Lock()
	wait := time.Until(s.due)
	s.mu.Unlock()
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

// put puts the next request off by d at least, from now on.
func (s *source) put(d time.Duration, why string) {
	at := time.Now().Add(d)
	s.mu.Lock()
	defer s.mu.Unlock()
	if d > 0 && at.After(s.due) {
		s.due = at
		s.report.Next, s.report.Why = at, why
	}
}

// obey takes what the server asks to wait, within bounds.
func (s *source) obey(retry time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retry = s.within(retry)
}

func (s *source) within(wait time.Duration) time.Duration {
	return min(max(wait, time.Duration(s.options.MinRetry)), time.Duration(s.options.MaxRetry))
}

// asked returns what the server has asked to wait, or 0.
func (s *source) asked() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.retry
}

// interval returns how long to wait when a response has ended.
func (s *source) interval() time.Duration { return cmp.Or(s.asked(), time.Duration(s.options.Retry)) }

// count counts the outcome of a request, or how a response went wrong.
func (s *source) count(outcome string) {
	s.env.Count(outcome)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.Last, s.report.At = outcome, time.Now()
}

// Report implements [adapters.Reporter].
func (s *source) Report() adapters.Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.report
	if !r.Next.After(r.At) { // it was made
		r.Next, r.Why = time.Time{}, ""
	}
	return r
}
