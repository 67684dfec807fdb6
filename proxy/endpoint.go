package proxy

import (
	"context"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"sidestream/adapters"
)

// endpoint is a route as it is served: its open streams and their clients.
type endpoint struct {
	*Route
	can     adapters.Capabilities
	server  *Server
	metrics *routeMetrics
	order   func(a, b string) (order int, ok bool) // of ids; nil if they have none
	log     zerolog.Logger
	sampled zerolog.Logger // for complaints about single requests that bring events

	clients atomic.Int64
	closing chan struct{} // closed when the route is gone from the table

	mu      sync.Mutex
	closed  bool                  // guarded by mu
	streams map[streamKey]*stream // guarded by mu
	running int                   // supervisors; guarded by mu

	ingesting int // requests that bring events; guarded by mu

	principals map[string]int // with open streams, and how many; guarded by mu
	released   bool           // the factory is closed; guarded by mu
	lacking    bool           // the stream of Capabilities.Always, for want of room; guarded by mu
}

func newEndpoint(r *Route, s *Server) *endpoint {
	log := s.log.With().Stringer("route", r).Logger()
	return &endpoint{
		Route:   r,
		can:     r.factory.Capabilities(),
		server:  s,
		metrics: s.metrics.route(r),
		order:   orderOf(r.factory.Capabilities()),
		log:     log,
		sampled: sampled(log),
		closing: make(chan struct{}),
		streams: map[streamKey]*stream{},

		principals: map[string]int{},
	}
}

// acquire returns a seat in the stream for vars and credentials, which it opens
// if there is none. acquire returns errNoRoom if there can't be another stream,
// and the factory's error if it refuses vars.
func (p *endpoint) acquire(vars adapters.Vars, credentials http.Header) (*seat, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, open, err := p.reach(p.forSource(vars), credentials)
	if err != nil {
		return nil, err
	}
	s.clients++
	to := p.matcher.key(vars)
	log := s.feeds.Acquire(to)
	at := &seat{stream: s, to: to, feed: log}
	if open {
		at.start = log.Tail(int(p.History.Replay))
	}
	return at, nil
}

// reach returns the stream for vars and credentials, for somebody to use it,
// and whether it was open. p.mu is held.
func (p *endpoint) reach(vars adapters.Vars, credentials http.Header) (s *stream, open bool, err error) {
	key := streamKey{varsKey(p.sourceVars, vars), p.principal(credentials)}
	s, open = p.streams[key]
	switch {
	case open:
	case p.closed:
		return nil, false, errNoRoom
	default:
		if s, err = p.open(key, vars, credentials); err != nil {
			return nil, false, err
		}
	}
	if s.linger != nil {
		s.linger.Stop()
		s.linger = nil
	}
	return s, open, nil
}

// forSource returns those of vars that the route's sources may use.
func (r *Route) forSource(vars adapters.Vars) adapters.Vars {
	own := make(adapters.Vars, len(vars))
	for _, name := range r.sourceVars {
		if value, ok := vars[name]; ok {
			own[name] = value
		}
	}
	return own
}

// open starts a stream. p.mu is held.
func (p *endpoint) open(key streamKey, vars adapters.Vars, credentials http.Header) (*stream, error) {
	log := p.log.With().Fields(logged(p.pathVars(vars))).Logger()
	source, err := p.factory.Open(vars, adapters.Env{
		Log:         log,
		Meta:        p.mapping.NeedsMeta(),
		Credentials: credentials.Clone(), // the request's own would keep more of it alive
		Form:        p.form(),
		Result:      p.metrics.sourceResult,
	})
	if err != nil {
		return nil, err // before anything is given up for it
	}
	if !p.roomFor(key.principal) {
		return nil, errNoRoom
	}
	if len(p.streams) >= p.MaxStreams || p.server.streams.full() {
		p.closeIdle() // a client that is here outweighs one that may come back
	}
	if len(p.streams) >= p.MaxStreams || !p.server.streams.take() {
		return nil, errNoRoom
	}
	// Not the request's context: close ends the stream.
	ctx, cancel := context.WithCancel(context.Background())
	over, end := context.WithCancel(context.Background())
	s := &stream{
		endpoint: p,
		key:      key,
		vars:     vars,
		source:   source,
		can:      p.can,
		feeds:    p.newFeeds(),
		log:      log,
		cancel:   cancel,
		over:     over,
		heard:    make(chan struct{}),
	}
	s.condition.Store(&condition{state: sourceStarting, since: time.Now()})
	p.streams[key] = s
	p.principals[key.principal]++
	p.metrics.streamOpened()
	log.Info().Msg("stream opened")
	p.running++
	p.server.running.Go(func() {
		s.supervise(ctx)
		end()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.running--
		if p.streams[key] == s && s.unused() && s.linger == nil {
			p.idle(s)
		}
		p.closeFactory()
	})
	return s, nil
}

