package lease

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"sidestream/adapters"
)

// A crowd is several replicas that take part over and over again.
type crowd struct {
	journal
	leave context.CancelFunc
	wg    sync.WaitGroup
}

// gather returns replicas, each with the URL of its server. They leave with
// end or t.Cleanup.
func gather(tb testing.TB, urls map[string]string) *crowd {
	tb.Helper()
	ctx, cancel := context.WithCancel(tb.Context())
	c := &crowd{leave: cancel}
	for name, url := range urls {
		c.wg.Go(func() { endure(ctx, url, name, &c.journal) })
	}
	tb.Cleanup(func() {
		c.end()
		if tb.Failed() {
			c.dump(tb)
		}
	})
	return c
}

func (c *crowd) end() {
	c.leave()
	c.wg.Wait()
}

// endure takes part as the caller of this package does, over connections to
// url, until ctx is done. Sometimes it leaves, or breaks its connection off, by
// itself.
func endure(ctx context.Context, url, name string, j *journal) {
	for ctx.Err() == nil {
		js, err := dial(url)
		if err != nil {
			pause(ctx, 20*time.Millisecond)
			continue
		}
		opening, cancel := context.WithTimeout(ctx, 5*time.Second)
		b, err := Open(opening, js, Options{Bucket: bucketName, TTL: ttl, Holder: name, Replicas: replicasOf(js)})
		cancel()
		if err == nil {
			for over := false; !over && ctx.Err() == nil; over = errors.As(err, new(*adapters.UpstreamError)) {
				turn, cancel := context.WithTimeout(ctx, time.Duration(500+rand.IntN(4000))*time.Millisecond)
				err = b.Contend(turn, "source", func(ctx context.Context, h *Held) error {
					defer j.enter(name, h)()
					crash := time.NewTimer(time.Duration(100+rand.IntN(3000)) * time.Millisecond)
					defer crash.Stop()
					for n := 0; ; n++ {
						select {
						case <-ctx.Done():
							return nil
						case <-crash.C:
							if rand.IntN(2) == 0 {
								js.Conn().Close()
							}
							return nil
						case <-time.After(time.Duration(rand.IntN(200)) * time.Millisecond):
							h.Tell(string(rune('a' + n%26)))
						}
					}
				}, func(Condition) {})
				cancel()
				j.remark(name, err)
			}
			b.Close()
		}
		j.remark(name, err)
		js.Conn().Close()
		pause(ctx, 10*time.Millisecond)
	}
}

// replicasOf returns 3 for a cluster.
func replicasOf(js jetstream.JetStream) int {
	if js.Conn().ConnectedClusterName() != "" {
		return 3
	}
	return 1
}

// TestChaos: whatever happens to the connections of five replicas, there is
// one holder at a time, and terms grow.
func TestChaos(t *testing.T) {
	s := start(t)
	var ways []*way
	urls := make(map[string]string)
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		w := proxyTo(t, s.addr())
		ways = append(ways, w)
		urls[name] = w.url()
	}
	j := gather(t, urls)
	for until := time.Now().Add(12 * time.Second); time.Now().Before(until); {
		w := ways[rand.IntN(len(ways))]
		switch rand.IntN(4) {
		case 0:
			w.stall()
		case 1:
			w.reset()
		case 2:
			w.slow(time.Duration(1+rand.IntN(400)) * time.Millisecond)
		default:
		}
		pause(t.Context(), time.Duration(rand.IntN(1500))*time.Millisecond)
		w.heal()
	}
	terms := len(j.all())
	await(t, "another term in the end", func() bool { return len(j.all()) > terms })
	j.end()
	t.Logf("terms: %d", len(j.all()))
	j.check(t, 0)
}

// TestChaosPurge: also when entries are removed under the holders, of whom two
// may then run for as long as the old one doesn't see it.
func TestChaosPurge(t *testing.T) {
	t.Parallel()
	s := start(t)
	j := gather(t, map[string]string{"a": s.ClientURL(), "b": s.ClientURL(), "c": s.ClientURL()})
	js := connect(t, s.ClientURL())
	for range 10 {
		pause(t.Context(), time.Duration(rand.IntN(1000))*time.Millisecond)
		if stream, err := js.Stream(t.Context(), streamOf(bucketName)); err == nil {
			_ = stream.Purge(t.Context())
		}
	}
	j.end()
	t.Logf("terms: %d", len(j.all()))
	j.check(t, 2*ttl/3+bit/5)
}

// TestCluster: a lease of three servers outlives that the leader moves, and any
// one of them.
func TestCluster(t *testing.T) {
	nodes := startCluster(t)
	three := func(o *Options) { o.Replicas, o.TTL = 3, 5*ttl }
	var j journal
	one := contend(t, open(t, nodes[0].ClientURL(), three), &j, "one")
	await(t, "the first to hold it", one.mine)
	two := contend(t, open(t, nodes[1].ClientURL(), three), &j, "two")
	await(t, "the second to see that", func() bool { return two.condition().Held })

	leader := func() *testServer {
		for _, n := range nodes {
			if n.Running() && n.JetStreamIsStreamLeader("$G", streamOf(bucketName)) {
				return n
			}
		}
		return nil
	}
	for range 3 { // the leader moves, and the holder stays
		await(t, "a leader", func() bool { return leader() != nil })
		old := leader()
		stepDown := "$JS.API.STREAM.LEADER.STEPDOWN." + streamOf(bucketName)
		if _, err := connect(t, nodes[2].ClientURL()).Conn().Request(stepDown, nil, soon); err != nil {
			t.Fatal(err)
		}
		await(t, "another leader", func() bool { l := leader(); return l != nil && l != old })
		state := old.options.ServerName
		one.tell(state)
		await(t, "the second to see what is told", func() bool { return two.condition().State == state })
	}
	if n := len(j.all()); n != 1 {
		t.Errorf("terms: got %d, want 1", n)
	}
	one.leave()
	two.leave()
	_, _ = one.result(t), two.result(t)
	j.check(t, 0)
}

// TestClusterChaos: also when each of the servers is killed in turn, and all
// at once.
func TestClusterChaos(t *testing.T) {
	nodes := startCluster(t)
	urls := make(map[string]string)
	for i, name := range []string{"a", "b", "c"} {
		urls[name] = nodes[i].ClientURL()
	}
	j := gather(t, urls)
	await(t, "a holder", func() bool { return len(j.running()) == 1 })
	for _, n := range nodes {
		n.kill()
		before, down := len(j.all()), time.Now()
		await(t, "a new holder without one of the servers", func() bool { return len(j.all()) > before })
		t.Logf("without %s: a new holder after %v", n.options.ServerName, time.Since(down))
		n.run(t)
		await(t, "the server to have all again", n.JetStreamIsCurrent)
	}
	for _, n := range nodes {
		n.kill()
	}
	await(t, "all to end", func() bool { return len(j.running()) == 0 })
	before := len(j.all())
	for _, n := range nodes {
		n.run(t)
	}
	await(t, "a holder after that", func() bool { return len(j.all()) > before })
	j.end()
	t.Logf("terms: %d", len(j.all()))
	j.check(t, 0)
}
