package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// sharedKafka returns a single Kafka node that all tests of the binary use,
// each with topics of its own. It is started by the first that asks, and ends
// with the binary. What it wrote during the test is shown if the test fails.
func sharedKafka(tb testing.TB) *kafkaClient {
	tb.Helper()
	shared.once.Do(func() { shared.start(tb) })
	if shared.client == nil {
		tb.Fatal("got no Kafka, want the one that an earlier test failed to start")
	}
	began := len(shared.written())
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("Kafka wrote:\n%s", shared.written()[began:])
		}
	})
	return shared.client
}

// shared is what sharedKafka returns.
var shared sharedNode

type sharedNode struct {
	once   sync.Once
	log    string       // file
	client *kafkaClient // nil unless it has started
}

func (s *sharedNode) start(tb testing.TB) {
	tb.Helper()
	// Not the test's own directory, since the node outlives it, and deletes
	// this one by itself.
	dir, err := os.MkdirTemp("", "sidestream-kafka-") //nolint:usetesting // see above
	if err != nil {
		tb.Fatal(err)
	}
	n := newKafkaNode(tb, 1, dir, false)
	n.configure(tb, []*kafkaNode{n}, kafkaOptions{}, clusterID(tb), nil)
	s.log = filepath.Join(dir, "log")
	n.args[1] = dir
	if err := startJava(s.log, "Node", kafkaHeap, n.args...); err != nil {
		tb.Fatal(err)
	}
	client := newKafkaClient(tb, []string{n.address(plainListener)})
	waitFor(tb, 3*patience, "Kafka started", func() (any, bool) {
		out := s.written()
		return out, strings.Contains(out, kafkaStarted)
	})
	s.client = client
}

// written returns all that the node has written.
func (s *sharedNode) written() string {
	text, _ := os.ReadFile(s.log) // it is there, unless somebody cleans up
	return string(text)
}
