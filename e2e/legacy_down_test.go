package e2e

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A name that can't be resolved is a failure like others.
func TestLegacyNameNotResolved(t *testing.T) {
	s := serve(t, quick+"\nroutes: [{path: /doc, poll: {url: http://legacy.invalid/doc, timeout: 2s}}]\n")
	c := follow(t, s.url+"/doc")
	awaitKinds(t, c, "stream.stale")
	if got, want := reasonOf(t, c), "name not resolved"; got != want {
		t.Errorf("got the reason %q, want %q", got, want)
	}
	if got := c.conns(); len(got) != 1 || got[0].status != http.StatusOK {
		t.Errorf("got connections %v, want one with status 200", got)
	}
}

// An API that is up and down every few polls: clients hear of each change of
// that in turn, and of each document once, on one connection.
func TestLegacyFlapping(t *testing.T) {
	t.Parallel()
	var asked, version atomic.Int64
	api := startLegacy(t, func(w http.ResponseWriter, r *http.Request) {
		if n := asked.Add(1); n/3%2 == 1 {
			says(http.StatusBadGateway, "")(w, r)
			return
		}
		says(http.StatusOK, fmt.Sprintf(`{"v":%d}`, version.Load()))(w, r)
	})
	s := serve(t, quick+fmt.Sprintf("\nroutes: [{path: /doc, live_marker: false, poll: {url: %s/doc}}]\n", api.url))
	c := follow(t, s.url+"/doc")
	var want []string
	for v := range 10 {
		want = append(want, fmt.Sprintf(`{"v":%d}`, v))
		version.Store(int64(v))
		c.awaitMessage(t, want[v])
		api.awaitAnswers(t, 4)
	}
	wait(t, "five changes for the worse", func() (any, bool) { n := count(c, "stream.stale"); return n, n >= 5 })
	if got := c.messages(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	stale := false
	for i, kind := range kinds(c) {
		if kind == "stream.stale" && stale || kind == "stream.fresh" && !stale || kind == "message" && stale {
			t.Fatalf("event %d: got %s, want stale and fresh in turn, and news only in between: %q", i, kind, kinds(c))
		}
		stale = kind == "stream.stale" || stale && kind != "stream.fresh"
	}
	if got := len(c.conns()); got != 1 {
		t.Errorf("got %d connections, want 1", got)
	}
}

// A list is no better: what was answered before doesn't count.
func TestLegacyListFailing(t *testing.T) {
	j := new(journal)
	j.add(3)
	api := startLegacy(t, githubEvents(j, 5))
	s := serve(t, githubTable(api, ""))
	c := follow(t, s.url+"/list")
	s.awaitLog(t, "polled", 1)
	want := j.add(1)
	c.awaitMessage(t, want[0])
	for range 3 {
		api.answer(says(http.StatusInternalServerError, ""))
		api.awaitAnswers(t, 5)
		api.answer(githubEvents(j, 5))
		want = append(want, j.add(2)...)
		c.awaitMessage(t, want[len(want)-1])
	}
	if got := c.messages(); !slices.Equal(got, want) || count(c, "stream.stale") != 3 || count(c, "stream.fresh") != 3 {
		t.Errorf("got %v, want three failures, and %v", c.events(), want)
	}
}

// A host that is dead is not asked by every one of its keys in every
// interval, but by one now and then; when it is back, all keys are.
func TestLegacyDeadHost(t *testing.T) {
	t.Parallel()
	const keys = 50
	host := newMortal(t, says(http.StatusOK, `{"v":1}`))
	s := serve(t, quick+fmt.Sprintf(`
routes:
  - {path: "/doc/{id}", live_marker: false, poll: {url: "%s/doc/{id}", every: 200ms}}
`, host.url))
	all := make(crowd, keys)
	for i := range all {
		all[i] = follow(t, fmt.Sprintf("%s/doc/%d", s.url, i))
	}
	all.await(t, "its document", newest(`{"v":1}`))
	host.die()
	all.await(t, "stream.stale", func(c *client) bool { return c.has("stream.stale") })
	from, before := time.Now(), host.attempts.Load()
	const span = 4 * time.Second
	waitFor(t, 2*span, "the end of a span of time", func() (any, bool) { return time.Since(from), time.Since(from) > span })
	probes := host.attempts.Load() - before
	t.Logf("%d attempts in %v, where %d keys would have made %d", probes, span, keys, keys*int(span/(200*time.Millisecond)))
	if probes < 1 || probes > 8 {
		t.Errorf("got %d attempts in %v, want about 3: after 1s, 2s, 4s", probes, span)
	}
	host.live()
	back := time.Now()
	all.await(t, "stream.fresh", func(c *client) bool { return c.has("stream.fresh") })
	t.Logf("all %d keys are back after %v", keys, time.Since(back))
	for _, c := range all {
		if got, want := kinds(c), []string{"message", "stream.stale", "stream.fresh"}; !slices.Equal(got, want) || len(c.conns()) != 1 {
			t.Fatalf("got %q on %d connections, want %q on one", got, len(c.conns()), want)
		}
	}
}

// A mortal is a host that can be dead: connections are reset. It counts those.
type mortal struct {
	url      string
	attempts atomic.Int64
	dead     atomic.Bool
	server   *http.Server

	mu   sync.Mutex
	open map[net.Conn]bool
}

func newMortal(t *testing.T, h http.HandlerFunc) *mortal {
	t.Helper()
	ln, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(freePort(t))))
	if err != nil {
		t.Fatal(err)
	}
	m := &mortal{url: "http://" + ln.Addr().String(), open: map[net.Conn]bool{}}
	m.server = &http.Server{Handler: h, ConnState: m.state}
	var running sync.WaitGroup
	running.Go(func() { _ = m.server.Serve(ln) })
	t.Cleanup(func() {
		_ = m.server.Close()
		running.Wait()
	})
	return m
}

func (m *mortal) state(conn net.Conn, state http.ConnState) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case state == http.StateNew && m.dead.Load():
		m.attempts.Add(1)
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	case state == http.StateNew:
		m.open[conn] = true
	case state == http.StateClosed:
		delete(m.open, conn)
	}
}

func (m *mortal) die() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead.Store(true)
	for conn := range m.open {
		_ = conn.Close()
	}
}

func (m *mortal) live() { m.dead.Store(false) }
