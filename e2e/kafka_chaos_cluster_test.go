package e2e

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// startKafkaChaos starts a cluster to which there are several ways, each
// through wires of its own: one for each node. Who comes by one of the ways is
// told of the addresses of its wires, and of no others.
func startKafkaChaos(tb testing.TB, ways int) (c *kafkaCluster, wires [][]*wire) {
	tb.Helper()
	c = &kafkaCluster{}
	wires = make([][]*wire, ways)
	advertised := make([][]string, kafkaChaosNodes)
	for i := range kafkaChaosNodes {
		n := newKafkaNode(tb, i+1, tb.TempDir(), false)
		advertised[i] = []string{plainListener + "://" + n.address(plainListener)}
		for way := range ways {
			name := fmt.Sprintf("WAY%d", way+1)
			address := fmt.Sprintf("127.0.0.1:%d", freePort(tb))
			n.listeners = append(n.listeners, kafkaListener{name, "PLAINTEXT", address})
			w := newWire(tb, address, 0)
			wires[way] = append(wires[way], w)
			advertised[i] = append(advertised[i], name+"://"+w.address)
		}
		c.nodes = append(c.nodes, n)
	}
	cluster := clusterID(tb)
	for i, n := range c.nodes {
		n.configure(tb, c.nodes, kafkaOptions{config: []string{"advertised.listeners=" + strings.Join(advertised[i], ",")}}, cluster, nil)
		n.start(tb)
	}
	c.kafkaClient = newKafkaClient(tb, c.addresses(plainListener))
	c.awaitStarted(tb)
	tb.Cleanup(func() { c.kafkaClient.forget(tb) })
	return c, wires
}

// revive starts the nodes again that have ended by themselves, as one does
// whose port somebody else on this machine took while it was down.
func (c *kafkaCluster) revive(tb testing.TB) {
	tb.Helper()
	for _, n := range c.nodes {
		if !n.running() {
			tb.Logf("node %d has ended by itself, and is started again:\n%s", n.id, n.output.tail(1<<10))
			n.start(tb)
		}
	}
}

// listening reports whether each node takes connections.
func (c *kafkaCluster) listening(ctx context.Context) bool {
	for _, address := range c.addresses(plainListener) {
		conn, err := (&net.Dialer{Timeout: 100 * time.Millisecond}).DialContext(ctx, "tcp", address)
		if err != nil {
			return false
		}
		_ = conn.Close()
	}
	return true
}

// replicated reports whether each partition of these topics has a leader and
// all of its replicas have all of it.
func (c *kafkaCluster) replicated(ctx context.Context, topics ...string) bool {
	if !c.listening(ctx) {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	for _, topic := range topics {
		d, err := c.tryDescribe(ctx, topic)
		if err != nil {
			return false
		}
		for _, p := range d.Partitions {
			if p.Leader < 0 || len(p.ISR) < len(p.Replicas) {
				return false
			}
		}
	}
	return true
}
