package history

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"sidestream/adapters"
	"sidestream/adapters/nats"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// soon bounds what tests wait for.
const soon = 10 * time.Second

// A testServer is a NATS server in this process that listens, with JetStream
// in a directory of its own.
type testServer struct {
	tb    testing.TB
	store string
	port  int
	most  int64 // bytes that JetStream may store; 0: no bound

	mu     sync.Mutex
	server *server.Server // guarded by mu; nil while it is down
}

func startServer(tb testing.TB, change ...func(*testServer)) *testServer {
	tb.Helper()
	s := &testServer{tb: tb, store: tb.TempDir(), port: freePort(tb)}
	for _, f := range change {
		f(s)
	}
	s.Start()
	tb.Cleanup(s.Stop)
	return s
}

func freePort(tb testing.TB) int {
	tb.Helper()
	l, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// Start starts the server, again on the same port and the same store.
func (s *testServer) Start() {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	o := &server.Options{
		Host: "127.0.0.1", Port: s.port, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: s.store, DisableShortFirstPing: true,
	}
	if s.most > 0 {
		o.JetStreamMaxStore = s.most
	}
	srv, err := server.NewServer(o)
	if err != nil {
		s.tb.Fatalf("the server's options: %v", err)
	}
	srv.Start()
	if !srv.ReadyForConnections(soon) {
		s.tb.Fatal("the server is not ready")
	}
	s.server = srv
}

// Stop ends the server.
func (s *testServer) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server != nil {
		s.server.Shutdown()
		s.server.WaitForShutdown()
		s.server = nil
	}
}

func (s *testServer) URL() *url.URL {
	return &url.URL{Scheme: "nats", Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port))}
}

// js returns a JetStream of the test's own.
func (s *testServer) js() jetstream.JetStream {
	s.tb.Helper()
	nc, err := natsgo.Connect(s.URL().String())
	if err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		s.tb.Fatal(err)
	}
	return js
}

// A replica is a program with a store of its own kind.
type replica struct {
	tb   testing.TB
	kind adapters.StoreKind
	edit func(*Options)
}

// newReplica returns a replica whose histories are on the server, or, with nil,
// in a directory of its own.
func newReplica(tb testing.TB, on *testServer, edit ...func(*Options)) *replica {
	tb.Helper()
	dir := ""
	if on == nil {
		dir = tb.TempDir()
	}
	return &replica{tb: tb, kind: NATS(zerolog.New(zerolog.NewTestWriter(tb)).Level(zerolog.ErrorLevel)), edit: func(o *Options) {
		o.Lease = adapters.Duration(2 * time.Second)
		if on == nil {
			o.Embedded.Dir = dir
		} else {
			var u nats.URL
			if err := u.UnmarshalText([]byte(on.URL().String())); err != nil {
				tb.Fatal(err)
			}
			o.Connection.URLs = []nats.URL{u}
		}
		for _, f := range edit {
			f(o)
		}
	}}
}

// keep returns the factory that keeps what f's sources deliver. It is closed by
// t.Cleanup, unless that was done before.
func (r *replica) keep(f adapters.Factory, edit ...func(*adapters.Keep)) adapters.Factory {
	r.tb.Helper()
	store, err := r.kind.Configure(func(o any) error { r.edit(o.(*Options)); return nil })
	if err != nil {
		r.tb.Fatalf("configure: %v", err)
	}
	k := adapters.Keep{
		Route: "/test", Events: 10_000, Bytes: 64 << 20,
		MinBackoff: 10 * time.Millisecond, MaxBackoff: 200 * time.Millisecond,
	}
	for _, f := range edit {
		f(&k)
	}
	kept, err := store.Keep(f, k)
	if err != nil {
		r.tb.Fatalf("keep: %v", err)
	}
	var once sync.Once
	c := &closing{Factory: kept, close: func() { once.Do(func() { _ = kept.(io.Closer).Close() }) }}
	r.tb.Cleanup(c.close)
	if i, ok := kept.(adapters.Ingester); ok {
		return &closingIngester{Ingester: i, closing: c}
	}
	return c
}

type closing struct {
	adapters.Factory
	close func()
}

func (c *closing) Close() error { c.close(); return nil }

type closingIngester struct {
	adapters.Ingester
	*closing
}

func (c *closingIngester) Capabilities() adapters.Capabilities { return c.Ingester.Capabilities() }

func (c *closingIngester) Open(vars adapters.Vars, env adapters.Env) (adapters.Source, error) {
	return c.Ingester.Open(vars, env)
}

func open(tb testing.TB, f adapters.Factory) adapters.Source {
	tb.Helper()
	s, err := f.Open(nil, adapters.Env{Log: zerolog.New(zerolog.NewTestWriter(tb)).Level(zerolog.WarnLevel), Meta: true})
	if err != nil {
		tb.Fatalf("Open: %v", err)
	}
	return s
}

// running is a Run under way.
type running struct {
	tb     testing.TB
	cancel context.CancelFunc
	events chan adapters.Event
	result chan error
	done   chan struct{}
}

