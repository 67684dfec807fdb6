package e2e

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"
)

// What webhooks of the tests are like.
const (
	hookSecret  = "it's a secret to everybody"
	hookType    = "push"
	hookPath    = "/hooks"         // where they are sent to
	hookEvents  = "/events/hooks"  // where clients hear them
	hookTimeout = 10 * time.Second // that a sender waits for an answer, as GitHub does
)

// hookRoute is the route of webhooks, whose history has these bounds. Clients
// are told from when on they hear all.
func hookRoute(history string) string {
	return fmt.Sprintf("\n  - {path: %s, webhook: {ingest: %s, accept_timeout: 2s, verify: {github: %q}}, history: {durable: true, %s}, live_marker: true}\n",
		hookEvents, hookPath, hookSecret, history)
}

// A hookSender sends webhooks as GitHub does, with a signature and an id for
// each delivery.
type hookSender struct{ client *http.Client }

// newHookSender returns a sender of so many webhooks at once.
func newHookSender(tb testing.TB, atOnce int) *hookSender {
	tb.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: atOnce, MaxConnsPerHost: atOnce, DisableCompression: true}
	tb.Cleanup(transport.CloseIdleConnections)
	return &hookSender{&http.Client{
		Transport: transport, Timeout: hookTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// send sends a webhook to the replica at url and returns the answer's status
// and its Retry-After.
func (s *hookSender) send(ctx context.Context, url, delivery string, body []byte) (status int, retryAfter string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+hookPath, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	mac := hmac.New(sha256.New, []byte(hookSecret))
	_, _ = mac.Write(body) // never fails
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-GitHub-Event", hookType)
	req.Header.Set("X-GitHub-Delivery", delivery)
	req.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.Header.Get("Retry-After"), err
}

// mustSend sends a webhook that has to be accepted.
func (s *hookSender) mustSend(tb testing.TB, url, delivery, body string) {
	tb.Helper()
	status, _, err := s.send(tb.Context(), url, delivery, []byte(body))
	if err != nil || status != http.StatusNoContent {
		tb.Fatalf("webhook %s to %s: got status %d (%v), want 204", delivery, url, status, err)
	}
}

// together starts n goroutines that are done with the numbers from 0 to count,
// each with one after the other, and waits for them.
func together(n, count int, do func(i int)) {
	numbers := make(chan int)
	var running sync.WaitGroup
	for range n {
		running.Go(func() {
			for i := range numbers {
				do(i)
			}
		})
	}
	for i := range count {
		numbers <- i
	}
	close(numbers)
	running.Wait()
}

// heard returns the data of the webhooks that a client has heard.
func (c *client) heard() (data []string) {
	for _, e := range c.events() {
		if e.Type == hookType {
			data = append(data, e.Data)
		}
	}
	return data
}

// awaitHeard waits until a client has heard n webhooks, and returns all.
func (c *client) awaitHeard(tb testing.TB, n int) []string {
	tb.Helper()
	wait(tb, fmt.Sprintf("%d webhooks", n), func() (any, bool) {
		have := len(c.heard())
		return have, have >= n
	})
	return c.heard()
}
