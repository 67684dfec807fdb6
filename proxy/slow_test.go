package proxy

import (
	"bufio"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sidestream/adapters"
	"sidestream/proxy/eventstream"
)

// slowClient is a client that reads only when it is told to.
type slowClient struct {
	w    *world
	body io.ReadCloser
	dec  *eventstream.Decoder
}

func (w *world) slow(path string, headers ...string) *slowClient {
	w.t.Helper()
	resp := w.get(path, headers...)
	synctest.Wait()
	return &slowClient{w, resp.Body, eventstream.NewDecoder(bufio.NewReaderSize(resp.Body, 16), nil)}
}

// rest reads all there is until the connection has been silent for a while,
// and returns it in the form of connection.seen.
func (c *slowClient) rest() []string {
	conn := &connection{w: c.w, done: make(chan struct{})}
	go func() {
		defer close(conn.done)
		for {
			e, err := c.dec.Next()
			if err != nil {
				return
			}
			e.Data = []byte(string(e.Data))
			conn.mu.Lock()
			conn.events = append(conn.events, e)
			conn.mu.Unlock()
		}
	}()
	after(time.Second)
	_ = c.body.Close()
	<-conn.done
	return conn.seen()
}

// clog publishes more than fits into what stands between server and client,
// so that the server is stuck in a write, and then as many as history holds
// twice over.
func clog(w *world, name string, key func(i int) string) {
	big := strings.Repeat("x", 1<<16)
	w.upstream(name).Append(adapters.Event{Data: []byte(big), Key: key(0)})
	synctest.Wait()
	for i := 1; i <= 10; i++ {
		w.upstream(name).Append(adapters.Event{Data: []byte{byte('0' + i%10)}, Key: key(i)})
		synctest.Wait()
	}
}

func noKey(int) string { return "" }

func TestSlowClientIsDisconnected(t *testing.T) {
	inWorld(t, `routes: [{path: /p, log: {name: p}, history: {events: 3}}]`, func(w *world) {
		quick, c := w.connect("/p"), w.slow("/p")
		clog(w, "p", noKey)
		got := c.rest()
		if len(got) != 1 || !strings.HasPrefix(got[0], "E-1 x") {
			t.Errorf("got %.40q, want the event that it was stuck in, and nothing after what it lost", got)
		}
		if got := w.metric(`sidestream_disconnects_total{reason="overrun",route="/p"}`); got != "1" {
			t.Errorf("counted: got %s, want 1", got)
		}
		// Nobody else noticed.
		if got := quick.seen(); len(got) != 11 {
			t.Errorf("another client got %d events, want 11", len(got))
		}
		quick.drop()
	})
}

func TestSlowClientSkips(t *testing.T) {
	inWorld(t, `routes: [{path: /p, log: {name: p}, history: {events: 3}, slow: skip}]`, func(w *world) {
		c := w.slow("/p")
		clog(w, "p", noKey)
		got := strings.Join(c.rest()[1:], "\n")
		want := `E-1 stream.gap {"reason":"overflow","requested":"` // and so on
		if !strings.HasPrefix(got, want) || !strings.HasSuffix(got, `"lost":7}`+"\nE-9 8\nE-10 9\nE-11 0") {
			t.Errorf("got\n%s\nwant the gap with the exact number, and the events at hand", got)
		}
	})
}

