package record

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// byFranz returns what franz-go reads out of a set: the same records, and the
// same offset to go on from, or an error.
func byFranz(set []byte, from int64, o Options) ([]Record, int64, error) {
	p := kmsg.NewFetchResponseTopicPartition()
	p.RecordBatches = set
	for _, a := range o.Aborted {
		t := kmsg.NewFetchResponseTopicPartitionAbortedTransaction()
		t.ProducerID, t.FirstOffset = a.ProducerID, a.FirstOffset
		p.AbortedTransactions = append(p.AbortedTransactions, t)
	}
	level := kgo.ReadUncommitted()
	if o.Committed {
		level = kgo.ReadCommitted()
	}
	read, end := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{Offset: from, IsolationLevel: level}, &p, kgo.DefaultDecompressor(), nil)
	var records []Record
	for _, r := range read.Records {
		rec := Record{Offset: r.Offset, Time: r.Timestamp.UTC(), Key: r.Key, Value: r.Value}
		if r.Attrs.TimestampType() == -1 { // of format 0
			rec.Time = time.Time{}
		}
		for _, h := range r.Headers {
			rec.Headers = append(rec.Headers, Header{Key: h.Key, Value: h.Value})
		}
		records = append(records, rec)
	}
	return records, end, read.Err
}

// checkAgainstFranz compares what both read out of a set without faults.
func checkAgainstFranz(tb testing.TB, set []byte, from int64, o Options) []Record {
	tb.Helper()
	got := mustRead(tb, set, from, o)
	want, end, err := byFranz(set, from, o)
	if err != nil {
		tb.Fatalf("from %d: got %v from franz-go, want no error", from, err)
	}
	if !slices.EqualFunc(got, want, func(a, b Record) bool { return reflect.DeepEqual(a, b) }) {
		tb.Fatalf("from %d: got %q\nwant %q as franz-go reads it", from, lines(got), lines(want))
	}
	if got := End(set, from); got != end {
		tb.Fatalf("from %d: got End %d, want %d as franz-go says", from, got, end)
	}
	return got
}

// fetched is a partition as a broker answers to a Fetch request.
type fetched struct {
	set     []byte
	aborted []Aborted
}

// fetch asks for all of the partition 0 of a topic, as it is on the wire.
func fetch(tb testing.TB, cl *kgo.Client, topic string, from int64, committed bool) fetched {
	tb.Helper()
	part := kmsg.NewFetchRequestTopicPartition()
	part.FetchOffset, part.PartitionMaxBytes = from, 100<<20
	of := kmsg.NewFetchRequestTopic()
	of.Topic, of.Partitions = topic, []kmsg.FetchRequestTopicPartition{part}
	req := kmsg.NewPtrFetchRequest()
	req.Topics = []kmsg.FetchRequestTopic{of}
	req.MaxBytes, req.MaxWaitMillis, req.SessionEpoch = 100<<20, 100, -1
	if committed {
		req.IsolationLevel = 1
	}
	ctx, cancel := context.WithTimeout(tb.Context(), 10*time.Second)
	defer cancel()
	raw, err := cl.Broker(0).RetriableRequest(ctx, req)
	if err != nil {
		tb.Fatalf("fetch: %v", err)
	}
	answer := raw.(*kmsg.FetchResponse).Topics[0].Partitions[0]
	if answer.ErrorCode != 0 {
		tb.Fatalf("fetch: got error code %d, want 0", answer.ErrorCode)
	}
	f := fetched{set: answer.RecordBatches}
	for _, a := range answer.AbortedTransactions {
		f.aborted = append(f.aborted, Aborted{ProducerID: a.ProducerID, FirstOffset: a.FirstOffset})
	}
	return f
}

// startCluster returns a client of a broker with a topic of one partition. Its
// requests name topics by name.
func startCluster(tb testing.TB, topic string, opts ...kgo.Opt) *kgo.Client {
	tb.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, topic))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(cluster.Close)
	return connect(tb, append(opts, kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.DefaultProduceTopic(topic))...)
}

