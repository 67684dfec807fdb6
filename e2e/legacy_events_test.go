package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// githubEvents answers as GitHub's events API does: the newest first, in
// pages by Link, with an ETag, of which a 304 costs nothing.
func githubEvents(j *journal, size int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		entries, version := j.newest()
		number, _ := strconv.Atoi(r.URL.Query().Get("page"))
		first := max(number-1, 0) * size
		page := entries[min(first, len(entries)):min(first+size, len(entries))]
		etag := fmt.Sprintf(`W/"%d-%d"`, version, number)
		w.Header().Set("ETag", etag)
		if first+size < len(entries) {
			w.Header().Set("Link", fmt.Sprintf(`<http://%s/events?page=%d>; rel="next", <http://%s/events?page=99>; rel="last"`, r.Host, max(number, 1)+1, r.Host))
		}
		if r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		var items []string
		for _, n := range page {
			items = append(items, fmt.Sprintf(`{"id": "%d", "type": "PushEvent", "n": %d}`, n, n))
		}
		says(http.StatusOK, "["+strings.Join(items, ",")+"]")(w, r)
	}
}

func githubTable(api *legacyAPI, more string) string {
	return quick + fmt.Sprintf(`
routes:
  - path: /list
    poll:
      url: %s/events
      emit: append
      items: {key: .id, data: .n, order: newest_first}
      pages: {next: link}
%s`, api.url, more)
}

// An events API of several pages: each event once and in order, whatever is
// cut or killed, and a gap only where the API has no more.
func TestLegacyEvents(t *testing.T) {
	t.Run("each once", func(t *testing.T) {
		j := new(journal)
		testJournal(t, j, githubTable(startLegacy(t, githubEvents(j, 3)), ""))
	})
	t.Run("forgotten", func(t *testing.T) {
		j := new(journal)
		testForgotten(t, j, githubTable(startLegacy(t, githubEvents(j, 3)), ""))
	})
}

// The API has no news most of the time. Then it is asked with the ETag that
// it gave, and has nothing to send but 304.
func TestLegacyEventsUnchanged(t *testing.T) {
	j := new(journal)
	j.add(5)
	api := startLegacy(t, githubEvents(j, 3))
	s := serve(t, githubTable(api, ""))
	c := follow(t, s.url+"/list")
	for range 3 {
		s.awaitLog(t, "polled", 2)
		asked := api.awaitAnswers(t, 4)
		for _, r := range asked[1:] {
			if r.status != http.StatusNotModified {
				t.Errorf("got %s, If-None-Match %q, answered %d, want 304 for an unchanged list", r.uri, r.header.Get("If-None-Match"), r.status)
			}
		}
		c.awaitMessage(t, j.add(1)[0])
	}
}

// X-Poll-Interval is a lower bound to the interval, and a rate limit that is
// used up puts polls off until it is reset, with everything as it was.
func TestLegacyEventsLimits(t *testing.T) {
	t.Parallel()
	j := new(journal)
	j.add(1)
	events := githubEvents(j, 30)
	api := startLegacy(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Poll-Interval", "1")
		w.Header().Set("X-RateLimit-Remaining", "4000")
		w.Header().Set("X-RateLimit-Reset", strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10))
		events(w, r)
	})
	s := serve(t, githubTable(api, ""))
	c := follow(t, s.url+"/list")
	asked := api.awaitAnswers(t, 3)
	for i := range asked[1:] {
		// The header speaks of the time after the answer; up to a tenth is added.
		if apart := asked[i+1].at.Sub(asked[i].ended); apart < time.Second || apart > 1500*time.Millisecond {
			t.Errorf("got polls %v apart, want 1s to 1.1s, as X-Poll-Interval says", apart)
		}
	}
	c.awaitMessage(t, j.add(1)[0])

	reset := time.Now().Add(2500 * time.Millisecond).Truncate(time.Second)
	api.answer(says(http.StatusForbidden, `{"message": "API rate limit exceeded"}`,
		"X-RateLimit-Remaining", "0", "X-RateLimit-Reset", strconv.FormatInt(reset.Unix(), 10)))
	awaitKinds(t, c, "message", "stream.stale")
	api.answer(events)
	from := time.Now()
	want := j.add(1)[0]
	c.awaitMessage(t, want)
	awaitKinds(t, c, "message", "stream.stale", "stream.fresh", "message")
	for _, e := range c.events() {
		var data struct{ Since time.Time }
		if e.Type == "stream.fresh" && (json.Unmarshal([]byte(e.Data), &data) != nil || data.Since.Before(reset)) {
			t.Errorf("got stream.fresh with %s, want that after the limit was reset at %v", e.Data, reset)
		}
	}
	all := api.requests("")
	for _, r := range all {
		if r.at.After(from) && r.at.Before(reset) {
			t.Errorf("got a poll %v before the limit was reset, want none", reset.Sub(r.at))
		}
	}
	if got := len(c.conns()); got != 1 {
		t.Errorf("got %d connections, want 1", got)
	}
}
