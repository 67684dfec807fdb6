package kafka

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"sidestream/adapters"
)

// gates are those of several brokers, in the order of their ids.
type gates struct {
	*fake
	each []*gate
}

// startGates starts a cluster whose brokers have a gate each, beside the one of
// all.
func startGates(t testing.TB, partitions int32, brokers int, more ...kfake.Opt) *gates {
	t.Helper()
	g := &gates{}
	listen := func(network, address string) (net.Listener, error) {
		each := newGate()
		g.each = append(g.each, each)
		return each.listen(network, address)
	}
	g.fake = startFake(t, partitions, append([]kfake.Opt{kfake.NumBrokers(brokers), kfake.ListenFn(listen)}, more...)...)
	t.Cleanup(func() {
		for _, each := range g.each {
			each.open() // or nothing would end
		}
	})
	for p := range partitions {
		if err := g.MoveTopicPartition(topicName, p, p%int32(brokers)); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

// A broker that has stalled doesn't keep the others from being read, and what
// it has comes when it goes on.
func TestBrokerStalls(t *testing.T) {
	t.Parallel()
	k := startGates(t, 2, 2)
	s := k.source(t, nil)
	r := run(t, s, "")
	r.waitLive()
	k.each[1].stall()
	k.fill(t, "1a")
	var want []string
	start := time.Now()
	for i := range 50 {
		want = append(want, fmt.Sprintf("0-%d", i))
		begun := time.Now()
		k.fill(t, want[i])
		r.waitValues(want...)
		if took := time.Since(begun); took > time.Second {
			t.Errorf("got a record of the other broker after %v, want no pause", took)
		}
		// For longer than a request may take.
		eventually(t, "some time", func() bool { return time.Since(start) > time.Duration(i)*80*time.Millisecond })
	}
	k.each[1].open()
	r.waitValues(append(want, "1a")...)
	r.waitLive()
}

// One of the brokers is down, and back later at the same address.
func TestBrokerDown(t *testing.T) {
	t.Parallel()
	k := startGates(t, 2, 2)
	s := k.source(t, nil)
	r := run(t, s, "")
	r.waitLive()
	l := startLoad(t, k.fake, 2, 2*time.Millisecond)
	for range 3 {
		k.each[1].close()
		n := len(r.seen())
		r.wait("more of the other", func() bool { return len(r.seen()) > n+300 })
		k.each[1].open()
		n = len(r.seen())
		r.wait("more of both", func() bool { return len(r.seen()) > n+500 })
	}
	r.waitValues(l.stop()...)
}

// Connections break again and again in the middle of answers. Nothing is lost
// and nothing comes twice, whether the Run goes on or is begun again.
func TestConnectionsBreak(t *testing.T) {
	t.Parallel()
	cut := newCutter()
	k := startFake(t, 3, kfake.NumBrokers(2), kfake.ListenFn(cut.listen))
	s := k.source(t, nil)
	l := startLoad(t, k, 3, time.Millisecond)
	stopped := make(chan struct{})
	var breaking sync.WaitGroup
	breaking.Go(func() {
		ticks := time.NewTicker(30 * time.Millisecond)
		defer ticks.Stop()
		for {
			select {
			case <-stopped:
				return
			case <-ticks.C:
				cut.next.Store(true)
			}
		}
	})
	var events []adapters.Event
	var at adapters.Position
	deadline := time.Now().Add(waiting)
	for runs := 0; cut.cuts.Load() < 60; runs++ {
		r := run(t, s, at)
		for cut.cuts.Load() < 60 && !isDone(r.done) && time.Now().Before(deadline) {
			<-time.After(5 * time.Millisecond)
		}
		r.cancel()
		<-r.done
		var lost *adapters.PositionLostError
		if errors.As(r.err, &lost) || adapters.IsPermanent(r.err) {
			t.Fatalf("got %v, want a transient failure", r.err)
		}
		events = append(events, r.seen()...)
		if n := len(events); n > 0 {
			at = events[n-1].Position
		}
		if time.Now().After(deadline) {
			t.Fatalf("got %d connections cut in %v, want more", cut.cuts.Load(), waiting)
		}
	}
	close(stopped)
	breaking.Wait()
	cut.next.Store(false)
	want := l.stop()
	r := run(t, s, at)
	r.wait("the rest", func() bool { return len(events)+len(r.seen()) >= len(want) })
	checkValues(t, append(events, r.stop()...), want...)
}

func isDone(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// A cutter breaks connections of sources in the middle of an answer.
type cutter struct {
	next atomic.Bool // break the connection that is written to next
	cuts atomic.Int32
}

func newCutter() *cutter { return new(cutter) }

func (c *cutter) listen(network, address string) (net.Listener, error) {
	ln, err := net.Listen(network, address)
	return &cutListener{ln, c}, err
}

type cutListener struct {
	net.Listener
	cutter *cutter
}

func (l *cutListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if host, _, _ := net.SplitHostPort(c.RemoteAddr().String()); host == "127.0.0.2" {
		return c, nil
	}
	return &cutConn{c, l.cutter}, nil
}

type cutConn struct {
	net.Conn
	cutter *cutter
}

func (c *cutConn) Write(b []byte) (int, error) {
	if len(b) > 100 && c.cutter.next.CompareAndSwap(true, false) {
		c.cutter.cuts.Add(1)
		n, _ := c.Conn.Write(b[:len(b)*2/3])
		_ = c.Conn.Close()
		return n, net.ErrClosed
	}
	return c.Conn.Write(b)
}

// Brokers close connections that nothing comes over (connections.max.idle.ms);
// the next Run finds that out and goes on over new ones.
func TestIdleConnectionsClosed(t *testing.T) {
	t.Parallel()
	k := startFake(t, 2, kfake.NumBrokers(2))
	s := k.source(t, nil)
	for i := range 5 {
		k.fill(t, fmt.Sprintf("0%d", i))
		r := run(t, s, "")
		r.wait("all", func() bool { return len(r.seen()) == i+1 })
		r.waitLive()
		r.stop()
		if _, err := s.Seek(t.Context(), time.Now()); err != nil {
			t.Fatal(err)
		}
		k.gate.close()
		k.gate.open()
	}
}

// No connection is left when the factory is closed, and sources don't make new
// ones then.
func TestFactoryClose(t *testing.T) {
	t.Parallel()
	k := startFake(t, 2, kfake.NumBrokers(2))
	f := k.factory(t, adapters.Route{}, nil)
	s := open(t, f)
	r := run(t, s, "")
	r.waitLive()
	open := func() int {
		k.gate.mu.Lock()
		defer k.gate.mu.Unlock()
		return len(k.gate.conns)
	}
	if open() == 0 {
		t.Error("got no connections of a Run, want some")
	}
	r.stop()
	if err := f.Close(); err != nil {
		t.Errorf("got %v, want no error", err)
	}
	eventually(t, "no connection", func() bool { return open() == 0 })
	if err := run(t, s, "").ended(); !adapters.IsPermanent(err) {
		t.Errorf("got %v of a Run after Close, want a permanent failure", err)
	}
	if open() > 0 {
		t.Errorf("got %d connections after Close, want none", open())
	}
}

// A Run ends at once when it is cancelled, whatever it is doing.
func TestCancelAnyTime(t *testing.T) {
	t.Parallel()
	k := startFake(t, 3, kfake.NumBrokers(2))
	k.fill(t, "0a", "1a", "2a", "0b")
	s := k.source(t, nil)
	for i := range 60 {
		r := run(t, s, "")
		timer := time.NewTimer(time.Duration(i) * 200 * time.Microsecond)
		select {
		case <-timer.C:
		case <-r.done:
		}
		begun := time.Now()
		r.stop()
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("got the end after %v, want it at once", took)
		}
	}
	k.gate.stall()
	r := run(t, s, "")
	<-time.After(20 * time.Millisecond)
	begun := time.Now()
	r.stop()
	if took := time.Since(begun); took > time.Second {
		t.Errorf("got the end after %v while the brokers stall, want it at once", took)
	}
	k.gate.open()
}

// What emit returns, Run does.
func TestEmitFails(t *testing.T) {
	t.Parallel()
	k := startFake(t, 2)
	s := k.source(t, nil)
	want := errors.New("enough")
	fail := func(adapters.Event) error { return want }
	if got := runWith(t, s, "", fail).ended(); got != want { //nolint:errorlint // the very same
		t.Errorf("got %v from a Live notice, want %v", got, want)
	}
	k.fill(t, "0a")
	if got := runWith(t, s, "", fail).ended(); got != want { //nolint:errorlint // the very same
		t.Errorf("got %v from an event, want %v", got, want)
	}
}
