package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	stdlog "log"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"sidestream/proxy/feed"
)

// Server serves a routing table. Make one with [New].
type Server struct {
	log       zerolog.Logger
	metrics   *metrics
	transport *http.Transport // to applications

	table    atomic.Pointer[table]
	reload   sync.Mutex // held while a table is replaced
	clients  limit
	streams  limit
	catchups limit

	ready    atomic.Bool
	draining chan struct{}  // closed when clients are to leave
	running  sync.WaitGroup // supervisors
	passing  atomic.Int64   // requests that pass through, upgraded connections included

	batches batchPool
	always  chan struct{} // closed
}

// Settings are what a server may be given. The zero value works.
type Settings struct {
	Log     zerolog.Logger
	Version string // shown in metrics
}

// New returns a server for the routing table in config.
func New(config *Config, settings Settings) *Server {
	s := &Server{
		log:       settings.Log,
		metrics:   newMetrics(settings.Version),
		transport: newTransport(),
		draining:  make(chan struct{}),
		always:    make(chan struct{}),
	}
	close(s.always)
	s.install(config)
	s.ready.Store(true)
	return s
}

// Reload puts another routing table into service. Routes that haven't
// changed keep their clients and streams; clients of the others are told to
// come back, spread over the drain window. Listeners and header limits stay
// as they were when the server started.
func (s *Server) Reload(config *Config) {
	before := s.table.Load().config
	s.install(config)
	if !sameListeners(before, config) {
		s.log.Warn().Msg("listen, admin and the limits of headers and idle connections take effect when the program is started again")
	}
	s.metrics.reloads.WithLabelValues("success").Inc()
	s.log.Info().Int("routes", len(config.Routes)).Msg("routing table reloaded")
}

func sameListeners(a, b *Config) bool {
	return slices.Equal(a.Listen, b.Listen) && a.Admin == b.Admin &&
		a.Limits.HeaderBytes == b.Limits.HeaderBytes &&
		a.Limits.HeaderTimeout == b.Limits.HeaderTimeout &&
		a.Limits.IdleTimeout == b.Limits.IdleTimeout
}

// ReloadFailed counts and logs that a changed routing table can't be used;
// the one in service stays.
func (s *Server) ReloadFailed(err error) {
	s.metrics.reloads.WithLabelValues("failure").Inc()
	s.log.Error().Err(err).Msg("the changed routing table has errors; the one before stays in service")
}

func (s *Server) install(config *Config) {
	s.reload.Lock()
	defer s.reload.Unlock()
	before := s.table.Load()
	next := newTable(config, before, s)
	s.clients.most.Store(int64(config.Limits.Clients))
	s.streams.most.Store(int64(config.Limits.Streams))
	s.catchups.most.Store(int64(config.Limits.Catchups))
	s.table.Store(next)
	s.metrics.reloaded.SetToCurrentTime()
	if before == nil {
		return
	}
	still := map[*endpoint]bool{}
	for _, p := range next.endpoints {
		still[p] = true
	}
	for _, p := range before.endpoints {
		if !still[p] {
			p.shut()
		}
	}
}

// ServeHTTP routes a request by the table in service.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.table.Load().ServeHTTP(w, r)
}

// Listeners are where a server is reached.
type Listeners struct {
	Public []net.Listener
	Admin  net.Listener // nil for none
}

// Listen opens the listeners that config names.
func Listen(ctx context.Context, config *Config) (l Listeners, err error) {
	defer func() {
		if err != nil {
			l.close()
			l = Listeners{}
		}
	}()
	var lc net.ListenConfig
	for _, addr := range config.Listen {
		ln, err := lc.Listen(ctx, "tcp", addr)
		if err != nil {
			return l, fmt.Errorf("listen: %w", err)
		}
		l.Public = append(l.Public, ln)
	}
	if config.Admin != "" && config.Admin != "off" {
		if l.Admin, err = lc.Listen(ctx, "tcp", config.Admin); err != nil {
			return l, fmt.Errorf("admin: %w", err)
		}
	}
	return l, nil
}

func (l Listeners) close() {
	for _, ln := range l.Public {
		_ = ln.Close()
	}
	if l.Admin != nil {
		_ = l.Admin.Close()
	}
}

