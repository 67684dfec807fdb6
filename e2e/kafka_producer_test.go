package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"
)

// kafkaRecord is a record to be sent.
type kafkaRecord struct {
	Partition *int32        `json:"partition"` // nil: by the key, or any if there is none
	Key       []byte        `json:"key"`       // nil: none
	Value     []byte        `json:"value"`     // nil: a tombstone
	Headers   []kafkaHeader `json:"headers"`
	Millis    *int64        `json:"time"` // since 1970; nil: now
}

// kafkaHeader is one of a record's headers.
type kafkaHeader struct {
	Key   string `json:"key"`
	Value []byte `json:"value"` // nil: none
}

// keyed returns a record of text.
func keyed(key, value string) kafkaRecord {
	return kafkaRecord{Key: []byte(key), Value: []byte(value)}
}

// in returns the record for that partition.
func (r kafkaRecord) in(partition int32) kafkaRecord {
	r.Partition = &partition
	return r
}

// at returns the record as of that time.
func (r kafkaRecord) at(when time.Time) kafkaRecord {
	r.Millis = new(when.UnixMilli())
	return r
}

// kafkaAck says where a record is stored.
type kafkaAck struct {
	Partition int
	Offset    int64
	Error     string // "": it is stored
}

// send sends records in this order by an idempotent producer, waits until all
// in-sync replicas have them, and returns where each is. It fails the test if
// one isn't stored.
func (k *kafkaClient) send(tb testing.TB, topic string, records ...kafkaRecord) []kafkaAck {
	tb.Helper()
	return k.sendCompressed(tb, topic, "none", records...)
}

// sendCompressed is send with batches compressed by "gzip", "snappy", "lz4" or
// "zstd".
func (k *kafkaClient) sendCompressed(tb testing.TB, topic, compression string, records ...kafkaRecord) []kafkaAck {
	tb.Helper()
	acks, err := k.trySend(tb.Context(), topic, compression, records...)
	if err != nil {
		tb.Fatal(err)
	}
	checkAcks(tb, acks)
	return acks
}

// trySend is send where nodes may be down: each ack says whether the record is
// stored. A record with an error may be there nevertheless.
func (k *kafkaClient) trySend(ctx context.Context, topic, compression string, records ...kafkaRecord) (acks []kafkaAck, err error) {
	return acks, k.try(ctx, produceOp(topic, compression, records), &acks)
}

func produceOp(topic, compression string, records []kafkaRecord) any {
	return map[string]any{"op": "produce", "topic": topic, "compression": compression, "records": records}
}

func checkAcks(tb testing.TB, acks []kafkaAck) {
	tb.Helper()
	for i, a := range acks {
		if a.Error != "" {
			tb.Fatalf("record %d: got %s, want it stored", i, a.Error)
		}
	}
}

// A kafkaTransaction is a producer with a transactional id, and its
// transaction. One that the test leaves open is aborted by Kafka, after the
// timeout.
type kafkaTransaction struct {
	client  *kafkaClient
	session *driverSession
	id      string
	timeout time.Duration
}

