package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
)

// historyTable begins a table of replicas that share their histories on these
// servers.
func historyTable(urls string, more string) string {
	return fmt.Sprintf(`
drain: {window: 100ms, timeout: 1s}
defaults: {retry: 50ms, linger: 300ms, backoff: {min: 20ms, max: 200ms}}
history: {nats: {urls: [%s], lease: 2s}}
routes:%s`, urls, more)
}

// A webhook that one replica has accepted is heard at each, with the same id,
// and resumed after at each, also by one that has started since. The same
// delivery that is sent once more, to another replica, is accepted and heard
// once.
func TestHistoryWebhookShared(t *testing.T) {
	table := historyTable(startNATS(t).url, hookRoute("events: 1000"))
	a, b := serve(t, table), serve(t, table)
	sender := newHookSender(t, 1)
	atA, atB := follow(t, a.url+hookEvents), follow(t, b.url+hookEvents)
	atA.await(t, 1) // stream.live
	atB.await(t, 1)
	var want []string
	send := func(s *sidestream, n int) {
		t.Helper()
		data := fmt.Sprintf(`{"n": %d}`, n)
		sender.mustSend(t, s.url, "delivery-"+strconv.Itoa(n), data)
		if len(want) < n {
			want = append(want, data)
		}
	}
	for n := range 10 {
		send([]*sidestream{a, b}[n%2], n+1)
	}
	for n := range 10 {
		send([]*sidestream{b, a}[n%2], n+1) // the same again
	}
	send(a, 11)
	for _, c := range []*client{atA, atB} {
		if got := c.awaitHeard(t, len(want)); !slices.Equal(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	heard := atA.events()[1:]
	if other := atB.events()[1:]; !slices.EqualFunc(heard, other, func(x, y received) bool { return x.ID == y.ID }) {
		t.Errorf("got ids of %v at one replica, and of %v at the other, want the same", heard, other)
	}

	resume := func(s *sidestream, where string) {
		t.Helper()
		for i, e := range heard {
			c := follow(t, s.url+hookEvents, e.ID)
			rest := want[i+1:]
			if got := c.awaitHeard(t, len(rest)); !slices.Equal(got, rest) || c.has("stream.gap") {
				t.Fatalf("%s, after %s: got %v, want %q", where, e.ID, c.events(), rest)
			}
		}
	}
	resume(b, "another replica")
	a.kill()
	a.start(t)
	resume(a, "after kill -9")
	send(b, 12)
	resume(serve(t, table), "a new replica")
	if got := atA.awaitHeard(t, len(want)); !slices.Equal(got, want) || atA.has("stream.gap") {
		t.Errorf("after kill -9: got %v, want %q", atA.events(), want)
	}
}

// Of ten thousand webhooks at once some are refused, as ones to send again.
// When they have been, everybody hears each of them once.
func TestHistoryBurst(t *testing.T) {
	const (
		count  = 10_000
		atOnce = 500
		room   = 200 // requests that are taken at once
	)
	table := fmt.Sprintf(`
limits: {ingest: %d}
defaults: {retry: 50ms}
history: {nats: {embedded: {dir: %q}}}
routes:%s`, room, t.TempDir(), hookRoute("events: 100000, bytes: 64MiB"))
	s := serve(t, table)
	clients, _ := gather(t, s.url+hookEvents, 10)
	clients.await(t, "stream.live", func(c *client) bool { return c.has("stream.live") })

	sender := newHookSender(t, atOnce)
	attempt := func(atOnce int, numbers []int) (refused []int) {
		var mu sync.Mutex
		together(atOnce, len(numbers), func(i int) {
			n := strconv.Itoa(numbers[i])
			status, retryAfter, err := sender.send(t.Context(), s.url, "burst-"+n, []byte(n))
			switch {
			case err != nil:
				t.Errorf("webhook %s: %v, want an answer", n, err)
			case status == http.StatusNoContent:
			case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
				if seconds, err := strconv.Atoi(retryAfter); err != nil || seconds < 1 {
					t.Errorf("webhook %s: got status %d with Retry-After %q, want a time", n, status, retryAfter)
				}
				mu.Lock()
				defer mu.Unlock()
				refused = append(refused, numbers[i])
			default:
				t.Errorf("webhook %s: got status %d, want 204, 429 or 503", n, status)
			}
		})
		return refused
	}
	all := make([]int, count)
	for i := range all {
		all[i] = i
	}
	refused := attempt(atOnce, all)
	t.Logf("%d of %d refused at first", len(refused), count)
	for again := 0; len(refused) > 0; again++ {
		if refused = attempt(room/2, refused); again == 10 {
			t.Fatalf("got %d refused again and again by a server that has room, want none", len(refused))
		}
	}
	for i, c := range clients {
		had := map[string]int{}
		for _, data := range c.awaitHeard(t, count) {
			had[data]++
		}
		for n := range all {
			if got := had[strconv.Itoa(n)]; got != 1 {
				t.Fatalf("client %d: got webhook %d %d times, want it once", i, n, got)
			}
		}
		if c.has("stream.gap") {
			t.Errorf("client %d: got a gap, want none", i)
		}
	}
}

// Whoever is connected when a webhook is accepted hears it, even if both come
// while the replica has only just started.
func TestHistoryWebhookAtOnce(t *testing.T) {
	sender := newHookSender(t, 4)
	for i := range 10 {
		s := serve(t, fmt.Sprintf(`
defaults: {retry: 50ms}
history: {nats: {embedded: {dir: %q}}}
routes:%s`, t.TempDir(), hookRoute("events: 1000")))
		c := follow(t, s.url+hookEvents)
		wait(t, "a connection", func() (any, bool) { return c.latest().status, c.latest().status == http.StatusOK })
		want := make([]string, 4)
		for n := range want {
			want[n] = strconv.Itoa(n)
		}
		together(len(want), len(want), func(n int) { sender.mustSend(t, s.url, fmt.Sprintf("once-%d-%d", i, n), want[n]) })
		got := c.awaitHeard(t, len(want))
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("process %d: got %q, want %q", i, got, want)
		}
		s.kill()
	}
}