// trimInterval is how often streams forget what is older than their history.
const trimInterval = 10 * time.Second

// unwind bounds the time that handlers take to return once their connections
// are closed.
const unwind = 5 * time.Second

// Run serves until ctx is done, then drains: not ready; after the drain's
// delay clients are sent away, spread over its window; then requests that
// still pass through have until its timeout. When Run returns, nothing of
// the server is left running. It is to be called once.
func (s *Server) Run(ctx context.Context, l Listeners) error {
	// What outlasts the drain ends with base. net/http would not wait for
	// upgraded connections, nor end them.
	base, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	public := s.httpServer(s)
	public.BaseContext = func(net.Listener) context.Context { return base }
	admin := s.httpServer(s.adminHandler())
	group, failed := errgroup.WithContext(context.WithoutCancel(ctx))
	serve := func(srv *http.Server, ln net.Listener) {
		s.log.Info().Stringer("address", ln.Addr()).Bool("admin", srv == admin).Msg("listening")
		group.Go(func() error {
			if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
	}
	for _, ln := range l.Public {
		serve(public, ln)
	}
	if l.Admin != nil {
		serve(admin, l.Admin)
	}
	stop := make(chan struct{})
	group.Go(func() error {
		s.trim(stop)
		return nil
	})

	select {
	case <-ctx.Done():
		s.drain(failed, public)
	case <-failed.Done(): // a listener broke
	}
	close(stop)
	end()
	_ = public.Close()
	_ = admin.Close()
	err := group.Wait()
	for _, p := range s.table.Load().endpoints {
		p.shut()
	}
	s.running.Wait()
	pause(context.WithoutCancel(ctx), unwind, s.nothingPasses)
	s.transport.CloseIdleConnections()
	return err
}

func (s *Server) httpServer(h http.Handler) *http.Server {
	limits := s.table.Load().config.Limits
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           h,
		Protocols:         &protocols,
		ReadHeaderTimeout: time.Duration(limits.HeaderTimeout),
		IdleTimeout:       time.Duration(limits.IdleTimeout),
		MaxHeaderBytes:    int(limits.HeaderBytes),
		ErrorLog:          stdlog.New(complaints{s.log}, "", 0),
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
func (s *Server) drain(ctx context.Context, public *http.Server) {
	d := s.table.Load().config.Drain
	s.ready.Store(false)
	s.log.Info().Stringer("delay", d.Delay).Stringer("window", d.Window).Msg("draining")
	public.SetKeepAlivesEnabled(false)
	pause(ctx, time.Duration(d.Delay), func() bool { return ctx.Err() != nil })
	close(s.draining)
	pause(ctx, time.Duration(d.Window), func() bool { return s.clients.have.Load() == 0 })

	ctx, cancel := context.WithTimeout(ctx, time.Duration(d.Timeout))
	defer cancel()
	if err := public.Shutdown(ctx); err != nil {
		s.log.Warn().Err(err).Msg("not everything ended in time")
	}
	pause(ctx, time.Duration(d.Timeout), s.nothingPasses)
}

func (s *Server) nothingPasses() bool { return s.passing.Load() == 0 }

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

func (s *Server) trim(stop <-chan struct{}) {
	ticker := time.NewTicker(trimInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			for _, p := range s.table.Load().endpoints {
				p.trim()
			}
		case <-stop:
			return
		}
	}
}

func (s *Server) isDraining() bool {
	select {
	case <-s.draining:
		return true
	default:
		return false
	}
}

func (s *Server) drainWindow() time.Duration {
	return time.Duration(s.table.Load().config.Drain.Window)
}

func (s *Server) retry() time.Duration {
	return time.Duration(s.table.Load().config.Limits.Retry)
}

// batchPool lends out batches, so that a client that waits holds none.
type batchPool struct{ pool sync.Pool }

func (p *batchPool) get() *[batchSize]feed.Entry {
	if b, ok := p.pool.Get().(*[batchSize]feed.Entry); ok {
		return b
	}
	return new([batchSize]feed.Entry)
}

func (p *batchPool) put(b *[batchSize]feed.Entry) {
	clear(b[:])
	p.pool.Put(b)
}
