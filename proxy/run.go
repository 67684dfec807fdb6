package proxy

import (
	"bytes"
	"context"
	"errors"
	stdlog "log"
	"net"
	"net/http"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"
)

// tidyInterval is how often streams forget what is older than their history,
// and TLS files are looked at.
const tidyInterval = 10 * time.Second

// unwind bounds the time that handlers take to return once their connections
// are closed.
const unwind = 5 * time.Second

// Run serves until ctx is done, then drains: not ready; after the drain's
// delay clients are sent away, spread over its window; then requests that
// still pass through or bring events have until its timeout. When Run returns, nothing of
// the server is left running. It is to be called once.
func (s *Server) Run(ctx context.Context, l Listeners) error {
	// What outlasts the drain ends with base. net/http would not wait for
	// upgraded connections, nor end them.
	base, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	var front []*http.Server // all but admin
	atFront := func(srv *http.Server) *http.Server {
		srv.BaseContext = func(net.Listener) context.Context { return base }
		front = append(front, srv)
		return srv
	}
	public := atFront(s.httpServer(s))
	admin := s.httpServer(s.adminHandler())
	group, failed := errgroup.WithContext(context.WithoutCancel(ctx))
	serve := func(srv *http.Server, ln net.Listener, secure bool) {
		s.log.Info().Stringer("address", ln.Addr()).Bool("admin", srv == admin).Bool("tls", secure).Msg("listening")
		group.Go(func() error {
			if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
	}
	for _, ln := range l.Public {
		serve(public, s.front(ln), ln.tls != nil)
	}
	for _, ln := range l.Ingest {
		serve(atFront(s.ingestServer(ln.at)), s.frontOfIngest(ln), ln.at.secure)
	}
	if l.Admin != nil {
		serve(admin, l.Admin, false)
	}
	s.start() //nolint:contextcheck // a stream ends when its endpoint says so
	stop := make(chan struct{})
	group.Go(func() error { //nolint:contextcheck // as with start
		s.tidy(stop, l)
		return nil
	})

	select {
	case <-ctx.Done():
		s.drain(failed, front)
	case <-failed.Done(): // a listener broke
	}
	close(stop)
	end()
	for _, srv := range front {
		_ = srv.Close()
	}
	_ = admin.Close()
	err := group.Wait()
	s.retire()
	s.running.Wait()
	pause(context.WithoutCancel(ctx), unwind, s.nothingPasses)
	s.transports.closeIdle()
	return err
}

func (s *Server) httpServer(h http.Handler) *http.Server {
	limits := s.table.Load().config.Limits
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           endingOver(h),
		ConnContext:       markOver,
		Protocols:         &protocols,
		ReadHeaderTimeout: time.Duration(limits.HeaderTimeout),
		IdleTimeout:       time.Duration(limits.IdleTimeout),
		MaxHeaderBytes:    int(limits.HeaderBytes),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: limits.HTTP2Streams,
			// A stream's deadline is of no use when its reset can't leave.
			WriteByteTimeout: time.Duration(limits.StallTimeout),
			SendPingTimeout:  time.Duration(limits.StallTimeout),
			PingTimeout:      time.Duration(limits.StallTimeout),
		},
		ErrorLog: stdlog.New(complaints{s.log}, "", 0),
	}
}

// complaints takes what net/http has to say about clients, which is noise
// unless one looks for it.
type complaints struct{ log zerolog.Logger }

func (c complaints) Write(line []byte) (int, error) {
	c.log.Debug().Str("message", string(bytes.TrimSpace(line))).Send()
	return len(line), nil
}

// drain sends clients away and waits for what is under way. Until they have
// left, connections are accepted: a load balancer may be slow to notice, and
// its 502 would end an EventSource for good.
func (s *Server) drain(ctx context.Context, front []*http.Server) {
	d := s.table.Load().config.Drain
	s.ready.Store(false)
	s.log.Info().Stringer("delay", d.Delay).Stringer("window", d.Window).Msg("draining")
	for _, srv := range front {
		srv.SetKeepAlivesEnabled(false)
	}
	pause(ctx, time.Duration(d.Delay), func() bool { return ctx.Err() != nil })
	close(s.draining)
	pause(ctx, time.Duration(d.Window), func() bool { return s.clients.have.Load() == 0 })

	ctx, cancel := context.WithTimeout(ctx, time.Duration(d.Timeout))
	defer cancel()
	var group errgroup.Group
	for _, srv := range front {
		group.Go(func() error { return srv.Shutdown(ctx) })
	}
	if err := group.Wait(); err != nil {
		s.log.Warn().Err(err).Msg("not everything ended in time")
	}
	pause(ctx, time.Duration(d.Timeout), s.nothingPasses)
}

func (s *Server) nothingPasses() bool {
	return s.passing.have.Load() == 0 && s.ingests.have.Load() == 0
}

// pause waits for d, or until ctx is done, or until done says so.
func pause(ctx context.Context, d time.Duration, done func() bool) {
	over := time.NewTimer(d)
	defer over.Stop()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for !done() {
		select {
		case <-look.C:
		case <-over.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// tidy lets streams forget, and looks whether TLS files have changed, even if
// nobody connects.
func (s *Server) tidy(stop <-chan struct{}, l Listeners) {
	ticker := time.NewTicker(tidyInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			for _, p := range s.table.Load().endpoints {
				p.trim()
			}
			for _, ln := range l.Public {
				if ln.tls != nil {
					_, _ = ln.tls.look(s.logOf(ln)) // there is a configuration, whatever it says
				}
			}
		case <-stop:
			return
		}
	}
}
