package broker_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"sidestream/adapters"
	"sidestream/adapters/kafka/broker"
)

// A wire counts the connections to a broker that answers requests for metadata
// and settings.
type wire struct {
	address string
	made    atomic.Int64

	mu   sync.Mutex
	open map[net.Conn]bool // guarded by mu
}

func newWire(tb testing.TB) *wire {
	tb.Helper()
	w := &wire{open: map[net.Conn]bool{}}
	w.address = serve(tb, func(conn net.Conn) {
		w.made.Add(1)
		w.track(conn, true)
		defer w.track(conn, false)
		talk(conn, func(r kmsg.Request) kmsg.Response {
			switch response := r.ResponseKind().(type) {
			case *kmsg.MetadataResponse:
				return metadata(tb, w.address)
			case *kmsg.DescribeConfigsResponse:
				response.Resources = []kmsg.DescribeConfigsResponseResource{kmsg.NewDescribeConfigsResponseResource()}
				return response
			default:
				return nil
			}
		})
	})
	return w
}

func (w *wire) track(conn net.Conn, open bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if open {
		w.open[conn] = true
	} else {
		delete(w.open, conn)
	}
}

// count returns how many connections are open.
func (w *wire) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.open)
}

// cut closes all connections.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for conn := range w.open {
		conn.Close()
	}
}

func (w *wire) isOpen(tb testing.TB, want int) {
	tb.Helper()
	eventually(tb, fmt.Sprintf("%d open connections", want), func() bool { return w.count() == want })
}

// use makes a request over a connection.
func use(tb testing.TB, conn *broker.Conn) error {
	tb.Helper()
	_, err := conn.TopicConfig(tb.Context(), "orders", "cleanup.policy")
	return err
}

func mustConnect(tb testing.TB, c *broker.Cluster, address string) *broker.Conn {
	tb.Helper()
	conn, err := c.Connect(tb.Context(), node(tb, address))
	if err != nil {
		tb.Fatalf("Connect: got %v, want no error", err)
	}
	return conn
}

func TestReuse(t *testing.T) {
	w := newWire(t)
	c := newCluster(t, []string{w.address}, nil)
	for range 3 {
		mustMetadata(t, c)
		conn := mustConnect(t, c, w.address)
		if err := use(t, conn); err != nil {
			t.Errorf("got %v, want no error", err)
		}
		conn.Release()
	}
	if got := w.made.Load(); got != 1 {
		t.Errorf("got %d connections, want 1", got)
	}
	one, two := mustConnect(t, c, w.address), mustConnect(t, c, w.address)
	if got := w.made.Load(); got != 2 {
		t.Errorf("got %d connections for two at once, want 2", got)
	}
	one.Release()
	two.Release()
	c.Close()
	w.isOpen(t, 0)
}

func TestIdleIsBounded(t *testing.T) {
	w := newWire(t)
	for _, size := range []int{0, 2} {
		c := newCluster(t, []string{w.address}, func(o *broker.Options) { o.Idle = size })
		var conns []*broker.Conn
		for range 3 {
			conns = append(conns, mustConnect(t, c, w.address))
		}
		w.isOpen(t, 3)
		for _, conn := range conns {
			conn.Release()
		}
		w.isOpen(t, size)
		c.Close()
		w.isOpen(t, 0)
	}
}

func TestIdleExpires(t *testing.T) {
	w := newWire(t)
	c := newCluster(t, []string{w.address}, func(o *broker.Options) { o.IdleTimeout = 20 * time.Millisecond })
	mustConnect(t, c, w.address).Release()
	w.isOpen(t, 0)
	conn := mustConnect(t, c, w.address)
	conn.Release()
	conn = mustConnect(t, c, w.address) // whose time begins anew when it is released
	defer conn.Release()
	if err := use(t, conn); err != nil {
		t.Errorf("got %v, want no error", err)
	}
}

