package proxy

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"sidestream/proxy/feed"
)

func TestResponse(t *testing.T) {
	inWorld(t, `routes: [{path: /p, log: {name: p}, headers: {X-Team: a}}]`, func(w *world) {
		c := w.connect("/p")
		defer c.drop()
		// R1, C8
		for name, want := range map[string]string{
			"Content-Type":      "text/event-stream",
			"Cache-Control":     "no-cache, no-transform",
			"X-Accel-Buffering": "no",
			"Vary":              "Accept",
			"X-Team":            "a",
			"Content-Length":    "",
		} {
			if got := c.resp.Header.Get(name); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
		// R2: the upstream has said nothing yet. W6, C2: no blank line. C4: no
		// byte order mark.
		if got, want := c.bytes(), "retry: 3000\n"; got != want {
			t.Errorf("first bytes: got %q, want %q", got, want)
		}
		w.publish("p", "a\nb")
		if got, want := strings.Count(c.bytes(), "data: a\ndata: b\n\n"), 1; got != want {
			t.Errorf("got %q, want the event in it once (W2)", c.bytes())
		}
	})
}

func TestHeadAsksForHeadersOnly(t *testing.T) {
	inWorld(t, `routes: [{path: /p, log: {name: p}}]`, func(w *world) {
		resp := w.do(http.MethodHead, "/p")
		resp.Body.Close()
		if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
			t.Errorf("Content-Type: got %q", got)
		}
		if got := w.metric(`sidestream_streams{route="/p"}`); got != "0" {
			t.Errorf("streams: got %s, want 0", got)
		}
	})
}

func TestNewClientStartsLive(t *testing.T) {
	inWorld(t, `
routes:
  - {path: /live, log: {name: p}, live_marker: true}
  - {path: /replay, log: {name: p2}, history: {replay: 2}, live_marker: true}
  - {path: /all, log: {name: p3}, history: {replay: all}}
`, func(w *world) {
		for _, path := range []string{"/live", "/replay", "/all"} {
			defer w.connect(path).drop()
		}
		w.publish("p", "1", "2", "3")
		w.publish("p2", "1", "2", "3")
		w.publish("p3", "1", "2", "3")
		live, replay, all := w.connect("/live"), w.connect("/replay"), w.connect("/all")
		defer live.drop()
		defer replay.drop()
		defer all.drop()
		w.publish("p", "4")
		w.publish("p2", "4")
		live.wants(" stream.live {}", "E-4 4")
		replay.wants("E-2 2", "E-3 3", "E-3 stream.live {}", "E-4 4")
		all.wants("E-1 1", "E-2 2", "E-3 3")
	})
}

