package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sidestream/e2e/chaos"
	"sidestream/proxy/eventstream"
)

// A chaosClient is an EventSource with habits. It comes back with its last
// event id, to any of the replicas, for as long as it runs, and notes what
// happens to it.
type chaosClient struct {
	name, path, key string
	replicas        []string // addresses, host:port
	habits          habits

	// read makes an entry for the log of an event of the source.
	read func(e *eventstream.Event) chaos.Event

	random *rand.Rand     // of the goroutine that runs the client
	calm   chan struct{}  // closed when the habits are to rest
	waking sync.WaitGroup // of what makes a sleepy client quick again

	mu  sync.Mutex
	log []chaos.Entry
	ids []hadID // lately, the last one is the last event id
}

// A hadID is an id that a client has had, with the sequence of the last record
// that it had up to there, by partition.
type hadID struct {
	id string
	at map[int]uint64
}

// habits are what clients do by themselves. The zero value stays.
type habits struct {
	stays   time.Duration // about how long, before it drops its connection; 0: for ever
	naps    time.Duration // about how long it reads nothing, now and then; 0: it doesn't
	rewinds float64       // how often it comes back with an older id of its own
}

// Bounds of what clients do.
const (
	remembered   = 200                   // ids
	mostRetry    = time.Second           // that a client waits
	slowReading  = 16 << 10              // bytes, the receive buffer of one that naps
	fastReading  = 4 << 20               // the same, when its habits rest
	oneNapIn     = 100                   // events
	handshake    = 30 * time.Second      // for an answer's headers; a stalled wire takes its time
	minimalStays = 50 * time.Millisecond // so that some leave at once
)

// start runs the client until stop is called.
func (c *chaosClient) start(tb testing.TB) (stop func()) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		defer c.waking.Wait()
		for ctx.Err() == nil {
			pause(ctx, nil, c.connect(ctx))
		}
	})
	stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	tb.Cleanup(stop)
	return stop
}

// connect runs one connection to its end and returns when to come back.
func (c *chaosClient) connect(ctx context.Context) (retry time.Duration) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	retry = 100 * time.Millisecond
	replica := c.random.IntN(len(c.replicas))
	id := c.chooseID()

	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", c.replicas[replica])
	if err != nil {
		return retry
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if c.habits.naps > 0 {
		_ = conn.(*net.TCPConn).SetReadBuffer(slowReading)
		awake := make(chan struct{})
		defer close(awake)
		c.waking.Go(func() {
			select {
			case <-c.calm:
				_ = conn.(*net.TCPConn).SetReadBuffer(fastReading)
			case <-awake:
			}
		})
	}
	target := &url.URL{Scheme: "http", Host: c.replicas[replica], Path: c.path}
	req := &http.Request{Method: http.MethodGet, URL: target, Header: http.Header{"Accept": {"text/event-stream"}}}
	if id != "" {
		req.Header.Set("Last-Event-ID", id)
	}
	_ = conn.SetDeadline(time.Now().Add(handshake))
	if req.Write(conn) != nil {
		return retry
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		return retry
	}
	defer resp.Body.Close()
	_ = conn.SetDeadline(time.Time{})
	if resp.StatusCode != http.StatusOK {
		c.note(chaos.Refused{Status: resp.StatusCode})
		return mostRetry
	}
	c.note(chaos.Connected{LastEventID: id, To: fmt.Sprintf("replica %d", replica+1), At: time.Now()})
	if c.habits.stays > 0 {
		drop := time.AfterFunc(minimalStays+time.Duration(c.random.ExpFloat64()*float64(c.habits.stays)), func() {
			select {
			case <-c.calm:
			default:
				cancel()
			}
		})
		defer drop.Stop()
	}
	dec := eventstream.NewDecoder(resp.Body, nil)
	for {
		e, err := dec.Next()
		if told, ok := dec.Retry(); ok {
			retry = min(told, mostRetry)
		}
		if err != nil || ctx.Err() != nil {
			return retry
		}
		c.receive(&e)
		if c.habits.naps > 0 && c.random.IntN(oneNapIn) == 0 {
			pause(ctx, c.calm, time.Duration(c.random.ExpFloat64()*float64(c.habits.naps)))
		}
	}
}

