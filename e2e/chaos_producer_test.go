package e2e

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sidestream/e2e/chaos"
)

// attemptTimeout is how long a producer waits for an acknowledgement.
const attemptTimeout = 2 * time.Second

// producers publish the records of some keys, those of each in order, and
// note what the broker has acknowledged.
type producers struct {
	js jetstream.JetStream

	mu           sync.Mutex
	acknowledged []chaos.Record
	attempts     int
	next         map[string]int    // number, by key
	newest       map[string]uint64 // sequence acknowledged, by key, and of all as that of ""
}

// produce starts a producer for each key, which publishes a record every so
// often until stop is called. Then the last record of each may be
// unacknowledged.
func produce(tb testing.TB, js jetstream.JetStream, keys []string, every time.Duration) (p *producers, stop func()) {
	tb.Helper()
	p = &producers{js: js, next: map[string]int{}, newest: map[string]uint64{}}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, key := range keys {
		running.Go(func() {
			tick := time.NewTicker(every)
			defer tick.Stop()
			for p.publish(ctx, key) {
				select {
				case <-tick.C:
				case <-ctx.Done():
					return
				}
			}
		})
	}
	stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	tb.Cleanup(stop)
	return p, stop
}

// publish publishes the next record of a key, again and again until it is
// acknowledged, which is reported, or ctx is done. Nats-Msg-Id makes all
// attempts one message.
func (p *producers) publish(ctx context.Context, key string) bool {
	p.mu.Lock()
	p.next[key]++
	r := chaos.Record{Key: key, Number: p.next[key]}
	p.mu.Unlock()
	msg := &nats.Msg{Subject: chaosSubject(key), Data: r.Payload()}
	for ctx.Err() == nil {
		attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
		ack, err := p.js.PublishMsg(attempt, msg, jetstream.WithMsgID(fmt.Sprintf("%s/%d", r.Key, r.Number)))
		cancel()
		p.mu.Lock()
		p.attempts++
		if err == nil {
			r.Sequence = ack.Sequence
			p.acknowledged = append(p.acknowledged, r)
			p.newest[key], p.newest[""] = max(p.newest[key], r.Sequence), max(p.newest[""], r.Sequence)
		}
		p.mu.Unlock()
		if err == nil {
			return true
		}
		pause(ctx, nil, natsReconnectWait)
	}
	return false
}

// round publishes one record of each key, and returns the sequence of the
// first.
func (p *producers) round(tb testing.TB, keys []string) (first uint64) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	for i, key := range keys {
		if !p.publish(ctx, key) {
			tb.Fatalf("got no acknowledgement for a record of %s in %v", key, patience)
		}
		if i == 0 {
			first = p.newestAck(key)
		}
	}
	return first
}

// acks returns the records that were acknowledged, and how many attempts it
// took.
func (p *producers) acks() (records []chaos.Record, attempts int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append(records, p.acknowledged...), p.attempts
}

// newestAck returns the sequence of the newest record that was acknowledged of
// a key, or of all if it is empty; 0 if there is none.
func (p *producers) newestAck(key string) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.newest[key]
}

// createStream makes the stream that the producers fill.
func createStream(tb testing.TB, js jetstream.JetStream, replicas int) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	if _, err := js.CreateStream(ctx, jetstream.StreamConfig{
		Name: chaosStream, Subjects: []string{chaosSubject(">")}, Storage: jetstream.FileStorage,
		Replicas: replicas, Duplicates: 2 * time.Hour,
	}); err != nil {
		tb.Fatalf("create the stream %s: %v", chaosStream, err)
	}
}

// replicated reports whether every replica of the stream has all of it.
func replicated(tb testing.TB, js jetstream.JetStream) bool {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), attemptTimeout)
	defer cancel()
	s, err := js.Stream(ctx, chaosStream)
	if err != nil {
		return false
	}
	cluster := s.CachedInfo().Cluster
	return cluster.Leader != "" && !slices.ContainsFunc(cluster.Replicas, func(p *jetstream.PeerInfo) bool { return p.Offline || !p.Current })
}

// readStream returns all that the stream holds.
func readStream(tb testing.TB, js jetstream.JetStream) (records []chaos.Record) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 2*patience)
	defer cancel()
	consumer, err := js.CreateConsumer(ctx, chaosStream, jetstream.ConsumerConfig{AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1})
	if err != nil {
		tb.Fatalf("read the stream %s: %v", chaosStream, err)
	}
	for left := consumer.CachedInfo().NumPending; left > 0; {
		batch, err := consumer.Fetch(int(min(left, 1000)), jetstream.FetchMaxWait(attemptTimeout))
		if err != nil {
			tb.Fatalf("read the stream %s: %v", chaosStream, err)
		}
		for msg := range batch.Messages() {
			meta, err := msg.Metadata()
			if err != nil {
				tb.Fatal(err)
			}
			if want := uint64(len(records) + 1); meta.Sequence.Consumer != want {
				tb.Fatalf("read the stream %s: got message %d, want %d", chaosStream, meta.Sequence.Consumer, want)
			}
			r, err := chaos.Parse(msg.Data())
			if err != nil || msg.Subject() != chaosSubject(r.Key) {
				tb.Errorf("the stream holds at %d, subject %s: %v (%v), want a record of that key", meta.Sequence.Stream, msg.Subject(), r, err)
			}
			r.Sequence = meta.Sequence.Stream
			records = append(records, r)
			left = meta.NumPending
		}
		if ctx.Err() != nil {
			tb.Fatalf("read the stream %s: %v: got %d records, want %d more", chaosStream, batch.Error(), len(records), left)
		}
	}
	if err := js.DeleteConsumer(ctx, chaosStream, consumer.CachedInfo().Name); err != nil {
		tb.Fatalf("delete the consumer of the test: %v", err)
	}
	return records
}
