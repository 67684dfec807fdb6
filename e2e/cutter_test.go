package e2e

import (
	"strings"
	"sync"
	"testing"
	"time"
)

// A cutter is a wire in front of an HTTP server that notes what clients ask.
type cutter struct {
	*wire
	url string // http://host:port

	mu       sync.Mutex
	requests []sent
}

// sent is what a client sent in one piece. On a connection that a browser
// uses for several requests, each is one.
type sent struct {
	at   time.Time
	text string
}

// newCutter starts a cutter in front of the server at target, an http:// URL.
func newCutter(tb testing.TB, target string) *cutter {
	tb.Helper()
	c := &cutter{wire: &wire{target: strings.TrimPrefix(target, "http://")}}
	c.tap = c.note
	c.start(tb)
	c.url = "http://" + c.address
	return c
}

func (c *cutter) note(text []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests = append(c.requests, sent{time.Now(), string(text)})
}

// cut breaks all connections, and returns when that was.
func (c *cutter) cut() time.Time {
	c.wire.cut()
	return time.Now()
}

// requestsFor returns the requests after a time whose text holds part, in
// order.
func (c *cutter) requestsFor(part string, after time.Time) []sent {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []sent
	for _, r := range c.requests {
		if r.at.After(after) && strings.Contains(r.text, part) {
			found = append(found, r)
		}
	}
	return found
}
