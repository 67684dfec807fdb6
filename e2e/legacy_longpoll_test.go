package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// A holder is an API that holds a request until it has something else than
// what the request knows, or says 204 (or 304) after a while.
type holder struct {
	hold  time.Duration
	quiet int // status without news

	mu   sync.Mutex
	v    int
	news chan struct{}
}

func (h *holder) publish() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.v++
	close(h.news)
	h.news = make(chan struct{})
	return time.Now()
}

func (h *holder) now() (etag string, v int, news chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return fmt.Sprintf(`"%d"`, h.v), h.v, h.news
}

func (h *holder) serve(w http.ResponseWriter, r *http.Request) {
	etag, v, news := h.now()
	if r.Header.Get("If-None-Match") == etag {
		timeout := time.NewTimer(h.hold)
		defer timeout.Stop()
		select {
		case <-news:
			etag, v, _ = h.now()
		case <-timeout.C:
			w.WriteHeader(h.quiet)
			return
		case <-r.Context().Done():
			return
		}
	}
	says(http.StatusOK, fmt.Sprintf(`[{"v":%d}]`, v), "ETag", etag)(w, r)
}

// X8, long polling replaced: one held request for everybody, the next one at
// once, news within milliseconds, and nothing held for nobody (R9).
func TestLegacyLongPoll(t *testing.T) {
	t.Parallel()
	for name, held := range map[string]struct {
		quiet   int
		options string
	}{
		"snapshot, 204": {http.StatusNoContent, ""},
		"snapshot, 304": {http.StatusNotModified, ""},
		"append, 204":   {http.StatusNoContent, ", emit: append, items: {key: .v}"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testHeld(t, &holder{hold: 600 * time.Millisecond, quiet: held.quiet, news: make(chan struct{})}, held.options)
		})
	}
}

func testHeld(t *testing.T, h *holder, options string) { //nolint:thelper // a test, run with each kind of API
	legacy := startLegacy(t, h.serve)
	s := serve(t, quick+fmt.Sprintf(`
routes:
  - {path: /doc, live_marker: false, event: {data: "[.] | flatten | .[0].v"}, poll: {url: %s/doc, every: 500ms, long_poll: true%s}}
`, legacy.url, options))
	all := crowd{newClient(t, s.url+"/doc"), newClient(t, s.url+"/doc"), newClient(t, s.url+"/doc")}
	var leave []func()
	for _, c := range all {
		leave = append(leave, c.start(t))
	}
	held := func() (any, bool) {
		asked := legacy.requests("")
		return asked, len(asked) > 1 && asked[len(asked)-1].ended.IsZero()
	}
	var want []string
	var delays []time.Duration
	for i := range 5 {
		wait(t, "a request that is held", held)
		at := h.publish()
		want = append(want, strconv.Itoa(i+1))
		all.await(t, "the news", newest(want[i]))
		delays = append(delays, time.Since(at).Round(100*time.Microsecond))
	}
	slices.Sort(delays)
	// waiting for it takes up to 5ms
	if delays[2] > 50*time.Millisecond {
		t.Errorf("got news after %v, want it within milliseconds", delays)
	}
	t.Logf("news after %v", delays)

	// No news: the API gives up, and is asked again at once.
	asked := legacy.awaitAnswers(t, 2)
	for i := range asked[1:] {
		if gap := asked[i+1].at.Sub(asked[i].ended); asked[i].status == h.quiet && gap > 100*time.Millisecond {
			t.Errorf("got the next request %v after status %d, want it at once", gap, h.quiet)
		}
	}
	for _, c := range all {
		if got := c.messages(); !slices.Equal(got[len(got)-len(want):], want) || count(c, "stream.stale") > 0 {
			t.Errorf("got %v, want %v", c.events(), want)
		}
	}
	// Everybody leaves. The held request is given up after linger.
	wait(t, "a request that is held", held)
	for _, f := range leave {
		f()
	}
	from := time.Now()
	s.awaitLog(t, "stream closed", 1)
	wait(t, "no request that is held", func() (any, bool) {
		v, ok := held()
		return v, !ok
	})
	requests := legacy.requests("")
	last := requests[len(requests)-1]
	if gone := last.ended.Sub(from); gone > time.Second || !last.abandoned {
		t.Errorf("got the held request answered (%d) or given up %v after the last client had left, want that after 300ms", last.status, gone)
	}
	if late := legacy.since(from.Add(time.Second)); late > 0 {
		t.Errorf("got %d requests for nobody, want none", late)
	}
}