// TestDeadIdle uses connections that were lost while they were idle.
func TestDeadIdle(t *testing.T) {
	w := newWire(t)
	c := newCluster(t, []string{w.address}, nil)
	mustConnect(t, c, w.address).Release()
	w.isOpen(t, 1)
	w.cut()
	w.isOpen(t, 0)
	conn := mustConnect(t, c, w.address)
	if err := use(t, conn); err != nil {
		t.Errorf("a request: got %v, want no error", err)
	}
	w.cut()
	w.isOpen(t, 0)
	fails(t, "a second one, over a connection that is lost since", use(t, conn), "connection to Kafka lost", false)
	conn.Release()
	if got, want := w.made.Load(), int64(2); got != want {
		t.Errorf("got %d connections, want %d", got, want)
	}

	mustConnect(t, c, w.address).Release()
	w.cut()
	w.isOpen(t, 0)
	mustMetadata(t, c)
	if got, want := w.made.Load(), int64(4); got != want {
		t.Errorf("got %d connections, want %d", got, want)
	}
}

func TestClosed(t *testing.T) {
	w := newWire(t)
	c := newCluster(t, []string{w.address}, nil)
	conn := mustConnect(t, c, w.address)
	c.Close()
	c.Close()
	if err := use(t, conn); err != nil {
		t.Errorf("a connection in use: got %v, want no error", err)
	}
	conn.Release()
	w.isOpen(t, 0)
	_, err := c.Connect(t.Context(), node(t, w.address))
	fails(t, "Connect", err, "connection to Kafka lost", false, "closed for good")
	_, err = c.Metadata(t.Context(), nil)
	fails(t, "Metadata", err, "connection to Kafka lost", false, "closed for good")
}

// TestConcurrentUse has many take and give back connections while the cluster is
// closed.
func TestConcurrentUse(t *testing.T) {
	w := newWire(t)
	c := newCluster(t, []string{w.address}, func(o *broker.Options) { o.Idle, o.IdleTimeout = 2, time.Millisecond })
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for {
				conn, err := c.Connect(t.Context(), node(t, w.address))
				if err != nil {
					return // closed
				}
				if err := use(t, conn); err != nil {
					t.Errorf("got %v, want no error", err)
				}
				conn.Release()
			}
		})
	}
	eventually(t, "some connections", func() bool { return w.made.Load() > 4 })
	c.Close()
	all.Wait()
	w.isOpen(t, 0)
}

