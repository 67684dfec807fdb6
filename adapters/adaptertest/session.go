package adaptertest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"sidestream/adapters"
)

// A session is one Run of a source, and what it has emitted.
type session struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when Run has returned
	err    error         // what Run returned, once done is closed

	mu      sync.Mutex    // guards what follows
	records []record      // in the order in which emit was called
	changed chan struct{} // closed and replaced when there is another record
	late    int           // calls of emit after Run had returned
}

// A record is an event as it was emitted.
type record struct {
	adapters.Event // as the source handed it over
	copy           adapters.Event
	whole          bool
	step           bool // a part of a change, and not the last
	number         int
}

// A hook is called within emit, after the event was recorded. Its error is
// emit's.
type hook func(ctx context.Context, e adapters.Event) error

// run starts a Run of src, to be ended by [trial.stop] or with the trial.
// h may be nil.
func (t *trial) run(src adapters.Source, after adapters.Position, h hook) *session {
	return t.runIn(context.Background(), src, after, h)
}

// runIn is run with a context to begin with.
func (t *trial) runIn(ctx context.Context, src adapters.Source, after adapters.Position, h hook) *session {
	ctx, cancel := context.WithCancel(ctx)
	s := &session{
		cancel:  cancel,
		done:    make(chan struct{}),
		changed: make(chan struct{}),
	}
	t.sessions = append(t.sessions, s)
	emit := func(e adapters.Event) error {
		if err := s.record(e, t.isStep(e), t.Number); err != nil {
			return err
		}
		if h == nil {
			return nil
		}
		return h(ctx, e)
	}
	go func() {
		defer close(s.done)
		s.err = src.Run(ctx, after, emit)
	}()
	return s
}

// isStep reports whether e is a part of a change, and not the last.
func (t *trial) isStep(e adapters.Event) bool { return t.Stateful && !e.Live && e.State == nil }

func (s *session) record(e adapters.Event, step bool, number func(adapters.Event) (int, error)) error {
	r := record{Event: e, copy: clone(e), whole: e.Whole(), step: step}
	if !e.Live && !step {
		n, err := number(e)
		if err != nil {
			return fmt.Errorf("the harness finds no number in %q: %w", e.Data, err)
		}
		r.number = n
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.done:
		s.late++
	default:
	}
	s.records = append(s.records, r)
	close(s.changed)
	s.changed = make(chan struct{})
	return nil
}

// emitted returns what was emitted so far, and a channel that is closed when
// there is more.
func (s *session) emitted() ([]record, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clip(s.records), s.changed // append leaves alone what is there
}

// events returns the records that stand for numbers.
func events(got []record) []record {
	return slices.DeleteFunc(slices.Clone(got), func(r record) bool { return r.Live || r.step })
}

// numbers returns what to show of got in a message.
func numbers(got []record) []string {
	list := make([]string, 0, len(got))
	for _, r := range got {
		switch {
		case r.Live:
			list = append(list, "live")
		case r.step:
			list = append(list, "step")
		default:
			list = append(list, strconv.Itoa(r.number))
		}
	}
	return list
}