// release gives up a seat, and closes its stream, after the linger, if it was
// the last one taken.
func (p *endpoint) release(at *seat) {
	s := at.stream
	s.feeds.Release(at.to)
	p.mu.Lock()
	defer p.mu.Unlock()
	s.clients--
	p.left(s)
}

// left lets s linger if whoever has left it was the last. p.mu is held.
func (p *endpoint) left(s *stream) {
	if s.unused() && p.streams[s.key] == s {
		p.idle(s)
	}
}

// idle closes s, which nobody uses, after the linger, unless it is to run
// always. p.mu is held.
func (p *endpoint) idle(s *stream) {
	linger := time.Duration(p.Linger)
	switch c := s.condition.Load(); {
	case c.state == sourceEnded || c.state == sourceFailed:
		// What is over doesn't stay for as long as somebody looks in.
		linger -= time.Since(c.since)
	case p.can.Always && !p.closed:
		return
	case c.state == sourceStarting && len(p.can.Forward) > 0:
		linger = 0 // whoever makes up credentials takes no room with them
	}
	if p.closed || linger <= 0 {
		p.close(s)
		return
	}
	s.idleSince = time.Now()
	s.linger = time.AfterFunc(linger, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if s.unused() {
			p.close(s)
		}
	})
}

// close ends s. p.mu is held.
func (p *endpoint) close(s *stream) { p.discard(s, &condition{state: sourceClosed}) }

// discard ends s, if it is still open, in its final condition. p.mu is held.
func (p *endpoint) discard(s *stream, final *condition) {
	if p.streams[s.key] != s {
		return
	}
	delete(p.streams, s.key)
	if p.principals[s.key.principal]--; p.principals[s.key.principal] == 0 {
		delete(p.principals, s.key.principal)
	}
	if s.linger != nil {
		s.linger.Stop()
	}
	before := s.condition.Swap(final)
	s.changed(before, final)
	s.cancel()
	s.feeds.Close() // after the swap, so that clients see why
	p.server.streams.give()
	p.metrics.streamClosed(before.state)
	s.log.Info().Msg("stream closed")
	p.closeFactory()
}

// closeIdle closes the stream that has been without clients for longest, if
// there is one. p.mu is held.
func (p *endpoint) closeIdle() {
	var idle *stream
	for _, s := range p.streams {
		if s.linger != nil && (idle == nil || s.idleSince.Before(idle.idleSince)) {
			idle = s
		}
	}
	if idle != nil {
		p.close(idle)
	}
}

// shut takes the endpoint out of service: clients are told to come back, and
// its streams end with the last that uses them.
func (p *endpoint) shut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.closed = true
	close(p.closing)
	for _, s := range p.streams {
		if s.unused() {
			p.close(s)
		}
	}
	p.closeFactory()
}

// closeFactory releases what the route's sources shared, if the endpoint is
// shut, the last of them has returned, and so has the last request that brings
// events. p.mu is held.
func (p *endpoint) closeFactory() {
	closer, ok := p.factory.(io.Closer)
	if !ok || !p.closed || p.released || p.running > 0 || p.ingesting > 0 || len(p.streams) > 0 {
		return
	}
	p.released = true
	if err := closer.Close(); err != nil {
		p.log.Warn().Err(err).Msg("closing the adapter")
	}
}

// trim lets streams forget what is older than the route's history.
func (p *endpoint) trim() {
	for _, s := range p.opened() { // without p.mu, since it may take a while
		s.feeds.Trim()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lacking && !p.closed {
		p.openUnasked()
	}
}
