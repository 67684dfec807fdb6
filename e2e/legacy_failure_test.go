package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// hijacked answers with what write does to the connection.
func hijacked(write func(conn net.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		write(conn)
	}
}

// raw answers with these bytes and closes the connection.
func raw(text string) http.HandlerFunc {
	return hijacked(func(conn net.Conn) { _, _ = io.WriteString(conn, text) })
}

// redirects answers with a redirect.
func redirects(location string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, location, http.StatusFound) }
}

// loginPage is what stands in place of an API once its session has expired.
const loginPage = "<!doctype html><title>Sign in</title><form method=post><input name=password></form>"

func login(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, loginPage)
}

// R6: however an API fails, clients keep their connections and the last good
// state, are told why (once), hear that it is back, and get what is new. So
// does a client that comes in the middle.
func TestLegacyFailures(t *testing.T) {
	t.Parallel()
	const jsonHead = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	unreadable := "upstream sent an unreadable body"
	for name, failure := range map[string]struct {
		answer  http.HandlerFunc
		reason  string
		options string // of the route's poll
	}{
		"never answers": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "timeout", ""},
		"slow body": {func(w http.ResponseWriter, r *http.Request) {
			says(http.StatusOK, `{"v":`)(w, r)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, "timeout", ""},
		"reset":                     {hijacked(func(conn net.Conn) { _ = conn.(*net.TCPConn).SetLinger(0) }), "connection reset", ""},
		"closed without an answer":  {raw(""), "upstream failed", ""},
		"half a chunked body":       {raw(jsonHead + "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"v\":\r\n"), unreadable, ""},
		"shorter than announced":    {raw(jsonHead + "Content-Length: 20\r\n\r\n{\"v\":13}"), unreadable, ""},
		"longer than announced":     {raw(jsonHead + "Content-Length: 5\r\n\r\n{\"v\":13}"), unreadable, ""},
		"no body":                   {raw(jsonHead + "Content-Length: 0\r\n\r\n"), unreadable, ""},
		"login page":                {login, unreadable, "format: json"},
		"login page, patch":         {login, unreadable, "emit: patch"},
		"login page as JSON":        {says(http.StatusOK, loginPage), unreadable, ""},
		"redirect to a login page":  {redirectTo("/login", login), unreadable, "format: json"},
		"redirect loop":             {redirectTo("/doc?again", nil), "upstream redirected too often", ""},
		"redirect to another host":  {redirects("http://other.invalid/login"), "upstream redirected elsewhere", ""},
		"redirect to another port":  {redirects("http://127.0.0.1:1/"), "upstream redirected elsewhere", ""},
		"401":                       {says(http.StatusUnauthorized, `{"v":0}`), "upstream answered 401", ""},
		"404":                       {says(http.StatusNotFound, `{"v":0}`), "upstream answered 404", ""},
		"500":                       {says(http.StatusInternalServerError, `{"v":0}`), "upstream answered 500", ""},
		"304 that nobody asked for": {says(http.StatusNotModified, ""), "upstream answered 304", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := startLegacy(t, says(http.StatusOK, `{"v":1}`))
			s := serve(t, quick+fmt.Sprintf("\nroutes:\n  - path: /doc\n    event: {type: \"null\"}\n    live_marker: false\n    poll: {url: %s/doc, timeout: 250ms, %s}\n", api.url, failure.options))
			c := follow(t, s.url+"/doc")
			c.awaitMessage(t, `{"v":1}`)
			api.answer(failure.answer)
			awaitKinds(t, c, "message", "stream.stale")
			late := follow(t, s.url+"/doc")
			awaitKinds(t, late, "message", "stream.stale")
			api.awaitAnswers(t, 2)
			api.answer(says(http.StatusOK, `{"v":2}`))
			for _, c := range []*client{c, late} {
				awaitKinds(t, c, "message", "stream.stale", "stream.fresh", "message")
				if got, want := c.messages(), []string{`{"v":1}`, `{"v":2}`}; !slices.Equal(got, want) {
					t.Errorf("got messages %q, want %q", got, want)
				}
				if got := len(c.conns()); got != 1 {
					t.Errorf("got %d connections, want 1", got)
				}
			}
			if got := reasonOf(t, c); got != failure.reason {
				t.Errorf("got the reason %q, want %q", got, failure.reason)
			}
			if log := s.output.String(); strings.Contains(log, "password") || strings.Contains(log, `\"v\"`) {
				t.Error("got something of a body in the log, want none")
			}
		})
	}
}

// redirectTo answers with a redirect to uri, and there with h, if it is given.
func redirectTo(uri string, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if h != nil && r.URL.RequestURI() == uri {
			h(w, r)
			return
		}
		redirects(uri)(w, r)
	}
}

// reasonOf returns the reason that a client was first given for a failure.
func reasonOf(t *testing.T, c *client) string {
	t.Helper()
	for _, e := range c.events() {
		if e.Type != "stream.stale" {
			continue
		}
		var data struct {
			Since  time.Time
			Reason string
		}
		if err := json.Unmarshal([]byte(e.Data), &data); err != nil || data.Since.IsZero() {
			t.Fatalf("got stream.stale with %s (%v), want since and reason", e.Data, err)
		}
		return data.Reason
	}
	return ""
}

// 204 is no failure: it says that there is nothing. W5: an empty document is
// an event, too. With a select, it can be what leaves everything as it is.
func TestLegacyNoContent(t *testing.T) {
	api := startLegacy(t, says(http.StatusOK, `[{"v":1}]`))
	s := serve(t, quick+fmt.Sprintf(`
routes:
  - {path: /snapshot, live_marker: false, poll: {url: %[1]s/doc}}
  - {path: /items, live_marker: false, poll: {url: %[1]s/doc, emit: items, items: {key: .v}}}
  - {path: /append, live_marker: false, poll: {url: %[1]s/doc, emit: append, items: {key: .v}}}
`, api.url))
	snapshot, items, list := follow(t, s.url+"/snapshot"), follow(t, s.url+"/items"), follow(t, s.url+"/append")
	snapshot.await(t, 1)
	items.await(t, 1)
	s.awaitLog(t, "polled", 3)
	api.answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	if got := snapshot.await(t, 2)[1]; got.Type != "message" || got.Data != "" {
		t.Errorf("got %+v, want an empty message", got)
	}
	if got := items.await(t, 2)[1]; got.Type != "delete" || got.Data != `{"key":"1"}` {
		t.Errorf("got %+v, want a delete", got)
	}
	api.answer(says(http.StatusOK, `[{"v":1},{"v":2}]`))
	if got := list.await(t, 1)[0]; got.Data != `{"v":2}` {
		t.Errorf("got %+v, want the second item: the first was there before", got)
	}
	if got := append(kinds(snapshot), append(kinds(items), kinds(list)...)...); slices.Contains(got, "stream.stale") || slices.Contains(got, "stream.gap") {
		t.Errorf("got events %q, want no failure and no gap", got)
	}
}
