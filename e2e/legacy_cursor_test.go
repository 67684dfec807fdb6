package e2e

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// stripeList answers as a list of Stripe's API does: the newest first, those
// next to the cursor, has_more for what is further on in that direction, and
// 400 for a cursor that is no longer there.
func stripeList(j *journal, limit int, token func() string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token() {
			says(http.StatusUnauthorized, `{"error": {"message": "Invalid API Key provided"}}`)(w, r)
			return
		}
		entries, _ := j.newest()
		from, to := 0, len(entries)
		query := r.URL.Query()
		after, before := query.Get("starting_after"), query.Get("ending_before")
		if cursor := after + before; cursor != "" {
			at := slices.IndexFunc(entries, func(n int) bool { return fmt.Sprintf("evt_%d", n) == cursor })
			switch {
			case at < 0:
				says(http.StatusBadRequest, `{"error": {"type": "invalid_request_error", "code": "resource_missing"}}`)(w, r)
				return
			case before != "":
				from, to = max(0, at-limit), at
			default:
				from = at + 1
			}
		}
		more := from > 0
		if before == "" {
			more = to > from+limit
			to = min(to, from+limit)
		}
		var items []string
		for _, n := range entries[from:to] {
			items = append(items, fmt.Sprintf(`{"id": "evt_%d", "object": "event", "n": %d}`, n, n))
		}
		says(http.StatusOK, fmt.Sprintf(`{"object": "list", "data": [%s], "has_more": %v}`, strings.Join(items, ","), more))(w, r)
	}
}

// A list with cursors: asked for what is newer than the newest, and, without
// a cursor, page by page back to what is known. The token is replaced on the
// way.
func TestLegacyCursors(t *testing.T) {
	for name, options := range map[string]string{
		"ending_before": `
      query: {ending_before: "{cursor}"}
      cursor: .data[0].id
      items: {each: ".data[]", key: .id, data: .n, order: newest_first}`,
		"starting_after": `
      select: .data
      pages: {next: "if .has_more then .data[-1].id else null end", param: starting_after, max: 50}
      items: {key: .id, data: .n, order: newest_first}`,
	} {
		table := func(api *legacyAPI, token string) string {
			return quick + fmt.Sprintf("\nroutes:\n  - path: /list\n    poll:\n      url: %s/v1/events\n      emit: append\n      auth: {bearer: {file: %s}}%s\n", api.url, token, options)
		}
		start := func(t *testing.T, j *journal) (*legacyAPI, string, func(string)) {
			t.Helper()
			file := filepath.Join(t.TempDir(), "token")
			var token atomic.Value
			change := func(to string) {
				token.Store(to)
				replaceFile(t, file, to+"\n")
			}
			change("sk_old")
			return startLegacy(t, stripeList(j, 3, func() string { return token.Load().(string) })), file, change
		}
		t.Run(name, func(t *testing.T) {
			t.Run("each once", func(t *testing.T) {
				j := new(journal)
				api, file, _ := start(t, j)
				testJournal(t, j, table(api, file))
			})
			t.Run("forgotten", func(t *testing.T) {
				j := new(journal)
				j.add(3)
				api, file, _ := start(t, j)
				testForgotten(t, j, table(api, file))
			})
			t.Run("token replaced", func(t *testing.T) {
				j := new(journal)
				j.add(3)
				api, file, change := start(t, j)
				s := serve(t, table(api, file))
				c := follow(t, s.url+"/list")
				s.awaitLog(t, "polled", 1)
				want := j.add(2)
				c.awaitMessage(t, want[1])
				change("sk_new")
				want = append(want, j.add(2)...)
				c.awaitMessage(t, want[3])
				if got := c.messages(); !slices.Equal(got, want) {
					t.Errorf("got %v, want %v", got, want)
				}
				if log := s.output.String(); strings.Contains(log, "sk_") {
					t.Error("got a token in the log, want none")
				}
				requests := api.requests("/v1/events")
				if got := requests[len(requests)-1].header.Get("Authorization"); got != "Bearer sk_new" {
					t.Errorf("got the header %q, want the new token", got)
				}
			})
		})
	}
}
