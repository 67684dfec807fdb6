package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"sidestream/proxy/eventstream"
)

// A client is an EventSource: it records what it receives, comes back after
// the time that the server asks for with the last id that it has, and stays
// away after 204 or any other status than 200. Each connection is one socket
// and one goroutine, so that there can be thousands.
type client struct {
	url       *url.URL
	header    http.Header
	transport http.RoundTripper // nil: a socket for each connection

	mu          sync.Mutex
	received    []received
	connections []connection
	lastID      string
	retry       time.Duration
	over        bool // it stays away
}

// received is an event, with the connection that it came on, from 0.
type received struct {
	ID, Type, Data string
	Connection     int
}

// connection is one response, or one attempt to get one.
type connection struct {
	status   int // 0: none
	protocol string
	header   http.Header
	ended    time.Time     // zero: not yet
	retry    time.Duration // the last retry line on this connection; 0: none
	comments int           // lines that are one, such as heartbeats
}

// follow starts a client, which ends with the test at the latest. An id, if
// given, is the last event id to start with.
func follow(tb testing.TB, target string, id ...string) *client {
	tb.Helper()
	c := newClient(tb, target, id...)
	c.start(tb)
	return c
}

func newClient(tb testing.TB, target string, id ...string) *client {
	tb.Helper()
	u, err := url.Parse(target)
	if err != nil {
		tb.Fatal(err)
	}
	c := &client{url: u, header: http.Header{"Accept": {"text/event-stream"}}, retry: 100 * time.Millisecond}
	if len(id) > 0 {
		c.lastID = id[0]
	}
	return c
}

// start runs the client until the test ends or stop is called.
func (c *client) start(tb testing.TB) (stop func()) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { c.run(ctx) })
	stop = func() {
		cancel()
		running.Wait()
	}
	tb.Cleanup(stop)
	return stop
}

func (c *client) run(ctx context.Context) {
	for c.connect(ctx) {
		c.mu.Lock()
		wait := time.NewTimer(c.retry)
		c.mu.Unlock()
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return
		}
	}
}

// connect runs one connection to its end and reports whether to come back.
func (c *client) connect(ctx context.Context) (again bool) {
	c.mu.Lock()
	c.connections = append(c.connections, connection{})
	at := len(c.connections) - 1
	req := (&http.Request{Method: http.MethodGet, URL: c.url, Header: c.header.Clone()}).WithContext(ctx)
	if c.lastID != "" {
		req.Header.Set("Last-Event-ID", c.lastID)
	}
	c.mu.Unlock()
	note := func(change func(conn *connection)) {
		c.mu.Lock()
		defer c.mu.Unlock()
		change(&c.connections[at])
	}
	defer note(func(conn *connection) { conn.ended = time.Now() })

	transport := c.transport
	if transport == nil {
		transport = roundTripper(overSocket)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return ctx.Err() == nil
	}
	defer resp.Body.Close()
	note(func(conn *connection) {
		conn.status, conn.protocol, conn.header = resp.StatusCode, resp.Proto, resp.Header
	})
	if resp.StatusCode != http.StatusOK {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.over = true
		return false
	}
	var body io.Reader = resp.Body
	if resp.Header.Get("Content-Encoding") == "gzip" {
		body = &gunzip{from: body}
	}
	body = &commentReader{from: body, found: func() { note(func(conn *connection) { conn.comments++ }) }}
	c.read(eventstream.NewDecoder(body, nil), at)
	return ctx.Err() == nil
}

// read records what dec gives until the connection ends.
func (c *client) read(dec *eventstream.Decoder, at int) {
	for {
		e, err := dec.Next()
		c.mu.Lock()
		if retry, ok := dec.Retry(); ok {
			c.retry, c.connections[at].retry = retry, retry
		}
		if err == nil {
			c.lastID = dec.LastEventID()
			c.received = append(c.received, received{e.ID, e.Type, string(e.Data), at})
		}
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// events returns what was received so far.
func (c *client) events() []received {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.received)
}

// messages returns the data of the events of type "message" so far.
func (c *client) messages() []string {
	var data []string
	for _, e := range c.events() {
		if e.Type == "message" {
			data = append(data, e.Data)
		}
	}
	return data
}

// conns returns the connections so far.
func (c *client) conns() []connection {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.connections)
}

// latest returns the newest connection, or the zero value if there is none.
func (c *client) latest() connection {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.connections) == 0 {
		return connection{}
	}
	return c.connections[len(c.connections)-1]
}

// stayedAway reports whether the client has given up.
func (c *client) stayedAway() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.over
}

// has reports whether an event of this type was received.
func (c *client) has(typ string) bool {
	return slices.ContainsFunc(c.events(), func(e received) bool { return e.Type == typ })
}

// await waits until n events were received, and returns all.
func (c *client) await(tb testing.TB, n int) []received {
	tb.Helper()
	wait(tb, fmt.Sprintf("%d events", n), func() (any, bool) {
		events := c.events()
		return events, len(events) >= n
	})
	return c.events()
}

// awaitMessage waits until the newest message is data.
func (c *client) awaitMessage(tb testing.TB, data string) {
	tb.Helper()
	wait(tb, fmt.Sprintf("%.200q as the newest message", data), func() (any, bool) {
		return fmt.Sprintf("%.200v", c.events()), newest(data)(c)
	})
}

// A crowd is many clients of one URL.
type crowd []*client

// gather starts n clients.
func gather(tb testing.TB, target string, n int) (clients crowd, stop func()) {
	tb.Helper()
	var stops []func()
	for range n {
		c := newClient(tb, target)
		clients, stops = append(clients, c), append(stops, c.start(tb))
	}
	return clients, func() {
		for _, stop := range stops {
			stop()
		}
	}
}

// await waits until every client is as it should be.
func (c crowd) await(tb testing.TB, what string, ok func(*client) bool) {
	tb.Helper()
	left := slices.Clone(c)
	waitFor(tb, 2*patience, "every client with "+what, func() (any, bool) {
		left = slices.DeleteFunc(left, ok)
		if len(left) == 0 {
			return nil, true
		}
		return fmt.Sprintf("%d without, one of them with %v", len(left), left[0].events()), false
	})
}

// newest tells whether a client's newest message is data.
func newest(data string) func(*client) bool {
	return func(c *client) bool {
		messages := c.messages()
		return len(messages) > 0 && messages[len(messages)-1] == data
	}
}
