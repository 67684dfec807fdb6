package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// kafkaTable has the given routes, by the brokers at these addresses, with
// short delays.
func kafkaTable(brokers []string, routes string) string {
	return fmt.Sprintf(`
defaults:
  kafka: {brokers: [%s], metadata_age: 200ms}
  backoff: {min: 20ms, max: 200ms}
  retry: 50ms
  linger: 200ms
routes:
%s`, strings.Join(brokers, ", "), routes)
}

// placed is what a route has to say of its events for a test to see where a
// record was.
const placed = `event: {data: '{partition: $meta.partition, offset: $meta.offset, value: .}'}`

// kafkaEvent is an event of a route that is placed.
type kafkaEvent struct {
	Partition int
	Offset    int64
	Value     json.RawMessage
}

// kafkaEvents returns the events of type "message" among those received.
func kafkaEvents(tb testing.TB, events []received) (list []kafkaEvent) {
	tb.Helper()
	for _, e := range events {
		if e.Type != "message" {
			continue
		}
		var k kafkaEvent
		if err := json.Unmarshal([]byte(e.Data), &k); err != nil {
			tb.Fatalf("got data %q: %v", e.Data, err)
		}
		list = append(list, k)
	}
	return list
}

// offsetsOf returns the offsets of events by partition, in the order in which
// the events came.
func offsetsOf(events []kafkaEvent) map[int][]int64 {
	m := map[int][]int64{}
	for _, e := range events {
		m[e.Partition] = append(m[e.Partition], e.Offset)
	}
	return m
}

// sameOffsets reports whether the same offsets came of each partition, in the
// same order.
func sameOffsets(a, b map[int][]int64) bool {
	return maps.EqualFunc(a, b, slices.Equal[[]int64])
}

// awaitSource waits until the source of a route is in a state.
func (s *sidestream) awaitSource(tb testing.TB, route, state string) {
	tb.Helper()
	wait(tb, fmt.Sprintf("the source of %s to be %s", route, state), func() (any, bool) {
		return nil, s.metric(tb, fmt.Sprintf("sidestream_sources{route=%q,state=%q}", route, state)) == 1
	})
}

// sendNumbers sends the numbers from and up to to, one by one, to the
// partitions in turn.
func sendNumbers(tb testing.TB, k *kafkaClient, topic string, partitions int32, from, to int) {
	tb.Helper()
	for i := from; i <= to; i++ {
		k.send(tb, topic, keyed("k"+strconv.Itoa(i), strconv.Itoa(i)).in(int32(i)%partitions))
	}
}

// R4: the id of every event is good at any replica, and after a restart: what
// follows is what was not received before, in the order of each partition.
func TestKafkaResumesAnywhere(t *testing.T) {
	t.Parallel()
	const partitions, before, after = 3, 30, 6
	k := sharedKafka(t)
	topic := k.createTopic(t, topicOptions{partitions: partitions})
	table := kafkaTable(k.brokers, fmt.Sprintf("  - {path: /orders, kafka: {topics: [%s]}, %s}\n", topic, placed))
	a, b := serve(t, table), serve(t, table)
	first := follow(t, a.url+"/orders")
	a.awaitSource(t, "/orders", "fresh")
	sendNumbers(t, k, topic, partitions, 1, before)
	wait(t, "all records", func() (any, bool) { return len(first.messages()), len(first.messages()) == before })
	had := slices.DeleteFunc(first.events(), func(e received) bool { return e.Type != "message" })

	check := func(s *sidestream, what string, total int) {
		t.Helper()
		var clients crowd
		for _, e := range had {
			clients = append(clients, follow(t, s.url+"/orders", e.ID))
		}
		for i, c := range clients {
			wait(t, fmt.Sprintf("%s: what comes after event %d", what, i), func() (any, bool) {
				return c.events(), len(c.messages()) >= total-i-1
			})
			got := offsetsOf(append(kafkaEvents(t, had[:i+1]), kafkaEvents(t, c.events())...))
			want := map[int][]int64{}
			for n := range total { // numbers count from 1
				p := (n + 1) % partitions
				want[p] = append(want[p], int64(len(want[p])))
			}
			if !sameOffsets(got, want) {
				t.Errorf("%s: after event %d, with those before: got offsets %v, want %v", what, i, got, want)
			}
			if c.has("stream.gap") {
				t.Errorf("%s: after event %d: got %v, want no gap", what, i, c.events())
			}
		}
	}
	check(a, "at the same replica", before)
	check(b, "at another replica", before)
	b.kill()
	sendNumbers(t, k, topic, partitions, before+1, before+after)
	b.start(t)
	check(b, "at a replica that was killed", before+after)
	a.kill()
	a.start(t)
	check(a, "at the replica of the ids, killed", before+after)
}

