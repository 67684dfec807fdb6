package proxy

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"sidestream/adapters"
)

func TestSince(t *testing.T) {
	const table = `routes: [{path: /r, log: {name: r}, since: true}, {path: /not, log: {name: r}}]`
	inWorld(t, table, func(w *world) {
		start := time.Now()
		for i, n := range numbers(1, 5) {
			w.upstream("r").Append(adapters.Event{Data: []byte(n), Time: start.Add(time.Duration(i) * time.Second)})
		}
		at := func(d time.Duration) string { return start.Add(d).UTC().Format(time.RFC3339Nano) }
		for _, tt := range []struct {
			since string
			want  []string
		}{
			{at(-time.Hour), replayed(1, 5)},
			{at(0), replayed(1, 5)},
			{at(1), replayed(2, 5)},
			{at(3 * time.Second), replayed(4, 5)},
			{at(4*time.Second + 1), nil},
			{at(100 * time.Hour), nil},
			{"0", replayed(1, 5)},
		} {
			c := w.connect("/r?since=" + url.QueryEscape(tt.since))
			c.wants(tt.want...)
			c.drop()
		}
		both := w.connect("/r?since="+url.QueryEscape(at(0)), "Last-Event-ID: r.0.4")
		defer both.drop()
		both.wants(replayed(5, 5)...) // R4: the id prevails
		ignored := w.connect("/not?since=x")
		defer ignored.drop()
		ignored.wants()
		for _, bad := range []string{"x", "-1", "2026-01-02", "1e3", "999999999999999999999", "9223372036854775807", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "", "1&since=2"} {
			resp := w.get("/r?since=" + bad)
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusBadRequest {
				t.Errorf("since=%s: got status %d, want 400", bad, resp.StatusCode)
			}
		}
	})
}

func TestParseSince(t *testing.T) {
	for text, want := range map[string]time.Time{
		"1700000000123":             time.UnixMilli(1700000000123),
		"2026-01-02T15:04:05Z":      time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC),
		"2026-01-02T15:04:05.5Z":    time.Date(2026, 1, 2, 15, 4, 5, 5e8, time.UTC),
		"2026-01-02T15:04:05+02:00": time.Date(2026, 1, 2, 13, 4, 5, 0, time.UTC),
		"2026-01-02T15:04:05 02:00": time.Date(2026, 1, 2, 13, 4, 5, 0, time.UTC), // "+" in a query that wasn't escaped
	} {
		if got, err := parseSince(text); err != nil || !got.Equal(want) {
			t.Errorf("%s: got %v, %v; want %v", text, got, err, want)
		}
	}
}

// A source that can't find the place for now lets the client try again.
func TestSinceFails(t *testing.T) {
	inWorld(t, `routes: [{path: /r, log: {name: r}, since: true}]`, func(w *world) {
		w.upstream("r").Fail(adapters.Transient("gone", nil))
		c := w.connect("/r?since=0")
		after(seekTime)
		if !c.ended() {
			t.Error("got a client that stays, want it sent away with a retry")
		}
		c.wants()
	})
}
