package lease

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

// childEnv is set, to the server's URL, in a process that this one starts to be
// a replica.
const childEnv = "SIDESTREAM_LEASE_TEST_CHILD"

func TestMain(m *testing.M) {
	if url := os.Getenv(childEnv); url != "" {
		if err := child(url); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	// A server that is shut down while it makes a stream that another one of its
	// cluster has asked for may leave the stream's store open, with the clock
	// that stores have in common.
	const nats = "github.com/nats-io/nats-server/v2/server"
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction(nats+".(*fileStore).flushStreamStateLoop"),
		goleak.IgnoreAnyFunction(nats+"/ats.Register.func1"))
}

const (
	// ttl is that of the tests' leases, the shortest that is allowed.
	ttl = minTTL

	// soon bounds what tests wait for.
	soon = time.Minute

	// bit is what a loaded machine may add to what takes no time, where more
	// would be wrong, and slack where it would only be slow.
	bit   = 500 * time.Millisecond
	slack = 5 * time.Second

	bucketName = "leases"
)

// A testServer is a NATS server in this process.
type testServer struct {
	*server.Server
	options *server.Options
}

// start starts a server with JetStream, shut down by t.Cleanup.
func start(tb testing.TB, change ...func(*server.Options)) *testServer {
	tb.Helper()
	o := &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: tb.TempDir(), DisableShortFirstPing: true,
	}
	for _, f := range change {
		f(o)
	}
	s := &testServer{options: o}
	tb.Cleanup(s.kill)
	s.run(tb)
	return s
}

func (s *testServer) run(tb testing.TB) {
	tb.Helper()
	o := s.options.Clone()
	srv, err := server.NewServer(o)
	if err != nil {
		tb.Fatalf("the server's options: %v", err)
	}
	srv.Start()
	if !srv.ReadyForConnections(soon) {
		srv.Shutdown()
		tb.Fatal("the server is not ready")
	}
	s.Server, s.options.Port = srv, o.Port
}

func (s *testServer) kill() {
	if s.Server != nil {
		s.Shutdown()
		s.WaitForShutdown()
	}
}

func (s *testServer) addr() string { return strings.TrimPrefix(s.ClientURL(), "nats://") }

// startCluster starts a cluster of three servers, and waits until it can be
// used.
func startCluster(tb testing.TB) []*testServer {
	tb.Helper()
	var nodes []*testServer
	var routes []string
	for i := range 3 {
		nodes = append(nodes, start(tb, func(o *server.Options) {
			o.ServerName = fmt.Sprintf("n%d", i)
			o.Cluster = server.ClusterOpts{Name: "c", Host: "127.0.0.1", Port: server.RANDOM_PORT}
			o.Routes = server.RoutesFromStr(strings.Join(routes, ","))
		}))
		o := nodes[i].options
		o.Cluster.Port = nodes[i].ClusterAddr().Port // the same after a restart
		routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", o.Cluster.Port))
	}
	for _, n := range nodes { // so that each finds the others, whichever is restarted
		n.options.Routes = server.RoutesFromStr(strings.Join(routes, ","))
	}
	await(tb, "a cluster", func() bool {
		for _, n := range nodes {
			if n.JetStreamIsLeader() && len(n.JetStreamClusterPeers()) == 3 {
				return true
			}
		}
		return false
	})
	return nodes
}

// connect returns a connection as the package asks for, closed by t.Cleanup.
func connect(tb testing.TB, url string) jetstream.JetStream {
	tb.Helper()
	js, err := dial(url)
	if err != nil {
		tb.Fatalf("connect: %v", err)
	}
	tb.Cleanup(js.Conn().Close)
	return js
}

func dial(url string) (jetstream.JetStream, error) {
	nc, err := natsgo.Connect(url, natsgo.NoReconnect(), natsgo.Timeout(2*time.Second),
		natsgo.ErrorHandler(func(*natsgo.Conn, *natsgo.Subscription, error) {}))
	if err != nil {
		return nil, err
	}
	return jetstream.New(nc)
}

// open opens the tests' bucket over a connection of its own, closed by
// t.Cleanup.
func open(tb testing.TB, url string, change ...func(*Options)) *Bucket {
	tb.Helper()
	o := Options{Bucket: bucketName, TTL: ttl}
	for _, f := range change {
		f(&o)
	}
	var b *Bucket
	js := connect(tb, url)
	await(tb, "the bucket", func() bool {
		ctx, cancel := context.WithTimeout(tb.Context(), 5*time.Second)
		defer cancel()
		var err error
		if b, err = Open(ctx, js, o); err != nil {
			tb.Logf("open: %v", err)
		}
		return err == nil
	})
	tb.Cleanup(b.Close)
	return b
}

func await(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(soon)
	for !ok() {
		select {
		case <-tick.C:
		case <-timeout:
			tb.Fatalf("waited %v for %s", soon, what)
		}
	}
}

// A stay is one run under a lease.
type stay struct {
	who        string
	term       uint64
	begin, end time.Time // end is zero while it goes on
}

// A journal is what several replicas have run under one lease.
type journal struct {
	mu      sync.Mutex
	stays   []*stay
	remarks []string
}

// remark notes what has gone wrong, for the case that a test fails.
func (j *journal) remark(who string, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.remarks = append(j.remarks, fmt.Sprintf("%s %s: %v", time.Now().Format("05.000"), who, err))
}

