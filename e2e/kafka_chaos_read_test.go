package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"sidestream/e2e/chaos"
	"sidestream/proxy/eventstream"
)

// kafkaEnvelope is what the routes make of a record, as an expression and as
// what comes of it: where the record is, and all of its text.
const kafkaEnvelope = "{topic: $topic, partition: $partition, offset: $offset, key: $key, text: .}"

type kafkaEnveloped struct {
	Topic     string
	Partition int
	Offset    uint64
	Key       string
	Text      string
}

// readEnveloped returns how to read the events of a route of these topics. The
// partitions of all of them are numbered through; see [kafkaNumbered].
func readEnveloped(topics ...string) func(*eventstream.Event) chaos.Event {
	return func(e *eventstream.Event) chaos.Event {
		if e.Type == "delete" {
			return chaos.Event{ID: e.ID, Record: chaos.Record{Key: string(e.Data), Gone: true}}
		}
		var got kafkaEnveloped
		if err := json.Unmarshal(e.Data, &got); err != nil {
			return chaos.Event{ID: e.ID, Err: fmt.Errorf("no record in its envelope: %w: %.60q", err, e.Data)}
		}
		return chaos.NewPlacedEvent(e.ID, kafkaNumbered(topics, got.Topic, got.Partition), got.Offset+1, got.Key, []byte(got.Text))
	}
}

// kafkaMostPartitions is more than any topic has.
const kafkaMostPartitions = 8

// kafkaNumbered returns the number of a partition among those of several
// topics, or -1 if the topic is none of them.
func kafkaNumbered(topics []string, topic string, partition int) int {
	for i, name := range topics {
		if name == topic {
			return i*kafkaMostPartitions + partition
		}
	}
	return -1
}

// kafkaRenumbered returns records of one topic with their partitions numbered
// among those of several.
func kafkaRenumbered(topics []string, topic string, records []chaos.Record) []chaos.Record {
	all := make([]chaos.Record, len(records))
	for i, r := range records {
		r.Partition = kafkaNumbered(topics, topic, r.Partition)
		all[i] = r
	}
	return all
}

// readTopic returns all that is committed of a topic, once the newest record
// that was acknowledged is.
func readTopic(tb testing.TB, k *kafkaClient, topic string, ledger *kafkaLedger) (records []chaos.Record) {
	tb.Helper()
	waitFor(tb, 2*patience, "all of "+topic, func() (any, bool) {
		records = nil
		read := map[kafkaSeries]uint64{}
		for _, stored := range kcatRead(tb, strings.Join(k.brokers, ","), topic) {
			r := chaos.Record{Gone: stored.Value == nil}
			var err error
			if !r.Gone {
				r, err = chaos.Parse([]byte(*stored.Value))
			} else if stored.Key != nil {
				r.Key = *stored.Key
			}
			if err != nil || stored.Key == nil || *stored.Key != r.Key {
				tb.Fatalf("the topic %s holds at %d/%d: %v (%v), want a record of its key", topic, stored.Partition, stored.Offset, r, err)
			}
			r.Partition, r.Sequence = stored.Partition, uint64(stored.Offset)+1
			records = append(records, r)
			series := kafkaSeries{topic, r.Partition, ""}
			read[series] = max(read[series], r.Sequence)
		}
		for series, newest := range ledger.ends("") {
			if series.topic == topic && read[series] < newest {
				return fmt.Sprintf("%d records, those of partition %d up to %d of %d", len(records), series.partition, read[series], newest), false
			}
		}
		return nil, true
	})
	return records
}
