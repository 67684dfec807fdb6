package poll

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"sidestream/adapters"
)

// A source polls one URL.
type source struct {
	options   Options
	target    *url.URL
	transport http.RoundTripper
	env       adapters.Env

	// turn holds the token of the Run that is under way, which alone may
	// use what follows.
	turn chan struct{}
	due  time.Time // when the next poll may start
	last state     // what the last successful poll found
}

// A state is what the source remembers of the document that it found last.
// Its zero value is none at all.
type state struct {
	position   adapters.Position
	raw        fingerprint // of the body as it came
	validators validators
}

func newSource(o Options, target *url.URL, transport http.RoundTripper, env adapters.Env) *source {
	return &source{options: o, target: target, transport: transport, env: env, turn: make(chan struct{}, 1)}
}

// Run implements [adapters.Source].
func (s *source) Run(ctx context.Context, after adapters.Position, emit func(adapters.Event) error) error {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		if err := s.pace(ctx); err != nil {
			return err
		}
		event, err := s.poll(ctx, after)
		switch {
		case err != nil && ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errGone):
			return nil
		case err != nil:
			return s.failed(err)
		}
		if event != nil {
			if err := emit(*event); err != nil {
				return err
			}
			after = event.Position
		}
		if err := emit(adapters.Event{Live: true, Position: after}); err != nil {
			return err
		}
	}
}

// pace waits until a poll is due and sets when the next one will be.
func (s *source) pace(ctx context.Context) error {
	if wait := time.Until(s.due); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.due = time.Now().Add(s.interval())
	return nil
}

// interval returns the time from the start of one poll to that of the next.
func (s *source) interval() time.Duration {
	every := float64(s.options.Every)
	spread := s.options.Jitter * (2*rand.Float64() - 1)
	return max(minEvery, time.Duration(every+every*spread))
}

// poll looks at the upstream once, counts the outcome, and returns the event
// that leads from position after to what it found, or nil if that is the
// same.
func (s *source) poll(ctx context.Context, after adapters.Position) (*adapters.Event, error) {
	var known state
	if after != "" && after == s.last.position {
		known = s.last
	}
	found, err := s.fetch(ctx, known.validators)
	var event *adapters.Event
	if err == nil {
		event, err = s.digest(found, after, known)
	}
	if ctx.Err() == nil {
		s.env.Count(outcome(found.status, err))
	}
	return event, err
}

// digest remembers the state that was found and returns the event for it,
// or nil if it is the one at position after. known is that one's state, as
// far as the source has it.
func (s *source) digest(found answer, after adapters.Position, known state) (*adapters.Event, error) {
	if found.status == http.StatusNotModified {
		return nil, nil
	}
	format := formatOf(s.options.Body, found)
	next := state{raw: fingerprintOf(format, found.body), validators: found.validators()}
	if known.position != "" && next.raw == known.raw {
		next.position = known.position
		s.last = next
		return nil, nil
	}
	doc, err := canonical(found.body, format)
	if err != nil {
		return nil, err
	}
	next.position = positionOf(doc)
	s.last = next
	if next.position == after {
		return nil, nil
	}
	event := adapters.NewState(next.position, s.options.Type, doc)
	if s.env.Meta {
		event.Headers = found.header
		event.Meta = map[string]any{"status": found.status, "path": s.target.EscapedPath()}
	}
	return &event, nil
}
