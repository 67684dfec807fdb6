package kafka

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"sidestream/adapters"
)

// A load writes into partitions in turn until it is stopped.
type load struct {
	cancel context.CancelFunc
	done   chan struct{}

	values []string // what was written, when done; the first letter names the partition
}

// startLoad starts writing, with some time between two records.
func startLoad(t testing.TB, k *fake, partitions int, pause time.Duration) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(l.done)
		ticks := time.NewTicker(pause)
		defer ticks.Stop()
		for i := 0; ; i++ {
			select {
			case <-ctx.Done():
				return
			case <-ticks.C:
			}
			p := int32(i % partitions)
			value := fmt.Sprintf("%d-%d", p, i)
			r := &kgo.Record{Topic: topicName, Partition: p, Value: []byte(value)}
			if err := k.client.ProduceSync(context.WithoutCancel(ctx), r).FirstErr(); err != nil {
				t.Errorf("got %v of a producer, want no error", err)
				return
			}
			l.values = append(l.values, value)
		}
	}()
	t.Cleanup(func() { l.stop() })
	return l
}

// stop stops writing and returns what was written.
func (l *load) stop() []string {
	l.cancel()
	<-l.done
	return l.values
}

// A partition that can't be read for a while is read from where it was, and the
// others don't wait for it.
func TestPartitionInTrouble(t *testing.T) {
	t.Parallel()
	for _, e := range []*kerr.Error{
		kerr.NotLeaderForPartition, kerr.FencedLeaderEpoch, kerr.UnknownLeaderEpoch, kerr.KafkaStorageError, kerr.OffsetNotAvailable,
		kerr.ReplicaNotAvailable, kerr.UnknownTopicOrPartition, kerr.UnknownTopicID, kerr.InconsistentTopicID, kerr.LeaderNotAvailable,
		kerr.RequestTimedOut, {Message: "NEW", Code: 31_000},
	} {
		t.Run(e.Message, func(t *testing.T) {
			t.Parallel()
			k := startFake(t, 3)
			s := k.source(t, nil)
			r := run(t, s, "")
			r.waitLive()
			trouble := k.Fault(kfake.Fault{Keys: keysOf(keyFetch), Topic: topicName, Partitions: []int32{1}, Err: e, Count: -1})
			k.fill(t, "1a")
			var want []string
			for i := range 5 {
				want = append(want, fmt.Sprintf("0%d", i), fmt.Sprintf("2%d", i))
				k.fill(t, want[2*i:]...)
				start := time.Now()
				r.waitValues(want...)
				if took := time.Since(start); took > 2*time.Second {
					t.Errorf("got the neighbours' records after %v, want no pause", took)
				}
			}
			if trouble.Hits() == 0 {
				t.Error("got no fault, want some")
			}
			if err := trouble.Wait(t.Context(), 3); err != nil { // it tries again
				t.Fatal(err)
			}
			lives := len(r.live())
			trouble.Remove()
			k.fill(t, "1b")
			want = append(want, "1a", "1b")
			r.waitValues(want...)
			if got := len(r.live()); got > lives+1 {
				t.Errorf("got %d Live notices while a partition was in trouble, want none", got-lives)
			}
			r.waitLive()
			r.stop()
		})
	}
}

