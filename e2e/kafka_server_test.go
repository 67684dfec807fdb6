package e2e

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// kafkaHeap is the memory of a node's objects. The process takes some 100 MB
// more.
const kafkaHeap = "256m"

// kafkaOptions say what is started.
type kafkaOptions struct {
	nodes  int      // 0: one
	racks  []string // of the nodes, in order; a client in one of them is sent to the replica there
	config []string // further lines of each node's properties
	secure bool     // with the listeners of kafka_secure_test.go
}

// A kafkaCluster is one or several Kafka processes that belong to one test.
// A cluster of three does without any one of them.
type kafkaCluster struct {
	*kafkaClient
	nodes []*kafkaNode       // ids count from 1
	certs *kafkaCertificates // nil unless it is secure
}

// A kafkaNode is a Kafka process, which is broker and controller. Its process
// may be killed by kill.
type kafkaNode struct {
	*process
	id        int
	dir       string
	listeners []kafkaListener
	args      []string // of Node.java
}

// A kafkaListener is where a node is to be spoken to in one way.
type kafkaListener struct{ name, protocol, address string }

// The names of the listeners that each node has.
const (
	plainListener      = "PLAINTEXT"
	controllerListener = "CONTROLLER" // nodes among themselves
)

// startKafka starts a cluster with empty storage, and returns when all nodes
// are ready.
func startKafka(tb testing.TB, o kafkaOptions) *kafkaCluster {
	tb.Helper()
	c := &kafkaCluster{}
	var format []string
	if o.secure {
		c.certs = newKafkaCertificates(tb)
		o.config = append(secureConfig(c.certs), o.config...)
		format = scramUsers()
	}
	for i := range max(1, o.nodes) {
		c.nodes = append(c.nodes, newKafkaNode(tb, i+1, tb.TempDir(), o.secure))
	}
	cluster := clusterID(tb)
	for _, n := range c.nodes {
		n.configure(tb, c.nodes, o, cluster, format)
	}
	for _, n := range c.nodes {
		n.start(tb)
	}
	c.kafkaClient = newKafkaClient(tb, c.addresses(plainListener))
	c.awaitStarted(tb)
	tb.Cleanup(func() { c.kafkaClient.forget(tb) })
	return c
}

// addresses returns where the nodes are to be spoken to at the listener with
// that name.
func (c *kafkaCluster) addresses(name string) (all []string) {
	for _, n := range c.nodes {
		all = append(all, n.address(name))
	}
	return all
}

// awaitStarted waits until each node has started since it was last started.
func (c *kafkaCluster) awaitStarted(tb testing.TB) {
	tb.Helper()
	for _, n := range c.nodes {
		n.awaitStarted(tb)
	}
}

// node returns the node with that id.
func (c *kafkaCluster) node(id int) *kafkaNode { return c.nodes[id-1] }

func newKafkaNode(tb testing.TB, id int, dir string, secure bool) *kafkaNode {
	tb.Helper()
	n := &kafkaNode{id: id, dir: dir}
	add := func(name, protocol string) {
		n.listeners = append(n.listeners, kafkaListener{name, protocol, fmt.Sprintf("127.0.0.1:%d", freePort(tb))})
	}
	add(plainListener, "PLAINTEXT")
	add(controllerListener, "PLAINTEXT")
	if secure {
		for _, l := range secureListeners {
			add(l.name, l.protocol)
		}
	}
	return n
}

// address returns where the node is to be spoken to at that listener.
func (n *kafkaNode) address(listener string) string {
	for _, l := range n.listeners {
		if l.name == listener {
			return l.address
		}
	}
	return ""
}

