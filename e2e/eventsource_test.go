package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// heard is what an EventSource has dispatched.
type heard struct {
	Kind  string // open, error, or an event's type
	Data  string
	ID    string // lastEventId
	State int    // readyState: 0 connecting, 1 open, 2 closed
}

// page has the JavaScript that listens in a browser.
const page = `<!doctype html>
<title>e2e</title>
<script>
const heard = [];
function listen(url, types) {
	const source = new EventSource(url);
	for (const type of ["open", "error", "message", ...types]) {
		source.addEventListener(type, (e) => {
			heard.push({kind: e.type, data: e.data ?? "", id: e.lastEventId ?? "", state: source.readyState});
		});
	}
}
</script>
`

// listen starts an EventSource for base + path that listens for the default
// and for further types, and returns what asks it for what it has heard.
type listen func(t *testing.T, base, path string, types ...string) (ask func() []heard)

// TestEventSource runs what a page does with streams in Chromium and, as far
// as they are the same, in the npm package eventsource.
func TestEventSource(t *testing.T) {
	chromium := startBrowser(t)
	for name, listen := range map[string]listen{
		"chromium": func(t *testing.T, base, path string, types ...string) func() []heard {
			t.Helper()
			tab := chromium.open(t, base+"/page.html")
			arguments, err := json.Marshal(append([]string{}, types...))
			if err != nil {
				t.Fatal(err)
			}
			eval[bool](t, tab, fmt.Sprintf("listen(%q, %s) ?? true", path, arguments))
			return func() []heard { return eval[[]heard](t, tab, "heard") }
		},
		"npm": func(t *testing.T, base, path string, types ...string) func() []heard {
			t.Helper()
			p := node(t, "listen.js", slices.Concat([]string{base + path}, types)...)
			return func() []heard { return lines[heard](t, p) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Run("types, lines and ids", func(t *testing.T) { testKinds(t, listen) })
			t.Run("retry", func(t *testing.T) { testRetry(t, listen) })
			t.Run("nothing lost or repeated", func(t *testing.T) { testCuts(t, listen) })
			t.Run("end", func(t *testing.T) { testEnd(t, listen) })
			t.Run("heartbeats", func(t *testing.T) { testHeartbeats(t, listen) })
			t.Run("stale and fresh", func(t *testing.T) { testStale(t, listen) })
		})
	}
}

// onStage starts nginx with the page, a sidestream in front of it with one
// route, and a network in between that can be cut.
func onStage(t *testing.T, options ...string) (*nginx, *sidestream, *cutter) {
	t.Helper()
	n := startNginx(t)
	n.put(t, "/page.html", page)
	n.put(t, "/doc.json", `{"v": 0}`)
	s := serve(t, plain(n, "20ms", options...))
	return n, s, newCutter(t, s.url)
}

// X2, W2, C1: events with a type reach its listeners, those without one
// "message", lines come back as lines, and every event has its own id.
func testKinds(t *testing.T, listen listen) { //nolint:thelper // a test, run with each client
	n, s, network := onStage(t, "    event: {type: .type, data: .data}")
	n.put(t, "/doc.json", `{"type": null, "data": "first"}`)
	ask := listen(t, network.url, "/doc.json", "join", "leave")
	reference := follow(t, s.url+"/doc.json")
	want := []heard{{Kind: "open", State: 1}, {Kind: "message", Data: "first", State: 1}}
	awaitHeard(t, ask, want)
	for _, e := range []heard{
		{Kind: "join", Data: `ann "and" bob`},
		{Kind: "message", Data: "one\ntwo\n\nfour\n"},
		{Kind: "leave", Data: " naïve — 🎈"},
		{Kind: "message", Data: "a\nb\nc", ID: "sent as a\rb\r\nc"},
		{Kind: "join", Data: ""},
	} {
		typ := any(e.Kind)
		if typ == "message" {
			typ = nil
		}
		text, wire := e.Data, e.ID != ""
		if wire {
			text = "a\rb\r\nc"
		}
		document, err := json.Marshal(map[string]any{"type": typ, "data": text})
		if err != nil {
			t.Fatal(err)
		}
		n.put(t, "/doc.json", string(document))
		e.ID, e.State = "", 1
		want = append(want, e)
		awaitHeard(t, ask, want)
	}
	events := reference.await(t, len(want)-1)
	seen := map[string]bool{}
	for i, h := range ask()[1:] {
		if h.ID != events[i].ID || h.ID == "" || seen[h.ID] {
			t.Errorf("event %d: got id %q, want %q, another for each", i, h.ID, events[i].ID)
		}
		seen[h.ID] = true
	}
}

// X6, R4: the client waits as long as the server says, and comes back with
// the id of the last event.
func testRetry(t *testing.T, listen listen) { //nolint:thelper // a test, run with each client
	const retry = 700 * time.Millisecond
	_, _, network := onStage(t, "    retry: "+retry.String())
	ask := listen(t, network.url, "/doc.json")
	awaitHeard(t, ask, []heard{{Kind: "open", State: 1}, {Kind: "message", Data: `{"v":0}`, State: 1}})
	id := ask()[1].ID
	cut := network.cut()
	var requests []sent
	wait(t, "a request after the cut", func() (any, bool) {
		requests = network.requestsFor("GET /doc.json ", cut)
		return requests, len(requests) > 0
	})
	// Clients' own default is 3s and more.
	if got := requests[0].at.Sub(cut); got < retry || got > 3*retry {
		t.Errorf("got a reconnect after %v, want it after %v", got, retry)
	}
	if !strings.Contains(strings.ToLower(requests[0].text), "\r\nlast-event-id: "+strings.ToLower(id)+"\r\n") {
		t.Errorf("got a reconnect without the last event id %q:\n%s", id, requests[0].text)
	}
	// Nothing has changed, and so nothing comes again.
	awaitHeard(t, ask, []heard{
		{Kind: "open", State: 1}, {Kind: "message", Data: `{"v":0}`, State: 1},
		{Kind: "error", State: 0}, {Kind: "open", State: 1},
	})
}

