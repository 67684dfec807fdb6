package broker_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"reflect"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"sidestream/adapters/kafka/broker"
	"sidestream/adapters/kafka/record"
)

// client returns another client of a fake cluster.
func client(tb testing.TB, k *kfake.Cluster, o ...kgo.Opt) *kgo.Client {
	tb.Helper()
	o = append([]kgo.Opt{kgo.SeedBrokers(k.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner())}, o...)
	c, err := kgo.NewClient(o...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

// produce writes each value as a batch of its own, dated 1s, 2s… after 1970.
func produce(tb testing.TB, c *kgo.Client, topic string, partition int32, values ...string) {
	tb.Helper()
	for i, v := range values {
		r := &kgo.Record{Topic: topic, Partition: partition, Value: []byte(v), Timestamp: time.Unix(int64(i+1), 0)}
		if err := c.ProduceSync(tb.Context(), r).FirstErr(); err != nil {
			tb.Fatal(err)
		}
	}
}

// mustMetadata returns what a cluster knows of topics.
func mustMetadata(tb testing.TB, c *broker.Cluster, topics ...string) *broker.Metadata {
	tb.Helper()
	m, err := c.Metadata(tb.Context(), topics)
	if err != nil {
		tb.Fatalf("Metadata: got %v, want no error", err)
	}
	return m
}

// fetch fetches from one partition.
func fetch(tb testing.TB, conn *broker.Conn, r broker.FetchRequest, p broker.FetchPartition) broker.Fetched {
	tb.Helper()
	p.MaxBytes, r.MaxBytes = 1<<19, 1<<19
	r.Partitions = []broker.FetchPartition{p}
	got, err := conn.Fetch(tb.Context(), &r)
	if err != nil || len(got.Partitions) != 1 {
		tb.Fatalf("Fetch: got %+v, %v, want one partition", got, err)
	}
	return got.Partitions[0]
}

// offsetOf returns the offset of the first batch of some.
func offsetOf(records []byte) int64 {
	if len(records) < 8 {
		return -1
	}
	return int64(binary.BigEndian.Uint64(records))
}

// TestReleases talks to brokers of every release from 0.11 on.
func TestReleases(t *testing.T) {
	for i, v := range []*kversion.Versions{
		kversion.V0_11_0(), kversion.V1_0_0(), kversion.V1_1_0(), kversion.V2_0_0(), kversion.V2_1_0(), kversion.V2_2_0(),
		kversion.V2_3_0(), kversion.V2_4_0(), kversion.V2_6_0(), kversion.V2_7_0(), kversion.V2_8_0(), kversion.V3_0_0(),
		kversion.V3_1_0(), kversion.V3_5_0(), kversion.V3_9_0(), kversion.V4_0_0(), kversion.V4_3_0(), nil,
	} {
		name := "newest"
		o := []kfake.Opt{kfake.SeedTopics(2, "orders"), kfake.ClusterID("abc"), kfake.AllowAutoTopicCreation()}
		if v != nil {
			name = v.VersionGuess()
			o = append(o, kfake.MaxVersions(v))
		}
		t.Run(name, func(t *testing.T) {
			k := fake(t, o...)
			produce(t, client(t, k), "orders", 1, "first", "second", "third")
			c := newCluster(t, k.ListenAddrs(), nil)
			m := mustMetadata(t, c, "orders", "none")
			orders := m.Topics["orders"]
			if len(orders.Partitions) != 2 || orders.Partitions[1].ID != 1 || orders.Err != nil || m.ClusterID != "abc" || len(m.Brokers) != 1 {
				t.Errorf("Metadata: got %+v, want one broker and two partitions", m)
			}
			if got, want := m.Topics["none"].Err, kafka.UnknownTopicOrPartition; !errors.Is(got, want) {
				t.Errorf("Metadata of a topic that isn't there: got %v, want %v", got, want)
			}
			if got, want := orders.ID != (broker.TopicID{}), i >= 10; got != want {
				t.Errorf("Metadata: got an id: %v, want %v", got, want)
			}
			conn, err := c.Connect(t.Context(), m.Brokers[orders.Partitions[1].Leader])
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Release()
			checkOffsets(t, conn)

			got := fetch(t, conn, broker.FetchRequest{}, broker.FetchPartition{Topic: "orders", TopicID: orders.ID, Partition: 1, Epoch: orders.Partitions[1].Epoch, Offset: 1})
			if got.Err != nil || got.HighWatermark != 3 || offsetOf(got.Records) != 1 || got.Preferred != -1 {
				t.Errorf("Fetch: got %+v, want all from 1 on", got)
			}
			if want := bytes.Count(got.Records, []byte("second")); want != 1 {
				t.Errorf("Fetch: got %q, want the value in it", got.Records)
			}
			config, err := conn.TopicConfig(t.Context(), "orders", "cleanup.policy", "no.such.setting")
			if want := map[string]string{"cleanup.policy": "delete"}; err != nil || !maps.Equal(config, want) {
				t.Errorf("TopicConfig: got %v, %v, want %v", config, err, want)
			}
			_, err = conn.TopicConfig(t.Context(), "none", "cleanup.policy")
			if want := kafka.UnknownTopicOrPartition; !errors.Is(err, want) {
				t.Errorf("TopicConfig: got %v, want %v", err, want)
			}
		})
	}
}

func checkOffsets(t *testing.T, conn *broker.Conn) {
	t.Helper()
	at := []broker.OffsetRequest{
		{Topic: "orders", Partition: 1, Time: broker.Latest},
		{Topic: "none", Partition: 0, Time: broker.Latest},
		{Topic: "orders", Partition: 0, Time: broker.Latest},
		{Topic: "orders", Partition: 1, Time: broker.Earliest},
		{Topic: "orders", Partition: 1, Time: 1500},
		{Topic: "orders", Partition: 1, Time: 5000},
	}
	got, err := conn.ListOffsets(t.Context(), true, at)
	want := []broker.Offset{
		{Topic: "orders", Partition: 1, Offset: 3, Time: -1},
		{Topic: "none", Partition: 0, Offset: -1, Time: -1, Err: kafka.UnknownTopicOrPartition},
		{Topic: "orders", Partition: 0, Offset: 0, Time: -1},
		{Topic: "orders", Partition: 1, Offset: 0, Time: -1},
		{Topic: "orders", Partition: 1, Offset: 1, Time: 2000},
		{Topic: "orders", Partition: 1, Offset: -1, Time: -1},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("ListOffsets: got %+v, %v, want %+v", got, err, want)
	}
}

// TestTooOld talks to brokers that are older than what is known.
func TestTooOld(t *testing.T) {
	k := fake(t, kfake.MaxVersions(kversion.V0_10_0()))
	_, err := newCluster(t, k.ListenAddrs(), nil).Metadata(t.Context(), nil)
	fails(t, "Metadata", err, "Kafka does not offer a version of the protocol that is known", true, "Metadata of "+k.ListenAddrs()[0])
}

// TestNothingIsCreated asks a cluster that creates topics when asked to.
func TestNothingIsCreated(t *testing.T) {
	k := fake(t, kfake.AllowAutoTopicCreation())
	c := newCluster(t, k.ListenAddrs(), nil)
	for range 2 {
		if got, want := mustMetadata(t, c, "none").Topics["none"].Err, kafka.UnknownTopicOrPartition; !errors.Is(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	if got := mustMetadata(t, c).Topics; len(got) != 0 {
		t.Errorf("asked for no topic: got %v, want none", got)
	}
}

// TestFetchErrors has errors for partitions and for whole requests.
func TestFetchErrors(t *testing.T) {
	for _, tc := range []struct {
		name  string
		edit  func(*broker.FetchPartition)
		fault *kfake.Fault
		want  kafka.Error
	}{
		{"behind the end", func(p *broker.FetchPartition) { p.Offset = 99 }, nil, kafka.OffsetOutOfRange},
		{"another epoch", func(p *broker.FetchPartition) { p.Epoch = 99 }, nil, kafka.UnknownLeaderEpoch},
		{"no such partition", func(p *broker.FetchPartition) { p.Partition = 99 }, nil, kafka.UnknownTopicOrPartition},
		{"no such topic", func(p *broker.FetchPartition) { p.Topic, p.TopicID = "none", broker.TopicID{} }, nil, kafka.UnknownTopicOrPartition},
		{"another topic of that name", func(p *broker.FetchPartition) { p.TopicID[0]++ }, nil, kafka.UnknownTopicID},
		{"not the leader", nil, &kfake.Fault{Err: kerr.NotLeaderForPartition}, kafka.NotLeaderForPartition},
		{"the whole request", nil, &kfake.Fault{Err: kerr.FetchSessionTopicIDError, TopLevel: true}, kafka.FetchSessionTopicIDError},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := fake(t, kfake.SeedTopics(1, "orders"))
			produce(t, client(t, k), "orders", 0, "a")
			c := newCluster(t, k.ListenAddrs(), nil)
			p := broker.FetchPartition{Topic: "orders", TopicID: mustMetadata(t, c, "orders").Topics["orders"].ID, Epoch: -1}
			if tc.edit != nil {
				tc.edit(&p)
			}
			if tc.fault != nil {
				tc.fault.Keys = []kmsg.Key{kmsg.Fetch}
				k.Fault(*tc.fault)
			}
			conn := connect(t, c, k.ListenAddrs()[0])
			got := fetch(t, conn, broker.FetchRequest{MaxWait: time.Millisecond}, p)
			if !errors.Is(got.Err, tc.want) || got.Topic != p.Topic || got.Partition != p.Partition {
				t.Errorf("got %+v, want %v", got, tc.want)
			}
			if _, err := conn.TopicConfig(t.Context(), "orders", "cleanup.policy"); err != nil {
				t.Errorf("the connection after it: got %v, want no error", err)
			}
		})
	}
}

// TestFetchCommitted has transactions that were aborted, and one that is open.
func TestFetchCommitted(t *testing.T) {
	k := fake(t, kfake.SeedTopics(1, "orders"))
	writer := client(t, k, kgo.TransactionalID("tx"))
	transaction := func(end kgo.TransactionEndTry, values ...string) {
		if err := writer.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		produce(t, writer, "orders", 0, values...)
		if err := writer.EndTransaction(t.Context(), end); err != nil {
			t.Fatal(err)
		}
	}
	transaction(kgo.TryCommit, "a")
	transaction(kgo.TryAbort, "b")
	if err := writer.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	produce(t, writer, "orders", 0, "c")

	c := newCluster(t, k.ListenAddrs(), nil)
	conn := connect(t, c, k.ListenAddrs()[0])
	p := broker.FetchPartition{Topic: "orders", TopicID: mustMetadata(t, c, "orders").Topics["orders"].ID, Epoch: -1}
	all := fetch(t, conn, broker.FetchRequest{}, p)
	if all.Aborted != nil || record.End(all.Records, 0) != 5 {
		t.Errorf("got %+v, want all 5 records, control records included", all)
	}
	committed := fetch(t, conn, broker.FetchRequest{Committed: true}, p)
	if got, want := committed.Aborted, all.Aborted; len(got) != 1 || got[0].FirstOffset != 2 {
		t.Errorf("got %+v, want one that begins at 2, %+v", got, want)
	}
	if committed.LastStable != 4 || committed.HighWatermark != 5 || record.End(committed.Records, 0) != 4 {
		t.Errorf("got %+v, want what is before the open transaction, up to 4", committed)
	}
	for isCommitted, want := range map[bool]int64{true: 4, false: 5} {
		got, err := conn.ListOffsets(t.Context(), isCommitted, []broker.OffsetRequest{{Topic: "orders", Time: broker.Latest}})
		if err != nil || got[0].Offset != want {
			t.Errorf("ListOffsets, committed: %v: got %+v, %v, want %d", isCommitted, got, err, want)
		}
	}
	if err := writer.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
}

// TestFetchWaits waits for records as long as it is told to, and no longer.
func TestFetchWaits(t *testing.T) {
	k := fake(t, kfake.SeedTopics(1, "orders"))
	c := newCluster(t, k.ListenAddrs(), func(o *broker.Options) { o.RequestTimeout = time.Second })
	conn := connect(t, c, k.ListenAddrs()[0])
	p := broker.FetchPartition{Topic: "orders", Epoch: -1}
	start := time.Now()
	got := fetch(t, conn, broker.FetchRequest{MaxWait: 1200 * time.Millisecond}, p)
	if took := time.Since(start); got.Err != nil || len(got.Records) > 0 || took < 1200*time.Millisecond {
		t.Errorf("got %+v after %v, want nothing after 1.2s", got, took)
	}
	writer := client(t, k)
	k.ControlKey(kmsg.Fetch.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		k.DropControl()
		writer.Produce(t.Context(), &kgo.Record{Topic: "orders", Value: []byte("a")}, nil)
		return nil, nil, false
	})
	if got := fetch(t, conn, broker.FetchRequest{MaxWait: time.Hour}, p); got.Err != nil || offsetOf(got.Records) != 0 {
		t.Errorf("got %+v, want the record as it comes", got)
	}
}

// TestRecordsAreOwned keeps what one answer holds from the next.
func TestRecordsAreOwned(t *testing.T) {
	k := fake(t, kfake.SeedTopics(1, "orders"))
	produce(t, client(t, k), "orders", 0, "a", "b")
	c := newCluster(t, k.ListenAddrs(), nil)
	conn := connect(t, c, k.ListenAddrs()[0])
	p := broker.FetchPartition{Topic: "orders", Epoch: -1}
	first := fetch(t, conn, broker.FetchRequest{}, p).Records
	kept := bytes.Clone(first)
	p.Offset = 1
	second := fetch(t, conn, broker.FetchRequest{}, p).Records
	clear(second)
	if !bytes.Equal(first, kept) {
		t.Error("got other records after the next answer, want the same")
	}
}

// TestTopicID tells a topic from the one that it was created anew as.
func TestTopicID(t *testing.T) {
	k := fake(t, kfake.SeedTopics(1, "orders"))
	admin := kadm.NewClient(client(t, k))
	c := newCluster(t, k.ListenAddrs(), nil)
	before := mustMetadata(t, c, "orders").Topics["orders"].ID
	if _, err := admin.DeleteTopic(t.Context(), "orders"); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.CreateTopic(t.Context(), 1, 1, nil, "orders"); err != nil {
		t.Fatal(err)
	}
	after := mustMetadata(t, c, "orders").Topics["orders"].ID
	if before == after || after == (broker.TopicID{}) {
		t.Fatalf("got %x after %x, want another", after, before)
	}
	conn := connect(t, c, k.ListenAddrs()[0])
	got := fetch(t, conn, broker.FetchRequest{}, broker.FetchPartition{Topic: "orders", TopicID: before, Epoch: -1})
	if want := kafka.UnknownTopicID; !errors.Is(got.Err, want) || got.Topic != "orders" {
		t.Errorf("got %+v, want %v", got, want)
	}
}

// TestThrottled gives a broker the time for which it has said that it won't
// read.
func TestThrottled(t *testing.T) {
	k := fake(t, kfake.SeedTopics(1, "orders"))
	c := newCluster(t, k.ListenAddrs(), func(o *broker.Options) { o.RequestTimeout = 100 * time.Millisecond })
	conn := connect(t, c, k.ListenAddrs()[0])
	k.ControlKey(kmsg.DescribeConfigs.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		response := r.ResponseKind().(*kmsg.DescribeConfigsResponse)
		response.ThrottleMillis = 10000
		response.Resources = []kmsg.DescribeConfigsResponseResource{kmsg.NewDescribeConfigsResponseResource()}
		return response, nil, true
	})
	if _, err := conn.TopicConfig(t.Context(), "orders"); err != nil {
		t.Fatal(err)
	}
	late, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	k.ControlKey(kmsg.ListOffsets.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		k.DropControl()
		k.SleepControl(func() { <-late.Done() })
		return nil, nil, false
	})
	if _, err := conn.ListOffsets(t.Context(), false, []broker.OffsetRequest{{Topic: "orders", Time: broker.Latest}}); err != nil {
		t.Errorf("got %v, want no error", err)
	}
}
