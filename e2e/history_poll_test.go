package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sidestream/e2e/historychaos"
)

const (
	docEvents  = "/events/doc"
	docReplica = "X-Replica" // the header by which a legacy application tells who polls
	docLease   = 2 * time.Second
)

// docRoute is the route of a document of a legacy application, which is polled
// by the replica of this name.
func docRoute(app, replica string, every time.Duration) string {
	return fmt.Sprintf("\n  - {path: %s, poll: {url: %q, every: %v, jitter: 0, timeout: 1s, emit: patch, headers: {%s: %q}}, history: {durable: true}}\n",
		docEvents, app, every, docReplica, replica)
}

// startVersioned starts a legacy application with the document of a version,
// which is 1 at first.
func startVersioned(tb testing.TB) (api *legacyAPI, version *atomic.Int64) {
	tb.Helper()
	version = new(atomic.Int64)
	version.Store(1)
	return startLegacy(tb, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(historychaos.Document(int(version.Load())))
	}), version
}

// version returns the version of the document that a client has; 0: none.
func (c *client) version() (version int, err error) {
	var r historychaos.Reader
	for _, e := range c.events() {
		if !strings.HasPrefix(e.Type, "stream.") && err == nil {
			version, err = r.Apply(e.Type, []byte(e.Data))
		}
	}
	return version, err
}

// pollers returns who has polled since a time, in order and each once in a row.
func (l *legacyAPI) pollers(since time.Time) (names []string, polls int) {
	for _, r := range l.requests("") {
		if r.at.After(since) {
			names = append(names, r.header.Get(docReplica))
		}
	}
	polls = len(names)
	return slices.Compact(names), polls
}

// Of three replicas one polls the application, and a new client of each has the
// document at once. When that one dies another polls within the time of the
// lease, and within a second when it leaves in order.
func TestHistoryPollShared(t *testing.T) {
	const every = 100 * time.Millisecond
	api, version := startVersioned(t)
	urls := startNATS(t).url
	replicas := map[string]*sidestream{}
	clients := map[string]*client{}
	for i := range 3 {
		name := strconv.Itoa(i + 1)
		s := serve(t, historyTable(urls, docRoute(api.url, name, every)))
		replicas[name], clients[name] = s, follow(t, s.url+docEvents)
	}
	current := func(what string) {
		t.Helper()
		for name, c := range clients {
			wait(t, fmt.Sprintf("%s: version %d at replica %s", what, version.Load(), name), func() (any, bool) {
				got, err := c.version()
				return fmt.Sprint(got, err), err == nil && got == int(version.Load())
			})
		}
	}
	current("in the beginning")
	for range 5 {
		version.Add(1)
		current("after a change")
	}

	began := time.Now()
	pause(t.Context(), nil, 20*every)
	names, polls := api.pollers(began)
	if most := int(time.Since(began)/every) + 1; len(names) != 1 || polls > most || polls < most/2 {
		t.Fatalf("got %d polls by %v in %v, want about one each %v by one replica", polls, names, time.Since(began), every)
	}
	for name, s := range replicas {
		asked := time.Now()
		c := follow(t, s.url+docEvents)
		events := c.await(t, 1)
		if took := time.Since(asked); took > every || events[0].Type != "snapshot" {
			t.Errorf("a new client of replica %s: got %v after %v, want the document at once", name, events, took)
		}
	}

	// gone has the replica that polls leave, and returns how long nobody polls.
	gone := func(how func(*sidestream)) time.Duration {
		t.Helper()
		names, _ := api.pollers(began)
		leader := names[len(names)-1]
		s := replicas[leader]
		delete(replicas, leader)
		delete(clients, leader)
		left := time.Now()
		how(s)
		version.Add(1)
		var next time.Time
		wait(t, "another replica to poll", func() (any, bool) {
			for _, r := range api.requests("") {
				if name := r.header.Get(docReplica); r.at.After(left) && name != leader {
					next = r.at
					return nil, true
				}
			}
			return leader, false
		})
		current("with one replica less")
		return next.Sub(left)
	}
	if took := gone(func(s *sidestream) { s.kill() }); took > docLease+time.Second {
		t.Errorf("after kill -9, got nobody who polls for %v, want another within %v", took, docLease)
	}
	if took := gone(func(s *sidestream) { s.signal(t, syscall.SIGTERM) }); took > time.Second {
		t.Errorf("after SIGTERM, got nobody who polls for %v, want another within a second", took)
	}
	for name, c := range clients {
		if c.has("stream.gap") {
			t.Errorf("replica %s: got a gap in %v, want none: a state makes up for all that is missed", name, c.events())
		}
	}
}

// After kill -9 and a restart on the same directory, with clients that come
// back at once, the document goes on to be polled, by the one process there is.
func TestHistoryPollRestarted(t *testing.T) {
	const every = 50 * time.Millisecond
	api, version := startVersioned(t)
	s := serve(t, fmt.Sprintf(`
defaults: {retry: 50ms, linger: 300ms, backoff: {min: 20ms, max: 200ms}}
history: {nats: {embedded: {dir: %q}, lease: %v}}
routes:%s`, t.TempDir(), docLease, docRoute(api.url, "1", every)))
	clients, _ := gather(t, s.url+docEvents, 10)
	for range 5 {
		version.Add(1)
		clients.await(t, fmt.Sprintf("version %d", version.Load()), func(c *client) bool {
			got, err := c.version()
			return err == nil && got == int(version.Load())
		})
		s.kill()
		s.start(t)
	}
	// Longer than the lease lasts without being renewed.
	began := time.Now()
	for time.Since(began) < docLease {
		from := len(api.requests(""))
		wait(t, "another poll", func() (any, bool) { n := len(api.requests("")); return n, n > from })
	}
	for i, c := range clients {
		if c.has("stream.gap") || c.stayedAway() {
			t.Errorf("client %d: got %v, want no gap, and that it comes back", i, kinds(c))
		}
	}
}