// R4, C1: whenever the connection is cut, the events go on where they were.
func testCuts(t *testing.T, listen listen) { //nolint:thelper // a test, run with each client
	n, s, network := onStage(t, "    retry: 50ms")
	ask := listen(t, network.url, "/doc.json")
	observer := follow(t, s.url+"/doc.json")
	var want []string
	for v := range 60 {
		if v%15 == 14 {
			network.cut()
		}
		want = append(want, fmt.Sprintf(`{"v":%d}`, v))
		n.put(t, "/doc.json", want[v])
		observer.awaitMessage(t, want[v])
		if v == 0 {
			awaitHeard(t, ask, []heard{{Kind: "open", State: 1}, {Kind: "message", Data: want[0], State: 1}})
		}
	}
	wait(t, "the last document, and 5 connections", func() (any, bool) {
		messages, opened := messagesOf(ask())
		return messages, opened == 5 && len(messages) > 0 && messages[len(messages)-1] == want[len(want)-1]
	})
	if got, _ := messagesOf(ask()); !slices.Equal(got, want) {
		t.Errorf("got %d messages %v, want %d, each once", len(got), got, len(want))
	}
}

// R5, R7: a stream that has ended for good says so, and the 204 to the
// reconnect makes the client stay away.
func testEnd(t *testing.T, listen listen) { //nolint:thelper // a test, run with each client
	n, _, network := onStage(t, "    retry: 50ms", `    end: {data: "thank you"}`)
	ask := listen(t, network.url, "/doc.json", "stream.end")
	want := []heard{{Kind: "open", State: 1}, {Kind: "message", Data: `{"v":0}`, State: 1}}
	awaitHeard(t, ask, want)
	n.end(t, "/doc.json")
	want = append(want,
		heard{Kind: "stream.end", Data: "thank you", State: 1},
		heard{Kind: "error", State: 0},
		heard{Kind: "error", State: 2},
	)
	awaitHeard(t, ask, want)
	if got := ask()[2].ID; got != "-1" {
		t.Errorf("got id %q of the end, want -1", got)
	}
}

// R3, C2: heartbeats keep the connection warm, and no listener hears them.
func testHeartbeats(t *testing.T, listen listen) { //nolint:thelper // a test, run with each client
	n, s, network := onStage(t, "    heartbeat: 50ms")
	ask := listen(t, network.url, "/doc.json")
	want := []heard{{Kind: "open", State: 1}, {Kind: "message", Data: `{"v":0}`, State: 1}}
	awaitHeard(t, ask, want)

	req := request(t, http.MethodGet, s.url+"/doc.json")
	req.Header.Set("Accept", "text/event-stream")
	resp, err := transportFor(t, "HTTP/1.1").RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	beats := 0
	for in := bufio.NewScanner(resp.Body); beats < 20 && in.Scan(); {
		if in.Text() == ":" {
			beats++
		}
	}
	if beats < 20 {
		t.Fatalf("got %d heartbeats and an end, want 20", beats)
	}

	n.put(t, "/doc.json", `{"v": 1}`)
	awaitHeard(t, ask, append(want, heard{Kind: "message", Data: `{"v":1}`, State: 1}))
}

// Plain JavaScript hears that the upstream has failed, and that it is back,
// on the connection that it has.
func testStale(t *testing.T, listen listen) { //nolint:thelper // a test, run with each client
	n, _, network := onStage(t)
	ask := listen(t, network.url, "/doc.json", "stream.stale", "stream.fresh")
	awaitHeard(t, ask, []heard{{Kind: "open", State: 1}, {Kind: "message", Data: `{"v":0}`, State: 1}})
	n.kill()
	wait(t, "stream.stale", func() (any, bool) {
		all := ask()
		return all, len(all) == 3 && all[2].Kind == "stream.stale"
	})
	n.put(t, "/doc.json", `{"v": 1}`)
	n.start(t)
	wait(t, "stream.fresh and the new document", func() (any, bool) {
		all := ask()
		return all, len(all) == 5
	})
	all := ask()
	if got, want := all[3].Kind+" "+all[4].Data, `stream.fresh {"v":1}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, h := range all[2:4] {
		var data struct {
			Since  time.Time
			Reason string
		}
		if err := json.Unmarshal([]byte(h.Data), &data); err != nil || data.Since.IsZero() || data.Reason == "" {
			t.Errorf("got %s with %q (%v), want since and reason", h.Kind, h.Data, err)
		}
		if h.ID != all[1].ID {
			t.Errorf("got %s with id %q, want that of the event before it, %q", h.Kind, h.ID, all[1].ID)
		}
	}
}

// awaitHeard waits until as much was heard as want has, and compares all but
// the ids.
func awaitHeard(t *testing.T, ask func() []heard, want []heard) {
	t.Helper()
	var got []heard
	wait(t, fmt.Sprintf("%v heard", want), func() (any, bool) {
		got = ask()
		return got, len(got) >= len(want)
	})
	for i := range got {
		got[i].ID = ""
	}
	if !slices.Equal(got, want) {
		t.Fatalf("got %+v heard, want %+v", got, want)
	}
}

// messagesOf returns the data of the messages, and how often a connection was
// opened.
func messagesOf(all []heard) (data []string, opened int) {
	for _, h := range all {
		switch h.Kind {
		case "message":
			data = append(data, h.Data)
		case "open":
			opened++
		}
	}
	return data, opened
}
