package webhook

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"

	"sidestream/adapters"
)

// A source delivers what its Receive is given. What waits is kept from one Run
// to the next.
type source struct {
	factory *factory
	arrived chan struct{} // has an element if there may be something in queue

	mu      sync.Mutex
	queue   list.List // guarded by mu; of *delivery, those that no Run has taken yet
	waiting int       // guarded by mu; events that Receive waits for, taken or not
}

// A delivery is the events of one request.
type delivery struct {
	events []adapters.Event
	done   chan struct{} // closed when it is known what became of them
	err    error         // what did, once done is closed
}

func newSource(f *factory) *source {
	return &source{factory: f, arrived: make(chan struct{}, 1)}
}

// errGone is what becomes of a delivery whose Run has not come to an end.
var errGone = errors.New("the stream is gone")

// Receive implements [adapters.Receiver].
func (s *source) Receive(ctx context.Context, events []adapters.Event) error {
	if err := ctx.Err(); err != nil || len(events) == 0 {
		return err
	}
	d := &delivery{events: events, done: make(chan struct{})}
	place, err := s.enqueue(d)
	if err != nil {
		return err
	}
	select {
	case <-d.done:
	case <-ctx.Done():
		if s.withdraw(place) {
			return ctx.Err()
		}
		<-d.done // a Run has it; to leave now would be not to know
	}
	return d.err
}

// enqueue puts d behind what waits.
func (s *source) enqueue(d *delivery) (*list.Element, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting > 0 && s.waiting+len(d.events) > s.factory.options.Pending.Events {
		return nil, adapters.ErrBusy
	}
	s.waiting += len(d.events)
	place := s.queue.PushBack(d)
	select {
	case s.arrived <- struct{}{}:
	default:
	}
	return place, nil
}

// withdraw takes back what waits at place. It reports false if a Run has it
// already.
func (s *source) withdraw(place *list.Element) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := place.Value.(*delivery)
	if d.events == nil {
		return false
	}
	s.waiting -= len(d.events)
	s.queue.Remove(place)
	return true
}

// Run implements [adapters.Source].
func (s *source) Run(ctx context.Context, after adapters.Position, emit func(adapters.Event) error) error {
	if after != "" {
		return &adapters.PositionLostError{Reason: adapters.LostUnknown, Lost: -1}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := emit(adapters.Event{Live: true}); err != nil {
		return err
	}
	for ctx.Err() == nil {
		d, events := s.next()
		if d == nil {
			select {
			case <-s.arrived:
			case <-ctx.Done():
			}
			continue
		}
		if err := s.deliver(d, events, emit); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// next takes the oldest of what waits, or nil.
func (s *source) next() (*delivery, []adapters.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := s.queue.Front()
	if first == nil {
		return nil, nil
	}
	d := s.queue.Remove(first).(*delivery)
	events := d.events
	d.events = nil
	return d, events
}

// deliver emits the events of d and tells Receive what came of it. It returns
// emit's error.
func (s *source) deliver(d *delivery, events []adapters.Event, emit func(adapters.Event) error) (err error) {
	d.err = errGone // unless emit returns
	defer func() {
		s.mu.Lock()
		s.waiting -= len(events)
		s.mu.Unlock()
		close(d.done)
	}()
	for i := range events {
		if err := emit(events[i]); err != nil {
			d.err = fmt.Errorf("event %d of %d: %w", i+1, len(events), err)
			return err
		}
	}
	d.err = nil
	return nil
}
