package webhook

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"

	"sidestream/adapters"
)

// seen remembers events by their ids, so that one which is sent once more is
// delivered once.
type seen struct {
	window time.Duration // 0: nothing is remembered
	most   int

	mu      sync.Mutex
	known   map[identity]chan struct{} // guarded by mu; nil: delivered; else closed when that is decided
	settled []settlement               // guarded by mu; the delivered ones, oldest first
}

// An identity is a hash of an event's id and of the variables of its stream.
type identity [16]byte

// A settlement is an event that was delivered.
type settlement struct {
	id identity
	at time.Time
}

func newSeen(window time.Duration, most int) *seen {
	return &seen{window: window, most: most, known: make(map[identity]chan struct{})}
}

// once calls take with those of events that were not delivered before, unless
// there are none, and returns its error. While another call has one of them, it
// waits: if that fails, it is this one's turn.
func (s *seen) once(ctx context.Context, scope []string, events []adapters.Event, take func([]adapters.Event) error) error {
	if s.window == 0 {
		return take(events)
	}
	ids := identify(scope, events)
	for {
		fresh, mine, other := s.claim(events, ids)
		if other == nil {
			return s.settle(fresh, mine, take)
		}
		select {
		case <-other:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// identify returns the identity of each event, or nil for one without an id.
func identify(scope []string, events []adapters.Event) []*identity {
	var prefix []byte
	for _, value := range scope {
		prefix = binary.AppendUvarint(prefix, uint64(len(value)))
		prefix = append(prefix, value...)
	}
	ids := make([]*identity, len(events))
	for i := range events {
		if events[i].ID != "" {
			sum := sha256.Sum256(append(prefix[:len(prefix):len(prefix)], events[i].ID...))
			ids[i] = (*identity)(sum[:])
		}
	}
	return ids
}

// claim returns those of events that are new, and the identities that are
// claimed with them, all or none: if another call has one of them, other is
// closed when that has been decided.
func (s *seen) claim(events []adapters.Event, ids []*identity) (fresh []adapters.Event, mine []identity, other <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(time.Now())
	for _, id := range ids {
		if id == nil {
			continue
		}
		if pending := s.known[*id]; pending != nil {
			return nil, nil, pending
		}
	}
	decided := make(chan struct{})
	for i, id := range ids {
		if id != nil {
			if _, ok := s.known[*id]; ok { // delivered, or twice in this request
				continue
			}
			s.known[*id] = decided
			mine = append(mine, *id)
		}
		fresh = append(fresh, events[i])
	}
	return fresh, mine, nil
}

// settle has fresh taken, and decides what becomes of mine by the outcome.
func (s *seen) settle(fresh []adapters.Event, mine []identity, take func([]adapters.Event) error) (err error) {
	if len(fresh) == 0 {
		return nil
	}
	taken := false // also if take panics
	defer func() {
		if len(mine) == 0 {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		now := time.Now()
		decided := s.known[mine[0]]
		for _, id := range mine {
			if !taken {
				delete(s.known, id)
				continue
			}
			s.known[id] = nil
			s.settled = append(s.settled, settlement{id, now})
		}
		s.forget(now)
		close(decided)
	}()
	err = take(fresh)
	taken = err == nil
	return err
}

// forget drops what is too old or too much. The caller holds s.mu.
func (s *seen) forget(now time.Time) {
	n := max(0, len(s.settled)-s.most)
	for n < len(s.settled) && now.Sub(s.settled[n].at) >= s.window {
		n++
	}
	for _, old := range s.settled[:n] {
		delete(s.known, old.id)
	}
	s.settled = s.settled[n:]
}
