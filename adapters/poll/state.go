package poll

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"sidestream/adapters"
	"sidestream/adapters/poll/payload"
)

// A stateSource polls for a document, and delivers what it is and how it
// changes.
type stateSource struct {
	*poller

	// turn holds the token of the Run that is under way, which alone may
	// use what follows.
	turn chan struct{}

	content  content // that was delivered last; nil: none
	question question
	noted    map[string]bool // complaints that were made
	json     bool            // there was an answer in JSON
}

func newStateSource(p *poller) *stateSource {
	return &stateSource{
		poller:   p,
		turn:     make(chan struct{}, 1),
		question: question{cursor: p.target.cursor},
	}
}

// Run implements [adapters.Source].
func (s *stateSource) Run(ctx context.Context, after adapters.Position, emit func(adapters.Event) error) error {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		// What isn't known to be delivered is asked for without conditions.
		if s.content != nil && s.content.position() != after {
			s.content, s.question = nil, question{cursor: s.target.cursor}
		}
		events, err := s.look(ctx, after)
		switch {
		case err != nil && ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errGone) && s.question.cursor != s.target.cursor:
			s.question = question{cursor: s.target.cursor} // it is the cursor that is gone
			return s.failed(err)
		case errors.Is(err, errGone):
			return nil
		case err != nil:
			return s.failed(err)
		}
		for i := range events {
			if err := emit(events[i]); err != nil {
				return err
			}
			after = events[i].Position
		}
		if err := emit(adapters.Event{Live: true, Position: after}); err != nil {
			return err
		}
	}
}

// look polls once and returns the events that lead from position after to
// what it found.
func (s *stateSource) look(ctx context.Context, after adapters.Position) ([]adapters.Event, error) {
	found, err := s.poll(ctx, s.question)
	if err != nil {
		return nil, err
	}
	if found.same || found.nothing {
		if found.same && found.validators != (validators{}) {
			s.question.have = found.validators
		}
		s.question.cursor = found.cursor
		s.settle(s.question, &found, false, nil)
		return nil, nil
	}
	var next content
	if err = s.suspect(&found); err == nil {
		next, err = s.newContent(ctx, &found)
	}
	if err != nil {
		s.settle(s.question, &found, false, err)
		return nil, err
	}
	s.question = question{cursor: found.cursor, have: found.validators, known: found.raw}
	events, next := s.events(next, after)
	s.content = next
	if w, ok := next.(*whole); ok {
		w.release()
	}
	s.settle(s.question, &found, len(events) > 0, nil)
	for i := range events {
		s.annotate(&events[i], &found.first)
	}
	return events, nil
}

// suspect returns an error if an answer is of another kind than the ones
// before, as when a session has ended and a page to log in comes in place of
// JSON. Who says what the format is has it checked from the first answer on.
func (s *stateSource) suspect(found *finding) error {
	if found.first.status == http.StatusNoContent || found.first.status == http.StatusResetContent {
		return nil
	}
	if s.json && !found.doc.json && s.options.Answer.Format == payload.Auto && s.code.choose == nil {
		return fmt.Errorf("%w: it was JSON before, and this is not (format says what it is to be)", payload.ErrUnreadable)
	}
	s.json = s.json || found.doc.json
	return nil
}

// events returns the events that lead from position after to next, and what
// is delivered then: next, or what was before if that is the same.
func (s *stateSource) events(next content, after adapters.Position) ([]adapters.Event, content) {
	var changes []adapters.Event
	if s.content != nil {
		var same bool
		if changes, same = next.changes(s.content); same {
			return nil, s.content
		}
	} else if next.position() == after {
		return nil, next
	}
	whole := next.state()
	if len(changes) == 0 {
		return []adapters.Event{adapters.NewState(next.position(), whole.Type, whole.Data)}, next
	}
	last := len(changes) - 1
	for i := range changes[:last] {
		changes[i].Position = between(s.content.position(), next.position(), i)
	}
	changes[last].Position, changes[last].State = next.position(), &whole
	return changes, next
}

// annotate adds what expressions of the route may want to read.
func (p *poller) annotate(e *adapters.Event, a *answer) {
	if !p.env.Meta {
		return
	}
	e.Headers = a.header.Clone()
	e.Meta = map[string]any{"status": a.status, "path": pathOf(a.url)}
}
