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
	if err == nil || !errors.Is(err, errTooLarge) && !errors.Is(err, errUnwritable) && !errors.Is(ctx.Err(), context.Canceled) {
		s.factory.health.note(err)
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
		options = append(options, jetstream.WithMsgID(s.subject+" "+string(x.ID)))
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

// health is whether what is pushed into a route's sources can be written. The
// zero value is not ready for use.
type health struct {
	prober chan struct{} // holds a value while somebody tries

	mu      sync.Mutex
	failure error         // guarded by mu; of the newest attempt
	changed chan struct{} // guarded by mu; closed when failure is set or unset; nil if nobody waits
}

func newHealth() health { return health{prober: make(chan struct{}, 1)} }

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
// one of the route's runs tries, since nobody else may.
func (h *health) watch(ctx context.Context, r *run) {
	for ctx.Err() == nil {
		changed, failure := h.look()
		if failure == nil {
			r.gate.condition("", 0)
			select {
			case <-changed:
			case <-ctx.Done():
			}
			continue
		}
		r.gate.condition(adapters.Reason(failure), 0)
		select {
		case h.prober <- struct{}{}:
			r.log.Warn().Err(failure).Msg("the history can't be written; it will be tried again")
			h.probe(ctx, r)
			<-h.prober
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// probe tries to write until that is possible.
func (h *health) probe(ctx context.Context, r *run) {
	for adapters.Pause(ctx, probeInterval) {
		if _, failure := h.look(); failure == nil || r.put(ctx, r.home, entry{Mark: markProbe}, nil) == nil {
			return
		}
	}
}