// The client that opens a stream misses nothing, although the source may be
// quicker than the client.
func TestFirstClientMissesNothing(t *testing.T) {
	inWorld(t, `routes: [{path: /p, log: {name: p}, linger: 0s}]`, func(w *world) {
		p := w.server.table.Load().endpoints[0]
		at, err := p.acquire(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer p.release(at)
		after(0)
		w.publish("p", "1") // before the client gets any further
		if n, _, err := at.feed.Read(&at.start, make([]feed.Entry, 4)); n != 1 || err != nil {
			t.Errorf("got %d events, error %v; want the one", n, err)
		}
	})
}

func TestOneStreamForAllClients(t *testing.T) {
	inWorld(t, `routes: [{path: "/orders/{id}", log: {name: p}, linger: 10s}]`, func(w *world) {
		a, b, other := w.connect("/orders/1"), w.connect("/orders/1"), w.connect("/orders/2")
		if got, want := w.upstream("p").Running(), 2; got != want {
			t.Errorf("sources running: got %d, want %d", got, want)
		}
		w.publish("p", "x")
		a.wants("E-1 x")
		b.wants("E-1 x")
		other.wants("E-1 x")
		other.drop()
		a.drop()
		b.drop()
		// R9, and the linger: a client that comes back in time finds the
		// stream as it was.
		after(9 * time.Second)
		back := w.connect("/orders/1", "Last-Event-ID: "+b.lastID())
		after(time.Minute)
		if got, want := w.upstream("p").Running(), 1; got != want {
			t.Errorf("sources running after one came back: got %d, want %d", got, want)
		}
		back.drop()
		after(11 * time.Second)
		if got := w.upstream("p").Running(); got != 0 {
			t.Errorf("sources running after the linger: got %d, want 0", got)
		}
	})
}

func TestHeartbeat(t *testing.T) {
	inWorld(t, `
routes:
  - {path: /comment, log: {name: p}, heartbeat: 10s}
  - {path: /event, log: {name: p}, heartbeat: {every: 10s, event: ping}}
  - {path: /none, log: {name: p2}, heartbeat: 0s}
`, func(w *world) {
		comment, event, none := w.connect("/comment"), w.connect("/event"), w.connect("/none")
		defer comment.drop()
		defer event.drop()
		defer none.drop()
		after(9 * time.Second)
		w.publish("p", "x") // R3: what counts is that nothing was written
		after(9 * time.Second)
		if got := comment.bytes(); strings.Contains(got, ":\n") {
			t.Errorf("a heartbeat too early: %q", got)
		}
		after(2 * time.Second)
		if got := comment.bytes(); !strings.HasSuffix(got, "\n\n:\n") {
			t.Errorf("got %q, want a heartbeat without a blank line at the end (C2)", got)
		}
		event.wants("E-1 x", "E-1 ping {}") // C1: it carries the id that the client has
		after(10 * time.Second)
		if got, want := strings.Count(comment.bytes(), "\n:\n")+strings.Count(comment.bytes(), ":\n:\n"), 2; got < want {
			t.Errorf("got %q, want another heartbeat after another 10s", comment.bytes())
		}
		if got, want := none.bytes(), "retry: 3000\n"; got != want {
			t.Errorf("without heartbeats: got %q, want %q", got, want)
		}
	})
}

func TestMaxAge(t *testing.T) {
	inWorld(t, `routes: [{path: /p, log: {name: p}, max_age: 100s, retry: 2s, linger: 1m}]`, func(w *world) {
		c := w.connect("/p")
		w.publish("p", "1")
		after(89 * time.Second)
		if c.ended() {
			t.Error("the connection ended more than a tenth before its time")
		}
		after(12 * time.Second)
		if !c.ended() {
			t.Error("the connection is older than max_age")
		}
		w.publish("p", "2")
		back := w.connect("/p", "Last-Event-ID: "+c.lastID())
		defer back.drop()
		back.wants("E-2 2") // R8: resumes without loss
		retries := retryLines(c.bytes())
		if len(retries) != 2 || retries[0] != 2000 || retries[1] < 2000 || retries[1] > 4000 {
			t.Errorf("retry: got %v, want 2000, and one of 2000 to 4000 at the end", retries)
		}
	})
}

// R7, and X7: a job's progress that ends by itself.
func TestEnd(t *testing.T) {
	inWorld(t, `
routes:
  - {path: /p, log: {name: p}}
  - {path: /own, log: {name: p2}, end: {id: bye, event: done, data: "that was all"}}
`, func(w *world) {
		c, own := w.connect("/p"), w.connect("/own")
		w.publish("p", "1")
		w.upstream("p").End()
		w.upstream("p2").End()
		c.wants("E-1 1", "-1 stream.end {}")
		own.wants("bye done that was all")
		if !c.ended() || !own.ended() {
			t.Error("the response goes on after the last event (R7)")
		}
		for path, id := range map[string]string{"/p": "-1", "/own": "bye"} {
			resp := w.get(path, "Last-Event-ID: "+id)
			resp.Body.Close()
			if got := resp.StatusCode; got != http.StatusNoContent {
				t.Errorf("%s with id %s: got status %d, want 204 (R5, R7)", path, id, got)
			}
		}
		// The same after the stream is long gone.
		after(time.Hour)
		resp := w.get("/p?lastEventId=-1")
		resp.Body.Close()
		if got := resp.StatusCode; got != http.StatusNoContent {
			t.Errorf("later: got status %d, want 204", got)
		}
	})
}
