package kafka

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sidestream/adapters"
)

// compressed returns a client whose batches are compressed well.
func compressed(t testing.TB, k *fake) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(
		kgo.SeedBrokers(k.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.Dialer(k.gate.dial),
		kgo.ProducerBatchCompression(kgo.GzipCompression()), kgo.ProducerLinger(0), kgo.ProducerBatchMaxBytes(1<<20),
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// A batch that is too large is told as a gap, and what is behind it delivered.
func TestBatchTooLarge(t *testing.T) {
	t.Parallel()
	k := startFake(t, 2)
	k.fill(t, "0a", "1a")
	large := &kgo.Record{Topic: topicName, Value: bytes.Repeat([]byte("0"), 100<<10)}
	if err := compressed(t, k).ProduceSync(t.Context(), large).FirstErr(); err != nil {
		t.Fatal(err)
	}
	k.fill(t, "0b")
	s := k.source(t, func(o *Options) { o.Fetch.MaxBatch = minBatch })
	r := run(t, s, "")
	r.wait("four", func() bool { return len(r.seen()) == 4 })
	r.waitLive()
	events := r.stop()
	i := slices.IndexFunc(events, func(e adapters.Event) bool { return e.Gap != nil })
	if i < 0 || events[i].Gap.Reason != adapters.LostInvalid || events[i].Gap.Lost != 1 {
		t.Fatalf("got %v, want a gap of one record", payloads(events))
	}
	if n := slices.Index(payloads(events), "0b"); n < i {
		t.Errorf("got %v, want what is behind the gap behind it", payloads(events))
	}
	// One who has the gap goes on behind it.
	again := run(t, s, events[i].Position)
	again.waitValues(payloads(events)[i+1:]...)
	again.waitLive()
	checkValues(t, again.stop(), payloads(events)[i+1:]...)
	// And with a greater bound it is there.
	r = run(t, k.source(t, nil), "")
	r.wait("four", func() bool { return len(r.seen()) == 4 })
	if slices.ContainsFunc(r.seen(), func(e adapters.Event) bool { return e.Gap != nil }) {
		t.Error("got a gap with a greater bound, want none")
	}
}

// corrupt has a fake send sources batches that are no good, as long as it is on.
// What it holds stays as it is.
func corrupt(k *fake, on func() bool) {
	k.ControlKey(int16(keyFetch), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		k.KeepControl()
		if !on() {
			return nil, nil, false
		}
		req := kreq.(*kmsg.FetchRequest)
		resp := req.ResponseKind().(*kmsg.FetchResponse)
		for _, t := range req.Topics {
			topic := kmsg.NewFetchResponseTopic()
			topic.Topic, topic.TopicID = t.Topic, t.TopicID
			for _, p := range t.Partitions {
				part := kmsg.NewFetchResponseTopicPartition()
				part.Partition, part.HighWatermark, part.LastStableOffset = p.Partition, 100, 100
				part.RecordBatches = broken(p.FetchOffset)
				topic.Partitions = append(topic.Partitions, part)
			}
			resp.Topics = append(resp.Topics, topic)
		}
		return resp, nil, true
	})
}

// broken returns a batch whose checksum is wrong.
func broken(offset int64) []byte {
	b := make([]byte, 61)
	binary.BigEndian.PutUint64(b, uint64(offset))
	binary.BigEndian.PutUint32(b[8:], 49)
	b[16] = 2
	return b
}

// What is corrupt is a failure that may pass, since the next reading may not be,
// and nothing is passed over.
func TestCorrupt(t *testing.T) {
	t.Parallel()
	k := startFake(t, 1)
	var mu sync.Mutex
	on := true
	corrupt(k, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return on
	})
	k.fill(t, "0a", "0b")
	s := k.source(t, nil)
	err := run(t, s, "").ended()
	if err == nil || adapters.IsPermanent(err) || adapters.Reason(err) != reasonCorrupt {
		t.Errorf("got %v, want a transient %q", err, reasonCorrupt)
	}
	mu.Lock()
	on = false
	mu.Unlock()
	run(t, s, "").waitValues("0a", "0b")
}

// One whose events are taken slowly has no more in memory than some answers.
func TestSlowEmit(t *testing.T) {
	t.Parallel()
	const size, count = 100 << 10, 300 // 30 MiB
	k := startFake(t, 2)
	s := k.source(t, func(o *Options) { o.Fetch.MaxBytes, o.Fetch.MaxPartitionBytes = 256<<10, 128<<10 })
	goOn := make(chan struct{})
	r := runWith(t, s, "", func(e adapters.Event) error {
		if !e.Live {
			<-goOn
		}
		return nil
	})
	sent := k.Fault(kfake.Fault{Keys: keysOf(keyFetch), Topic: topicName, Count: -1, Observe: true})
	value := strings.Repeat("x", size)
	for i := range count {
		k.put(t, &kgo.Record{Topic: topicName, Partition: int32(i % 2), Value: []byte(strconv.Itoa(i%2) + value)})
	}
	if got := sent.Hits(); got > 20 {
		t.Errorf("got %d requests while nothing was taken, want a few", got)
	}
	close(goOn)
	r.wait("all", func() bool { return len(r.seen()) == count })
}

// An answer is bounded, so that a large backlog of one partition leaves room for
// others in the next one.
func TestFairness(t *testing.T) {
	t.Parallel()
	k := startFake(t, 3)
	client := compressed(t, k)
	for i := range 200 {
		r := &kgo.Record{Topic: topicName, Value: []byte(fmt.Sprintf("0%d-%01000d", i, 0))}
		if err := client.ProduceSync(context.Background(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	k.fill(t, "1a", "2a")
	r := run(t, k.source(t, func(o *Options) { o.Fetch.MaxBytes, o.Fetch.MaxPartitionBytes = 2<<10, 2<<10 }), "")
	r.wait("all", func() bool { return len(r.seen()) == 202 })
	for _, v := range []string{"1a", "2a"} {
		if i := slices.Index(payloads(r.seen()), v); i > 150 {
			t.Errorf("got %s as number %d of 202, want it in turn", v, i)
		}
	}
}