// nobody returns an address at which nobody listens.
func nobody(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestMetadataAsksOthers has brokers that are down, silent or no brokers among
// those that are configured.
func TestMetadataAsksOthers(t *testing.T) {
	w := newWire(t)
	silent := serve(t, func(conn net.Conn) { io.Copy(io.Discard, conn) })
	noise := serve(t, answering("HTTP/1.1 400\r\n\r\n"))
	for range 5 {
		c := newCluster(t, []string{nobody(t), silent, w.address, noise}, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		if _, err := c.Metadata(ctx, nil); err != nil {
			t.Errorf("got %v, want no error", err)
		}
		cancel()
		c.Close()
	}
}

func TestNoBroker(t *testing.T) {
	one, two := nobody(t), nobody(t)
	_, err := newCluster(t, []string{one, two}, nil).Metadata(t.Context(), nil)
	fails(t, "none", err, "no Kafka broker can be reached", false, one, two, "refused")
	_, err = newCluster(t, []string{one}, nil).Connect(t.Context(), node(t, one))
	fails(t, "Connect", err, "connection refused", false, one)
	_, err = newCluster(t, []string{"no-such-host.invalid:9092"}, nil).Metadata(t.Context(), nil)
	fails(t, "no name", err, "no Kafka broker can be reached", false, "no-such-host.invalid")

	old := fake(t, kfake.MaxVersions(kversion.V0_10_0()))
	_, err = newCluster(t, old.ListenAddrs(), nil).Metadata(t.Context(), nil)
	const version = "Kafka does not offer a version of the protocol that is known"
	fails(t, "one that is too old", err, version, true)
	_, err = newCluster(t, append(old.ListenAddrs(), one), nil).Metadata(t.Context(), nil)
	fails(t, "one that is too old, one that is down", err, version, false, one)

	empty := serve(t, func(conn net.Conn) {
		talk(conn, func(r kmsg.Request) kmsg.Response { return r.ResponseKind() })
	})
	_, err = newCluster(t, []string{empty}, nil).Metadata(t.Context(), nil)
	fails(t, "one that knows of no brokers", err, "Kafka is unavailable for the moment", false)
}

// TestSilentBrokers ends within the context's time, as a failure of the brokers
// that come first and of the context for the last.
func TestSilentBrokers(t *testing.T) {
	var asked atomic.Int64
	var addresses []string
	for range 3 {
		addresses = append(addresses, serve(t, func(conn net.Conn) {
			asked.Add(1)
			io.Copy(io.Discard, conn)
		}))
	}
	c := newCluster(t, addresses, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := c.Metadata(ctx, nil)
	if u := new(adapters.UpstreamError); !errors.Is(err, context.DeadlineExceeded) && !errors.As(err, &u) {
		t.Errorf("got %v, want that the time is over", err)
	}
	eventually(t, "all brokers asked", func() bool { return asked.Load() == 3 })

	c = newCluster(t, addresses, func(o *broker.Options) { o.ConnectTimeout = 50 * time.Millisecond })
	_, err = c.Metadata(t.Context(), nil)
	fails(t, "without a deadline", err, "Kafka does not answer in time", false, addresses...)
}

// TestLearntBrokers asks a broker that it has heard of when the one that is
// configured is gone, and forgets those that are gone from the cluster.
func TestLearntBrokers(t *testing.T) {
	one, two := newWire(t), newWire(t)
	var tell atomic.Value
	tell.Store(one.address)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	seed := serveOn(t, listener, func(conn net.Conn) {
		talk(conn, func(kmsg.Request) kmsg.Response { return metadata(t, tell.Load().(string)) })
	})
	c := newCluster(t, []string{seed}, func(o *broker.Options) { o.Idle = 0 })
	eventually(t, "a broker that the seed has told of", func() bool {
		mustMetadata(t, c)
		return one.made.Load() > 0
	})
	listener.Close()
	for range 3 {
		mustMetadata(t, c)
	}
	if got := two.made.Load(); got != 0 {
		t.Errorf("got %d connections to a broker that nobody told of, want none", got)
	}
}

// TestHalfOpen has a connection over which nothing comes any more.
func TestHalfOpen(t *testing.T) {
	var stopped atomic.Bool
	address := serve(t, func(conn net.Conn) {
		talk(conn, func(r kmsg.Request) kmsg.Response {
			if stopped.Load() {
				io.Copy(io.Discard, conn)
				return nil
			}
			response := r.ResponseKind().(*kmsg.DescribeConfigsResponse)
			response.Resources = []kmsg.DescribeConfigsResponseResource{kmsg.NewDescribeConfigsResponseResource()}
			return response
		})
	})
	c := newCluster(t, []string{address}, func(o *broker.Options) { o.RequestTimeout = 100 * time.Millisecond })
	conn := connect(t, c, address)
	if err := use(t, conn); err != nil {
		t.Fatal(err)
	}
	stopped.Store(true)
	fails(t, "a request", use(t, conn), "Kafka does not answer in time", false)
	fails(t, "the next one", use(t, conn), "connection to Kafka lost", false)
}

func TestClassify(t *testing.T) {
	for _, tc := range []struct {
		code      kafka.Error
		reason    string
		permanent bool
	}{
		{kafka.TopicAuthorizationFailed, "not permitted by Kafka", true},
		{kafka.ClusterAuthorizationFailed, "not permitted by Kafka", true},
		{kafka.UnsupportedVersion, "Kafka does not offer a version of the protocol that is known", true},
		{kafka.InvalidTopic, "not a name of a Kafka topic", true},
		{kafka.UnknownTopicOrPartition, "topic not found", false},
		{kafka.UnknownTopicID, "topic not found", false},
		{kafka.LeaderNotAvailable, "Kafka is unavailable for the moment", false},
		{kafka.NotLeaderForPartition, "Kafka is unavailable for the moment", false},
		{kafka.RequestTimedOut, "Kafka is unavailable for the moment", false},
		{kafka.InvalidRequest, "Kafka rejected the request", false},
		{kafka.Error(12345), "Kafka rejected the request", false},
	} {
		err := broker.Classify(fmt.Errorf("topic orders: %w", tc.code))
		fails(t, tc.code.Error(), err, tc.reason, tc.permanent, "topic orders: ")
		if !errors.Is(err, tc.code) {
			t.Errorf("%v: got %v, want it to wrap the code", tc.code, err)
		}
	}
	for _, err := range []error{nil, context.Canceled, adapters.Permanent("known", kafka.InvalidTopic)} {
		if got := broker.Classify(err); !errors.Is(got, err) || err == nil && got != nil {
			t.Errorf("got %v, want %v as it is", got, err)
		}
	}
}
