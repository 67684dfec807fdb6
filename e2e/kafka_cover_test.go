package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// Who has an id from before a deletion that the topic no longer tells of is
// given the whole state, and told so, also if the stream is open already and
// holds what came next.
func TestKafkaOldIDOfTable(t *testing.T) {
	t.Parallel()
	k := sharedKafka(t)
	topic := k.createTopic(t, topicOptions{configs: compacted})
	table := kafkaTable(k.brokers, fmt.Sprintf("  - {path: /s, kafka: {topics: [%s], compacted: true}, event: {data: '{k: $key, v: .}'}}\n", topic))
	a := serve(t, table)
	c := follow(t, a.url+"/s")
	k.send(t, topic, keyed("a", "1"), keyed("b", "2"))
	wait(t, "both keys", func() (any, bool) { return c.events(), len(c.messages()) == 2 })
	id := c.events()[len(c.events())-1].ID
	a.kill()
	k.send(t, topic, kafkaRecord{Key: []byte("a")})
	waitFor(t, 2*patience, "a topic that has neither the key nor its deletion", func() (any, bool) {
		k.send(t, topic, keyed("tick", "0"))
		got := texts(kcatRead(t, k.bootstrap(), topic))
		return got, !strings.Contains(fmt.Sprint(got), "a=")
	})

	b := serve(t, table)
	hasState := func(c *client) func() (any, bool) {
		return func() (any, bool) { return c.events(), strings.Contains(fmt.Sprint(c.messages()), `{"k":"b","v":2}`) }
	}
	wait(t, "the state, for one who comes first", hasState(follow(t, b.url+"/s")))
	back := follow(t, b.url+"/s", id)
	wait(t, "the state, for one who comes back", hasState(back))
	if g, _, _ := back.awaitGap(t); g.Reason != "expired" {
		t.Errorf("got a gap of reason %q, want expired", g.Reason)
	}
}

// Clients whose ids are of partitions that the route reads no longer, or that
// their key has left, come to the stream like others, and hold no place among
// those who catch up.
func TestKafkaPlacesOfBefore(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		partitions    int
		before, after string // of the source
		more          int    // partitions there are in the end
		now           int32  // which the key is in then
	}{
		"partitions that are no longer read": {3, "", "partitions: [0, 1]", 0, 0},
		"a key that has moved":               {1, "record_key: k0", "record_key: k0", 7, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := sharedKafka(t)
			topic := k.createTopic(t, topicOptions{partitions: c.partitions})
			table := func(source string) string {
				if source != "" {
					source = ", " + source
				}
				return "limits: {catchups: 3}\n" + kafkaTable(k.brokers, fmt.Sprintf("  - {path: /s, kafka: {topics: [%s]%s}}\n", topic, source))
			}
			a := serve(t, table(c.before))
			first := follow(t, a.url+"/s")
			a.awaitSource(t, "/s", "fresh")
			for i := range c.partitions {
				k.send(t, topic, keyed("k0", "before").in(int32(i)))
			}
			wait(t, "all of it", func() (any, bool) { return first.events(), len(first.messages()) == c.partitions })
			id := first.events()[c.partitions-1].ID
			a.kill()
			if c.more > 0 {
				k.addPartitions(t, topic, c.more)
			}

			b := serve(t, table(c.after))
			follow(t, b.url+"/s")
			b.awaitSource(t, "/s", "fresh")
			for n := range 6 { // one after the other, each of which gives its place back
				back := follow(t, b.url+"/s", id)
				wait(t, "what is new", func() (any, bool) {
					k.send(t, topic, keyed("k0", strconv.Itoa(n)).in(c.now))
					return back.events(), len(back.messages()) > 0
				})
				if back.has("stream.gap") {
					t.Errorf("got %v, want no gap", back.events())
				}
			}
		})
	}
}