func TestSlowClientGetsTheLatest(t *testing.T) {
	const table = `routes: [{path: /p, log: {name: p}, history: {events: 3}, slow: latest, event: {key: '"k" + .[-1:]', decode: text}}]`
	inWorld(t, table, func(w *world) {
		c := w.slow("/p")
		clog(w, "p", noKey)
		w.publish("p", "7", "7")
		got := strings.Join(c.rest()[1:], " ")
		// 7 was overtaken by a newer one of its key; no other was.
		if want := "E-2 1 E-3 2 E-4 3 E-5 4 E-6 5 E-7 6 E-9 8 E-10 9 E-11 0 E-13 7"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

func TestSlowClientOfAState(t *testing.T) {
	inWorld(t, `routes: [{path: /s, log: {name: s}, live_marker: false, history: {events: 3}, slow: skip}]`, func(w *world) {
		c := w.slow("/s")
		clog(w, "s", noKey)
		if got := strings.Join(c.rest()[1:], " "); got != "s.0.11 0" {
			t.Errorf("got %s, want the current state alone", got)
		}
	})
}

func TestStuckClientIsGivenUp(t *testing.T) {
	inWorld(t, `routes: [{path: /p, log: {name: p}, write_timeout: 20s, linger: 0s}]`, func(w *world) {
		c := w.slow("/p")
		clog(w, "p", noKey)
		after(21 * time.Second)
		if got := w.metric(`sidestream_disconnects_total{reason="write_timeout",route="/p"}`); got != "1" {
			t.Errorf("counted: got %s, want 1", got)
		}
		if got := w.upstream("p").Running(); got != 0 {
			t.Errorf("sources running for nobody: got %d (R9)", got)
		}
		_ = c.body.Close()
	})
}

// steady reads events at a rate of ten a second, until there are no more or n
// are read, and returns how many.
func (c *slowClient) steady(n int) int {
	for i := range n {
		if _, err := c.dec.Next(); err != nil {
			return i
		}
		after(100 * time.Millisecond)
	}
	return n
}

// What write_timeout bounds is one write, not the time that a client takes
// for all that it is behind.
func TestSteadyClientIsNotGivenUp(t *testing.T) {
	const options = `write_timeout: 5s, history: {events: 1000, replay: all}`
	inWorld(t, `routes: [{path: /p, log: {name: p}, `+options+`}, {path: /r, log: {name: r}, `+options+`}]`, func(w *world) {
		quick := w.connect("/p")
		defer quick.drop()
		for range 300 {
			w.upstream("p").Append(adapters.Event{Data: make([]byte, 1000)})
			w.upstream("r").Append(adapters.Event{Data: make([]byte, 1000)})
		}
		synctest.Wait()
		for path, id := range map[string]string{"/p": "", "/r": "r.0.0"} {
			c := w.slow(path, "Last-Event-ID: "+id)
			if got := c.steady(300); got != 300 {
				t.Errorf("%s: got %d events, want all 300, though it takes longer than write_timeout", path, got)
			}
			_ = c.body.Close()
		}
	})
}

// A client that is served by a private replay has to leave like any other.
func TestReplayIsLeftInTime(t *testing.T) {
	inWorld(t, `routes: [{path: /r, log: {name: r}, max_age: 10s, history: {events: 10}}]`, func(w *world) {
		for range 1000 {
			w.upstream("r").Append(adapters.Event{Data: make([]byte, 1000)})
		}
		c := w.slow("/r", "Last-Event-ID: r.0.1")
		got := c.steady(900)
		// Those of 10 s, and a few batches, since what is ready is chosen
		// among by chance.
		if got < 80 || got > 600 {
			t.Errorf("got %d events, want little more than 100", got)
		}
		if got := w.metric(`sidestream_disconnects_total{reason="max_age",route="/r"}`); got != "1" {
			t.Errorf("counted as max_age: got %s, want 1", got)
		}
		_ = c.body.Close()
	})
}

// TestBurstOnNewClients: a client that has no event yet, and so no id to come
// back with, is told what it lost, and not sent away.
func TestBurstOnNewClients(t *testing.T) {
	inWorld(t, `routes: [{path: /b, linger: 0s, log: {name: b}, history: {events: 1}}]`, func(w *world) {
		for range 50 {
			c := w.connect("/b")
			for i := range 20 {
				w.upstream("b").Append(adapters.Event{Data: []byte{byte('a' + i)}})
			}
			after(time.Second)
			if got := c.seen(); len(got) == 0 {
				t.Error("got nothing of a burst, want events or a gap")
			}
			c.drop()
			after(time.Second)
		}
	})
}
