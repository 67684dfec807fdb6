package kafka

import (
	"context"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"sidestream/adapters"
	"sidestream/adapters/shared"
)

// topicName is the topic of these tests.
const topicName = "ORDERS"

// A fake is a cluster of fake brokers, and who writes into it.
type fake struct {
	*kfake.Cluster
	gate   *gate
	client *kgo.Client // that chooses partitions as records say
	admin  *kadm.Client
}

// startFake starts a cluster with one topic of so many partitions.
func startFake(t testing.TB, partitions int32, more ...kfake.Opt) *fake {
	t.Helper()
	f := &fake{gate: newGate()}
	// Producers come by a way of their own, so that what is done to sources
	// doesn't concern them.
	o := append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(partitions, topicName), kfake.ListenFn(f.gate.listen)}, more...)
	var err error
	if f.Cluster, err = kfake.NewCluster(o...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	f.client, err = kgo.NewClient(
		kgo.SeedBrokers(f.ListenAddrs()...),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ClientID(producerID),
		kgo.DisableIdempotentWrite(), // a topic that is purged begins with sequences that were there
		kgo.MetadataMinAge(10*time.Millisecond),
		kgo.Dialer(f.gate.dial),
	)
	if err != nil {
		t.Fatal(err)
	}
	f.admin = kadm.NewClient(f.client)
	t.Cleanup(f.client.Close)
	t.Cleanup(f.gate.open) // or nothing would end
	return f
}

const producerID = "producer"

// produce writes a record and returns its offset.
func (f *fake) produce(ctx context.Context, partition int32, key, value []byte) (int64, error) {
	r := &kgo.Record{Topic: topicName, Partition: partition, Key: key, Value: value}
	err := f.client.ProduceSync(ctx, r).FirstErr()
	return r.Offset, err
}

// factory returns a factory of sources that read the cluster.
func (f *fake) factory(t testing.TB, route adapters.Route, change func(*Options)) *factory {
	t.Helper()
	o := defaults()
	o.Connection.Brokers = f.ListenAddrs()
	o.Connection.RequestTimeout = adapters.Duration(2 * time.Second)
	o.Topics = []string{topicName}
	o.MetadataAge = adapters.Duration(200 * time.Millisecond)
	o.Fetch.MaxWait = adapters.Duration(100 * time.Millisecond)
	if change != nil {
		change(&o)
	}
	made, err := build(&o, route, new(shared.Pool[*cluster]))
	if err != nil {
		t.Fatal(err)
	}
	factory := made.(*factory)
	t.Cleanup(func() { _ = factory.Close() })
	return factory
}

// A gate is what connections of sources go through.
type gate struct {
	mu      sync.Mutex
	state   gateState         // guarded by mu
	changed chan struct{}     // guarded by mu; closed and replaced with state
	conns   map[net.Conn]bool // guarded by mu; those of sources
	spared  map[string]bool   // guarded by mu; addresses of the others
}

type gateState int

const (
	gateOpen    gateState = iota
	gateClosed            // connections are closed at once
	gateStalled           // nothing comes through
)

func newGate() *gate {
	return &gate{changed: make(chan struct{}), conns: map[net.Conn]bool{}, spared: map[string]bool{}}
}

// dial connects to the cluster, not as a source.
func (g *gate) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := &net.Dialer{Control: nil}
	local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}
	dialer.LocalAddr = local
	return dialer.DialContext(ctx, network, address)
}

func (g *gate) listen(network, address string) (net.Listener, error) {
	ln, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	return &gatedListener{ln, g}, nil
}

func (g *gate) set(s gateState) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.state = s
	close(g.changed)
	g.changed = make(chan struct{})
	if s == gateClosed {
		for c := range g.conns {
			c.Close()
		}
		clear(g.conns)
	}
}

func (g *gate) open()  { g.set(gateOpen) }
func (g *gate) close() { g.set(gateClosed) }
func (g *gate) stall() { g.set(gateStalled) }

// pass waits until something may come through.
func (g *gate) pass() {
	for {
		g.mu.Lock()
		state, changed := g.state, g.changed
		g.mu.Unlock()
		if state != gateStalled {
			return
		}
		<-changed
	}
}

type gatedListener struct {
	net.Listener
	gate *gate
}

func (l *gatedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if host, _, _ := net.SplitHostPort(c.RemoteAddr().String()); host == "127.0.0.2" {
			return c, nil
		}
		l.gate.mu.Lock()
		closed := l.gate.state == gateClosed
		if !closed {
			l.gate.conns[c] = true
		}
		l.gate.mu.Unlock()
		if closed {
			c.Close()
			continue
		}
		return &gatedConn{c, l.gate}, nil
	}
}

type gatedConn struct {
	net.Conn
	gate *gate
}

func (c *gatedConn) Write(b []byte) (int, error) {
	c.gate.pass()
	return c.Conn.Write(b)
}

func (c *gatedConn) Close() error {
	c.gate.mu.Lock()
	delete(c.gate.conns, c.Conn)
	c.gate.mu.Unlock()
	return c.Conn.Close()
}

// number reads the number that a record was written with.
func number(e adapters.Event) (int, error) { return strconv.Atoi(string(e.Data)) }
