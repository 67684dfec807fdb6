package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"
)

// stockTable serves a compacted topic as the recipe in docs does.
func stockTable(brokers []string, topic, app string) string {
	return fmt.Sprintf("upstream: %s\ndrain: {window: 200ms, timeout: 1s}\n", app) + kafkaTable(brokers, fmt.Sprintf(`
  - path: /live/stock
    kafka: {topics: [%s], compacted: true}
    event: {data: '{key: $key, value: .}'}
`, topic))
}

// topicApp serves a page that shows the state.
func topicApp(t *testing.T) string {
	t.Helper()
	return app(t, func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join("pages", "topic.html"))
	})
}

// topicState is what a client of a compacted topic makes of what it receives,
// as the page does.
func topicState(events []received) map[string]string {
	state := map[string]string{}
	for _, e := range events {
		var entry struct {
			Key    string
			Value  json.RawMessage
			Reason string
		}
		switch e.Type {
		case "delete":
			delete(state, e.Data)
		case "message":
			if json.Unmarshal([]byte(e.Data), &entry) == nil {
				state[entry.Key] = string(entry.Value)
			}
		case "stream.gap":
			if json.Unmarshal([]byte(e.Data), &entry) == nil && (entry.Reason == "expired" || entry.Reason == "recreated" || entry.Reason == "unknown") {
				clear(state)
			}
		}
	}
	return state
}

// X7: a page in a browser shows the state of a compacted topic: at first, with
// each change, without what is gone, while Kafka is dead and after that, and
// when the topic was created anew.
func TestKafkaTablePage(t *testing.T) {
	t.Parallel()
	c := startKafka(t, kafkaOptions{})
	configs := maps.Clone(compacted)
	configs["delete.retention.ms"] = "3600000"
	topic := c.createTopic(t, topicOptions{partitions: 3, configs: configs})
	put := func(key, value string) { t.Helper(); c.send(t, topic, keyed(key, value)) }
	remove := func(key string) { t.Helper(); c.send(t, topic, kafkaRecord{Key: []byte(key)}) }
	put("apple", "1")
	put("pear", "2")
	put("gone", "0")
	put("apple", "120")
	remove("gone")
	s := serve(t, stockTable(c.brokers, topic, topicApp(t)))
	tab := startBrowser(t).open(t, s.url+"/page")
	shows := func(want string) {
		t.Helper()
		waitFor(t, 2*patience, "the page to show "+want, func() (any, bool) {
			got := eval[string](t, tab, `[...document.querySelectorAll('tbody tr')].map(r => [...r.cells].map(c => c.textContent).join('=')).join(' ') + ' / ' + document.getElementById('status').dataset.state`)
			return got, got == want
		})
	}
	shows("apple=120 pear=2 / live")
	put("fig", `{"kilo":3}`)
	put("apple", "121")
	remove("pear")
	shows(`apple=121 fig={"kilo":3} / live`)
	for _, scheme := range []string{"light", "dark"} {
		tab.do(t, prefer(scheme), chromedp.EmulateViewport(360, 600))
		if got := eval[int64](t, tab, "document.documentElement.scrollWidth"); got > 360 {
			t.Errorf("%s, 360 wide: got a page of %d, want one that fits", scheme, got)
		}
		screenshot(t, tab, "topic-"+scheme+".png")
	}
	c.node(1).kill()
	shows(`apple=121 fig={"kilo":3} / stale`)
	screenshot(t, tab, "topic-stale.png")
	c.node(1).start(t)
	c.node(1).awaitStarted(t)
	shows(`apple=121 fig={"kilo":3} / live`)
	put("pear", "4")
	remove("fig")
	shows(`apple=121 pear=4 / live`)
	c.deleteTopic(t, topic)
	c.createTopic(t, topicOptions{name: topic, partitions: 3, configs: configs})
	put("plum", "5")
	shows("plum=5 / live")
}

// Clients that come, go, and come back at any time, at two replicas that are
// killed and left, all end up with the state, while Kafka compacts.
func TestKafkaTableConverges(t *testing.T) {
	t.Parallel()
	const steps, keys = 300, 30
	k := sharedKafka(t)
	configs := maps.Clone(compacted)
	configs["delete.retention.ms"] = "3600000"
	topic := k.createTopic(t, topicOptions{partitions: 3, configs: configs})
	table := stockTable(k.brokers, topic, topicApp(t))
	replicas := []*sidestream{serve(t, table), serve(t, table)}
	random := rand.New(rand.NewPCG(1, 2))
	var clients []*client
	truth := map[string]string{}
	for step := range steps {
		key := "k" + strconv.Itoa(random.IntN(keys))
		if random.IntN(4) == 0 {
			k.send(t, topic, kafkaRecord{Key: []byte(key)})
			delete(truth, key)
		} else {
			truth[key] = strconv.Itoa(step)
			k.send(t, topic, keyed(key, truth[key]))
		}
		switch {
		case step%10 == 0:
			clients = append(clients, follow(t, replicas[random.IntN(2)].url+"/live/stock"))
			if from := clients[random.IntN(len(clients))].events(); len(from) > 0 { // and one with the state of another
				at := random.IntN(len(from))
				c := newClient(t, replicas[random.IntN(2)].url+"/live/stock", from[at].ID)
				c.received = from[:at+1]
				c.start(t)
				clients = append(clients, c)
			}
		case step == steps/3+1:
			replicas[0].kill()
			replicas[0].start(t)
		case step == 2*steps/3+1:
			replicas[1].signal(t, syscall.SIGTERM)
			replicas[1].exitCode(t)
			replicas[1].start(t)
		}
	}
	for i, c := range clients {
		waitFor(t, 2*patience, fmt.Sprintf("client %d to have the state", i), func() (any, bool) {
			got := topicState(c.events())
			return fmt.Sprintf("%d keys, connections %d", len(got), len(c.conns())), maps.Equal(got, truth)
		})
	}
}
