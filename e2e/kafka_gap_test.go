package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// gapData is what a stream.gap says.
type gapData struct {
	Reason, Requested, Resumed string
	Lost                       *int64
}

// awaitGap waits until a client has a gap, and returns it with the messages
// before and after it.
func (c *client) awaitGap(tb testing.TB) (g gapData, before, after []string) {
	tb.Helper()
	wait(tb, "a gap", func() (any, bool) { return c.events(), c.has("stream.gap") })
	seen := false
	for _, e := range c.events() {
		switch {
		case e.Type == "stream.gap" && seen:
			tb.Fatalf("got %v, want one gap", c.events())
		case e.Type == "stream.gap":
			seen = true
			if err := json.Unmarshal([]byte(e.Data), &g); err != nil {
				tb.Fatalf("gap %s: %v", e.Data, err)
			}
		case e.Type == "message" && seen:
			after = append(after, e.Data)
		case e.Type == "message":
			before = append(before, e.Data)
		}
	}
	return g, before, after
}

// A topic that is deleted and created anew is announced, to those who are
// connected and to those who come back, and then comes all of the new one.
func TestKafkaTopicRecreated(t *testing.T) {
	t.Parallel()
	k := sharedKafka(t)
	topic := k.createTopic(t, topicOptions{partitions: 2})
	table := kafkaTable(k.brokers, fmt.Sprintf("  - {path: /orders, kafka: {topics: [%s]}}\n", topic))
	a, b := serve(t, table), serve(t, table)
	connected := follow(t, a.url+"/orders")
	a.awaitSource(t, "/orders", "fresh")
	sendNumbers(t, k, topic, 2, 1, 6)
	wait(t, "6 records", func() (any, bool) { return connected.events(), len(connected.messages()) == 6 })
	id := connected.events()[5].ID
	k.deleteTopic(t, topic)
	wait(t, "news of it", func() (any, bool) { return connected.events(), connected.has("stream.stale") })
	if got, want := connected.events()[6].Data, "topic is gone"; !strings.Contains(got, want) {
		t.Errorf("got stream.stale with %s, want %q", got, want)
	}
	// More than there were: that offsets go on is no sign that all is well.
	k.createTopic(t, topicOptions{name: topic, partitions: 2})
	sendNumbers(t, k, topic, 2, 101, 110)
	want := numbered(101, 110)
	for name, c := range map[string]*client{"connected": connected, "away": follow(t, a.url+"/orders", id), "away, at another replica": follow(t, b.url+"/orders", id)} {
		wait(t, name+": the new topic", func() (any, bool) {
			return c.events(), c.has("stream.gap") && slices.Contains(c.messages(), "109") && slices.Contains(c.messages(), "110")
		})
		g, _, after := c.awaitGap(t)
		if g.Reason != "recreated" || g.Lost != nil || g.Requested != id {
			t.Errorf("%s: got gap %+v, want reason recreated, no number, and requested %s", name, g, id)
		}
		slices.Sort(after)
		if !slices.Equal(after, want) {
			t.Errorf("%s: got %q after the gap, want %q", name, after, want)
		}
	}
}