// A hopper is a client that moves between replicas, each time with the id that
// it has.
type hopper struct {
	hops int

	mu     sync.Mutex
	events []received // guarded by mu; of the stays that are over
	now    *client    // guarded by mu
}

// all returns what was received so far.
func (h *hopper) all() []received {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append(slices.Clone(h.events), h.now.events()...)
}

// roam stays for about a second at each replica, and for good where
// it is when ended is closed.
func (h *hopper) roam(tb testing.TB, path string, replicas []*sidestream, random *rand.Rand, ended <-chan struct{}) {
	tb.Helper()
	id := h.now.lastID
	for {
		stop := h.now.start(tb)
		stay := time.NewTimer(time.Duration(300+random.IntN(1000)) * time.Millisecond)
		select {
		case <-stay.C:
		case <-ended:
			stay.Stop()
			return
		}
		stop()
		h.hops++
		h.mu.Lock()
		events := h.now.events()
		if len(events) > 0 {
			id = h.now.lastID
		}
		h.events = append(h.events, events...)
		h.now = newClient(tb, replicas[h.hops%len(replicas)].url+path, id)
		h.mu.Unlock()
	}
}

// R4, R6: many clients hop between two replicas, and others stay, while
// records are produced and Kafka is killed and restarted: each of them gets
// every record that was acknowledged, once and in the order of its partition.
// Those who stay are told that Kafka was away, and keep their connections.
func TestKafkaKilledUnderLoad(t *testing.T) {
	t.Parallel()
	const partitions, hoppers, stayers, rate = 3, 100, 5, 500
	c := startKafka(t, kafkaOptions{})
	topic := c.createTopic(t, topicOptions{partitions: partitions})
	table := kafkaTable(c.brokers, fmt.Sprintf(
		"  - {path: /load, kafka: {topics: [%s], start: earliest}, history: {events: 100000, bytes: 64MiB}, %s}\n", topic, placed))
	replicas := []*sidestream{serve(t, table), serve(t, table)}
	c.send(t, topic, keyed("first", "0").in(0))
	begin := follow(t, replicas[0].url+"/load")
	wait(t, "the first record", func() (any, bool) { return begin.events(), len(begin.messages()) == 1 })
	id := begin.events()[0].ID

	var stay crowd
	for i := range stayers {
		stay = append(stay, follow(t, replicas[i%2].url+"/load", id))
	}
	all := make([]*hopper, hoppers)
	var moving sync.WaitGroup
	ended := make(chan struct{})
	for i := range all {
		h := &hopper{now: newClient(t, replicas[i%2].url+"/load", id)}
		all[i] = h
		random := rand.New(rand.NewPCG(uint64(i), 1))
		moving.Go(func() { h.roam(t, "/load", replicas, random, ended) })
	}
	bulk := c.startBulk(t, topic, bulkOptions{Keys: 100, Size: 100, Rate: rate})
	acked := func(more int) {
		t.Helper()
		had := len(bulk.acknowledged())
		wait(t, "more acks", func() (any, bool) { n := len(bulk.acknowledged()); return n - had, n >= had+more })
	}
	acked(rate)
	for range 2 {
		c.node(1).kill()
		for i := range stay {
			wait(t, "those who stay to hear of it", func() (any, bool) {
				return stay[i].events(), count(stay[i], "stream.stale") > count(stay[i], "stream.fresh")
			})
		}
		c.node(1).start(t)
		c.node(1).awaitStarted(t)
		acked(rate)
	}
	bulk.stop(t)
	close(ended)
	moving.Wait()

	want := map[int][]int64{}
	for p, r := range c.offsets(t, topic) {
		for o := r.Earliest; o < r.Latest; o++ {
			want[p] = append(want[p], o)
		}
	}
	for _, a := range bulk.acknowledged() {
		if a.Error == "" && int(a.Offset) >= len(want[a.Partition]) {
			t.Fatalf("got records %v in Kafka, want what it acknowledged at %d/%d too", c.offsets(t, topic), a.Partition, a.Offset)
		}
	}
	total := 0
	for _, list := range want {
		total += len(list)
	}
	check := func(who string, events func() []received) {
		t.Helper()
		waitFor(t, 2*patience, who+" to have all records", func() (any, bool) {
			n := 0
			for _, e := range events() {
				if e.Type == "message" {
					n++
				}
			}
			return n, n >= total-1
		})
		got := offsetsOf(append([]kafkaEvent{{}}, kafkaEvents(t, events())...))
		for p := range partitions {
			if !slices.Equal(got[p], want[p]) {
				t.Fatalf("%s: got %s in partition %d, want each of %d offsets once and in order", who, unordered(got[p]), p, len(want[p]))
			}
		}
		if slices.ContainsFunc(events(), func(e received) bool { return e.Type == "stream.gap" }) {
			t.Fatalf("%s: got a gap, want none since nothing was lost", who)
		}
	}
	hops := 0
	for i, h := range all {
		check(fmt.Sprintf("hopper %d", i), h.all)
		hops += h.hops
	}
	for i, s := range stay {
		check(fmt.Sprintf("client %d", i), s.events)
		if len(s.conns()) != 1 {
			t.Errorf("client %d: got %d connections, want 1: Kafka's death is no reason to cut it", i, len(s.conns()))
		}
	}
	t.Logf("%d records, %d hops", total, hops)
}

