package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// R2, C8: a stream begins, and each event arrives, while nothing follows that
// would push it out of a buffer, also at a client that takes compressed
// answers.
func (p lane) atOnce(t *testing.T) {
	c := p.watch(t)
	var want []string
	for range 10 {
		event := p.next(1)
		p.publish(t, event...)
		want = append(want, event...)
		receivedExactly(t, c, want...)
	}
	conns := c.conns()
	if len(conns) != 1 {
		t.Errorf("got %d connections, want 1 that stays open", len(conns))
	}
	if got, want := conns[0].protocol, p.protocol; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := conns[0].header.Get("Content-Type"), "text/event-stream"; got != want {
		t.Errorf("got Content-Type %q, want %q", got, want)
	}
	if got, want := conns[0].header.Get("Content-Encoding") != "", p.compresses; got != want {
		t.Errorf("got Content-Encoding %q, want one: %v", conns[0].header.Get("Content-Encoding"), want)
	}
}

// An event of 1 MB arrives unchanged.
func (p lane) large(t *testing.T) {
	c := p.watch(t)
	noise := make([]byte, 750_000)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(noise)
	event := base64.StdEncoding.EncodeToString(noise)
	p.publish(t, event)
	wait(t, "the large event", func() (any, bool) {
		got := c.messages()
		return fmt.Sprintf("%d events", len(got)), len(got) == 1 && got[0] == event
	})
}

// R5, R7: that a stream has ended for one client is nothing for others to get,
// as it would be from a cache.
func (p lane) ended(t *testing.T) {
	gone := p.front.client(t, p.protocol, "/events", "-1")
	gone.start(t)
	wait(t, "the end", func() (any, bool) {
		conns := gone.conns()
		return conns, len(conns) > 0 && conns[0].status == http.StatusNoContent
	})
	p.watch(t)
}

// A thousand events at once arrive in order, at each of several clients.
func (p lane) burst(t *testing.T) {
	clients := []*client{p.watch(t), p.watch(t), p.watch(t)}
	events := p.next(1000)
	p.publish(t, events...)
	for _, c := range clients {
		receivedExactly(t, c, events...)
	}
}

// R12: 20 streams share a connection where the protocol has that, and else
// have one each. Some proxies carry fewer, and the next one waits.
func (p lane) many(t *testing.T) {
	transport := p.front.transport(t, p.protocol)
	start := func() *client {
		c := p.front.client(t, p.protocol, "/events")
		c.transport = transport
		c.start(t)
		return c
	}
	most := 20
	if p.protocol == "HTTP/2.0" && p.streams > 0 {
		most = p.streams
	}
	clients := make([]*client, most)
	for i := range clients {
		clients[i] = start()
		atEdge(t, clients[i])
	}
	var waits *client
	if most < 20 {
		waits = start()
	}
	event := p.next(1)
	p.publish(t, event...)
	for _, c := range clients {
		receivedExactly(t, c, event...)
	}
	if waits != nil && len(waits.events()) != 0 {
		t.Errorf("stream %d: got %s, want it to wait, as the document says", most+1, waits.summary())
	}
}

// R4: Last-Event-ID gets through.
func (p lane) resume(t *testing.T) {
	c := p.watch(t)
	events := p.next(5)
	p.publish(t, events...)
	receivedExactly(t, c, events...)
	for i, e := range slices.DeleteFunc(c.events(), func(e received) bool { return e.Type != "message" }) {
		again := p.watch(t, e.ID)
		receivedExactly(t, again, events[i+1:]...)
	}
}

// R9: a client that is gone is noticed.
func (p lane) gone(t *testing.T) {
	p.sidestream.awaitClients(t, "/events", 0)
	c := p.front.client(t, p.protocol, "/events")
	stop := c.start(t)
	p.sidestream.awaitClients(t, "/events", 1)
	stop()
	p.sidestream.awaitClients(t, "/events", 0)
}

