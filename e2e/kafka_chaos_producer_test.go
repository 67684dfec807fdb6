package e2e

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"sidestream/e2e/chaos"
)

// A kafkaLedger notes what producers have sent, and what Kafka has told them
// of it. A record that is sent is sent once: if nobody knows whether it was
// stored, it may be there or not.
type kafkaLedger struct {
	mu           sync.Mutex
	next         map[string]int            // number, by key
	acknowledged map[string][]chaos.Record // by topic
	aborted      map[string][]chaos.Record // the same
	newest       map[kafkaSeries]uint64    // sequence acknowledged
	attempts     int                       // records sent
	count        map[string]int            // how transactions ended
}

// A kafkaSeries is the records of a key in one partition, or of all keys if it
// is empty.
type kafkaSeries struct {
	topic     string
	partition int
	key       string
}

func newKafkaLedger() *kafkaLedger {
	return &kafkaLedger{
		next: map[string]int{}, acknowledged: map[string][]chaos.Record{}, aborted: map[string][]chaos.Record{},
		newest: map[kafkaSeries]uint64{}, count: map[string]int{},
	}
}

// draw returns the next record of a key.
func (l *kafkaLedger) draw(key string) chaos.Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next[key]++
	l.attempts++
	return chaos.Record{Key: key, Number: l.next[key]}
}

// place notes where records are that are acknowledged.
func (l *kafkaLedger) place(topic string, records []chaos.Record, acks []kafkaAck) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, a := range acks {
		if a.Error != "" {
			continue
		}
		r := records[i]
		r.Partition, r.Sequence = a.Partition, uint64(a.Offset)+1
		l.acknowledged[topic] = append(l.acknowledged[topic], r)
		for _, key := range []string{r.Key, ""} {
			series := kafkaSeries{topic, r.Partition, key}
			l.newest[series] = max(l.newest[series], r.Sequence)
		}
	}
}

// abort notes records that are taken back.
func (l *kafkaLedger) abort(topic string, records []chaos.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.aborted[topic] = append(l.aborted[topic], records...)
}

// tell counts how a transaction ended.
func (l *kafkaLedger) tell(how string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count[how]++
}

// acks returns the records of a topic that were acknowledged.
func (l *kafkaLedger) acks(topic string) []chaos.Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.acknowledged[topic]
}

// taken returns the records of a topic that were taken back.
func (l *kafkaLedger) taken(topic string) []chaos.Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.aborted[topic]
}

// ends returns the sequence of the newest record acknowledged, of each series
// with this key.
func (l *kafkaLedger) ends(key string) map[kafkaSeries]uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	ends := maps.Clone(l.newest)
	maps.DeleteFunc(ends, func(s kafkaSeries, _ uint64) bool { return s.key != key })
	return ends
}

// A kafkaWriter is an idempotent producer of its own, which waits for what it
// has sent before it sends more.
type kafkaWriter struct {
	client *kafkaClient
	ledger *kafkaLedger
	topic  string
	keys   []string
	in     int // partition; -1: by the key

	session *driverSession
	turn    int
}

// newKafkaWriter returns a writer, which its close ends.
func newKafkaWriter(k *kafkaClient, ledger *kafkaLedger, topic string, partition int, keys []string) *kafkaWriter {
	// A client id of its own makes it another producer in the driver.
	id := fmt.Sprintf("%s-%d-%s", topic, partition, keys[0])
	return &kafkaWriter{
		client: k.with(k.brokers, map[string]string{"client.id": id}), ledger: ledger, topic: topic, in: partition, keys: keys,
	}
}

func (w *kafkaWriter) close() {
	if w.session != nil {
		_ = w.session.Close()
	}
}

// write sends the next records, of its keys in turn.
func (w *kafkaWriter) write(ctx context.Context, n int) error {
	records := make([]chaos.Record, n)
	for i := range records {
		records[i] = w.ledger.draw(w.keys[w.turn%len(w.keys)])
		w.turn++
	}
	return w.send(ctx, records)
}

// send sends records, and waits until Kafka has said what has become of each,
// even if ctx is done: otherwise they might be stored behind what is sent next.
func (w *kafkaWriter) send(ctx context.Context, records []chaos.Record) error {
	ctx = context.WithoutCancel(ctx)
	if w.session == nil {
		s, err := w.client.driver.open(ctx)
		if err != nil {
			return err
		}
		w.session = s
	}
	var acks []kafkaAck
	err := w.session.ask(ctx, w.client, produceOp(w.topic, "none", kafkaMessages(records, w.in)), &acks)
	if err != nil {
		w.close()
		w.session = nil
		return err
	}
	w.ledger.place(w.topic, records, acks)
	for i, a := range acks {
		if a.Error != "" {
			return fmt.Errorf("%v: %s", records[i], a.Error)
		}
	}
	return nil
}

// kafkaMessages returns what is sent of records.
func kafkaMessages(records []chaos.Record, partition int) []kafkaRecord {
	sent := make([]kafkaRecord, len(records))
	for i, r := range records {
		sent[i] = kafkaRecord{Key: []byte(r.Key)}
		if !r.Gone {
			sent[i].Value = r.Payload()
		}
		if partition >= 0 {
			sent[i] = sent[i].in(int32(partition))
		}
	}
	return sent
}

// run writes so many records every so often until ctx is done.
func (w *kafkaWriter) run(ctx context.Context, every time.Duration, n int) {
	defer w.close()
	for ctx.Err() == nil {
		if w.write(ctx, n) != nil {
			pause(ctx, nil, attemptTimeout/10)
		}
		pause(ctx, nil, every)
	}
}

// last writes one record of each key, so that they are stored.
func (w *kafkaWriter) last(tb testing.TB) {
	tb.Helper()
	defer w.close()
	for _, key := range w.keys {
		waitFor(tb, 2*patience, "the last record of "+key+" in "+w.topic, func() (any, bool) {
			err := w.send(tb.Context(), []chaos.Record{w.ledger.draw(key)})
			return err, err == nil
		})
	}
}
