package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A natsCluster is several NATS servers that are one JetStream.
type natsCluster []*natsServer

// startCluster starts so many servers, which know of one another but tell no
// client, so that a client stays with the addresses that it was given. It
// returns when they have elected a leader.
func startCluster(tb testing.TB, size int) natsCluster {
	tb.Helper()
	routes := make([]string, size)
	for i := range routes {
		routes[i] = fmt.Sprintf("127.0.0.1:%d", freePort(tb))
	}
	cluster := make(natsCluster, size)
	for i := range cluster {
		cluster[i] = newNATS(tb, fmt.Sprintf("node%d", i+1), fmt.Sprintf(
			"cluster {name: e2e, listen: %q, no_advertise: true, routes: [%s]}",
			routes[i], "nats://"+strings.Join(routes, ", nats://")))
		cluster[i].start(tb)
	}
	cluster.awaitLeader(tb)
	return cluster
}

// awaitLeader waits until all servers are one healthy cluster.
func (c natsCluster) awaitLeader(tb testing.TB) {
	tb.Helper()
	waitFor(tb, 2*patience, fmt.Sprintf("one leader of %d servers", len(c)), func() (any, bool) {
		var leaders []string
		for _, n := range c {
			s, err := n.jsz()
			if err != nil {
				return err, false
			}
			if s.Meta.Size != len(c) {
				return fmt.Sprintf("%s in a cluster of %d", n.name, s.Meta.Size), false
			}
			leaders = append(leaders, s.Meta.Leader)
		}
		return leaders, leaders[0] != "" && len(slices.Compact(leaders)) == 1
	})
	for _, n := range c {
		n.awaitHealthy(tb)
	}
}

// urls are the addresses of all servers.
func (c natsCluster) urls() []string {
	urls := make([]string, len(c))
	for i, n := range c {
		urls[i] = n.url
	}
	return urls
}

// consumers returns a stream's consumers, wherever they are.
func (c natsCluster) consumers(stream string) (all []consumerState, err error) {
	for _, n := range c {
		some, err := n.consumers(stream)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.SortFunc(all, func(a, b consumerState) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(all, func(a, b consumerState) bool { return a.Name == b.Name }), nil
}

// connect returns a connection to whichever server is up, and its JetStream;
// see [connectNATS].
func (c natsCluster) connect(tb testing.TB) (*nats.Conn, jetstream.JetStream) {
	tb.Helper()
	return connectNATS(tb, c.urls()...)
}