// unordered says where a list of offsets is not what it should be.
func unordered(list []int64) string {
	for i, o := range list {
		if o != int64(i) {
			return fmt.Sprintf("%d offsets, with %v at %d", len(list), list[max(0, i-3):min(len(list), i+4)], i)
		}
	}
	return fmt.Sprintf("%d offsets", len(list))
}

// Partitions that are added are read from their starts, by clients that are
// connected, and by those who come back with an id that knows nothing of them.
func TestKafkaPartitionsAdded(t *testing.T) {
	t.Parallel()
	k := sharedKafka(t)
	topic := k.createTopic(t, topicOptions{})
	table := kafkaTable(k.brokers, fmt.Sprintf("  - {path: /orders, kafka: {topics: [%s]}, %s}\n", topic, placed))
	a, b := serve(t, table), serve(t, table)
	connected := follow(t, a.url+"/orders")
	a.awaitSource(t, "/orders", "fresh")
	sendNumbers(t, k, topic, 1, 1, 5)
	wait(t, "5 records", func() (any, bool) { return connected.events(), len(connected.messages()) == 5 })
	id := connected.events()[2].ID
	k.addPartitions(t, topic, 3)
	sendNumbers(t, k, topic, 3, 6, 14)
	want := map[int][]int64{0: {0, 1, 2, 3, 4, 5, 6, 7}, 1: {0, 1, 2}, 2: {0, 1, 2}}
	wait(t, "14 records", func() (any, bool) { return connected.events(), len(connected.messages()) >= 14 })
	if got := offsetsOf(kafkaEvents(t, connected.events())); !sameOffsets(got, want) {
		t.Errorf("connected: got offsets %v, want %v", got, want)
	}
	want[0] = want[0][3:]
	for _, s := range []*sidestream{a, b} {
		away := follow(t, s.url+"/orders", id)
		wait(t, "11 records", func() (any, bool) { return away.events(), len(away.messages()) >= 11 })
		if got := offsetsOf(kafkaEvents(t, away.events())); !sameOffsets(got, want) {
			t.Errorf("away: got offsets %v, want %v", got, want)
		}
		if away.has("stream.gap") {
			t.Errorf("away: got %v, want no gap", away.events())
		}
	}
}

// ?since= begins at a time in every partition, at any replica.
func TestKafkaSince(t *testing.T) {
	t.Parallel()
	k := sharedKafka(t)
	topic := k.createTopic(t, topicOptions{partitions: 2})
	start := time.Now().Add(-time.Hour).Truncate(time.Second)
	for i := range 6 {
		at := start.Add(time.Duration(i) * time.Minute)
		k.send(t, topic, keyed("a", strconv.Itoa(i+1)).in(int32(i%2)).at(at))
	}
	s := serve(t, kafkaTable(k.brokers, "  - {path: /orders, kafka: {topics: ["+topic+"]}, since: true}\n"))
	for _, since := range []string{
		start.Add(2 * time.Minute).Format(time.RFC3339Nano),
		strconv.FormatInt(start.Add(2*time.Minute).UnixMilli(), 10),
	} {
		c := follow(t, s.url+"/orders?since="+url.QueryEscape(since))
		wait(t, "4 records", func() (any, bool) { return c.events(), len(c.messages()) >= 4 })
		if got, want := slices.Sorted(slices.Values(c.messages())), numbered(3, 6); !slices.Equal(got, want) {
			t.Errorf("since %s: got %q, want %q", since, got, want)
		}
	}
	if code, body, _ := fetch(s.url + "/orders?since=yesterday"); code != 400 || !strings.Contains(body, "RFC 3339") {
		t.Errorf("since=yesterday: got %d %q, want 400 and what would be right", code, body)
	}
}