func connect(tb testing.TB, opts ...kgo.Opt) *kgo.Client {
	tb.Helper()
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(kmsg.Fetch.Int16(), 12) // the last that names topics by name
	cl, err := kgo.NewClient(append(opts, kgo.MaxVersions(versions))...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(cl.Close)
	return cl
}

// TestProducedByFranz reads what kgo has produced with each codec, as a broker
// gives it out, from each offset.
func TestProducedByFranz(t *testing.T) {
	for name, codec := range map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	} {
		t.Run(name, func(t *testing.T) {
			cl := startCluster(t, "t", kgo.ProducerBatchCompression(codec))
			var want []Record
			for batch := range 5 {
				var list []*kgo.Record
				for i := range 20 {
					r := &kgo.Record{Timestamp: at.Add(time.Duration(i-3) * time.Second), Value: textOf(i * 50)}
					if i%3 > 0 {
						r.Key = fmt.Appendf(nil, "key %d", i)
					}
					if i%4 == 0 {
						r.Headers = []kgo.RecordHeader{{Key: "batch", Value: fmt.Append(nil, batch)}, {Key: "null"}}
					}
					if i%7 == 0 {
						r.Value = nil
					}
					list = append(list, r)
				}
				if err := cl.ProduceSync(t.Context(), list...).FirstErr(); err != nil {
					t.Fatal(err)
				}
				for _, r := range list {
					rec := Record{Offset: r.Offset, Time: r.Timestamp.Truncate(time.Millisecond).UTC(), Key: r.Key, Value: r.Value}
					for _, h := range r.Headers {
						rec.Headers = append(rec.Headers, Header{Key: h.Key, Value: h.Value})
					}
					want = append(want, rec)
				}
			}
			f := fetch(t, cl, "t", 0, false)
			for from := range int64(len(want)) + 2 {
				got := checkAgainstFranz(t, f.set, from, Options{})
				if n := min(from, int64(len(want))); !slices.Equal(lines(got), lines(want[n:])) {
					t.Fatalf("from %d: got %q\nwant %q", from, lines(got), lines(want[n:]))
				}
			}
		})
	}
}

// TestTransactionsOfFranz runs transactions of two producers, some of which are
// aborted, and reads them from each offset.
func TestTransactionsOfFranz(t *testing.T) {
	cl := startCluster(t, "t", kgo.ProducerBatchCompression(kgo.NoCompression()))
	producers := make([]*kgo.Client, 2)
	for i := range producers {
		producers[i] = connect(t, append(slices.Clone(cl.Opts()), kgo.TransactionalID(fmt.Sprint("producer ", i)))...)
	}
	produce := func(p *kgo.Client, value string) {
		t.Helper()
		if err := p.ProduceSync(t.Context(), &kgo.Record{Value: []byte(value)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	begin := func(p *kgo.Client) {
		t.Helper()
		if err := p.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
	}
	end := func(p *kgo.Client, commit kgo.TransactionEndTry) {
		t.Helper()
		if err := p.EndTransaction(t.Context(), commit); err != nil {
			t.Fatal(err)
		}
	}
	// Both at once; what is aborted says so.
	for round := range 6 {
		begin(producers[0])
		begin(producers[1])
		first, second := kgo.TryCommit, kgo.TryAbort
		if round%3 == 0 {
			first = kgo.TryAbort
		}
		if round%2 == 0 {
			second = kgo.TryCommit
		}
		word := map[kgo.TransactionEndTry]string{kgo.TryCommit: "committed", kgo.TryAbort: "aborted"}
		for range 2 {
			produce(producers[0], word[first])
			produce(producers[1], word[second])
			produce(cl, "committed")
		}
		end(producers[0], first)
		produce(producers[1], word[second])
		end(producers[1], second)
	}
	all := fetch(t, cl, "t", 0, true)
	if len(all.aborted) != 5 {
		t.Fatalf("got %d aborted transactions, want 5", len(all.aborted))
	}
	last := End(all.set, 0)
	for from := range last + 1 {
		f := all
		if from < last {
			f = fetch(t, cl, "t", from, true)
		}
		want := 0
		for _, r := range checkAgainstFranz(t, f.set, from, Options{}) {
			if string(r.Value) == "committed" {
				want++
			}
		}
		committed := checkAgainstFranz(t, f.set, from, Options{Committed: true, Aborted: f.aborted})
		for _, r := range committed {
			if got, want := string(r.Value), "committed"; got != want {
				t.Errorf("from %d: got a record %q at %d, want only %q", from, got, r.Offset, want)
			}
		}
		if got := len(committed); got != want {
			t.Errorf("from %d: got %d committed records, want %d", from, got, want)
		}
	}
}
