package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"sidestream/adapters"
)

// A Mailbox is an upstream in memory that requests bring events to, and the
// factory of its sources. Those have neither positions nor state. The zero value
// is ready for use, but for In.
type Mailbox struct {
	In   adapters.Ingest
	Vars []string // the variables of its path

	// Room is how many calls of Receive may wait for one set of variables; 0
	// is no bound.
	Room int

	mu    sync.Mutex
	boxes map[string]*mailSource // by variables
}

// Capabilities implements [adapters.Factory].
func (*Mailbox) Capabilities() adapters.Capabilities { return adapters.Capabilities{Ingest: true} }

// Open implements [adapters.Factory]. Sources with the same variables deliver
// from one box, whichever receives.
func (m *Mailbox) Open(vars adapters.Vars, _ adapters.Env) (adapters.Source, error) {
	for name := range vars {
		if _, err := vars.Segment(name); err != nil {
			return nil, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	key := fmt.Sprintf("%q", vars) // in the order of their names
	if m.boxes == nil {
		m.boxes = map[string]*mailSource{}
	}
	if m.boxes[key] == nil {
		m.boxes[key] = &mailSource{room: int64(m.Room), letters: make(chan letter)}
	}
	return m.boxes[key], nil
}

// Ingest implements [adapters.Ingester].
func (m *Mailbox) Ingest() adapters.Ingest { return m.In }

// maxMail is the longest body of a request, in bytes.
const maxMail = 1 << 20

// ServeIngest implements [adapters.Ingester]: each line of the body is an event.
func (m *Mailbox) ServeIngest(w http.ResponseWriter, r *http.Request, receive adapters.ReceiveFunc) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxMail))
	if err != nil {
		http.Error(w, "the body can't be read", http.StatusBadRequest)
		return
	}
	var events []adapters.Event
	for line := range strings.SplitSeq(string(body), "\n") {
		events = append(events, adapters.Event{Data: []byte(line)})
	}
	vars := adapters.Vars{}
	for _, name := range m.Vars {
		vars[name] = r.PathValue(name)
	}
	switch err := receive(r.Context(), vars, events); {
	case err == nil:
		w.WriteHeader(http.StatusAccepted)
	case errors.Is(err, adapters.ErrBadVariable):
		http.NotFound(w, r)
	case errors.Is(err, adapters.ErrBusy):
		http.Error(w, "busy", http.StatusTooManyRequests)
	default:
		http.Error(w, "failed", http.StatusServiceUnavailable)
	}
}

type mailSource struct {
	room    int64
	waiting atomic.Int64
	letters chan letter // taken by Run
}

// A letter is what one call of Receive has brought.
type letter struct {
	events    []adapters.Event
	delivered chan error
}

// Receive implements [adapters.Receiver].
func (s *mailSource) Receive(ctx context.Context, events []adapters.Event) error {
	defer s.waiting.Add(-1)
	if n := s.waiting.Add(1); s.room > 0 && n > s.room {
		return adapters.ErrBusy
	}
	l := letter{events, make(chan error, 1)}
	select {
	case s.letters <- l:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-l.delivered:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Run implements [adapters.Source].
func (s *mailSource) Run(ctx context.Context, after adapters.Position, emit func(adapters.Event) error) error {
	if after != "" {
		return &adapters.PositionLostError{Reason: adapters.LostUnknown, Lost: -1}
	}
	if err := emit(adapters.Event{Live: true}); err != nil {
		return err
	}
	for ctx.Err() == nil {
		select {
		case l := <-s.letters:
			err := l.deliver(emit)
			l.delivered <- err
			if err != nil {
				return err
			}
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

func (l letter) deliver(emit func(adapters.Event) error) error {
	for _, e := range l.events {
		if err := emit(e); err != nil {
			return err
		}
	}
	return nil
}