// start runs a source until the test ends, or its cancel is called.
func start(tb testing.TB, s adapters.Source, after adapters.Position) *running {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	r := &running{tb: tb, cancel: cancel, events: make(chan adapters.Event, 10_000), result: make(chan error, 1), done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.result <- s.Run(ctx, after, func(e adapters.Event) error {
			select {
			case r.events <- e:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	tb.Cleanup(r.stop)
	return r
}

func (r *running) stop() {
	r.cancel()
	<-r.done
}

// next returns the next that fits, and passes over everything else.
func (r *running) next(what string, fits func(adapters.Event) bool) adapters.Event {
	r.tb.Helper()
	timeout := time.After(soon)
	for {
		select {
		case e := <-r.events:
			if fits(e) {
				return e
			}
		case <-r.done:
			select {
			case e := <-r.events:
				if fits(e) {
					return e
				}
				continue
			default:
			}
			r.tb.Fatalf("Run returned %v, want %s first", <-r.result, what)
		case <-timeout:
			r.tb.Fatalf("waited %v for %s", soon, what)
		}
	}
}

func isLive(e adapters.Event) bool  { return e.Live && e.Stale == "" }
func isStale(e adapters.Event) bool { return e.Stale != "" }
func isGap(e adapters.Event) bool   { return e.Gap != nil }
func isEvent(e adapters.Event) bool { return !e.Live && e.Gap == nil && e.Stale == "" }

func (r *running) awaitLive() adapters.Event {
	r.tb.Helper()
	return r.next("a Live notice", isLive)
}

// want takes the next events, which have to have this data, and no gap before
// them. It returns the last one.
func (r *running) want(data ...string) (last adapters.Event) {
	r.tb.Helper()
	for _, d := range data {
		last = r.next("the event "+d, func(e adapters.Event) bool { return isEvent(e) || isGap(e) })
		if last.Gap != nil || string(last.Data) != d {
			r.tb.Fatalf("got %q, gap %v; want %q", last.Data, last.Gap, d)
		}
	}
	return last
}

// An upstream is a source that delivers what the test says, one Run at a time,
// and counts its Runs.
type upstream struct {
	can adapters.Capabilities

	mu      sync.Mutex
	runs    int // guarded by mu; under way
	most    int // guarded by mu; at once
	began   int // guarded by mu; ever
	after   adapters.Position
	hold    chan struct{} // a Run begins by receiving of it, unless it is nil
	deliver chan any      // an adapters.Event, or an error to return; nil ends for good
	taken   chan error    // what emit has returned
}

func newUpstream(can adapters.Capabilities) *upstream {
	return &upstream{can: can, deliver: make(chan any), taken: make(chan error, 1)}
}

func (u *upstream) Capabilities() adapters.Capabilities { return u.can }

func (u *upstream) Open(adapters.Vars, adapters.Env) (adapters.Source, error) { return u, nil }

func (u *upstream) Run(ctx context.Context, after adapters.Position, emit func(adapters.Event) error) error {
	u.mu.Lock()
	u.runs++
	u.began++
	u.most = max(u.most, u.runs)
	u.after = after
	u.mu.Unlock()
	defer func() {
		u.mu.Lock()
		u.runs--
		u.mu.Unlock()
	}()
	if u.hold != nil {
		select {
		case <-u.hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := emit(adapters.Event{Live: true}); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case what := <-u.deliver:
			switch what := what.(type) {
			case adapters.Event:
				err := emit(what)
				u.taken <- err
				if err != nil {
					return err
				}
			case error:
				return what
			case func():
				what()
			default:
				return nil
			}
		}
	}
}

// send has the upstream deliver e, and returns what emit has returned.
func (u *upstream) send(tb testing.TB, e adapters.Event) error {
	tb.Helper()
	select {
	case u.deliver <- e:
	case <-time.After(soon):
		tb.Fatalf("no Run has taken the event for %v", soon)
	}
	select {
	case err := <-u.taken:
		return err
	case <-time.After(soon):
		tb.Fatalf("emit hasn't returned for %v", soon)
		return nil
	}
}

// mustSend is send for an event that has to be taken.
func (u *upstream) mustSend(tb testing.TB, data string) {
	tb.Helper()
	if err := u.send(tb, adapters.Event{Data: []byte(data)}); err != nil {
		tb.Fatalf("emit: got %v, want no error", err)
	}
}

// end has the upstream's Run return err, or nil.
func (u *upstream) end(tb testing.TB, err error) {
	tb.Helper()
	var what any = "end"
	if err != nil {
		what = err
	}
	select {
	case u.deliver <- what:
	case <-time.After(soon):
		tb.Fatalf("no Run has ended for %v", soon)
	}
}

func (u *upstream) count() (runs, most, began int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.runs, u.most, u.began
}

// noise returns bytes that no compression makes fewer.
func noise(tb testing.TB, n int) []byte {
	tb.Helper()
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		tb.Fatal(err)
	}
	return b
}

// await waits until ok is true.
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

var errUpstream = adapters.Transient("upstream is down", errors.New("as the test has it"))
