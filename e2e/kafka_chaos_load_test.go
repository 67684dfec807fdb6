package e2e

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"sidestream/e2e/chaos"
)

// A kafkaLoad is all producers of a run.
type kafkaLoad struct {
	client     *kafkaClient
	ledger     *kafkaLedger
	start      func(run func(ctx context.Context)) // a producer, until halt
	halt       func()                              // ends the producers, and waits for them
	partitions atomic.Int32                        // of the topic that gets one more
	random     *rand.Rand                          // of the producer of states
	stored     int                                 // records, once they are read back
}

// startKafkaLoad starts producers for all topics.
func startKafkaLoad(tb testing.TB, k *kafkaClient, draw func(uint64) *rand.Rand) *kafkaLoad {
	tb.Helper()
	l := &kafkaLoad{client: k, ledger: newKafkaLedger(), random: draw(5)}
	l.partitions.Store(kafkaChaosPartitions)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	l.start = func(run func(context.Context)) { running.Go(func() { run(ctx) }) }
	l.halt = func() {
		cancel()
		running.Wait()
	}
	tb.Cleanup(l.halt)
	for _, w := range l.writers() {
		l.start(func(ctx context.Context) { w.run(ctx, kafkaChaosEvery, kafkaChaosFew) })
	}
	l.start(func(ctx context.Context) { l.state().run(ctx, kafkaChaosEvery, kafkaChaosFew) })
	for i := range 4 {
		x := &kafkaTransactor{
			client: k, ledger: l.ledger, name: fmt.Sprintf("transactor-%d", i), topic: transactionsTopic,
			partitions: transactionPartitions, keys: kafkaKeys(fmt.Sprintf("transacted-%d", i), 2), random: draw(uint64(10 + i)),
		}
		l.start(x.run)
	}
	return l
}

// writers returns a producer for each partition, and for the topic whose keys
// choose theirs.
func (l *kafkaLoad) writers() (all []*kafkaWriter) {
	keys := kafkaKeys(eventsTopic, kafkaChaosKeys)
	for p := range int(l.partitions.Load()) {
		all = append(all, newKafkaWriter(l.client, l.ledger, eventsTopic, p, keys))
	}
	for p := range transactionPartitions {
		// Beside the transactions, and not part of any.
		all = append(all, newKafkaWriter(l.client, l.ledger, transactionsTopic, p, []string{fmt.Sprintf("plain-%d", p)}))
	}
	return append(all, newKafkaWriter(l.client, l.ledger, ledgerTopic, -1, kafkaKeys(ledgerTopic, kafkaChaosKeys)))
}

// state returns the producer of the compacted topic.
func (l *kafkaLoad) state() *kafkaStateWriter {
	return &kafkaStateWriter{newKafkaWriter(l.client, l.ledger, stateTopic, -1, kafkaKeys(stateTopic, kafkaStateKeys)), l.random}
}

// addPartition adds a partition, however often that fails, and a producer for
// it.
func (l *kafkaLoad) addPartition(ctx context.Context) {
	const total = kafkaChaosPartitions + 1
	for {
		_ = l.client.try(ctx, map[string]any{"op": "addPartitions", "topic": eventsTopic, "total": total}, nil)
		// It may be there although that failed.
		if d, err := l.client.tryDescribe(ctx, eventsTopic); err == nil && len(d.Partitions) == total {
			break
		}
		if ctx.Err() != nil {
			return
		}
		pause(ctx, nil, attemptTimeout/10)
	}
	l.partitions.Store(total)
	w := newKafkaWriter(l.client, l.ledger, eventsTopic, kafkaChaosPartitions, kafkaKeys(eventsTopic, kafkaChaosKeys))
	w.run(ctx, kafkaChaosEvery, kafkaChaosFew)
}

// stop ends the producers, and sends the last record of each key.
func (l *kafkaLoad) stop(tb testing.TB) {
	tb.Helper()
	l.halt()
	for _, w := range l.writers() {
		w.last(tb)
	}
	l.state().last(tb)
	// Deletions don't say where they are: something that does comes last.
	for p := range transactionPartitions {
		newKafkaWriter(l.client, l.ledger, stateTopic, p, []string{fmt.Sprintf("last-%d", p)}).last(tb)
	}
}

// behind reports whether a client lacks the last record of some partition.
func (l *kafkaLoad) behind(c *chaosClient) bool {
	for series, end := range l.ledger.ends(c.key) {
		if p := kafkaNumbered(c.topics(), series.topic, series.partition); p >= 0 && c.reached(p) < end {
			return true
		}
	}
	return false
}

// check compares the logs of all clients with what the topics hold.
func (l *kafkaLoad) check(tb testing.TB, clients []*chaosClient) (violations []chaos.Violation, sum chaos.Tally) {
	tb.Helper()
	stored := map[string][]chaos.Record{}
	histories := map[string]*chaos.History{}
	for _, topic := range []string{eventsTopic, ledgerTopic, transactionsTopic} {
		stored[topic] = readTopic(tb, l.client, topic, l.ledger)
		h, found := chaos.NewHistory(stored[topic], l.ledger.acks(topic), l.ledger.taken(topic))
		histories[topic] = h
		violations = append(violations, found...)
		l.stored += h.Len()
	}
	state, found := chaos.NewState(readTopic(tb, l.client, stateTopic, l.ledger), l.ledger.acks(stateTopic))
	violations = append(violations, found...)
	for _, c := range clients {
		// Only a client that takes gaps in place of a resume may have any,
		// since the topics keep everything.
		log := chaos.Client{Name: c.name, Key: c.key, Log: c.entries(), Opaque: true, Complete: c.path != skipPath}
		topics := c.topics()
		name := strings.Join(topics, " ")
		if histories[name] == nil && name != stateTopic {
			var all, acks, taken []chaos.Record
			for _, topic := range topics {
				all = append(all, kafkaRenumbered(topics, topic, stored[topic])...)
				acks = append(acks, kafkaRenumbered(topics, topic, l.ledger.acks(topic))...)
				taken = append(taken, l.ledger.taken(topic)...)
			}
			histories[name], _ = chaos.NewHistory(all, acks, taken)
		}
		if name == stateTopic {
			violations = append(violations, state.Check(log)...)
		} else {
			violations = append(violations, histories[name].Check(log)...)
		}
		sum.Add(log.Tally())
	}
	return violations, sum
}

// summary says what was sent.
func (l *kafkaLoad) summary() string {
	l.ledger.mu.Lock()
	defer l.ledger.mu.Unlock()
	var ends []string
	for _, how := range slices.Sorted(maps.Keys(l.ledger.count)) {
		ends = append(ends, fmt.Sprintf("%s %d", how, l.ledger.count[how]))
	}
	acknowledged := 0
	for _, records := range l.ledger.acknowledged {
		acknowledged += len(records)
	}
	return fmt.Sprintf("%d records sent, %d acknowledged, %d stored where nothing is compacted; transactions: %s",
		l.ledger.attempts, acknowledged, l.stored, strings.Join(ends, ", "))
}