// No Live notice comes as long as a partition can't be read, whether it was
// before or not.
func TestNotLiveInTrouble(t *testing.T) {
	t.Parallel()
	for _, before := range []bool{false, true} {
		t.Run(fmt.Sprint("read before: ", before), func(t *testing.T) {
			t.Parallel()
			k := startFake(t, 2)
			s := k.source(t, nil)
			var r *running
			if before {
				r = run(t, s, "")
				r.waitLive()
			}
			trouble := k.Fault(kfake.Fault{Keys: keysOf(keyFetch), Topic: topicName, Partitions: []int32{1}, Err: kerr.KafkaStorageError, Count: -1})
			k.fill(t, "0a")
			if !before {
				r = run(t, s, "")
			}
			r.waitValues("0a")
			if err := trouble.Wait(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
			begun, lives := time.Now(), len(r.live())
			eventually(t, "time for two notices", func() bool { return time.Since(begun) > 2*beat })
			if got := len(r.live()) - lives; got > 0 {
				t.Errorf("got %d Live notices, want none", got)
			}
			trouble.Remove()
			r.waitNextLive()
		})
	}
}

// If everything is in trouble for a while, that is a failure.
func TestAllInTrouble(t *testing.T) {
	t.Parallel()
	k := startFake(t, 2, kfake.NumBrokers(2))
	r := run(t, k.source(t, nil), "")
	r.waitLive()
	k.Fault(kfake.Fault{Keys: keysOf(keyFetch), Topic: topicName, Err: kerr.KafkaStorageError, Count: -1})
	start := time.Now()
	err := r.ended()
	if err == nil || adapters.IsPermanent(err) {
		t.Errorf("got %v, want a transient failure", err)
	}
	if took := time.Since(start); took > patience+2*beat {
		t.Errorf("got it after %v, want it within some seconds", took)
	}
}

// Partitions of several brokers fail at the same moment, and again and again,
// as when leaders are elected. Each is read on.
func TestTroubleOfSeveralBrokers(t *testing.T) {
	t.Parallel()
	const brokers = 4
	k := startFake(t, brokers, kfake.NumBrokers(brokers))
	for p := range int32(brokers) {
		if err := k.MoveTopicPartition(topicName, p, p); err != nil {
			t.Fatal(err)
		}
	}
	s := k.source(t, nil)
	r := run(t, s, "")
	r.waitLive()
	var want []string
	for i := range 15 {
		var nodes []*kfake.FaultHandle
		for p := range int32(brokers) {
			nodes = append(nodes, k.Fault(kfake.Fault{Keys: keysOf(keyFetch), Topic: topicName, Partitions: []int32{p}, Err: kerr.OffsetNotAvailable, Count: 1}))
		}
		var wg sync.WaitGroup
		for p := range brokers {
			value := fmt.Sprintf("%d-%d", p, i)
			want = append(want, value)
			wg.Go(func() { k.fill(t, value) }) // wakes all of the brokers
		}
		wg.Wait()
		for _, f := range nodes {
			if err := f.Wait(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
		}
		r.waitValues(want...)
	}
}

func TestLeadersMoveUnderLoad(t *testing.T) {
	t.Parallel()
	k := startFake(t, 4, kfake.NumBrokers(3))
	s := k.source(t, nil)
	r := run(t, s, "")
	r.waitLive()
	l := startLoad(t, k, 4, time.Millisecond)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 30 {
		if i%3 == 0 {
			k.ShufflePartitionLeaders()
		} else if err := k.MoveTopicPartition(topicName, random.Int32N(4), random.Int32N(3)); err != nil {
			t.Fatal(err)
		}
		n := len(r.seen())
		r.wait("more records", func() bool { return len(r.seen()) > n+10 })
	}
	want := l.stop()
	r.waitValues(want...)
	r.waitLive()
}

// A broker that is gone for good has its partitions read from others, and one
// that is new is read from.
func TestBrokersComeAndGo(t *testing.T) {
	t.Parallel()
	k := startFake(t, 3, kfake.NumBrokers(3))
	s := k.source(t, nil)
	r := run(t, s, "")
	r.waitLive()
	l := startLoad(t, k, 3, time.Millisecond)
	for node := range int32(2) {
		added, _, err := k.AddNode(-1, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := k.RemoveNode(node); err != nil {
			t.Fatal(err)
		}
		for p := range int32(3) {
			if err := k.MoveTopicPartition(topicName, p, added); err != nil {
				t.Fatal(err)
			}
		}
		n := len(r.seen())
		r.wait("more records", func() bool { return len(r.seen()) > n+50 })
	}
	r.waitValues(l.stop()...)
	r.waitLive()
}

// With all brokers down the Run fails soon, and one that begins then too. With
// them up again another goes on.
func TestAllBrokersDown(t *testing.T) {
	t.Parallel()
	k := startFake(t, 3, kfake.NumBrokers(3))
	s := k.source(t, nil)
	k.fill(t, "0a", "1a", "2a")
	r := run(t, s, "")
	r.waitValues("0a", "1a", "2a")
	at := r.waitLive()
	k.gate.close()
	start := time.Now()
	for range 2 {
		if err := r.ended(); err == nil || adapters.IsPermanent(err) {
			t.Errorf("got %v, want a transient failure", err)
		}
		r = run(t, s, at)
	}
	if took := time.Since(start); took > patience+2*beat {
		t.Errorf("got it after %v, want it within some seconds", took)
	}
	k.gate.open()
	k.fill(t, "0b")
	r = run(t, s, at)
	r.waitValues("0b")
}
