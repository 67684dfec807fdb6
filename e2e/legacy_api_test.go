package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// quick are the settings of the tables for legacy APIs: nobody waits long.
const quick = `
drain: {window: 100ms, timeout: 1s}
defaults: {retry: 50ms, linger: 300ms, backoff: {min: 10ms, max: 50ms}, poll: {every: 40ms, jitter: 0, proxy: off}}
`

// A legacyAPI is an HTTP API written for a test. It notes what it is asked,
// and answers as it is told at the moment.
type legacyAPI struct {
	url string

	mu      sync.Mutex
	handler http.HandlerFunc
	asked   []legacyRequest
}

// legacyRequest is what an API was asked, and what became of it.
type legacyRequest struct {
	uri       string // path and query
	header    http.Header
	at, ended time.Time // ended is zero until it was answered
	status    int
	abandoned bool // whoever asked had left by the end
}

// startLegacy starts an API, with a server that edit may change before.
func startLegacy(tb testing.TB, h http.HandlerFunc, edit ...func(*httptest.Server)) *legacyAPI {
	tb.Helper()
	api := &legacyAPI{handler: h}
	server := httptest.NewUnstartedServer(http.HandlerFunc(api.serve))
	for _, f := range edit {
		f(server)
	}
	if server.TLS != nil {
		server.StartTLS()
	} else {
		server.Start()
	}
	tb.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	api.url = server.URL
	return api
}

func (l *legacyAPI) serve(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	at, handler := len(l.asked), l.handler
	l.asked = append(l.asked, legacyRequest{uri: r.URL.RequestURI(), header: r.Header.Clone(), at: time.Now()})
	l.mu.Unlock()
	answer := &legacyAnswer{ResponseWriter: w, status: http.StatusOK}
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		asked := &l.asked[at]
		asked.ended, asked.status, asked.abandoned = time.Now(), answer.status, r.Context().Err() != nil
	}()
	handler(answer, r)
}

// answer says how the API answers from now on.
func (l *legacyAPI) answer(h http.HandlerFunc) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.handler = h
}

// requests returns those for URIs that start with prefix, in order.
func (l *legacyAPI) requests(prefix string) []legacyRequest {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(l.asked), func(r legacyRequest) bool { return !strings.HasPrefix(r.uri, prefix) })
}

// since returns how many requests came after a time.
func (l *legacyAPI) since(t time.Time) int {
	return len(slices.DeleteFunc(l.requests(""), func(r legacyRequest) bool { return !r.at.After(t) }))
}

// awaitAnswers waits until the API has answered n more requests than so far,
// which came after the call, and returns those.
func (l *legacyAPI) awaitAnswers(tb testing.TB, n int) []legacyRequest {
	tb.Helper()
	from := len(l.requests(""))
	var more []legacyRequest
	wait(tb, fmt.Sprintf("%d more requests at the API", n), func() (any, bool) {
		more = slices.DeleteFunc(l.requests("")[from:], func(r legacyRequest) bool { return r.ended.IsZero() })
		return len(more), len(more) >= n
	})
	return more
}

// legacyAnswer keeps the status of an answer.
type legacyAnswer struct {
	http.ResponseWriter
	status int
}

func (a *legacyAnswer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap lets an [http.ResponseController] through.
func (a *legacyAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// says answers with a status, a body of JSON, and headers given in pairs.
func says(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// kinds returns the types of the events of a client.
func kinds(c *client) []string {
	var types []string
	for _, e := range c.events() {
		types = append(types, e.Type)
	}
	return types
}

// awaitKinds waits until a client has events of just these types.
func awaitKinds(tb testing.TB, c *client, want ...string) {
	tb.Helper()
	wait(tb, fmt.Sprintf("events of the types %q", want), func() (any, bool) {
		return c.events(), slices.Equal(kinds(c), want)
	})
}