// What the proxy says about the client reaches the application.
func (p *passage) forwarded(t *testing.T) {
	resp, body := p.ask(t, "/mirror", "*/*")
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("got status %d, want 200", resp.StatusCode)
	}
	var in struct {
		Host   string
		Header http.Header
	}
	if err := json.Unmarshal([]byte(body), &in); err != nil {
		t.Fatal(err)
	}
	at, _ := url.Parse(p.front.url)
	want := map[string]string{"For": "127.0.0.1, 127.0.0.1", "Host": at.Host, "Proto": at.Scheme}
	for _, name := range p.forwards {
		if got := in.Header.Get("X-Forwarded-" + name); got != want[name] {
			t.Errorf("the application got X-Forwarded-%s %q, want %q", name, got, want[name])
		}
	}
}

// What a client says about itself in the proxy's place doesn't reach the
// application: neither where the document has the proxy see to it, nor where
// Sidestream does.
func (p *passage) forged(t *testing.T) {
	const mark = "forged.example"
	req := request(t, http.MethodGet, p.front.url+"/mirror")
	names := []string{"X-Real-Ip"}
	if !strings.HasSuffix(p.name, " minimal") {
		names = append(names, "Forwarded", "X-Forwarded-Host", "X-Forwarded-Proto")
	}
	for _, name := range names {
		req.Header.Set(name, mark)
	}
	resp, err := p.front.transport(t, "HTTP/1.1").RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var in struct{ Header http.Header }
	if err := json.NewDecoder(resp.Body).Decode(&in); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if got := strings.Join(in.Header[name], ", "); strings.Contains(got, mark) {
			t.Errorf("the application got %s %q, want nothing that a client has written", name, got)
		}
	}
}

// The application's WebSockets pass, where the proxy lets them.
func (p *passage) webSockets(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, resp, err := websocket.Dial(ctx, p.front.url+"/socket", &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: p.front.transport(t, "HTTP/1.1")},
	})
	if !p.webSocket {
		if err == nil {
			_ = c.CloseNow()
			t.Errorf("got status %d, want no WebSocket, as the document says", resp.StatusCode)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.CloseNow() }()
	if err := c.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, got, err := c.Read(ctx); err != nil || string(got) != "hello" {
		t.Errorf("got %q (%v), want the message back", got, err)
	}
}

// A document that the proxy may keep, of the same URL as the stream, is not
// taken for the stream, nor the stream for the document.
func (p *passage) cache(t *testing.T) {
	for range 3 {
		resp, body := p.ask(t, "/events", "application/json")
		if got := resp.Header.Get("Content-Type"); got != "application/json" || !strings.HasPrefix(body, `{"document"`) {
			t.Errorf("got %s, %.100q, want the application's document", got, body)
		}
		c := lane{p, p.front.protocols()[0]}.watch(t)
		event := p.next(1)
		p.publish(t, event...)
		receivedExactly(t, c, event...)
	}
	if got := p.documents.Load() == 1; got != p.caches {
		t.Errorf("got %d documents of the application for 3 requests, want 1: %v", p.documents.Load(), p.caches)
	}
}

// R8: a client loses nothing, and gets nothing twice, while the proxy reads
// its configuration again, and while it is killed and starts again.
func (p lane) restart(t *testing.T) {
	c := p.watch(t)
	var want []string
	deliver := func() {
		t.Helper()
		for range 3 {
			event := p.next(1)
			p.publish(t, event...)
			want = append(want, event...)
			receivedExactly(t, c, want...)
		}
	}
	deliver()
	p.front.kind.reload(t, p.front)
	deliver()

	p.front.crash(t)
	missed := p.next(3)
	p.publish(t, missed...)
	p.front.start(t)
	want = append(want, missed...)
	receivedExactly(t, c, want...)
	deliver()
	if got := len(c.conns()); got < 2 {
		t.Errorf("got %d connections, want more than the one that broke", got)
	}
}
