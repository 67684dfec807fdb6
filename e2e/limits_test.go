package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"sidestream/proxy/eventstream"
)

// R6: a client for which there is no room is never answered by an error. It
// gets a stream that ends at once and says when to come back: each at another
// time, later than usual.
func TestMoreClientsThanAllowed(t *testing.T) {
	const room, more = 5, 20
	n := startNginx(t)
	n.put(t, "/doc.json", `{"v": 1}`)
	for name, table := range map[string]string{
		"of the route":  "limits: {retry: 20s}\ndefaults: {max_clients: %d}\n",
		"of the server": "limits: {retry: 20s, clients: %d}\n",
		"of an address": "limits: {retry: 20s, clients_per_address: %d}\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, fmt.Sprintf(table+"upstream: %s\nroutes: [{path: /doc.json, poll: {every: 50ms}, retry: 1s}]\n", room, n.url))
			inside, leave := gather(t, s.url+"/doc.json", room)
			inside.await(t, "the document", newest(`{"v":1}`))
			outside, _ := gather(t, s.url+"/doc.json", more)
			outside.await(t, "its connection ended", disconnected)
			retries := map[time.Duration]bool{}
			for _, c := range outside {
				conn := c.conns()[0]
				if conn.status != http.StatusOK || conn.retry < 20*time.Second || conn.retry > 40*time.Second {
					t.Errorf("got status %d and retry %v, want 200 and 20s to 40s", conn.status, conn.retry)
				}
				if events := c.events(); len(events) > 0 {
					t.Errorf("got events %v, want none", events)
				}
				retries[conn.retry] = true
			}
			if len(retries) < more*3/4 {
				t.Errorf("got %d different times to come back for %d clients, want each its own", len(retries), more)
			}
			if got := s.metric(t, `sidestream_disconnects_total{reason="no_room",route="/doc.json"}`); got != more {
				t.Errorf("got %v clients counted as turned away, want %d", got, more)
			}
			leave()
			s.awaitClients(t, "/doc.json", 0)
			follow(t, s.url+"/doc.json").awaitMessage(t, `{"v":1}`)
		})
	}
}

// R8: a connection that has been open long enough is closed, and its client
// comes back without having lost or repeated anything.
func TestMaxAge(t *testing.T) {
	n := startNginx(t)
	n.put(t, "/doc.json", `{"v": 0}`)
	s := serve(t, plain(n, "20ms", "    max_age: 300ms", "    retry: 20ms"))
	observer := follow(t, s.url+"/doc.json")
	all, _ := gather(t, s.url+"/doc.json", 20)
	var want []string
	for v := 0; ; v++ {
		document := fmt.Sprintf(`{"v":%d}`, v)
		want = append(want, document)
		n.put(t, "/doc.json", document)
		observer.awaitMessage(t, document)
		if len(observer.conns()) >= 4 {
			break
		}
	}
	all.await(t, "the last document", newest(want[len(want)-1]))
	for _, c := range append(all, observer) {
		if got := c.messages(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("got %d messages %v, want %d, each once", len(got), got, len(want))
		}
	}
}