// dump logs everything.
func (j *journal) dump(tb testing.TB) {
	tb.Helper()
	for _, s := range j.all() {
		tb.Logf("%s %s: term %d, until %s", s.begin.Format("05.000"), s.who, s.term, s.end.Format("05.000"))
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range j.remarks {
		tb.Log(r)
	}
}

func (j *journal) enter(who string, h *Held) (leave func()) {
	s := &stay{who: who, term: h.Term(), begin: time.Now()}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stays = append(j.stays, s)
	return func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		s.end = time.Now()
	}
}

// all returns what has run, and runs, in the order of its beginning.
func (j *journal) all() []stay {
	j.mu.Lock()
	defer j.mu.Unlock()
	var list []stay
	for _, s := range j.stays {
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b stay) int { return a.begin.Compare(b.begin) })
	return list
}

// running returns what runs.
func (j *journal) running() []stay {
	return slices.DeleteFunc(j.all(), func(s stay) bool { return !s.end.IsZero() })
}

// check fails the test if two have run at once for longer than that, or terms
// don't grow.
func (j *journal) check(tb testing.TB, overlap time.Duration) {
	tb.Helper()
	list := j.all()
	for i, s := range list {
		for _, other := range list[i+1:] {
			if other.term <= s.term {
				tb.Errorf("term of %s: got %d after %s with %d, want terms that grow", other.who, other.term, s.who, s.term)
			}
			if s.end.IsZero() {
				tb.Errorf("%s with term %d: still runs, and %s has begun", s.who, s.term, other.who)
			} else if both := s.end.Sub(other.begin); both > overlap {
				tb.Errorf("%s (term %d) and %s (term %d): ran at once for %v, want at most %v", s.who, s.term, other.who, other.term, both, overlap)
			}
		}
	}
}

// A replica is one contender, by a bucket and a connection of its own.
type replica struct {
	bucket  *Bucket
	journal *journal
	name    string
	leave   context.CancelFunc
	done    chan error // what Contend has returned

	mu   sync.Mutex
	held *Held
	told []Condition
}

// contend makes a replica take part in the lease "source" until it is told to
// leave, or t.Cleanup.
func contend(tb testing.TB, b *Bucket, j *journal, name string) *replica {
	tb.Helper()
	ctx, cancel := context.WithCancel(tb.Context())
	r := &replica{bucket: b, journal: j, name: name, leave: cancel, done: make(chan error, 1)}
	var wg sync.WaitGroup
	wg.Go(func() { r.done <- b.Contend(ctx, "source", r.run, r.observe) })
	tb.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	return r
}

func (r *replica) run(ctx context.Context, h *Held) error {
	defer r.journal.enter(r.name, h)()
	r.mu.Lock()
	r.held = h
	r.mu.Unlock()
	<-ctx.Done()
	return ctx.Err()
}

func (r *replica) observe(c Condition) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = append(r.told, c)
}

// condition returns the newest.
func (r *replica) condition() Condition {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.told) == 0 {
		return Condition{}
	}
	return r.told[len(r.told)-1]
}

func (r *replica) mine() bool { return r.condition().Mine }

func (r *replica) tell(state string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held.Tell(state)
}

// result returns what Contend has returned.
func (r *replica) result(tb testing.TB) error {
	tb.Helper()
	select {
	case err := <-r.done:
		return err
	case <-time.After(soon):
		tb.Fatalf("waited %v for Contend to return", soon)
		return nil
	}
}

// A way is a way to a server that can be broken.
type way struct {
	tb    testing.TB
	proxy *toxiproxy.Proxy
}

func proxyTo(tb testing.TB, address string) *way {
	tb.Helper()
	api := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	w := &way{tb: tb, proxy: toxiproxy.NewProxy(api, "way", "127.0.0.1:0", address)}
	if err := w.proxy.Start(); err != nil {
		tb.Fatalf("the proxy: %v", err)
	}
	tb.Cleanup(w.proxy.Stop)
	return w
}

func (w *way) url() string {
	w.proxy.Lock()
	defer w.proxy.Unlock()
	return "nats://" + w.proxy.Listen
}

// stall leaves connections open and passes nothing on, until heal.
func (w *way) stall() {
	w.toxic(`{"type": "timeout", "stream": "upstream", "attributes": {"timeout": 0}}`)
	w.toxic(`{"type": "timeout", "stream": "downstream", "attributes": {"timeout": 0}}`)
}

// slow delays all that comes from the server.
func (w *way) slow(d time.Duration) {
	w.toxic(fmt.Sprintf(`{"type": "latency", "stream": "downstream", "attributes": {"latency": %d, "jitter": %d}}`, d.Milliseconds()/2, d.Milliseconds()/2))
}

func (w *way) toxic(text string) {
	w.tb.Helper()
	if _, err := w.proxy.Toxics.AddToxicJson(strings.NewReader(text)); err != nil {
		w.tb.Fatalf("toxic: %v", err)
	}
}

// reset closes all connections and takes no new ones, until heal.
func (w *way) reset() { w.proxy.Stop() }

func (w *way) heal() {
	w.tb.Helper()
	w.proxy.Toxics.ResetToxics(context.Background()) // of which it wants a logger
	if err := w.proxy.Start(); err != nil && !errors.Is(err, toxiproxy.ErrProxyAlreadyStarted) {
		w.tb.Fatalf("heal: %v", err)
	}
}
