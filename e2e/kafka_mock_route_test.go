package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
)

// Another server of the protocol, librdkafka's mock cluster of three brokers as
// it comes with kcat, which has no topic ids and only early versions of some
// requests: records of all partitions are read, and ids resume at another
// replica and at one that was killed.
func TestKafkaMockCluster(t *testing.T) {
	t.Parallel()
	const partitions = 4 // that the mock makes
	m := startMockKafka(t)
	send := func(from, to int) {
		t.Helper()
		for p := range partitions {
			var lines []string
			for i := from; i <= to; i++ {
				lines = append(lines, "k:"+strconv.Itoa(i))
			}
			kcatSend(t, m.bootstrap(), "orders", lines, "-p", strconv.Itoa(p))
		}
	}
	send(1, 2)
	table := kafkaTable(m.brokers, "  - {path: /orders, kafka: {topics: [orders], start: earliest}, "+placed+"}\n")
	a, b := serve(t, table), serve(t, table)
	first := follow(t, a.url+"/orders")
	wait(t, "what is there", func() (any, bool) { return first.events(), len(first.messages()) == 2*partitions })
	send(3, 5)
	wait(t, "what comes", func() (any, bool) { return first.events(), len(first.messages()) == 5*partitions })
	all := first.events()
	want := map[int][]int64{}
	for p := range partitions {
		want[p] = []int64{0, 1, 2, 3, 4}
	}
	if got := offsetsOf(kafkaEvents(t, all)); !sameOffsets(got, want) {
		t.Errorf("got offsets %v, want %v", got, want)
	}
	a.kill()
	a.start(t)
	for name, s := range map[string]*sidestream{"killed": a, "another": b} {
		for i, e := range all {
			c := follow(t, s.url+"/orders", e.ID)
			wait(t, fmt.Sprintf("%s: what came after event %d", name, i), func() (any, bool) {
				return c.events(), len(c.messages()) >= len(all)-i-1
			})
			got := offsetsOf(kafkaEvents(t, slices.Concat(all[:i+1], c.events())))
			if !sameOffsets(got, want) || c.has("stream.gap") {
				t.Errorf("%s: after event %d, with those before: got offsets %v, want %v", name, i, got, want)
			}
		}
	}
}
