package e2e

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"sync"
	"testing"
)

// A journal is a list that grows, of which an API shows the newest.
type journal struct {
	mu      sync.Mutex
	entries []int // oldest first
	last    int
	version int // counts changes
}

// add adds n entries and returns what clients are to receive for them.
func (j *journal) add(n int) (data []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.version++
	for range n {
		j.last++
		j.entries = append(j.entries, j.last)
		data = append(data, strconv.Itoa(j.last))
	}
	return data
}

// addAndEdit adds an entry, and then moves one that is there to the front.
func (j *journal) addAndEdit(edited int) (data string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.version++
	j.last++
	j.entries = slices.DeleteFunc(j.entries, func(n int) bool { return n == edited })
	j.entries = append(j.entries, j.last, edited)
	return strconv.Itoa(j.last)
}

// keep drops all but the newest n entries.
func (j *journal) keep(n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.version++
	j.entries = j.entries[max(0, len(j.entries)-n):]
}

// newest returns the entries, the newest first, and the version.
func (j *journal) newest() (entries []int, version int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	entries = slices.Clone(j.entries)
	slices.Reverse(entries)
	return entries, j.version
}

// testJournal runs what clients of a list can rely on: R4, C1. table is for a
// route /list of an API that shows j, the number of each entry being an
// event's data.
func testJournal(t *testing.T, j *journal, table string) { //nolint:thelper // a test, run with each kind of API
	j.add(4) // before anybody listens; start: live
	s := serve(t, table)
	network := newCutter(t, s.url)
	steady, cut := follow(t, s.url+"/list"), follow(t, network.url+"/list")
	s.awaitClients(t, "/list", 2)
	s.awaitLog(t, "polled", 1)

	// Cut and resumed, in one process.
	want := j.add(1)
	cut.awaitMessage(t, want[0])
	for i := range 4 {
		added := j.add(1 + i%3)
		want = append(want, added...)
		if i%2 == 0 {
			cut.awaitMessage(t, want[len(want)-1])
		}
		network.cut()
	}
	each := func(what string, clients ...*client) {
		t.Helper()
		for _, c := range clients {
			c.awaitMessage(t, want[len(want)-1])
			if got := c.messages(); !slices.Equal(got, want) {
				t.Fatalf("%s: got %v, want %v", what, got, want)
			}
			if count(c, "stream.gap") > 0 {
				t.Fatalf("%s: got a gap in %v, want none", what, c.events())
			}
		}
	}
	each("cut four times", steady, cut)

	// The process dies, the list grows, another one comes. Whoever comes
	// first doesn't decide what the others get.
	crowd := make([]*client, 20)
	events := steady.events()
	for i := range crowd {
		crowd[i] = newClient(t, s.url+"/list", events[i%len(events)].ID)
	}
	for range 2 {
		s.kill()
		want = append(want, j.add(4)...)
		s.start(t)
		fresh := follow(t, s.url+"/list")
		s.awaitLog(t, "polled", 1)
		each("after kill -9", steady, cut)
		want = append(want, j.add(2)...)
		each("and two more", steady, cut)
		if got := fresh.messages(); !slices.Equal(got, want[len(want)-2:]) {
			fresh.awaitMessage(t, want[len(want)-1])
			if got = fresh.messages(); !slices.Equal(got, want[len(want)-2:]) {
				t.Errorf("a new client: got %v, want %v", got, want[len(want)-2:])
			}
		}
	}
	for i, c := range crowd {
		c.start(t)
		rest := want[i%len(events)+1:]
		c.awaitMessage(t, rest[len(rest)-1])
		if got := c.messages(); !slices.Equal(got, rest) || c.has("stream.gap") {
			t.Fatalf("back with the id of %s: got %v, want %v", want[i%len(events)], c.events(), rest)
		}
	}

	// Another replica, which has heard of none of it.
	other := serve(t, table)
	events = steady.events()
	for i, e := range slices.Backward(events) {
		if i%5 > 0 {
			continue
		}
		c := follow(t, other.url+"/list", e.ID)
		if i == len(events)-1 {
			continue
		}
		c.awaitMessage(t, want[len(want)-1])
		if got := c.messages(); !slices.Equal(got, want[i+1:]) || c.has("stream.gap") {
			t.Fatalf("another replica, with the id of %s: got %v, want %v", want[i], c.events(), want[i+1:])
		}
	}
	want = append(want, j.add(1)...)
	each("in the end", steady, cut)
}

// testForgotten: a client that was away for longer than the API keeps
// entries hears of the gap, and then gets what there is (R4).
func testForgotten(t *testing.T, j *journal, table string) { //nolint:thelper // a test, run with each kind of API
	s := serve(t, table)
	c := newClient(t, s.url+"/list")
	leave := c.start(t)
	s.awaitClients(t, "/list", 1)
	s.awaitLog(t, "polled", 1)
	had := j.add(2)
	c.awaitMessage(t, had[1])
	leave()
	s.kill()
	rest := j.add(3)
	j.keep(3)
	s.start(t)
	c.start(t)
	wait(t, "stream.gap and what the API has", func() (any, bool) {
		return c.events(), len(c.events()) >= 2+1+3
	})
	var after []string
	var gap struct{ Reason, Requested string }
	for _, e := range c.events()[2:] {
		after = append(after, cmp.Or(map[string]string{"message": e.Data}[e.Type], e.Type))
		if e.Type == "stream.gap" {
			if err := json.Unmarshal([]byte(e.Data), &gap); err != nil {
				t.Fatal(err)
			}
		}
	}
	if want := append([]string{"stream.gap"}, rest...); !slices.Equal(after, want) {
		t.Errorf("got %v, want %v", after, want)
	}
	if id := c.events()[1].ID; gap.Reason != "expired" || gap.Requested != id {
		t.Errorf("got a gap %+v, want expired, from %s on", gap, id)
	}
}
