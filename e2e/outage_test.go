package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
)

// R6, and "never kills an EventSource": while the application is down its
// clients keep their connections, are told (stream.stale, stream.fresh), and
// end with what it has to say once it is back.
func TestUpstreamKilled(t *testing.T) {
	const clients = 50
	n := startNginx(t)
	n.put(t, "/doc.json", `{"v": 1}`)
	s := serve(t, plain(n, "50ms"))
	all, _ := gather(t, s.url+"/doc.json", clients)
	all.await(t, "the document", newest(`{"v":1}`))

	for v := 2; v <= 3; v++ {
		n.kill()
		all.await(t, "stream.stale", func(c *client) bool { return count(c, "stream.stale") == v-1 })
		n.put(t, "/doc.json", fmt.Sprintf(`{"v": %d}`, v))
		n.start(t)
		all.await(t, "stream.fresh and the new document", func(c *client) bool {
			return count(c, "stream.fresh") == v-1 && newest(fmt.Sprintf(`{"v":%d}`, v))(c)
		})
	}
	n.kill()
	all.await(t, "stream.stale", func(c *client) bool { return count(c, "stream.stale") == 3 })
	n.start(t) // with the same document: nothing but stream.fresh
	all.await(t, "stream.fresh", func(c *client) bool { return count(c, "stream.fresh") == 3 })

	for _, c := range all {
		if got := len(c.conns()); got != 1 {
			t.Fatalf("got %d connections, want 1: no client is to lose its stream", got)
		}
		var types []string
		for _, e := range c.events() {
			types = append(types, e.Type)
		}
		want := []string{
			"message",
			"stream.stale", "stream.fresh", "message",
			"stream.stale", "stream.fresh", "message",
			"stream.stale", "stream.fresh",
		}
		if !slices.Equal(types, want) {
			t.Fatalf("got events %q, want %q", types, want)
		}
	}
	for _, e := range all[0].events() {
		if e.Type != "stream.stale" {
			continue
		}
		var data struct{ Since, Reason string }
		if err := json.Unmarshal([]byte(e.Data), &data); err != nil || data.Since == "" || data.Reason == "" {
			t.Errorf("got stream.stale with %q (%v), want since and reason", e.Data, err)
		}
	}
}

// R6: an upstream that is down when the first client comes is a stream that
// waits and says so, not an error.
func TestUpstreamDownAtStart(t *testing.T) {
	n := startNginx(t)
	n.put(t, "/doc.json", `{"v": 1}`)
	n.kill()
	s := serve(t, plain(n, "50ms"))
	c := follow(t, s.url+"/doc.json")
	if got := c.await(t, 1)[0].Type; got != "stream.stale" {
		t.Errorf("got %q as the first event, want stream.stale", got)
	}
	n.start(t)
	c.awaitMessage(t, `{"v":1}`)
	if got := c.conns(); len(got) != 1 || got[0].status != 200 {
		t.Errorf("got connections %v, want one with status 200", got)
	}
}

// R4, and "any replica, or the same one after a restart, resumes": the
// process dies under hundreds of clients and nothing of it is left but what
// they have: their last event ids. Those whose document has changed in the
// meantime get the current one, once. The others get nothing again, since the
// id is a hash of the document.
func TestKilledAndRestarted(t *testing.T) {
	const clients = 250 // on each of two documents
	n := startNginx(t)
	n.put(t, "/changing.json", `{"v": 1}`)
	n.put(t, "/constant.json", `{"c": 1}`)
	s := serve(t, fmt.Sprintf(`
upstream: %s
defaults: {retry: 100ms, poll: {every: 50ms}}
routes:
  - {path: /changing.json, poll: {}}
  - {path: /constant.json, poll: {}}
`, n.url))
	changing, _ := gather(t, s.url+"/changing.json", clients)
	constant, _ := gather(t, s.url+"/constant.json", clients)
	changing.await(t, "its document", newest(`{"v":1}`))
	constant.await(t, "its document", newest(`{"c":1}`))

	v := 1
	for range 3 {
		s.kill()
		changing.await(t, "its connection lost", disconnected)
		constant.await(t, "its connection lost", disconnected)
		v += 2
		n.put(t, "/changing.json", fmt.Sprintf(`{"v": %d}`, v-1)) // nobody will see this one
		n.put(t, "/changing.json", fmt.Sprintf(`{"v": %d}`, v))
		s.start(t)
		changing.await(t, "the current document", newest(fmt.Sprintf(`{"v":%d}`, v)))
		constant.await(t, "its connection back", connected)
	}
	// Whatever might come twice has come before this.
	n.put(t, "/constant.json", `{"c": 2}`)
	n.put(t, "/changing.json", `{"v": 99}`)
	constant.await(t, "the changed document", newest(`{"c":2}`))
	changing.await(t, "the changed document", newest(`{"v":99}`))

	for _, c := range constant {
		if got, want := c.messages(), []string{`{"c":1}`, `{"c":2}`}; !slices.Equal(got, want) {
			t.Fatalf("got messages %q, want %q", got, want)
		}
	}
	for _, c := range changing {
		want := []string{`{"v":1}`, `{"v":3}`, `{"v":5}`, `{"v":7}`, `{"v":99}`}
		if got := c.messages(); !slices.Equal(got, want) {
			t.Fatalf("got messages %q, want %q", got, want)
		}
		if c.stayedAway() {
			t.Fatalf("got a client that gave up (%v), want it to come back", c.conns())
		}
	}
}

// count returns how many events of this type were received.
func count(c *client, typ string) int {
	n := 0
	for _, e := range c.events() {
		if e.Type == typ {
			n++
		}
	}
	return n
}

// connected reports whether the client has a stream now.
func connected(c *client) bool {
	last := c.latest()
	return last.status == http.StatusOK && last.ended.IsZero()
}

// disconnected reports whether the client's connection has ended, or its
// attempt to get another.
func disconnected(c *client) bool { return !c.latest().ended.IsZero() }
