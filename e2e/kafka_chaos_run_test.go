package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sidestream/e2e/chaos"
)

// What the run with Kafka is made of.
const (
	kafkaChaosNodes = 3
	kafkaChaosKeys  = 8                      // of each topic with keys for clients
	kafkaChaosEvery = 100 * time.Millisecond // a few records of each partition
	kafkaChaosFew   = 4
	kafkaStateKeys  = 40
	kafkaSampled    = 16 // clients that come back once more in the end, with some id
)

// The topics: one that gets a partition more, one of whose keys clients read
// by themselves, one of transactions, and a compacted one.
const (
	eventsTopic       = "events"
	ledgerTopic       = "ledger"
	transactionsTopic = "transactions"
	stateTopic        = "state"
)

// partitions that topics have in the beginning.
const (
	kafkaChaosPartitions  = 3
	transactionPartitions = 2
)

// R4 with Kafka: a cluster of three nodes, two replicas of Sidestream, and the
// networks between them and their clients fail at random and often at once.
// Leaders move, a topic gets a partition, transactions are aborted and left
// open, and a topic is compacted meanwhile. In the end each client has every
// record of each partition that is committed and its own, once and in order,
// or was told how many it lacks; and those of the compacted topic all have its
// state. See [TestChaos] and package chaos.
func TestKafkaChaos(t *testing.T) {
	seed, draw := drawing(t)
	cluster, links := startKafkaChaos(t, chaosReps)
	k := cluster.kafkaClient
	k.createTopic(t, topicOptions{name: eventsTopic, partitions: kafkaChaosPartitions})
	k.createTopic(t, topicOptions{name: ledgerTopic, partitions: kafkaChaosPartitions})
	k.createTopic(t, topicOptions{name: transactionsTopic, partitions: transactionPartitions})
	k.createTopic(t, topicOptions{name: stateTopic, partitions: transactionPartitions, configs: map[string]string{
		// Deletions are kept, so that whoever was away for a while can resume.
		"cleanup.policy": "compact", "segment.ms": "1000", "min.cleanable.dirty.ratio": "0.01", "max.compaction.lag.ms": "1000",
	}})
	topics := []string{eventsTopic, ledgerTopic, transactionsTopic, stateTopic}

	var replicas []*sidestream
	var fronts []*wire
	for _, way := range links {
		var brokers []string
		for _, w := range way {
			brokers = append(brokers, w.address)
		}
		s := serve(t, kafkaChaosTable(brokers))
		replicas = append(replicas, s)
		fronts = append(fronts, newWire(t, strings.TrimPrefix(s.url, "http://"), frontRoom))
	}

	calm := make(chan struct{})
	clients := kafkaChaosClients(fronts, calm, draw)
	var leave []func()
	for _, c := range clients {
		leave = append(leave, c.start(t))
	}
	load := startKafkaLoad(t, k, draw)
	for _, c := range clients {
		wait(t, "an event for "+c.name, func() (any, bool) { return len(c.entries()), c.sum() > 0 })
	}

	n := &nemesis{random: draw(0)}
	n.faults = append(n.faults, kafkaFaults(t, draw(1), cluster, topics)...)
	n.faults = append(n.faults, wireFaults(draw(2), "network to Kafka", 8*time.Second, slices.Concat(links...))...)
	n.faults = append(n.faults, wireFaults(draw(3), "network to clients", 3*time.Second, fronts)...)
	var processes []*process
	for _, s := range replicas {
		n.faults = append(n.faults, replicaFaults(s, func(p *process) { processes = append(processes, p) })...)
	}
	n.rage(t, *chaosDuration/4)
	for _, c := range clients {
		if slices.Contains(c.topics(), eventsTopic) {
			c.note(chaos.Added{Partition: kafkaNumbered(c.topics(), eventsTopic, kafkaChaosPartitions)})
		}
	}
	load.start(load.addPartition)
	n.rage(t, *chaosDuration-*chaosDuration/4)

	// All is mended. What is sent now is the last of each key.
	close(calm)
	waitFor(t, 3*patience, "the topics replicated", func() (any, bool) {
		cluster.revive(t)
		return "not yet", cluster.replicated(t.Context(), topics...)
	})
	wait(t, "the partition added", func() (any, bool) { return "not yet", load.partitions.Load() > kafkaChaosPartitions })
	load.stop(t)
	settle(t, clients, load.behind)
	for _, stop := range leave {
		stop()
	}
	// Any id resumes exactly.
	random := draw(4)
	var again []*chaosClient
	for _, i := range random.Perm(len(clients))[:kafkaSampled] {
		c := clients[i]
		c.rewind(random)
		again = append(again, c)
		leave = append(leave, c.start(t))
	}
	settle(t, again, load.behind)
	for _, stop := range leave {
		stop()
	}

	violations, sum := load.check(t, clients)
	if report := chaos.Report(violations); report != "" {
		t.Errorf("seed %d: %s", seed, report)
		for _, s := range replicas {
			processes = append(processes, s.process)
		}
		keepLogs(t, "sidestream", processes)
		for _, node := range cluster.nodes { // since each was last started
			keepLogs(t, fmt.Sprintf("kafka-%d", node.id), []*process{node.process})
		}
	}
	t.Logf("%s; %d clients received %d events on %d connections, %d resumes, %d again after a resume, %d gaps; faults: %s",
		load.summary(), len(clients), sum.Events, sum.Connections, sum.Resumes, sum.Again, sum.Gaps, n.summary())
}

