package e2e

import (
	"encoding/json"
	"slices"
	"strconv"
	"testing"
)

// R4: a source without positions of its own. While the process lives its
// clients resume without loss; what a crash has taken is announced.
func TestGapAfterCrash(t *testing.T) {
	s := serve(t, `
routes:
  - path: /count
    generate: {every: 20ms, data: "{{.N}}"}
    retry: 50ms
    history: {events: 10000}
`)
	network := newCutter(t, s.url)
	c := follow(t, network.url+"/count")
	for i := range 4 {
		c.await(t, 20*(i+1))
		network.cut()
	}
	c.await(t, 100)
	numbers := c.messages()
	for i := range numbers[1:] {
		if numbers[i+1] != next(t, numbers[i]) {
			t.Fatalf("got %v after four cuts, want one number after the other", numbers)
		}
	}
	if got := len(c.conns()); got != 5 {
		t.Errorf("got %d connections, want 5", got)
	}
	if c.has("stream.gap") {
		t.Errorf("got a gap, want none while the server remembers")
	}

	s.kill()
	s.start(t)
	wait(t, "stream.gap and another number", func() (any, bool) {
		events := c.events()
		at := slices.IndexFunc(events, func(e received) bool { return e.Type == "stream.gap" })
		return events[len(events)-1], at > 0 && len(events) > at+1
	})
	events := c.events()
	at := slices.IndexFunc(events, func(e received) bool { return e.Type == "stream.gap" })
	if events[at].Connection == events[at-1].Connection || events[at].Connection != events[at+1].Connection {
		t.Errorf("got the gap on connection %d, want it first on that after the crash", events[at].Connection)
	}
	var gap struct{ Reason, Requested string }
	if err := json.Unmarshal([]byte(events[at].Data), &gap); err != nil || gap.Reason == "" || gap.Requested != events[at-1].ID {
		t.Errorf("got gap %s (%v), want a reason and the id requested, %s", events[at].Data, err, events[at-1].ID)
	}
}

// next returns the number after n.
func next(t *testing.T, n string) string {
	t.Helper()
	number, err := strconv.Atoi(n)
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(number + 1)
}
