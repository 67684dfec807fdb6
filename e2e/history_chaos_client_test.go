package e2e

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"sidestream/e2e/chaos"
	"sidestream/e2e/historychaos"
	"sidestream/proxy/eventstream"
)

// historyCrowd is how many clients there are, of all routes together.
const historyCrowd = 300

// A historyClient is a client of one of the routes, which knows how far it has
// come.
type historyClient struct {
	*chaosClient
	page historychaos.Reader // of the document; used by the goroutine that runs the client

	mu     sync.Mutex
	newest map[string]int // guarded by mu; number, by key; of a document the version, as that of ""
}

// historyClients returns clients of all routes, which hop between replicas.
func historyClients(replicas []string, calm chan struct{}, draw func(uint64) *rand.Rand) (clients []*historyClient) {
	for i := range historyCrowd {
		path := []string{hookEvents, coreEvents, docEvents}[i%3]
		kind := []struct {
			name string
			habits
		}{
			{"steady", steady}, {"restless", restless}, {"hasty", hasty}, {"slow", slow}, {"restless", restless},
		}[i/3%5]
		if path == hookEvents && i%10 == 0 {
			kind.name, kind.habits = "forgetful", forgetful
		}
		c := &historyClient{newest: map[string]int{}, chaosClient: &chaosClient{
			name: fmt.Sprintf("%s (%s, no. %d)", path, kind.name, i), path: path,
			replicas: replicas, habits: kind.habits, calm: calm, random: draw(uint64(1000 + i)),
		}}
		c.read = c.readRecord
		if path == docEvents {
			c.read = c.readDocument
		}
		clients = append(clients, c)
	}
	return clients
}

// hasty clients hop between replicas all the time.
var hasty = habits{stays: 500 * time.Millisecond}

func (c *historyClient) readRecord(e *eventstream.Event) chaos.Event {
	read := readSequenced(e)
	if read.Err == nil {
		c.reach(read.Record.Key, read.Record.Number)
	}
	return read
}

func (c *historyClient) readDocument(e *eventstream.Event) chaos.Event {
	version, err := c.page.Apply(e.Type, e.Data)
	read := chaos.Event{ID: e.ID, Record: chaos.Record{Number: version}, Err: err}
	read.Record.Sequence, _, _ = chaos.Sequence(e.ID) // for [chaosClient.sum]
	c.reach("", version)
	return read
}

func (c *historyClient) reach(key string, number int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.newest[key] = number
}

// placed reports whether the client has an id to come back with.
func (c *historyClient) placed() bool {
	c.chaosClient.mu.Lock()
	defer c.chaosClient.mu.Unlock()
	return len(c.ids) > 0
}

// behind reports whether the client lacks the newest of what there is.
func (c *historyClient) behind(l *historyLoad) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.path == docEvents {
		return c.newest[""] != int(l.app.version.Load())
	}
	key := hookKey
	if c.path == coreEvents {
		key = coreKey
	}
	for i := range historyKeys {
		if c.newest[key(i)] < l.newest(key(i)) {
			return true
		}
	}
	return false
}

// logOf returns a client's log for its check. The history keeps everything, so
// that only a source that loses something has gaps.
func (c *historyClient) logOf() chaos.Client {
	return chaos.Client{Name: c.name, Log: c.entries(), Complete: c.path == hookEvents}
}
