package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// topicOptions say how a topic is created.
type topicOptions struct {
	name        string            // "": one that no other test has
	partitions  int               // 0: one
	replication int               // 0: on every node
	configs     map[string]string // such as cleanup.policy
}

// compacted are configs of a topic that is compacted as soon as its newest
// segment is rolled, which the next record after 100 ms does.
var compacted = map[string]string{
	"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.001", "min.compaction.lag.ms": "0",
	"max.compaction.lag.ms": "100", "delete.retention.ms": "100",
}

// createTopic creates a topic, waits until each partition has a leader, and
// returns the topic's name.
func (k *kafkaClient) createTopic(tb testing.TB, o topicOptions) string {
	tb.Helper()
	if o.name == "" {
		o.name = newTopicName(tb)
	}
	if o.replication == 0 {
		o.replication = len(k.brokers)
	}
	k.do(tb, map[string]any{
		"op": "create", "topic": o.name, "partitions": max(1, o.partitions), "replication": o.replication, "configs": o.configs,
	}, nil)
	return o.name
}

// newTopicName returns a name that no other test's topic has.
func newTopicName(tb testing.TB) string {
	tb.Helper()
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, tb.Name())
	return fmt.Sprintf("%s-%d", name, topicNames.Add(1))
}

var topicNames atomic.Int64

// deleteTopic deletes a topic and waits until it is gone.
func (k *kafkaClient) deleteTopic(tb testing.TB, topic string) {
	tb.Helper()
	k.do(tb, map[string]any{"op": "delete", "topic": topic}, nil)
}

// configureTopic sets configs of a topic, and leaves the others as they are.
func (k *kafkaClient) configureTopic(tb testing.TB, topic string, configs map[string]string) {
	tb.Helper()
	k.do(tb, map[string]any{"op": "configure", "topic": topic, "configs": configs}, nil)
}

// addPartitions adds to a topic so many partitions that there are total.
func (k *kafkaClient) addPartitions(tb testing.TB, topic string, total int) {
	tb.Helper()
	k.do(tb, map[string]any{"op": "addPartitions", "topic": topic, "total": total}, nil)
}

// deleteRecords deletes a partition's records before an offset, as their age
// would.
func (k *kafkaClient) deleteRecords(tb testing.TB, topic string, partition int, before int64) {
	tb.Helper()
	k.do(tb, map[string]any{"op": "deleteRecords", "topic": topic, "partition": partition, "before": before}, nil)
}

// kafkaTopic is what the cluster says of a topic.
type kafkaTopic struct {
	ID         string // a UUID, in Kafka's form
	Partitions []kafkaPartition
}

// kafkaPartition is one of them, in the order of their numbers.
type kafkaPartition struct {
	Leader        int   // id of a node; -1: none
	Replicas, ISR []int // ids of nodes, the preferred leader first
}

// describeTopic returns what the cluster says of a topic.
func (k *kafkaClient) describeTopic(tb testing.TB, topic string) kafkaTopic {
	tb.Helper()
	d, err := k.tryDescribe(tb.Context(), topic)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// tryDescribe is describeTopic where nodes may be down.
func (k *kafkaClient) tryDescribe(ctx context.Context, topic string) (d kafkaTopic, err error) {
	return d, k.try(ctx, map[string]any{"op": "describe", "topic": topic}, &d)
}

// kafkaRange is what a partition holds: from Earliest up to, and without,
// Latest.
type kafkaRange struct{ Earliest, Latest int64 }

// offsets returns what each partition of a topic holds, committed or not.
func (k *kafkaClient) offsets(tb testing.TB, topic string) (ranges []kafkaRange) {
	tb.Helper()
	k.do(tb, map[string]any{"op": "offsets", "topic": topic}, &ranges)
	return ranges
}

// awaitInSync waits until each replica of the topic has all of it.
func (k *kafkaClient) awaitInSync(tb testing.TB, topic string) {
	tb.Helper()
	waitFor(tb, 2*patience, "all replicas of "+topic+" in sync", func() (any, bool) {
		d, err := k.tryDescribe(tb.Context(), topic)
		if err != nil {
			return err, false
		}
		return fmt.Sprint(d), !slices.ContainsFunc(d.Partitions, func(p kafkaPartition) bool {
			return p.Leader < 0 || len(p.ISR) < len(p.Replicas)
		})
	})
}

// reassign moves a partition to these nodes, led by the first of them, and
// waits until it is there.
func (k *kafkaClient) reassign(tb testing.TB, topic string, partition int, nodes ...int) {
	tb.Helper()
	if err := k.tryReassign(tb.Context(), topic, partition, nodes...); err != nil {
		tb.Fatal(err)
	}
}

// tryReassign is reassign where nodes may be down.
func (k *kafkaClient) tryReassign(ctx context.Context, topic string, partition int, nodes ...int) error {
	return k.try(ctx, map[string]any{"op": "reassign", "topic": topic, "partition": partition, "replicas": nodes}, nil)
}

// moveLeader has another of a partition's replicas lead it, and returns its
// node.
func (k *kafkaClient) moveLeader(tb testing.TB, topic string, partition int) (node int) {
	tb.Helper()
	node, err := k.tryMoveLeader(tb.Context(), topic, partition)
	if err != nil {
		tb.Fatal(err)
	}
	return node
}

// tryMoveLeader is moveLeader where nodes may be down.
func (k *kafkaClient) tryMoveLeader(ctx context.Context, topic string, partition int) (node int, err error) {
	d, err := k.tryDescribe(ctx, topic)
	if err != nil {
		return 0, err
	}
	p := d.Partitions[partition]
	i := slices.IndexFunc(p.ISR, func(id int) bool { return id != p.Leader })
	if i < 0 {
		return 0, fmt.Errorf("move the leader of %s/%d: got in-sync replicas %v, want one that doesn't lead", topic, partition, p.ISR)
	}
	node = p.ISR[i]
	order := append([]int{node}, slices.DeleteFunc(slices.Clone(p.Replicas), func(id int) bool { return id == node })...)
	return node, k.tryReassign(ctx, topic, partition, order...)
}
