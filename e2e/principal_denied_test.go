package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"sidestream/proxy/eventstream"
)

// R6, R11: whom the API refuses before the first event gets its status, and
// what it says of how to do better, over either protocol. Nobody else notices.
func TestPrincipalDenied(t *testing.T) {
	v, url := newVault(t)
	s := serve(t, vaultTable(url, "50ms", ""))
	good, bad := bearer("good"), bearer("bad")
	v.answer(bad, http.StatusForbidden)
	resp, hangUp := good.call(t, s, nil, "")
	defer hangUp()
	for _, shared := range []*http.Transport{nil, transportFor(t, "HTTP/2")} {
		for c, want := range map[*caller]int{{}: http.StatusUnauthorized, &bad: http.StatusForbidden} {
			each(9, 10, func(int) {
				refused, hangUp := c.call(t, s, shared, "")
				defer hangUp()
				if refused == nil || refused.StatusCode != want || refused.Header.Get("WWW-Authenticate") != `Bearer realm="vault"` {
					t.Errorf("got %v, want %d and the API's challenge", refused, want)
				}
			})
		}
	}
	if _, err := good.listen(resp.Body, 5); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("got status %d (%v) with good credentials, want 200", resp.StatusCode, err)
	}
	nothingTold(t, s)
}

// R5, R7: whom the API refuses after that hears it from stream.end, stays
// away, and costs the API no further poll. With credentials that are accepted
// there is a stream again.
func TestPrincipalDeniedLater(t *testing.T) {
	v, url := newVault(t)
	s := serve(t, vaultTable(url, "50ms", ""))
	witness := bearer("witness")
	seen, hangUp := witness.call(t, s, nil, "")
	defer hangUp()
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden} {
		c := bearer(fmt.Sprint("late", status))
		clients := make(crowd, 5)
		for i := range clients {
			clients[i] = newClient(t, s.url+"/vault")
			clients[i].header["Authorization"] = c["Authorization"]
			clients[i].start(t)
		}
		clients.await(t, "documents", func(c *client) bool { return count(c, "message") >= 2 })
		v.answer(c, status)
		clients.await(t, "given up", (*client).stayedAway)
		for _, c := range clients {
			events := c.events()
			last := events[len(events)-1]
			var data struct{ Status int }
			if err := json.Unmarshal([]byte(last.Data), &data); err != nil || last.Type != "stream.end" || data.Status != status {
				t.Errorf("got %+v (%v) at last, want stream.end with status %d", last, err, status)
			}
			if got := c.latest().status; got != http.StatusNoContent || len(c.conns()) != 2 {
				t.Errorf("got %d connections, the last with status %d; want 2 and 204", len(c.conns()), got)
			}
		}
		polls := len(v.times(c))
		if _, err := witness.listen(seen.Body, 5); err != nil {
			t.Error(err)
		}
		if got := len(v.times(c)) - polls; got > 0 {
			t.Errorf("got %d polls of a principal that was refused, want none", got)
		}
		again, hangUp := c.call(t, s, nil, "")
		if again == nil || again.StatusCode != status {
			t.Errorf("got %v, want %d for a new client with the same credentials", again, status)
		}
		hangUp()
		v.answer(c, 0)
		again, hangUp = c.call(t, s, nil, "")
		if id, err := c.listen(again.Body, 2); err != nil || id == "" {
			t.Errorf("got id %q (%v) when the credentials are accepted again, want documents", id, err)
		}
		hangUp()
	}
	nothingTold(t, s)
}

// R6: there are no more principals at a time than the route has room for. Who
// finds no room is told when to try again, and the API never hears of it.
func TestPrincipalsBounded(t *testing.T) {
	const room = 3
	v, url := newVault(t)
	s := serve(t, vaultTable(url, "50ms", fmt.Sprintf("max_principals: %d\n    linger: 1m", room)))
	var leave []func()
	for i := range room {
		resp, hangUp := bearer(fmt.Sprint("in", i)).call(t, s, nil, "")
		leave = append(leave, hangUp)
		defer hangUp()
		if resp == nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("got %v, want a stream", resp)
		}
	}
	each(19, 20, func(i int) {
		c := bearer(fmt.Sprint("out", i))
		resp, hangUp := c.call(t, s, nil, "")
		defer hangUp()
		if resp == nil || resp.StatusCode != http.StatusOK {
			t.Errorf("got %v, want 200 and a retry", resp)
			return
		}
		dec := eventstream.NewDecoder(resp.Body, nil)
		if e, err := dec.Next(); err == nil {
			t.Errorf("got %+v, want no event", e)
		}
		if retry, ok := dec.Retry(); !ok || retry < 15*time.Second || retry > 30*time.Second {
			t.Errorf("got retry %v, want limits.retry to twice as much", retry)
		}
		if got := len(v.times(c)); got > 0 {
			t.Errorf("got %d polls of a principal without room, want none", got)
		}
	})
	if got := s.metric(t, `sidestream_disconnects_total{reason="no_room",route="/vault"}`); got != 20 {
		t.Errorf("got %v clients without room, want 20", got)
	}
	// As soon as one has left, there is room for another, linger or not.
	leave[0]()
	late := bearer("late")
	wait(t, "room for another", func() (any, bool) {
		resp, hangUp := late.call(t, s, nil, "")
		defer hangUp()
		if resp == nil {
			return "no answer", false
		}
		id, err := late.listen(resp.Body, 1)
		return fmt.Sprint(id, err), id != "" && err == nil
	})
	nothingTold(t, s)
}