// Records that were deleted before they were delivered are announced, with
// their number, and what is left follows.
func TestKafkaRecordsDeleted(t *testing.T) {
	t.Parallel()
	k := sharedKafka(t)
	topic := k.createTopic(t, topicOptions{partitions: 2})
	table := kafkaTable(k.brokers, fmt.Sprintf("  - {path: /orders, kafka: {topics: [%s]}, %s}\n", topic, placed))
	a := serve(t, table)
	first := follow(t, a.url+"/orders")
	a.awaitSource(t, "/orders", "fresh")
	for i := range 10 {
		k.send(t, topic, keyed("a", strconv.Itoa(i)).in(0), keyed("b", strconv.Itoa(i)).in(1))
		wait(t, "both records", func() (any, bool) { return first.events(), len(first.messages()) == 2*i+2 })
	}
	id := first.events()[5].ID // 3 of each partition
	k.deleteRecords(t, topic, 0, 8)
	k.deleteRecords(t, topic, 1, 4)
	b := serve(t, table)
	c := follow(t, b.url+"/orders", id)
	wait(t, "what is left", func() (any, bool) { return c.events(), len(c.messages()) >= 8 })
	g, before, _ := c.awaitGap(t)
	if g.Reason != "expired" || g.Lost == nil || *g.Lost != 5+1 || g.Requested != id || len(before) > 0 {
		t.Errorf("got %v, want a gap first, with reason expired, 6 lost, and requested %s", c.events(), id)
	}
	want := map[int][]int64{0: {8, 9}, 1: {4, 5, 6, 7, 8, 9}}
	if got := offsetsOf(kafkaEvents(t, c.events())); !sameOffsets(got, want) {
		t.Errorf("got offsets %v after the gap, want %v", got, want)
	}
	again := follow(t, b.url+"/orders", g.Resumed)
	wait(t, "what is left", func() (any, bool) { return again.events(), len(again.messages()) >= 8 })
	if got := offsetsOf(kafkaEvents(t, again.events())); !sameOffsets(got, want) || again.has("stream.gap") {
		t.Errorf("got %v with the id that the gap resumed at, want offsets %v and no gap", again.events(), want)
	}
}

// An id that is none of the route's is announced as unknown, and the client
// goes on where the route starts.
func TestKafkaUnknownID(t *testing.T) {
	t.Parallel()
	k := sharedKafka(t)
	topic, other := k.createTopic(t, topicOptions{}), k.createTopic(t, topicOptions{})
	sendNumbers(t, k, topic, 1, 1, 3)
	sendNumbers(t, k, other, 1, 1, 3)
	s := serve(t, kafkaTable(k.brokers, fmt.Sprintf(`
  - {path: /all, kafka: {topics: [%s], start: earliest}}
  - {path: /live, kafka: {topics: [%[1]s]}}
  - {path: /other, kafka: {topics: [%s], start: earliest}}
`, topic, other)))
	stranger := follow(t, s.url+"/other")
	stranger.awaitMessage(t, "3")
	good := follow(t, s.url+"/all")
	good.awaitMessage(t, "3")
	valid := good.events()[1].ID
	for _, id := range []string{"42", "not a position", stranger.events()[1].ID, valid[:len(valid)-2], valid + "AA", "<script>"} {
		all := follow(t, s.url+"/all", id)
		all.awaitMessage(t, "3")
		if g, before, after := all.awaitGap(t); g.Reason != "unknown" || g.Lost != nil || len(before) > 0 || !slices.Equal(after, numbered(1, 3)) {
			t.Errorf("id %q: got %v, want a gap with reason unknown, and all records", id, all.events())
		}
		live := follow(t, s.url+"/live", id)
		if g, _, after := live.awaitGap(t); g.Reason != "unknown" || len(after) > 0 {
			t.Errorf("id %q: got %v, want a gap with reason unknown, and then what comes", id, live.events())
		}
	}
}

