package proxy

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"sidestream/proxy/feed"
)

// Server serves a routing table. Make one with [New].
type Server struct {
	log        zerolog.Logger
	metrics    *metrics
	transports transports

	table    atomic.Pointer[table]
	reload   sync.Mutex // held while a table is replaced
	started  bool       // Run was called; guarded by reload
	retired  bool       // no table follows; guarded by reload
	clients  limit
	perAddr  addressLimit // clients by address
	streams  limit
	catchups limit
	ingests  limit // requests that bring events

	ready    atomic.Bool
	draining chan struct{}  // closed when clients are to leave
	running  sync.WaitGroup // supervisors
	passing  limit          // requests that pass through, upgraded connections included

	secret  [sha256.Size]byte // under which principals are hashed
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
		log:      settings.Log,
		metrics:  newMetrics(settings.Version),
		perAddr:  addressLimit{have: map[netip.Addr]int{}},
		draining: make(chan struct{}),
		always:   make(chan struct{}),
	}
	close(s.always)
	_, _ = rand.Read(s.secret[:]) // never fails
	s.metrics.registry.MustRegister(newLooks(s))
	s.install(config)
	s.ready.Store(true)
	return s
}

// Reload puts another routing table into service. Routes that haven't
// changed keep their clients and streams; clients of the others are told to
// come back, spread over the drain window. Listeners and the limits of headers
// and connections stay as they were when the server started.
func (s *Server) Reload(config *Config) {
	before := s.table.Load().config
	s.install(config)
	if !sameListeners(before, config) {
		s.log.Warn().Msg("listen, admin, the addresses for requests that bring events and the limits of headers and connections take effect when the program is started again")
	}
	s.metrics.reloads.WithLabelValues("success").Inc()
	s.log.Info().Int("routes", len(config.Routes)).Msg("routing table reloaded")
}

// retire takes the table out of service for good.
func (s *Server) retire() {
	s.reload.Lock()
	defer s.reload.Unlock()
	s.retired = true
	for _, p := range s.table.Load().endpoints {
		p.shut()
	}
}

func sameListeners(a, b *Config) bool {
	return reflect.DeepEqual(a.Listen, b.Listen) && a.Admin == b.Admin && slices.Equal(a.ingestAddresses(), b.ingestAddresses()) &&
		a.Limits.Connections == b.Limits.Connections &&
		a.Limits.ConnectionsPerAddress == b.Limits.ConnectionsPerAddress &&
		a.Limits.HTTP2Streams == b.Limits.HTTP2Streams &&
		a.Limits.HeaderBytes == b.Limits.HeaderBytes &&
		a.Limits.HeaderTimeout == b.Limits.HeaderTimeout &&
		a.Limits.IdleTimeout == b.Limits.IdleTimeout &&
		a.Limits.StallTimeout == b.Limits.StallTimeout
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
	if s.retired {
		return
	}
	before := s.table.Load()
	next := newTable(config, before, s)
	s.clients.most.Store(int64(config.Limits.Clients))
	s.perAddr.most.Store(int64(config.Limits.ClientsPerAddress))
	s.streams.most.Store(int64(config.Limits.Streams))
	s.catchups.most.Store(int64(config.Limits.Catchups))
	s.ingests.most.Store(int64(config.Limits.Ingest))
	s.passing.most.Store(int64(config.Limits.Passthrough))
	s.table.Store(next)
	s.metrics.reloaded.SetToCurrentTime()
	var gone, come []*endpoint
	if before != nil {
		gone = without(before.endpoints, next.endpoints)
		come = without(next.endpoints, before.endpoints)
	}
	for _, p := range gone {
		p.shut()
	}
	if s.started {
		for _, p := range come {
			p.openAlways()
		}
	}
}

// without returns the endpoints of a that are not in b.
func without(a, b []*endpoint) []*endpoint {
	return slices.DeleteFunc(slices.Clone(a), func(p *endpoint) bool { return slices.Contains(b, p) })
}

// start opens the streams that are to be open for as long as their routes are
// served.
func (s *Server) start() {
	s.reload.Lock()
	defer s.reload.Unlock()
	s.started = true
	for _, p := range s.table.Load().endpoints {
		p.openAlways()
	}
}

// ServeHTTP routes a request by the table in service.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t := s.table.Load()
	t.settle(r, &s.log)
	t.ServeHTTP(w, r)
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

func (s *Server) ingestTimeout() time.Duration {
	return time.Duration(s.table.Load().config.Limits.IngestTimeout)
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
