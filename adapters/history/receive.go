package history

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"sidestream/adapters"
	"sidestream/adapters/nats"
)

// A receiver is a source that events are pushed into.
type receiver struct{ *source }

// Receive implements [adapters.Receiver]: events are written to the log, one
// after the other, whether anybody reads it or not.
func (r *receiver) Receive(ctx context.Context, events []adapters.Event) error {
	h, err := r.factory.home() //nolint:contextcheck // what routes share outlasts one request
	if err != nil {
		return err
	}
	for i := range events {
		x, payload := entryOf(&events[i])
		if err := r.put(ctx, h, x, payload); err != nil {
			return err
		}
	}
	return nil
}

// put writes an entry, and notes whether that was possible.
func (s *source) put(ctx context.Context, h *home, x entry, payload []byte) error {
	err := s.publish(ctx, h, x, payload)
	if err == nil || !errors.Is(err, errTooLarge) && !errors.Is(ctx.Err(), context.Canceled) {
		s.health.note(err)
	}
	return err
}

// publish writes an entry. If the stream isn't there, which it is after the
// first time, it is created.
func (s *source) publish(ctx context.Context, h *home, x entry, payload []byte) error {
	session, err := h.session(ctx)
	if err != nil {
		return err
	}
	m, err := x.message(s.subject, payload, s.factory.most(session))
	if err != nil {
		return err
	}
	options := []jetstream.PublishOpt{jetstream.WithExpectStream(s.factory.stream), jetstream.WithRetryAttempts(0)}
	if x.ID != "" {
		options = append(options, jetstream.WithMsgID(s.subject+" "+x.ID))
	}
	for again := false; ; again = true {
		request, cancel := context.WithTimeout(ctx, time.Duration(h.options.Timeout))
		_, err = session.PublishMsg(request, m, options...)
		cancel()
		if !errors.Is(err, jetstream.ErrNoStreamResponse) || again {
			break
		}
		if _, err = h.ensure(ctx, session, s.factory, true); err != nil {
			return err
		}
	}
	if err != nil {
		return passing(nats.Classify(fmt.Errorf("write to the history: %w", err)))
	}
	return nil
}

// health is whether what is pushed into a source can be written. The zero value
// says that it can.
type health struct {
	mu      sync.Mutex
	failure error         // guarded by mu; of the newest attempt
	changed chan struct{} // guarded by mu; closed when failure is set or unset; nil if nobody waits
}

// note notes how an attempt to write has ended.
func (h *health) note(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if (err == nil) == (h.failure == nil) {
		return
	}
	h.failure = err
	if h.changed != nil {
		close(h.changed)
		h.changed = nil
	}
}

// look returns the state of things, and what tells of another one.
func (h *health) look() (changed <-chan struct{}, failure error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.changed == nil {
		h.changed = make(chan struct{})
	}
	return h.changed, h.failure
}

// probeInterval is how often it is tried whether writing is possible again.
const probeInterval = 2 * time.Second

// watch tells a run how it is, until ctx is done. While writing is not possible
// it tries, since nobody else may.
func (h *health) watch(ctx context.Context, r *run) {
	for {
		changed, failure := h.look()
		if failure == nil {
			r.gate.condition("", 0)
			select {
			case <-changed:
				continue
			case <-ctx.Done():
				return
			}
		}
		r.gate.condition(adapters.Reason(failure), 0)
		r.log.Warn().Err(failure).Msg("the history can't be written; it will be tried again")
		for failure != nil {
			if !pause(ctx, probeInterval) {
				return
			}
			if _, failure = h.look(); failure != nil {
				failure = r.put(ctx, r.home, entry{Mark: markProbe}, nil)
			}
		}
	}
}