// R12, R1: HTTP/2 without TLS. One connection carries several routes' streams
// at the same time, without the header that HTTP/2 forbids.
func TestHTTP2Cleartext(t *testing.T) {
	n := startNginx(t)
	s := serve(t, fmt.Sprintf(`
upstream: %s
routes:
  - {path: "/docs/{name}", live_marker: false, poll: {every: 50ms, url: "/docs/{name}.json"}}
`, n.url))
	transport := transportFor(t, "HTTP/2")
	type stream struct {
		name string
		resp *http.Response
		dec  *eventstream.Decoder
	}
	var streams []stream
	for i := range 20 {
		name := fmt.Sprintf("d%d", i)
		n.put(t, "/docs/"+name+".json", fmt.Sprintf(`{%q: 1}`, name))
		req := request(t, http.MethodGet, s.url+"/docs/"+name)
		req.Header.Set("Accept", "text/event-stream")
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if got, want := fmt.Sprintln(resp.Proto, resp.StatusCode, resp.Header["Connection"]), "HTTP/2.0 200 []\n"; got != want {
			t.Errorf("got protocol, status and Connection %q, want %q", got, want)
		}
		if got, want := resp.Header.Get("Cache-Control"), "no-cache, no-transform"; got != want {
			t.Errorf("got Cache-Control %q, want %q", got, want)
		}
		streams = append(streams, stream{name, resp, eventstream.NewDecoder(resp.Body, nil)})
	}
	for v := 1; v <= 2; v++ {
		for _, st := range streams {
			e, err := st.dec.Next()
			if got, want := string(e.Data), fmt.Sprintf(`{%q:%d}`, st.name, v); err != nil || got != want {
				t.Fatalf("got %s (%v), want %s", got, err, want)
			}
			n.put(t, "/docs/"+st.name+".json", fmt.Sprintf(`{%q: %d}`, st.name, v+1))
		}
	}
	s.awaitClients(t, "/docs/{name}", len(streams))
	clients := map[any]bool{}
	for _, line := range s.logged("client connected") {
		clients[line["client"]] = true
	}
	if len(clients) != 1 {
		t.Errorf("got streams on %d connections, want 1", len(clients))
	}
	// R9: one stream's end is noticed, and leaves the others alone.
	_ = streams[0].resp.Body.Close()
	s.awaitClients(t, "/docs/{name}", len(streams)-1)
	if e, err := streams[1].dec.Next(); err != nil || string(e.Data) != `{"d1":3}` {
		t.Errorf("got %s (%v) after another stream's end, want the next document", e.Data, err)
	}
}

// R3: when there is nothing to say, comments keep the connection warm; on a
// busy stream they stay away.
func TestHeartbeat(t *testing.T) {
	n := startNginx(t)
	n.put(t, "/doc.txt", "idle")
	s := serve(t, fmt.Sprintf(`
upstream: %s
routes:
  - {path: /doc.txt, poll: {every: 20ms}, heartbeat: 50ms, live_marker: false}
`, n.url))
	req := request(t, http.MethodGet, s.url+"/doc.txt")
	req.Header.Set("Accept", "text/event-stream")
	resp, err := transportFor(t, "HTTP/1.1").RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	in := bufio.NewReader(resp.Body)
	var got strings.Builder
	for !strings.HasSuffix(got.String(), ":\n:\n:\n:\n:\n") {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatalf("got %q (%v), want heartbeats", got.String(), err)
		}
		got.WriteString(line)
	}
	head, _, _ := strings.Cut(got.String(), ":\n:\n")
	if !strings.HasPrefix(head, "retry: 3000\n") || !strings.HasSuffix(head, "data: idle\n\n") {
		t.Errorf("got %q before the heartbeats, want the retry line and the event", head)
	}
}

// 406 is for who can't take a stream where there is nothing else to have, and
// 404 for what there is none of: neither gets better by waiting.
func TestRefusals(t *testing.T) {
	n := startNginx(t)
	s := serve(t, fmt.Sprintf("routes: [{path: \"/d/{x}\", upstream: %s, poll: {every: 1s}}, {path: /alone, poll: {url: \"%s/doc\"}}]\n", n.url, n.url))
	for _, c := range []struct {
		path, accept string
		want         int
	}{
		{"/alone", "text/html", http.StatusNotAcceptable},
		{"/alone", "", http.StatusOK},
		{"/missing", "text/event-stream", http.StatusNotFound},
		{"/d/..%2f..", "text/event-stream", http.StatusNotFound},
	} {
		req := request(t, http.MethodGet, s.url+c.path)
		if c.accept != "" {
			req.Header.Set("Accept", c.accept)
		}
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.CopyN(io.Discard, resp.Body, 1)
		_ = resp.Body.Close()
		if resp.StatusCode != c.want {
			t.Errorf("GET %s, accept %q: got %d, want %d", c.path, c.accept, resp.StatusCode, c.want)
		}
	}
}