// chooseID returns the last event id, or an older one, as the client is used
// to.
func (c *chaosClient) chooseID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.ids) == 0 {
		return ""
	}
	if c.random.Float64() < c.habits.rewinds {
		c.ids = c.ids[:1+c.random.IntN(len(c.ids))]
	}
	return c.ids[len(c.ids)-1].id
}

// receive notes an event.
func (c *chaosClient) receive(e *eventstream.Event) {
	switch {
	case e.Type == "stream.gap":
		var g chaos.Gap
		if err := json.Unmarshal(e.Data, &g); err != nil {
			g.Reason = fmt.Sprintf("%s (%v)", e.Data, err)
		}
		g.ID = e.ID
		c.note(g)
	case strings.HasPrefix(e.Type, "stream."):
		c.note(chaos.Notice{ID: e.ID, Type: e.Type})
	default:
		read := c.read(e)
		c.note(read)
		c.had(e.ID, read.Record.Partition, read.Record.Sequence)
		return
	}
	c.had(e.ID, 0, 0)
}

// had notes an id, and the place of the event's record, if it has one.
func (c *chaosClient) had(id string, partition int, sequence uint64) {
	if id == "" {
		return // the check says so, if it is wrong
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := hadID{id: id}
	n := len(c.ids)
	if n > 0 {
		now.at = c.ids[n-1].at
	}
	if sequence > 0 {
		now.at = maps.Clone(now.at)
		if now.at == nil {
			now.at = map[int]uint64{}
		}
		now.at[partition] = sequence
	}
	if n > 0 && c.ids[n-1].id == id {
		c.ids = c.ids[:n-1]
	}
	c.ids = append(c.ids, now)
	if len(c.ids) >= 2*remembered {
		c.ids = slices.Clone(c.ids[remembered:])
	}
}

// readSequenced reads an event whose id starts with the sequence of its record.
func readSequenced(e *eventstream.Event) chaos.Event {
	read := chaos.NewEvent(e.ID, e.Data)
	read.Record.Sequence, _, _ = chaos.Sequence(e.ID) // the check says so, if it is wrong
	return read
}

func (c *chaosClient) note(e chaos.Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log = append(c.log, e)
}

// reached returns the sequence of the last record of a partition that the
// client has had; 0 if there is none.
func (c *chaosClient) reached(partition int) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.ids) == 0 {
		return 0
	}
	return c.ids[len(c.ids)-1].at[partition]
}

// sum tells whether the client has had anything new.
func (c *chaosClient) sum() (sum uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.ids) > 0 {
		for _, sequence := range c.ids[len(c.ids)-1].at {
			sum += sequence
		}
	}
	return sum
}

// rewind has the client, which must not run, come back with any id that it has
// had, and stay.
func (c *chaosClient) rewind(random *rand.Rand) {
	var all []hadID
	byID := map[string]map[int]uint64{}
	at := map[int]uint64{}
	for _, e := range c.log {
		id := ""
		switch e := e.(type) {
		case chaos.Connected:
			at = maps.Clone(byID[e.LastEventID])
			continue
		case chaos.Event:
			id = e.ID
			if e.Record.Sequence > 0 {
				if at = maps.Clone(at); at == nil {
					at = map[int]uint64{}
				}
				at[e.Record.Partition] = e.Record.Sequence
			}
		case chaos.Gap:
			id = e.ID
		case chaos.Notice:
			id = e.ID
		}
		if id != "" {
			byID[id] = at
			all = append(all, hadID{id, at})
		}
	}
	c.ids, c.habits = []hadID{all[random.IntN(len(all))]}, habits{}
}

// entries returns what has happened so far.
func (c *chaosClient) entries() []chaos.Entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.log)
}

// pause returns after d, or as soon as ctx is done or over is closed.
func pause(ctx context.Context, over <-chan struct{}, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-over:
	case <-ctx.Done():
	}
}