// configure writes the node's properties. Nodes that are one cluster have the
// same peers and cluster id.
func (n *kafkaNode) configure(tb testing.TB, peers []*kafkaNode, o kafkaOptions, cluster string, format []string) {
	tb.Helper()
	var voters, listeners, protocols []string
	for _, p := range peers {
		voters = append(voters, fmt.Sprintf("%d@%s", p.id, p.address(controllerListener)))
	}
	for _, l := range n.listeners {
		listeners = append(listeners, l.name+"://"+l.address)
		protocols = append(protocols, l.name+":"+l.protocol)
	}
	lines := []string{
		"process.roles=broker,controller",
		fmt.Sprintf("node.id=%d", n.id),
		"log.dirs=" + filepath.Join(n.dir, "data"),
		"listeners=" + strings.Join(listeners, ","),
		"listener.security.protocol.map=" + strings.Join(protocols, ","),
		"inter.broker.listener.name=" + plainListener,
		"controller.listener.names=" + controllerListener,
		"controller.quorum.voters=" + strings.Join(voters, ","),
		fmt.Sprintf("offsets.topic.replication.factor=%d", len(peers)),
		fmt.Sprintf("transaction.state.log.replication.factor=%d", len(peers)),
		fmt.Sprintf("transaction.state.log.min.isr=%d", min(2, len(peers))),
		fmt.Sprintf("default.replication.factor=%d", len(peers)),
		fmt.Sprintf("min.insync.replicas=%d", min(2, len(peers))),
		kafkaDefaults,
	}
	if len(o.racks) > 0 {
		lines = append(lines, "broker.rack="+o.racks[n.id-1],
			"replica.selector.class=org.apache.kafka.common.replica.RackAwareReplicaSelector")
	}
	lines = append(lines, o.config...)
	path := filepath.Join(n.dir, "server.properties")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		tb.Fatal(err)
	}
	n.args = append([]string{path, "", cluster}, format...)
}

// kafkaDefaults are properties of every node: little memory, no waiting for
// what a production cluster does at leisure, and losses only where a test asks
// for them.
const kafkaDefaults = `
auto.create.topics.enable=false
unclean.leader.election.enable=false
offsets.topic.num.partitions=1
transaction.state.log.num.partitions=2
transaction.state.log.segment.bytes=1048576
offsets.topic.segment.bytes=1048576
transaction.abort.timed.out.transaction.cleanup.interval.ms=200
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=2097152
log.cleaner.io.buffer.size=65536
log.cleaner.backoff.ms=200
log.initial.task.delay.ms=200
log.retention.ms=-1
log.retention.check.interval.ms=200
log.segment.delete.delay.ms=200
log.message.timestamp.after.max.ms=9223372036854775807
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=4000
controller.quorum.election.timeout.ms=500
controller.quorum.fetch.timeout.ms=2000
controlled.shutdown.enable=true
message.max.bytes=33554432
replica.fetch.max.bytes=33554432
replica.fetch.wait.max.ms=100
replica.lag.time.max.ms=4000
`

// start runs the node, again if it has run before, on the same addresses and
// with what it has stored. It doesn't wait until the node is ready.
func (n *kafkaNode) start(tb testing.TB) {
	tb.Helper()
	args, err := javaProgram("Node", kafkaHeap, n.args...)
	if err != nil {
		tb.Fatal(err)
	}
	n.process = launch(tb, "java", args...)
}

// awaitStarted waits until the node is part of its cluster.
func (n *kafkaNode) awaitStarted(tb testing.TB) {
	tb.Helper()
	waitFor(tb, 3*patience, fmt.Sprintf("node %d started", n.id), func() (any, bool) {
		out := n.output.String()
		if !n.running() {
			tb.Fatalf("node %d: got an end, want it running:\n%s", n.id, out)
		}
		return "a node that starts", strings.Contains(out, kafkaStarted)
	})
}

// kafkaStarted is what a node writes when it is part of its cluster.
const kafkaStarted = "Kafka Server started"

// restart kills the node as a crash would, starts it again, and waits until it
// is part of its cluster.
func (n *kafkaNode) restart(tb testing.TB) {
	tb.Helper()
	n.kill()
	n.start(tb)
	n.awaitStarted(tb)
}

// stop ends the node in good order, and waits for it.
func (n *kafkaNode) stop(tb testing.TB) {
	tb.Helper()
	n.signal(tb, syscall.SIGTERM)
	n.exitCode(tb)
}

// pause has the node stand still, its connections open.
func (n *kafkaNode) pause(tb testing.TB) {
	tb.Helper()
	n.signal(tb, syscall.SIGSTOP)
}

// resume has it go on.
func (n *kafkaNode) resume(tb testing.TB) {
	tb.Helper()
	n.signal(tb, syscall.SIGCONT)
}

// clusterID returns an id that no other cluster has, in Kafka's form of UUIDs.
func clusterID(tb testing.TB) string {
	tb.Helper()
	for {
		var id [16]byte
		if _, err := rand.Read(id[:]); err != nil {
			tb.Fatal(err)
		}
		// One that starts with a dash would be taken for an option.
		if text := base64.RawURLEncoding.EncodeToString(id[:]); text[0] != '-' {
			return text
		}
	}
}
