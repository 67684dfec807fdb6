package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// filler returns the body of a webhook that takes about so many bytes,
// compressed or not.
func filler(n, size int) []byte {
	random := rand.New(rand.NewPCG(uint64(n), 0))
	letters := "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	var b strings.Builder
	fmt.Fprintf(&b, `{"n": %d, "fill": "`, n)
	for b.Len() < size {
		b.WriteByte(letters[random.IntN(len(letters))])
	}
	b.WriteString(`"}`)
	return []byte(b.String())
}

// A history that is full drops what is oldest, and takes webhooks all the
// same, even if the whole store is its.
func TestHistoryRolls(t *testing.T) {
	const (
		size  = 8 << 10
		count = 400 // thrice what there is room for
	)
	s := serve(t, fmt.Sprintf(`
defaults: {retry: 50ms}
history: {nats: {embedded: {dir: %q, max_bytes: 1MiB}}}
routes:%s`, t.TempDir(), hookRoute("events: 100000, bytes: 1MiB")))
	c := follow(t, s.url+hookEvents)
	c.await(t, 1) // stream.live
	sender := newHookSender(t, 1)
	var sent []string
	for n := range count {
		body := string(filler(n, size))
		sender.mustSend(t, s.url, fmt.Sprint("rolls-", n), body)
		sent = append(sent, body)
	}
	if got := c.awaitHeard(t, count); !slices.Equal(got, sent) || c.has("stream.gap") {
		t.Errorf("got %d webhooks that are not the %d sent, or a gap: %v", len(got), count, kinds(c)[:10])
	}

	// Whoever comes back too late is told what it lacks, and gets the rest.
	s.kill()
	s.start(t)
	late := follow(t, s.url+hookEvents, c.events()[1].ID)
	wait(t, "a gap and the last webhook", func() (any, bool) {
		heard := late.heard()
		return len(heard), len(heard) > 0 && heard[len(heard)-1] == sent[count-1]
	})
	if got := late.heard(); kinds(late)[0] != "stream.gap" || len(got) < count/8 || !slices.Equal(got, sent[count-len(got):]) {
		t.Errorf("got %d webhooks behind %s, want the newest of %d behind a gap", len(got), kinds(late)[0], count)
	}
}

// Where there is no room for the history, webhooks are answered 503 and clients
// are told. When there is, all goes on by itself.
func TestHistoryNoRoom(t *testing.T) {
	n := startNATS(t)
	_, js := connectNATS(t, n.url)
	hog, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "HOG", Subjects: []string{"hog"}, MaxBytes: 8_000_000_000})
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, historyTable(n.url, hookRoute("events: 100000, bytes: 1GiB")))
	clients, _ := gather(t, s.url+hookEvents, 2)
	sender := newHookSender(t, 1)
	for i := range 3 {
		status, retryAfter, err := sender.send(t.Context(), s.url, fmt.Sprint("full-", i), filler(i, 100))
		if err != nil || status != http.StatusServiceUnavailable || retryAfter == "" {
			t.Fatalf("got status %d, Retry-After %q (%v) without room, want 503 and a time", status, retryAfter, err)
		}
	}
	clients.await(t, "stream.stale", func(c *client) bool { return c.has("stream.stale") })
	for _, c := range clients {
		if events := c.events(); strings.Contains(events[0].Data, "HOG") || c.has("stream.fresh") {
			t.Errorf("got %v, want stream.stale, and a reason that is not about others", events)
		}
	}
	if err := js.DeleteStream(t.Context(), hog.CachedInfo().Config.Name); err != nil {
		t.Fatal(err)
	}
	clients.await(t, "stream.fresh, without a webhook", func(c *client) bool { return c.has("stream.fresh") })
	want := []string{string(filler(0, 100)), string(filler(3, 100))}
	sender.mustSend(t, s.url, "full-0", want[0])
	sender.mustSend(t, s.url, "full-3", want[1])
	for _, c := range clients {
		if got := c.awaitHeard(t, len(want)); !slices.Equal(got, want) || c.has("stream.gap") {
			t.Errorf("got %v, want %q", c.events(), want)
		}
	}
}

// A directory belongs to one process at a time. Another one that is given it
// says so to its clients, refuses webhooks, and takes over by itself when the
// first is gone, however that was.
func TestHistoryLocked(t *testing.T) {
	table := fmt.Sprintf(`
drain: {window: 100ms, timeout: 1s}
defaults: {retry: 50ms, backoff: {min: 20ms, max: 200ms}}
history: {nats: {embedded: {dir: %q}}}
routes:%s`, t.TempDir(), hookRoute("events: 1000"))
	first := serve(t, table)
	c := follow(t, first.url+hookEvents)
	c.await(t, 1)
	sender := newHookSender(t, 1)
	sender.mustSend(t, first.url, "one", `"one"`)
	sender.mustSend(t, first.url, "two", `"two"`)
	c.awaitHeard(t, 2)
	id := c.events()[1].ID // of the first webhook

	owner := first
	want := []string{`"two"`}
	for i, leave := range []func(){
		func() { owner.signal(t, syscall.SIGTERM) },
		func() { owner.kill() },
	} {
		other := serve(t, table)
		resumed, fresh := follow(t, other.url+hookEvents, id), follow(t, other.url+hookEvents)
		wait(t, "stream.stale", func() (any, bool) { return fresh.events(), fresh.has("stream.stale") })
		name := fmt.Sprintf(`"while locked %d"`, i)
		if status, retryAfter, err := sender.send(t.Context(), other.url, name, []byte(name)); err != nil || status != http.StatusServiceUnavailable || retryAfter == "" {
			t.Errorf("got status %d, Retry-After %q (%v) while the directory is locked, want 503 and a time", status, retryAfter, err)
		}
		leave()
		wait(t, "stream.fresh", func() (any, bool) { return fresh.events(), fresh.has("stream.fresh") })
		sender.mustSend(t, other.url, name, name)
		want = append(want, name)
		if got := resumed.awaitHeard(t, len(want)); !slices.Equal(got, want) || resumed.has("stream.gap") {
			t.Errorf("got %v, want %q", resumed.events(), want)
		}
		if got := fresh.awaitHeard(t, 1); !slices.Equal(got, want[len(want)-1:]) {
			t.Errorf("a new client: got %v, want %q", fresh.events(), want[len(want)-1:])
		}
		if resumed.stayedAway() || fresh.stayedAway() {
			t.Error("got a client that gave up, want it to come back")
		}
		owner = other
	}
}
