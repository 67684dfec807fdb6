package embedded

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"sidestream/adapters"
)

// Reasons that clients may see.
const (
	reasonStarting   = "history is starting"
	reasonClosed     = "history is closed"
	reasonNotBuilt   = "history is not built in"
	reasonInUse      = "history directory is in use by another process"
	reasonGone       = "history directory is gone"
	reasonUnwritable = "history directory is not writable"
	reasonFull       = "history disk is full"
	reasonDamaged    = "history can't be read"
	reasonStart      = "history can't be started"
	reasonWrite      = "history can't be written"
)

// Times between attempts to run the server. One is random, from half of it
// to the whole, and doubles from the first to the last.
const (
	firstDelay = 250 * time.Millisecond
	lastDelay  = 15 * time.Second
	inUseDelay = time.Second // the most for a directory that is in use: asking costs nothing
)

// A Server runs the server for as long as it is open, again after each
// failure. Its methods may be called concurrently.
type Server struct {
	options Options
	log     zerolog.Logger

	cancel context.CancelFunc
	done   chan struct{} // closed when nothing runs any more

	mu      sync.Mutex
	connect func() (net.Conn, error) // guarded by mu; nil unless the server is up
	trouble error                    // guarded by mu; nil if it is up
	changed chan struct{}            // guarded by mu; closed when trouble is set
}

// Open returns a server with options that [Options.Check] found nothing wrong
// with. It does no I/O itself: the server is up, or in trouble, some time
// later. Close it when it is no longer needed.
func Open(o Options, log zerolog.Logger) *Server {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{
		options: o,
		log:     log,
		cancel:  cancel,
		done:    make(chan struct{}),
		trouble: adapters.Transient(reasonStarting, nil),
		changed: make(chan struct{}),
	}
	go s.run(ctx)
	return s
}

// Options returns what the server was opened with.
func (s *Server) Options() Options { return s.options }

// Close stops the server and waits until nothing of it is left running. Those
// who have connections should have closed them; those that are left are closed
// by the server. While the server reads what it has stored it can't be
// stopped; Close waits for that too.
func (s *Server) Close() {
	s.cancel()
	<-s.done
}

// InProcessConn returns a connection to the server that needs no port. It is
// for [nats.InProcessServer], of which a client asks for a connection each time
// that it reconnects. While the server isn't up it fails as Trouble says.
//
// [nats.InProcessServer]: https://pkg.go.dev/github.com/nats-io/nats.go#InProcessServer
func (s *Server) InProcessConn() (net.Conn, error) {
	s.mu.Lock()
	connect, trouble := s.connect, s.trouble
	s.mu.Unlock()
	if connect == nil {
		return nil, trouble
	}
	conn, err := connect()
	if err != nil { // it is just being shut down
		return nil, adapters.Transient(reasonStart, err)
	}
	return conn, nil
}

// Trouble returns why the server isn't up, or nil. The error is an
// [adapters.UpstreamError].
func (s *Server) Trouble() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trouble
}

// Changed returns a channel that is closed when Trouble changes from what it
// is. Who asks for it before Trouble misses nothing.
func (s *Server) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// run runs the server until ctx is done.
func (s *Server) run(ctx context.Context) {
	defer close(s.done)
	delay := firstDelay
	for {
		began := time.Now()
		err := s.serve(ctx)
		if ctx.Err() != nil {
			s.down(adapters.Transient(reasonClosed, nil))
			return
		}
		s.down(err)
		if adapters.IsPermanent(err) {
			return
		}
		if time.Since(began) > lastDelay {
			delay = firstDelay
		}
		if !pause(ctx, jitter(delay, err)) {
			s.down(adapters.Transient(reasonClosed, nil))
			return
		}
		delay = min(2*delay, lastDelay)
	}
}

// jitter returns how long to wait after err.
func jitter(delay time.Duration, err error) time.Duration {
	if adapters.Reason(err) == reasonInUse {
		delay = min(delay, inUseDelay)
	}
	return delay/2 + rand.N(delay/2)
}

// pause waits for d, and reports false if ctx is done before.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// down says why the server isn't there. It is logged if it is news.
func (s *Server) down(trouble error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	news := s.trouble == nil || adapters.Reason(s.trouble) != adapters.Reason(trouble)
	s.connect, s.trouble = nil, trouble
	if !news {
		return
	}
	var known *adapters.UpstreamError
	switch {
	case adapters.Reason(trouble) == reasonClosed:
	case errors.As(trouble, &known) && known.Err != nil:
		s.log.Error().Err(known.Err).Msg(known.Reason)
	default:
		s.log.Error().Msg(adapters.Reason(trouble))
	}
	s.tell()
}

// tell wakes those who wait for a change. s.mu is held.
func (s *Server) tell() {
	close(s.changed)
	s.changed = make(chan struct{})
}