// begin begins a transaction. Another one that is open under the same id is
// aborted, and its producer fenced off.
func (k *kafkaClient) begin(tb testing.TB, id string, timeout time.Duration) *kafkaTransaction {
	tb.Helper()
	s, err := k.driver.open(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	x := &kafkaTransaction{client: k, session: s, id: id, timeout: timeout}
	x.again(tb)
	return x
}

// again begins a transaction after the last was committed or aborted.
func (x *kafkaTransaction) again(tb testing.TB) {
	tb.Helper()
	x.do(tb, map[string]any{"op": "begin", "id": x.id, "timeoutMs": x.timeout.Milliseconds()}, nil)
}

// send sends records that belong to the transaction, and returns where each
// is once all are stored.
func (x *kafkaTransaction) send(tb testing.TB, topic string, records ...kafkaRecord) (acks []kafkaAck) {
	tb.Helper()
	x.do(tb, produceOp(topic, "none", records), &acks)
	checkAcks(tb, acks)
	return acks
}

func (x *kafkaTransaction) commit(tb testing.TB) {
	tb.Helper()
	x.do(tb, map[string]any{"op": "commit"}, nil)
}

func (x *kafkaTransaction) abort(tb testing.TB) {
	tb.Helper()
	x.do(tb, map[string]any{"op": "abort"}, nil)
}

// abandon leaves the transaction open, as a producer does that crashes.
func (x *kafkaTransaction) abandon(tb testing.TB) {
	tb.Helper()
	if err := x.session.Close(); err != nil {
		tb.Fatal(err)
	}
}

func (x *kafkaTransaction) do(tb testing.TB, op, answer any) {
	tb.Helper()
	if err := x.session.ask(tb.Context(), x.client, op, answer); err != nil {
		tb.Fatal(err)
	}
}

// bulkOptions say what is sent in bulk: record n, from 0, has the key
// fmt.Sprintf("k%d", n%Keys), and a value {"n":n,"pad":"xxx..."} of Size bytes.
type bulkOptions struct {
	Count       int    `json:"count"` // 0: until it is stopped
	Keys        int    `json:"keys"`  // 0: one
	Size        int    `json:"size"`
	Rate        int    `json:"rate"`        // a second; 0: as fast as they are taken
	Compression string `json:"compression"` // "": none
	Quiet       bool   `json:"quiet"`       // only the sum, no ack of each record
}

// bulkAck says what has become of record N.
type bulkAck struct {
	N         int64
	Partition int
	Offset    int64
	Error     string // "": it is stored; otherwise it may be there nevertheless
}

// A kafkaBulk is a producer of many records.
type kafkaBulk struct {
	session *driverSession
	ended   chan struct{}

	mu   sync.Mutex // guards all below
	acks []bulkAck
	sum  struct{ Stored, Failed int64 }
	err  error
}

// startBulk starts to send records. They end with the test, at the latest.
func (k *kafkaClient) startBulk(tb testing.TB, topic string, o bulkOptions) *kafkaBulk {
	tb.Helper()
	s, err := k.driver.open(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	b := &kafkaBulk{session: s, ended: make(chan struct{})}
	o.Keys, o.Compression = max(1, o.Keys), cmp.Or(o.Compression, "none")
	op := struct {
		Op    string `json:"op"`
		Topic string `json:"topic"`
		bulkOptions
	}{"bulk", topic, o}
	ctx, cancel := context.WithCancel(context.Background()) // acks come in while the test ends
	tb.Cleanup(func() {
		cancel()
		<-b.ended
		s.Close()
	})
	go func() {
		defer close(b.ended)
		var sum struct{ Stored, Failed int64 }
		err := s.do(ctx, k, op, &sum, b.note)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.sum, b.err = sum, err
	}()
	return b
}

func (b *kafkaBulk) note(part json.RawMessage) error {
	var a bulkAck
	if err := json.Unmarshal(part, &a); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.acks = append(b.acks, a)
	return nil
}

// wait waits until all records are sent, and returns how many are stored and
// how many are not or may not be.
func (b *kafkaBulk) wait(tb testing.TB) (stored, failed int64) {
	tb.Helper()
	<-b.ended
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		tb.Fatal(b.err)
	}
	return b.sum.Stored, b.sum.Failed
}

// stop sends no more, and waits for what was sent.
func (b *kafkaBulk) stop(tb testing.TB) (stored, failed int64) {
	tb.Helper()
	if err := b.session.CloseWrite(); err != nil {
		tb.Fatal(fmt.Errorf("stop sending: %w", err))
	}
	return b.wait(tb)
}

// acknowledged returns the acks so far, in the order in which they came.
func (b *kafkaBulk) acknowledged() []bulkAck {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.acks[:len(b.acks):len(b.acks)]
}
