package history

import (
	"io"
	"net/http"
	"sync"

	"github.com/rs/zerolog"

	"sidestream/adapters"
	"sidestream/adapters/nats"
)

// A factory opens sources that deliver what those of another factory do.
type factory struct {
	inner  adapters.Factory
	can    adapters.Capabilities // of inner
	keep   adapters.Keep
	store  *store
	stream string

	sampler *zerolog.BurstSampler // of complaints, for all of the route's sources
	health  health                // of sources that events are pushed into

	mu     sync.Mutex
	joined *home  // guarded by mu; nil before the first use
	leave  func() // guarded by mu; gives joined up
	closed bool   // guarded by mu
}

// Capabilities implements [adapters.Factory].
func (f *factory) Capabilities() adapters.Capabilities {
	can := f.can
	can.Positions, can.Replayable, can.Seekable = true, true, !can.Stateful
	can.Compare = compare
	// What happens while nobody listens would be missed by who comes back. A
	// state makes up for that, and what is pushed is kept in any case.
	can.Always = can.Always || !can.Stateful && !can.Ingest && len(f.keep.Vars) == 0
	return can
}

// Open implements [adapters.Factory].
func (f *factory) Open(vars adapters.Vars, env adapters.Env) (adapters.Source, error) {
	return f.open(vars, env)
}

func (f *factory) open(vars adapters.Vars, env adapters.Env) (*source, error) {
	// Env.Form is for positions, which are not the inner source's any more.
	within := env
	within.Form = ""
	inner, err := f.inner.Open(vars, within)
	if err != nil {
		return nil, err
	}
	return &source{
		factory: f,
		inner:   inner,
		env:     env,
		log:     env.Log.Sample(f.sampler),
		form:    formOf(f.can.Stateful, env.Form),
		subject: subjectOf(f.stream, f.keep.Vars, vars),
	}, nil
}

// most returns how large a message may be: the server takes no larger one, and
// the route's stream would not keep it.
func (f *factory) most(s *nats.Session) int64 {
	if f.keep.Bytes > 0 {
		return min(s.MaxPayload(), f.keep.Bytes)
	}
	return s.MaxPayload()
}

// home returns the home that the factory shares with others.
func (f *factory) home() (*home, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, adapters.Transient(reasonClosed, nil)
	}
	if f.joined == nil {
		f.joined, f.leave = f.store.join()
	}
	return f.joined, nil
}

const reasonClosed = "history is closed"

// Close gives up the home, and closes the inner factory. The factory's sources
// should have returned from Run.
func (f *factory) Close() error {
	f.mu.Lock()
	leave := f.leave
	f.joined, f.leave, f.closed = nil, nil, true
	f.mu.Unlock()
	if leave != nil {
		leave()
	}
	if closer, ok := f.inner.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

// An ingestFactory is one of sources that events are pushed into.
type ingestFactory struct {
	*factory
	ingester adapters.Ingester
}

// Open implements [adapters.Factory].
func (f *ingestFactory) Open(vars adapters.Vars, env adapters.Env) (adapters.Source, error) {
	s, err := f.open(vars, env)
	if err != nil {
		return nil, err
	}
	return &receiver{s}, nil
}

// Ingest implements [adapters.Ingester].
func (f *ingestFactory) Ingest() adapters.Ingest { return f.ingester.Ingest() }

// ServeIngest implements [adapters.Ingester].
func (f *ingestFactory) ServeIngest(w http.ResponseWriter, r *http.Request, receive adapters.ReceiveFunc) {
	f.ingester.ServeIngest(w, r, receive)
}
