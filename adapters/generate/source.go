package generate

import (
	"context"
	"math/rand/v2"
	"text/template"
	"time"

	"sidestream/adapters"
)

// A source makes events. Its fields belong to the Run under way.
type source struct {
	*factory
	vars   map[string]string
	random *rand.Rand
	data   []*template.Template // of each kind, bound to random

	n int // events that were taken
}

// Run implements [adapters.Source].
func (s *source) Run(ctx context.Context, after adapters.Position, emit func(adapters.Event) error) error {
	if after != "" {
		return &adapters.PositionLostError{Reason: adapters.LostUnknown, Lost: -1}
	}
	if s.ended() {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := emit(adapters.Event{Live: true}); err != nil {
		return err
	}
	p := s.newPace(time.Now())
	for !s.ended() {
		if err := p.wait(ctx); err != nil {
			return err
		}
		e, err := s.next()
		if err != nil {
			return err
		}
		if err := emit(e); err != nil {
			return err
		}
		s.n++
	}
	return nil
}

func (s *source) ended() bool { return s.count > 0 && s.n >= s.count }

// next makes the next event.
func (s *source) next() (adapters.Event, error) {
	now := time.Now()
	i := s.choose()
	data, err := execute(s.data[i], scene{N: s.n + 1, Time: now, Vars: s.vars}, s.maxBytes)
	return adapters.Event{Type: s.kinds[i].typ, Data: data, Time: now}, err
}

// choose returns the index of the next event's kind.
func (s *source) choose() int {
	if s.cycle {
		return s.n % len(s.kinds)
	}
	at := s.random.IntN(s.weights)
	for i, k := range s.kinds {
		if at -= k.weight; at < 0 {
			return i
		}
	}
	panic("generate: weights don't add up")
}

// A pace says when events are due.
type pace struct {
	every  time.Duration
	jitter float64
	due    time.Time // of the next event
}

func (f *factory) newPace(now time.Time) *pace {
	p := &pace{every: f.every, jitter: f.jitter, due: now}
	if !f.atOnce {
		p.due = now.Add(p.interval())
	}
	return p
}

// wait waits until the next event is due, and moves on to the one after it.
func (p *pace) wait(ctx context.Context) error {
	if p.every > 0 {
		p.skip(time.Now())
		timer := time.NewTimer(time.Until(p.due))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		p.due = p.due.Add(p.interval())
	}
	return ctx.Err()
}

// skip moves on past times that are over, to the last of them: that event is
// late, the others are left out.
func (p *pace) skip(now time.Time) {
	if late := now.Sub(p.due); late >= p.every {
		p.due = p.due.Add(late.Truncate(p.every))
	}
}

// interval returns the time between two events.
func (p *pace) interval() time.Duration {
	return p.every + time.Duration((2*rand.Float64()-1)*p.jitter*float64(p.every))
}
