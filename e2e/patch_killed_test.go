package e2e

import (
	"encoding/json"
	"testing"
	"time"
)

// R4, and "any replica, or the same one after a restart, resumes": the
// process is killed again and again under clients whose document changes all
// the time. None of them ever applies a change to anything but what the
// change was made from, and each has the current document in the end.
func TestPatchKilledAndRestarted(t *testing.T) {
	l := newLedger(t, 150, exactNumbers())
	s := serve(t, ledgerTable(l, 20*time.Millisecond))
	crowds := map[string]crowd{}
	var all crowd
	for route, n := range map[string]int{"keyed": 250, "plain": 250, "merge": 50, "items": 50} {
		crowds[route], _ = gather(t, s.url+"/"+route, n)
		all = append(all, crowds[route]...)
	}
	stop := l.keepChanging(t, 15*time.Millisecond)
	for _, n := range []int{20, 1, 10} {
		all.await(t, "changes", func(c *client) bool { return c.receivedNow() >= n })
		s.kill()
		all.await(t, "its connection lost", disconnected)
		s.start(t)
	}
	all.await(t, "changes", func(c *client) bool { return c.receivedNow() >= 10 })
	stop()
	for route, clients := range crowds {
		id, m := l.settled(t, s, route), newMirror(l, route)
		clients.await(t, "the current document", func(c *client) bool { return c.id() == id })
		var sum []received
		for i, c := range clients {
			if got, err := m.replay(c.events()); err != nil || got != m.view(l.now()) {
				t.Fatalf("%s: client %d: got %.200q (%v), want the current document", route, i, got, err)
			}
			if c.stayedAway() {
				t.Fatalf("%s: got a client that gave up, want it to come back", route)
			}
			sum = append(sum, c.events()...)
		}
		t.Logf("%s: %v, %d states", route, types(sum), len(m.known))
	}
}

// X7: a new client has the state at once, and hears how old it is. While the
// API is down the state gets older; when it is back it is new again.
func TestStateAge(t *testing.T) {
	l := newLedger(t, 3, exactNumbers())
	s := serve(t, ledgerTable(l, 20*time.Millisecond))
	url := s.url + "/keyed"
	follow(t, url).await(t, 2)
	id := l.settled(t, s, "keyed")

	age := func() float64 {
		events, _ := receive(t, url, "", noLimit, live)
		if len(events) < 2 || events[0].Type != "snapshot" || canonical(events[0].Data) != l.now() || events[0].ID != id {
			t.Fatalf("got %v, want the document at once", events)
		}
		last := events[len(events)-1]
		var data struct{ Age *float64 }
		if err := json.Unmarshal([]byte(last.Data), &data); err != nil || data.Age == nil || *data.Age < 0 {
			t.Fatalf("got stream.live with %s (%v), want an age", last.Data, err)
		}
		return *data.Age
	}
	if got := age(); got > 1 {
		t.Errorf("got an age of %v s, want about the interval of 20 ms", got)
	}
	began := time.Now()
	l.fail(true)
	wait(t, "an age of 0.5 s while the API is down", func() (any, bool) {
		got := age()
		if most := time.Since(began).Seconds() + 1; got > most {
			t.Fatalf("got an age of %v s, want at most %v", got, most)
		}
		return got, got >= 0.5
	})
	l.fail(false)
	wait(t, "an age below 0.3 s when it is back", func() (any, bool) {
		got := age()
		return got, got < 0.3
	})
}

// receivedNow returns how many events came on the connection that is open.
func (c *client) receivedNow() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.connections) == 0 || !c.connections[len(c.connections)-1].ended.IsZero() {
		return 0
	}
	for i := len(c.received) - 1; i >= 0 && c.received[i].Connection == len(c.connections)-1; i-- {
		n++
	}
	return n
}
