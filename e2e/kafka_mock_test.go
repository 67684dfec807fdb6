package e2e

import (
	"regexp"
	"strings"
	"testing"
)

// A mockKafka is librdkafka's mock cluster of three brokers, in a process of
// kcat's. It is another implementation of the protocol, an older and smaller
// one: no topic ids, no transactions' aborts, nothing on disk. It creates
// topics that it is asked for, with four partitions each.
type mockKafka struct {
	*process
	brokers []string // host:port
}

// mockBrokers is how the mock says where it is.
var mockBrokers = regexp.MustCompile(`bootstrap\.servers=([0-9.:,]+)\n`)

// startMockKafka starts a mock cluster, which lives as long as the consumer
// that it came with, and returns when clients can connect.
func startMockKafka(tb testing.TB) *mockKafka {
	tb.Helper()
	m := &mockKafka{process: launch(tb, "kcat", "-q", "-F", "/dev/null",
		"-C", "-t", "mock", "-o", "end", "-b", "mock:1", "-X", "test.mock.num.brokers=3", "-d", "mock")}
	wait(tb, "the addresses of the mock", func() (any, bool) {
		found := mockBrokers.FindStringSubmatch(m.output.String())
		if found != nil {
			m.brokers = strings.Split(found[1], ",")
		}
		return m.output, m.brokers != nil
	})
	return m
}

// bootstrap returns the addresses as Kafka's own tools want them.
func (m *mockKafka) bootstrap() string { return strings.Join(m.brokers, ",") }
