package e2e

import (
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// hostileApp answers each path in another way that no application should.
func hostileApp(w http.ResponseWriter, r *http.Request) {
	raw := func(write func(w io.Writer)) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		write(conn)
	}
	endless := func(w io.Writer, piece []byte, pause time.Duration) {
		tick := time.NewTicker(max(pause, 1))
		defer tick.Stop()
		for r.Context().Err() == nil {
			if _, err := w.Write(piece); err != nil {
				return
			}
			if pause > 0 {
				_ = http.NewResponseController(w.(http.ResponseWriter)).Flush()
				<-tick.C
			}
		}
	}
	noise := make([]byte, 64<<10)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(noise)
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case "/noise":
		raw(func(w io.Writer) { _, _ = w.Write(noise) })
	case "/headers":
		raw(func(w io.Writer) {
			_, err := io.WriteString(w, "HTTP/1.1 200 OK\r\n")
			for i := 0; err == nil; i++ {
				_, err = fmt.Fprintf(w, "X-%d: %s\r\n", i, strings.Repeat("x", 4000))
			}
		})
	case "/line":
		raw(func(w io.Writer) {
			_, err := io.WriteString(w, "HTTP/1.1 200 ")
			for err == nil {
				_, err = io.WriteString(w, strings.Repeat("x", 64<<10))
			}
		})
	case "/chunks":
		raw(func(w io.Writer) {
			_, _ = io.WriteString(w, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}")
		})
	case "/lying":
		raw(func(w io.Writer) {
			_, _ = io.WriteString(w, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}")
		})
	case "/informational":
		for r.Context().Err() == nil {
			w.WriteHeader(http.StatusEarlyHints)
		}
	case "/notjson":
		_, _ = w.Write(noise)
	case "/endless":
		endless(w, []byte(strings.Repeat(" ", 64<<10)), 0)
	case "/drip":
		endless(w, []byte(" "), 20*time.Millisecond)
	case "/bomb":
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		endless(z, make([]byte, 1<<20), 0)
	case "/deep":
		_, _ = io.WriteString(w, strings.Repeat("[", 4<<20))
	case "/wide":
		_, _ = io.WriteString(w, "["+strings.Repeat("0,", 1<<20)+"0]")
	case "/number":
		_, _ = io.WriteString(w, "1"+strings.Repeat("0", 4<<20))
	case "/loop":
		http.Redirect(w, r, "/loop", http.StatusFound)
	case "/etag":
		w.Header().Set("Etag", `"`+strings.Repeat("x", 20<<10)+`"`)
		_, _ = io.WriteString(w, `{"n":`+strconv.Itoa(rand.Int())+`}`)
	case "/text":
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, "id: forged\n\ndata: forged\r\n\r\nretry: 1\x00\u2028:")
	}
}

// Whatever an application answers, the process lives, its memory is bounded,
// clients keep their connections and are told, and a well-behaved application
// beside it is served as ever.
func TestHostileUpstreams(t *testing.T) {
	upstream := app(t, hostileApp)
	n := startNginx(t)
	n.put(t, "/good.json", `{"v": 0}`)
	// Of the answers to these the standard has no state to make.
	broken := []string{
		"noise", "headers", "line", "chunks", "lying", "informational", "notjson",
		"endless", "drip", "bomb", "deep", "loop",
	}
	large := []string{"wide", "number"} // more than max_event_size
	odd := []string{"etag", "text"}
	all := slices.Concat(broken, large, odd)
	var table strings.Builder
	_, _ = fmt.Fprintf(&table, `
defaults:
  upstream: %s
  retry: 100ms
  backoff: {min: 50ms, max: 100ms}
  poll: {every: 50ms, timeout: 1s}
routes:
  - {path: /good.json, upstream: "%s", poll: {}}
`, upstream, n.url)
	for _, name := range all {
		_, _ = fmt.Fprintf(&table, "  - {path: /%s, poll: {}}\n", name)
	}
	s := serve(t, table.String())
	before := s.memory(t)
	good := follow(t, s.url+"/good.json")
	good.awaitMessage(t, `{"v":0}`)

	clients := map[string]*client{}
	for _, name := range all {
		clients[name] = follow(t, s.url+"/"+name)
	}
	for _, name := range broken {
		wait(t, name+": stream.stale", func() (any, bool) {
			return fmt.Sprintf("%.300v", clients[name].events()), clients[name].has("stream.stale")
		})
		if messages := clients[name].messages(); len(messages) > 0 {
			t.Errorf("%s: got %.300q, want no message", name, messages)
		}
	}
	for _, name := range large {
		wait(t, name+": stream.gap", func() (any, bool) {
			return fmt.Sprintf("%.300v", clients[name].events()), clients[name].has("stream.gap")
		})
	}
	for _, name := range odd {
		wait(t, name+": a message", func() (any, bool) {
			return clients[name].events(), len(clients[name].messages()) > 0
		})
	}
	if got, want := clients["text"].messages(), "id: forged\n\ndata: forged\n\nretry: 1\x00\u2028:"; len(got) == 0 || got[0] != want {
		t.Errorf("text: got %.300q, want %q", got, want)
	}

	for v := 1; v <= 20; v++ {
		n.put(t, "/good.json", fmt.Sprintf(`{"v": %d}`, v))
		good.awaitMessage(t, fmt.Sprintf(`{"v":%d}`, v))
	}
	for name, c := range clients {
		if conns := c.conns(); len(conns) != 1 || conns[0].status != http.StatusOK {
			t.Errorf("%s: got connections %v, want one with status 200", name, conns)
		}
	}
	if !s.running() {
		t.Fatal("got an end of sidestream, want it running")
	}
	// 14 answers of up to max_body (10 MiB) at a time, each read into memory
	// that grows by doubling and made a canonical document.
	s.grown(t, before, 384<<20)
}

// The same applications, passed through, are no danger either.
func TestHostileUpstreamsPassedThrough(t *testing.T) {
	s := sidecar(t, app(t, hostileApp))
	before := s.memory(t)
	for _, path := range []string{"/noise", "/headers", "/line", "/chunks", "/lying", "/informational"} {
		conn := dial(t, s.url)
		if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		_, _ = io.CopyN(io.Discard, conn, 1<<20)
		_ = conn.Close()
	}
	if !s.running() {
		t.Fatal("got an end of sidestream, want it running")
	}
	s.grown(t, before, 64<<20)
}
