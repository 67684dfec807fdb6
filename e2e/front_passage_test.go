package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/coder/websocket"
)

// A passage is an application with Sidestream in front of it, and a proxy in
// front of that.
type passage struct {
	behind
	sidestream *sidestream
	front      *front
	documents  atomic.Int64 // that the application has sent
	events     int          // that were made
}

func newPassage(t *testing.T, b behind) *passage {
	t.Helper()
	p := &passage{behind: b}
	application := app(t, p.application)
	p.sidestream = serve(t, `
upstream: `+application+"\n"+snippet(t, "routes")+`
routes:
  - path: /events
    heartbeat: 1s
    retry: 100ms
    linger: 1m
    history: {events: 10000, bytes: 64MiB}
    live_marker: true
    event: {each: ".[]"}
    webhook: {ingest: /ingest, verify: {none: true}, max_body: 4MiB}
`)
	p.front = startFront(t, b.frontSetup, p.sidestream.url)
	return p
}

// application has a document at the path of the stream, which may be cached,
// a WebSocket, and at every other path the request itself.
func (p *passage) application(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/events":
		w.Header().Set("Cache-Control", "public, max-age=60")
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"document":%d}`, p.documents.Add(1))
	case "/socket":
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			return
		}
		defer func() { _ = c.CloseNow() }()
		typ, data, err := c.Read(r.Context())
		if err != nil {
			return
		}
		_ = c.Write(r.Context(), typ, data)
		_, _, _ = c.Read(r.Context()) // until the client closes
	default:
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(map[string]any{"Host": r.Host, "Header": r.Header})
	}
}

// publish makes events with these payloads happen, past the proxy.
func (p *passage) publish(t *testing.T, data ...string) {
	t.Helper()
	body, err := json.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).
		Post(p.sidestream.url+"/ingest", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		text, _ := io.ReadAll(resp.Body)
		t.Fatalf("events: got status %d, %s, want 204", resp.StatusCode, text)
	}
}

// next returns n payloads that there were none of before.
func (p *passage) next(n int) []string {
	data := make([]string, n)
	for i := range data {
		p.events++
		data[i] = fmt.Sprintf("event %d", p.events)
	}
	return data
}

// A lane is a passage for clients of one protocol.
type lane struct {
	*passage
	protocol string
}

// watch starts a client, and returns once it gets all that happens.
func (p lane) watch(t *testing.T, id ...string) *client {
	t.Helper()
	c := p.front.client(t, p.protocol, "/events", id...)
	c.start(t)
	atEdge(t, c)
	return c
}

// atEdge waits until a client gets all that happens from now on.
func atEdge(t *testing.T, c *client) {
	t.Helper()
	wait(t, "a client that is at the live edge", func() (any, bool) { return c.summary(), c.has("stream.live") })
}

// receivedExactly waits until a client's messages are these.
func receivedExactly(t *testing.T, c *client, want ...string) {
	t.Helper()
	wait(t, fmt.Sprintf("%d messages: %.300s", len(want), fmt.Sprint(want)), func() (any, bool) {
		return c.summary(), slices.Equal(c.messages(), want)
	})
}

// ask gets a document through the proxy.
func (p *passage) ask(t *testing.T, path, accept string) (*http.Response, string) {
	t.Helper()
	req := request(t, http.MethodGet, p.front.url+path)
	req.Header.Set("Accept", accept)
	resp, err := p.front.transport(t, "HTTP/1.1").RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}