// The holes that compaction leaves are no gap, wherever one comes back.
func TestKafkaCompactionHoles(t *testing.T) {
	t.Parallel()
	k := sharedKafka(t)
	topic := k.createTopic(t, topicOptions{configs: compacted})
	table := kafkaTable(k.brokers, fmt.Sprintf("  - {path: /all, kafka: {topics: [%s], start: earliest}, %s}\n", topic, placed))
	a := serve(t, table)
	first := follow(t, a.url+"/all")
	for i := range 10 {
		k.send(t, topic, keyed("a", strconv.Itoa(i)), keyed("b"+strconv.Itoa(i%2), strconv.Itoa(i)))
	}
	wait(t, "20 records", func() (any, bool) { return len(first.messages()), len(first.messages()) == 20 })
	events := first.events()
	ticks := 0
	waitFor(t, 2*patience, "a compacted topic", func() (any, bool) {
		k.send(t, topic, keyed("tick", "0")) // rolls the segment, once it is old enough
		ticks++
		got := kcatRead(t, k.bootstrap(), topic)
		return texts(got), len(got) > 0 && got[0].Offset >= 17
	})
	k.send(t, topic, keyed("end", "0"))
	b := serve(t, table)
	for i, e := range events {
		c := follow(t, b.url+"/all", e.ID)
		wait(t, "the last record", func() (any, bool) {
			got := kafkaEvents(t, c.events())
			return got, len(got) > 0 && got[len(got)-1].Offset == int64(20+ticks)
		})
		got := kafkaEvents(t, c.events())
		rising := slices.IsSortedFunc(got, func(a, b kafkaEvent) int { return int(a.Offset - b.Offset) })
		kept := slices.ContainsFunc(got, func(e kafkaEvent) bool { return e.Offset == 18 })
		if c.has("stream.gap") || !rising || got[0].Offset <= int64(i) || kept != (i < 18) {
			t.Errorf("after offset %d: got %v, want what is left of it, in order and without a gap", i, c.events())
		}
	}
}

// What a transaction holds comes when it is committed, and never when it is
// aborted. One that is open holds back what follows it, for those who are
// connected and for those who come back, and then all comes.
func TestKafkaTransactionsDelivered(t *testing.T) {
	t.Parallel()
	k := sharedKafka(t)
	topic := k.createTopic(t, topicOptions{partitions: 2})
	s := serve(t, kafkaTable(k.brokers, fmt.Sprintf(`
  - {path: /orders, kafka: {topics: [%s], start: earliest}}
  - {path: /dirty, kafka: {topics: [%[1]s], start: earliest, isolation: read_uncommitted}}
`, topic)))
	orders, dirty := follow(t, s.url+"/orders"), follow(t, s.url+"/dirty")
	k.send(t, topic, keyed("a", "before").in(0))
	orders.awaitMessage(t, "before")
	id := orders.events()[len(orders.events())-1].ID

	aborted, open := k.begin(t, topic+"-a", time.Minute), k.begin(t, topic+"-b", time.Minute)
	aborted.send(t, topic, keyed("a", "aborted 1").in(0))
	open.send(t, topic, keyed("a", "open 1").in(0))
	aborted.send(t, topic, keyed("a", "aborted 2").in(0))
	k.send(t, topic, keyed("a", "behind").in(0))
	aborted.abort(t)
	// Another partition isn't held back, and shows that the reader reads on.
	k.send(t, topic, keyed("a", "beside").in(1))
	orders.awaitMessage(t, "beside")
	open.send(t, topic, keyed("a", "open 2").in(0))
	k.send(t, topic, keyed("a", "beside 2").in(1))
	orders.awaitMessage(t, "beside 2")
	wait(t, "all that is there, as it is", func() (any, bool) { return dirty.messages(), len(dirty.messages()) == 8 })
	back := follow(t, s.url+"/orders", id)
	wait(t, "what is not held back", func() (any, bool) { return back.messages(), len(back.messages()) == 2 })
	want := []string{"before", "beside", "beside 2"}
	if got := orders.messages(); !slices.Equal(got, want) {
		t.Errorf("got %q while a transaction is open, want %q", got, want)
	}
	open.commit(t)
	want = append(want, "open 1", "behind", "open 2")
	for name, c := range map[string]*client{"connected": orders, "back": back} {
		c.awaitMessage(t, "open 2")
		got := c.messages()
		if name == "back" {
			got = append([]string{"before"}, got...)
		}
		if !slices.Equal(got, want) || c.has("stream.gap") {
			t.Errorf("%s: got %v, want %q", name, c.events(), want)
		}
	}
}
