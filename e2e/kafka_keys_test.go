package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
)

// X7: one subscription serves a stream for each user, whose records are in any
// partition.
func TestKafkaStreamOfEachUser(t *testing.T) {
	t.Parallel()
	const users, messages = 100, 5
	k := sharedKafka(t)
	topic := k.createTopic(t, topicOptions{partitions: 3})
	s := serve(t, kafkaTable(k.brokers, fmt.Sprintf(`
  - {path: "/users/{user}", kafka: {topics: [%s]}, key: $key, match: "{user}"}
  - {path: "/owners/{user}", kafka: {topics: [%[1]s]}, key: .owner, match: "{user}"}
`, topic)))
	clients, owners := make(crowd, users), make(crowd, users)
	for i := range clients {
		clients[i] = follow(t, fmt.Sprintf("%s/users/u%d", s.url, i))
		owners[i] = follow(t, fmt.Sprintf("%s/owners/u%d", s.url, i))
	}
	s.awaitClients(t, "/users/{user}", users)
	s.awaitClients(t, "/owners/{user}", users)
	s.awaitSource(t, "/users/{user}", "fresh")
	s.awaitSource(t, "/owners/{user}", "fresh")
	for m := range messages {
		var records []kafkaRecord
		for i := range users {
			records = append(records, keyed(fmt.Sprintf("u%d", i), fmt.Sprintf(`{"owner":"u%d","n":%d}`, (i+1)%users, m)))
		}
		k.send(t, topic, records...)
	}
	for i := range users {
		for _, c := range []struct {
			*client
			owner int
		}{{clients[i], (i + 1) % users}, {owners[i], i}} {
			var want []string
			for m := range messages {
				want = append(want, fmt.Sprintf(`{"owner":"u%d","n":%d}`, c.owner, m))
			}
			c.awaitMessage(t, want[messages-1])
			if got := c.messages(); !slices.Equal(got, want) {
				t.Fatalf("%s: got %q, want %q", c.url, got, want)
			}
		}
	}
}

// Of a key that the route names, the one partition is read in which the
// producer puts it: that of Java's client and that of librdkafka, which is
// another. A stream goes on while the other partitions are out of reach.
func TestKafkaRecordKey(t *testing.T) {
	t.Parallel()
	k := sharedKafka(t)
	topic := k.createTopic(t, topicOptions{partitions: 12})
	s := serve(t, kafkaTable(k.brokers, fmt.Sprintf(`
  - {path: "/java/{user}", kafka: {topics: [%s], record_key: "user-{user}", start: earliest}}
  - {path: "/kcat/{user}", kafka: {topics: [%[1]s], record_key: "user-{user}", start: earliest, partitioner: crc32}}
  - {path: "/any/{user}", kafka: {topics: [%[1]s], record_key: "user-{user}", start: earliest, partitioner: any}}
`, topic)))
	const users = 8
	for i := range users {
		user := fmt.Sprintf("user-%d", i)
		k.send(t, topic, keyed(user, "java 1"), keyed("other", "no"), keyed(user, "java 2"))
		kcatSend(t, k.bootstrap(), topic, []string{user + ":kcat 1", "other:no", user + ":kcat 2"})
	}
	// Where each partition is: what is there of a user's by either producer.
	where := map[string]int{}
	for _, r := range kcatRead(t, k.bootstrap(), topic) {
		where[*r.Key+" "+(*r.Value)[:2]] = r.Partition
	}
	apart := 0
	for i := range users {
		user := fmt.Sprintf("user-%d", i)
		java, other := []string{"java 1", "java 2"}, []string{"kcat 1", "kcat 2"}
		both := where[user+" ja"] == where[user+" kc"]
		if both { // by chance
			java = append(java, other...)
			other = java
		} else {
			apart++
		}
		for path, want := range map[string][]string{"/java/": java, "/kcat/": other} {
			c := follow(t, s.url+path+strconv.Itoa(i))
			wait(t, "its records", func() (any, bool) { return c.messages(), len(c.messages()) >= len(want) })
			if got := c.messages(); !slices.Equal(got, want) {
				t.Errorf("%s%d: got %q, want %q and nothing of the other partitions", path, i, got, want)
			}
		}
		c := follow(t, s.url+"/any/"+strconv.Itoa(i))
		wait(t, "its records", func() (any, bool) { return c.messages(), len(c.messages()) >= 4 })
		if got, want := slices.Sorted(slices.Values(c.messages())), []string{"java 1", "java 2", "kcat 1", "kcat 2"}; !slices.Equal(got, want) {
			t.Errorf("/any/%d: got %q, want %q", i, got, want)
		}
	}
	if apart == 0 {
		t.Error("got all keys in one partition by both producers, want some apart, or nothing is shown")
	}
}

// X7: a new client of a route with latest begins with the newest event of each
// key, whatever partition it is in, and one with an id gets all that followed.
func TestKafkaLatest(t *testing.T) {
	t.Parallel()
	k := sharedKafka(t)
	topic := k.createTopic(t, topicOptions{partitions: 3})
	s := serve(t, kafkaTable(k.brokers, fmt.Sprintf(`
  - {path: /latest, kafka: {topics: [%s]}, latest: true}
  - {path: "/latest/{name}", kafka: {topics: [%[1]s]}, key: $key, match: "{name}", latest: true}
  - {path: /all, kafka: {topics: [%[1]s], start: earliest}, history: {replay: all}}
`, topic)))
	for i := 1; i <= 30; i++ {
		k.send(t, topic, keyed("k"+strconv.Itoa(i%3), strconv.Itoa(i)))
	}
	live := func(path string, want ...string) {
		t.Helper()
		c := follow(t, s.url+path)
		wait(t, "stream.live", func() (any, bool) { return c.events(), c.has("stream.live") })
		if got := slices.Sorted(slices.Values(c.messages())); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	live("/latest", "28", "29", "30")
	live("/latest/k1", "28")
	all := follow(t, s.url+"/all")
	wait(t, "all records", func() (any, bool) { return all.messages(), len(all.messages()) == 30 })
	events := all.events()
	c := follow(t, s.url+"/latest", events[9].ID)
	wait(t, "what came after", func() (any, bool) { return c.messages(), len(c.messages()) >= 20 })
	var want []string
	for _, e := range events[10:] {
		want = append(want, e.Data)
	}
	slices.Sort(want)
	if got := slices.Sorted(slices.Values(c.messages())); !slices.Equal(got, want) {
		t.Errorf("/latest after the 10th: got %q, want %q", got, want)
	}
}