// kafkaChaosTable has a route for each way to serve the topics.
func kafkaChaosTable(brokers []string) string {
	return fmt.Sprintf(`
limits: {retry: 200ms}
drain: {window: 1s, timeout: 2s}
defaults:
  retry: 100ms
  linger: 1s
  backoff: {min: 50ms, max: 1s}
  write_timeout: 5s
  history: {events: 500}
  event: {timeout: 20s, decode: text, data: %q} # a process that stands still is no expression that has no end
  kafka: {brokers: [%s], connect_timeout: 2s, request_timeout: 3s, metadata_age: 1s}
routes:
  - {path: /all, kafka: {topics: [events]}}
  - {path: /skip, kafka: {topics: [events]}, slow: skip, history: {events: 50}}
  - {path: "/keys/{key}", kafka: {topics: [events]}, key: $key, match: "{key}"}
  - {path: "/ledger/{key}", kafka: {topics: [ledger], record_key: "{key}"}}
  - {path: /transactions, kafka: {topics: [transactions]}}
  - {path: /both, kafka: {topics: [events, transactions]}}
  - {path: /state, kafka: {topics: [state], compacted: true}}
`, kafkaEnvelope, strings.Join(brokers, ", "))
}

// kafkaPaths are the topics of the routes, by the first segment of the path.
var kafkaPaths = map[string][]string{
	"all": {eventsTopic}, "skip": {eventsTopic}, "keys": {eventsTopic}, "ledger": {ledgerTopic},
	"transactions": {transactionsTopic}, "both": {eventsTopic, transactionsTopic}, "state": {stateTopic},
}

// topics returns the topics that a client of the run with Kafka reads.
func (c *chaosClient) topics() []string {
	first, _, _ := strings.Cut(strings.TrimPrefix(c.path, "/"), "/")
	return kafkaPaths[first]
}

// kafkaKeys returns the keys of a topic.
func kafkaKeys(topic string, n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("%s-%d", topic, i)
	}
	return keys
}

// kafkaChaosClients returns clients of all routes, each with habits of its own.
func kafkaChaosClients(fronts []*wire, calm chan struct{}, draw func(uint64) *rand.Rand) (clients []*chaosClient) {
	var replicas []string
	for _, w := range fronts {
		replicas = append(replicas, w.address)
	}
	add := func(path, key string, named ...string) {
		for _, name := range named {
			c := &chaosClient{
				name: fmt.Sprintf("%s%s (%s, no. %d)", path, key, name, len(clients)), path: path + key, key: key,
				replicas: replicas, calm: calm, random: draw(uint64(1000 + len(clients))),
				habits: map[string]habits{"steady": steady, "restless": restless, "slow": slow, "forgetful": forgetful}[name],
			}
			c.read = readEnveloped(c.topics()...)
			clients = append(clients, c)
		}
	}
	add("/all", "", "steady", "restless", "slow", "forgetful", "restless", "forgetful")
	add("/skip", "", "slow", "restless", "slow")
	for i, key := range kafkaKeys(eventsTopic, kafkaChaosKeys) {
		add("/keys/", key, "steady", "restless", []string{"slow", "forgetful"}[i%2])
	}
	for i, key := range kafkaKeys(ledgerTopic, kafkaChaosKeys/2) {
		add("/ledger/", key, "restless", "forgetful", []string{"slow", "steady"}[i%2])
	}
	add("/transactions", "", "steady", "restless", "slow", "forgetful", "restless")
	add("/both", "", "steady", "restless", "forgetful", "slow")
	add("/state", "", "steady", "restless", "slow", "forgetful", "restless", "forgetful")
	return clients
}

// kafkaFaults are those of a cluster's nodes and of who leads its partitions.
func kafkaFaults(tb testing.TB, random *rand.Rand, c *kafkaCluster, topics []string) []fault {
	tb.Helper()
	nodes := &clusterFaults{name: "Kafka", most: 2, random: random}
	for _, n := range c.nodes {
		nodes.servers = append(nodes.servers, n)
	}
	var moving sync.WaitGroup
	var cancel context.CancelFunc
	nodes.whole = func() bool {
		c.revive(tb)
		return cancel == nil && c.replicated(tb.Context(), topics...)
	}
	return append(nodes.faults(), fault{
		name: "Kafka other leader", longest: 3 * time.Second, possible: nodes.well,
		begin: func(testing.TB) {
			var moves context.Context
			moves, cancel = context.WithCancel(tb.Context())
			topic, partition := topics[random.IntN(len(topics))], random.IntN(transactionPartitions)
			moving.Go(func() { _, _ = c.tryMoveLeader(moves, topic, partition) }) // it may take longer than there is time
		},
		end: func(testing.TB) {
			cancel()
			moving.Wait()
			cancel = nil
		},
	})
}
