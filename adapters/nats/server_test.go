package nats

import (
	"context"
	"errors"
	"net/url"
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

	"sidestream/adapters"
)

// soon bounds what tests wait for.
const soon = 10 * time.Second

// A testServer is a NATS server in this process, with JetStream in a
// directory of its own.
type testServer struct {
	tb      testing.TB
	options func() *server.Options

	mu      sync.Mutex
	server  *server.Server // guarded by mu; nil while it is down
	current *server.Options
	port    int // guarded by mu; the same after a restart
}

// startServer starts a server, with options as change leaves them. It is shut
// down by t.Cleanup.
func startServer(t testing.TB, change ...func(*server.Options)) *testServer {
	t.Helper()
	store := t.TempDir()
	s := &testServer{tb: t, port: server.RANDOM_PORT}
	s.options = func() *server.Options {
		o := &server.Options{
			Host:      "127.0.0.1",
			Port:      s.port,
			NoSigs:    true,
			NoLog:     true,
			JetStream: true,
			StoreDir:  store,

			// A test of ours shouldn't fail because the server pings first.
			DisableShortFirstPing: true,
		}
		for _, f := range change {
			f(o)
		}
		return o
	}
	t.Cleanup(s.Kill)
	s.Restart()
	return s
}

// Kill ends the server at once, as far as a process can do it to a part of
// itself: connections are closed without a word.
func (s *testServer) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server != nil {
		s.server.Shutdown()
		s.server.WaitForShutdown()
		s.server = nil
	}
}

// Restart starts the server again, on the same port and the same store.
func (s *testServer) Restart() {
	s.tb.Helper()
	s.Kill()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = s.options()
	srv, err := server.NewServer(s.current)
	if err != nil {
		s.tb.Fatalf("the server's options: %v", err)
	}
	srv.Start()
	if !srv.ReadyForConnections(soon) {
		srv.Shutdown()
		s.tb.Fatal("the server is not ready")
	}
	u, err := url.Parse(srv.ClientURL())
	if err != nil {
		s.tb.Fatal(err)
	}
	s.server, s.port = srv, mustPort(s.tb, u)
}

// Server returns what runs.
func (s *testServer) Server() *server.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.server
}

// Reload changes the options of the running server, as a SIGHUP does.
func (s *testServer) Reload(change func(*server.Options)) {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.current.Clone()
	change(next)
	next.Port = s.port
	if err := s.server.ReloadOptions(next); err != nil {
		s.tb.Fatalf("reload: %v", err)
	}
	s.current = next
}

// Addr returns host and port of the server, whether it runs or not.
func (s *testServer) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return hostPort(s.port)
}

// URL returns the server's URL, without credentials.
func (s *testServer) URL() string { return "nats://" + s.Addr() }

// Connect connects a client of the test's own, closed by t.Cleanup.
func (s *testServer) Connect(t testing.TB, options ...natsgo.Option) *natsgo.Conn {
	t.Helper()
	options = append([]natsgo.Option{
		natsgo.MaxReconnects(-1),
		natsgo.ReconnectWait(20 * time.Millisecond),
		natsgo.ErrorHandler(func(*natsgo.Conn, *natsgo.Subscription, error) {}),
	}, options...)
	nc, err := natsgo.Connect(s.URL(), options...)
	if err != nil {
		t.Fatalf("the test's own client: %v", err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// JetStream returns the API of a client of the test's own.
func (s *testServer) JetStream(t testing.TB) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(s.Connect(t))
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// A cut is a way to a server that can be broken.
type cut struct {
	tb    testing.TB
	proxy *toxiproxy.Proxy
}

// throughProxy returns a way to the server that is fine at first.
func throughProxy(t testing.TB, s *testServer) *cut {
	t.Helper()
	return proxyTo(t, s.Addr())
}

func proxyTo(t testing.TB, address string) *cut {
	t.Helper()
	log := zerolog.Nop()
	api := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), log)
	c := &cut{tb: t, proxy: toxiproxy.NewProxy(api, "cut", "127.0.0.1:0", address)}
	if err := c.proxy.Start(); err != nil {
		t.Fatalf("the proxy: %v", err)
	}
	t.Cleanup(c.proxy.Stop)
	return c
}

// URL returns the URL of the server by this way.
func (c *cut) URL() string { return "nats://" + c.Addr() }

// Addr returns host and port of the way's beginning.
func (c *cut) Addr() string {
	c.proxy.Lock()
	defer c.proxy.Unlock()
	return c.proxy.Listen
}

// Stall leaves connections open, takes new ones, and passes nothing on in
// either direction, until Heal.
func (c *cut) Stall() {
	c.tb.Helper()
	for _, direction := range []string{"upstream", "downstream"} {
		toxic := `{"type": "timeout", "stream": "` + direction + `", "attributes": {"timeout": 0}}`
		if _, err := c.proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			c.tb.Fatalf("stall: %v", err)
		}
	}
}

// Reset closes all connections and takes no new ones, until Heal.
func (c *cut) Reset() { c.proxy.Stop() }

// Heal makes the way fine again. Connections that were stalled are closed.
func (c *cut) Heal() {
	c.tb.Helper()
	c.proxy.Toxics.ResetToxics(context.Background()) // of which it wants a logger
	if err := c.proxy.Start(); err != nil && !errors.Is(err, toxiproxy.ErrProxyAlreadyStarted) {
		c.tb.Fatalf("heal: %v", err)
	}
}

// created calls create, again while the server says that it can't make room
// for what is to be created: it may still be removing the files of what was
// there by that name.
func created(ctx context.Context, create func() error) error {
	const storeFailed = 10049 // JSStreamCreateErrF
	for until := time.Now().Add(soon); ; {
		err := create()
		var api *jetstream.APIError
		if !errors.As(err, &api) || api.ErrorCode != storeFailed || time.Now().After(until) || !adapters.Pause(ctx, 10*time.Millisecond) {
			return err
		}
	}
}
