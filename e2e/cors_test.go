package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// elsewherePage has what its tests do with streams of another origin.
const elsewherePage = `<!doctype html>
<title>elsewhere</title>
<script>
// listen follows a stream with an EventSource.
function listen(url, withCredentials) {
	const heard = { data: [], opened: 0, errors: 0, state: () => heard.source.readyState };
	heard.source = new EventSource(url, { withCredentials });
	heard.source.onopen = () => heard.opened++;
	heard.source.onerror = () => heard.errors++;
	heard.source.onmessage = (e) => heard.data.push(e.data);
	heard.source.addEventListener("snapshot", (e) => heard.data.push(e.data));
	return heard;
}
// ask makes a request as clients in JavaScript do, which send headers of their
// own, and reads the answer to its end, or to that of the first event.
async function ask(url, options = {}) {
	const given = { text: "", done: false };
	window.asked = given;
	try {
		const answer = await fetch(url, options);
		given.status = answer.status;
		given.build = answer.headers.get("X-Build") ?? "";
		const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
		for (let more = reader; more && !given.text.includes("\n\n");) {
			const { value, done } = await reader.read();
			given.text += value ?? "";
			more = !done;
		}
		await reader?.cancel();
	} catch (e) {
		given.error = e.name;
	}
	given.done = true;
}
</script>
`

// elsewhere serves that page at an origin of its own.
func elsewhere(t *testing.T) (origin string) {
	t.Helper()
	return app(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, elsewherePage)
	})
}

// hearing is what a page has heard of a stream.
type hearing struct {
	Data   []string
	Opened int
	Errors int
	State  int // 0: connecting, 1: open, 2: closed for good
}

// listen has the page follow a stream, and returns what asks for what it has
// heard.
func (p *tab) listen(t *testing.T, url string, withCredentials bool) func() hearing {
	t.Helper()
	name := fmt.Sprintf("heard%d", time.Now().UnixNano())
	eval[bool](t, p, fmt.Sprintf("((window.%s = listen(%q, %v)), true)", name, url, withCredentials))
	return func() hearing {
		return eval[hearing](t, p, fmt.Sprintf("(({data, opened, errors, source}) => ({Data: data, Opened: opened, Errors: errors, State: source.readyState}))(%s)", name))
	}
}

// answered is what a page got for a request.
type answered struct {
	Status             int
	Text, Build, Error string
	Done               bool
}

// ask has the page make a request, options being those of fetch.
func (p *tab) ask(t *testing.T, url, options string) answered {
	t.Helper()
	eval[bool](t, p, fmt.Sprintf("(ask(%q, %s), true)", url, options))
	var got answered
	wait(t, "an answer to "+url, func() (any, bool) {
		got = eval[answered](t, p, "({Status: asked.status ?? 0, Text: asked.text, Build: asked.build ?? '', Error: asked.error ?? '', Done: asked.done})")
		return got, got.Done
	})
	return got
}

const numbers = "generate: {every: 20ms, data: '{{.N}}'}, retry: 100ms, history: {events: 100000}"

// X9, R10: a page of another origin gets a stream with its cookie, and resumes
// it as one of the same origin does.
func TestCrossOriginWithCredentials(t *testing.T) {
	t.Parallel()
	_, vault := newVault(t)
	origin := elsewhere(t)
	s := serve(t, fmt.Sprintf(`
defaults: {cors: {origins: ["https://app.example.com", %q], credentials: true}}
routes:
  - {path: /numbers, %s}
  - {path: /vault, poll: {url: %q, every: 50ms, forward: [Cookie]}}
`, origin, numbers, vault))
	network := newCutter(t, s.url)
	page := startBrowser(t).open(t, origin)
	eval[string](t, page, `document.cookie = "session=`+secret+`"`)

	mine := page.listen(t, network.url+"/vault", true)
	anonymous := page.listen(t, network.url+"/vault", false)
	wait(t, "data of the cookie's owner", func() (any, bool) {
		got := mine()
		return got, len(got.Data) > 0 && strings.Contains(got.Data[0], "session="+secret)
	})
	wait(t, "a refusal without the cookie", func() (any, bool) {
		got := anonymous()
		return got, got.State == 2 && len(got.Data) == 0
	})

	heard := page.listen(t, network.url+"/numbers", true)
	for cuts := range 3 {
		wait(t, "numbers over the next connection", func() (any, bool) {
			got := heard()
			return got, got.Opened > cuts && len(got.Data) > 10*(cuts+1)
		})
		cut := network.cut()
		wait(t, "a request that resumes, with the cookie", func() (any, bool) {
			again := network.requestsFor("GET /numbers", cut)
			return again, len(again) > 0 && strings.Contains(strings.ToLower(again[0].text), "\r\nlast-event-id: ") &&
				strings.Contains(again[0].text, "session="+secret) && strings.Contains(again[0].text, "Origin: "+origin)
		})
	}
	got := heard()
	for i, data := range got.Data {
		if want := strconv.Itoa(i + 1); data != want {
			t.Fatalf("got number %s, want %s, after %d connections", data, want, got.Opened)
		}
	}
	if asked := network.requestsFor("OPTIONS ", time.Time{}); len(asked) > 0 {
		t.Errorf("got preflights of EventSource, %v, want none", asked)
	}
}

// R10: a page whose origin isn't on the list gets nothing of a stream, nor one
// with credentials where all origins are.
func TestCrossOriginRefused(t *testing.T) {
	t.Parallel()
	listed, other := elsewhere(t), elsewhere(t)
	s := serve(t, fmt.Sprintf(`
routes:
  - {path: /listed, %[2]s, cors: {origins: [%[1]q], credentials: true}}
  - {path: /plain, %[2]s, cors: {origins: [%[1]q]}}
  - {path: /any, %[2]s, cors: {origins: "*"}}
  - {path: /own, %[2]s}
`, listed, numbers))
	b := startBrowser(t)
	pages := map[string]*tab{listed: b.open(t, listed), other: b.open(t, other)}
	for _, tt := range []struct {
		origin, path    string
		withCredentials bool
		gets            bool
	}{
		{listed, "/listed", true, true},
		{listed, "/listed", false, true},
		{other, "/listed", true, false},
		{other, "/listed", false, false},
		{listed, "/plain", false, true},
		{listed, "/plain", true, false},
		{other, "/any", false, true},
		{other, "/any", true, false},
		{listed, "/own", false, false},
	} {
		page := pages[tt.origin]
		heard := page.listen(t, s.url+tt.path, tt.withCredentials)
		wait(t, fmt.Sprintf("the outcome of %+v", tt), func() (any, bool) {
			got := heard()
			return got, tt.gets && len(got.Data) > 0 || !tt.gets && got.State == 2 && got.Opened == 0 && len(got.Data) == 0
		})
		// Before the next one, as a browser has six connections at most (R12).
		page.do(t, chromedp.Navigate(tt.origin))
	}
}

// X10, R10: a client that is made of fetch sends headers, for which the browser
// asks beforehand.
func TestCrossOriginFetch(t *testing.T) {
	t.Parallel()
	origin := elsewhere(t)
	s := serve(t, fmt.Sprintf(`
routes:
  - {path: /numbers, query: [q], %s, headers: {X-Build: "42"}, cors: {origins: [%q], headers: [X-Tenant], expose: [X-Build]}}
`, numbers, origin))
	network := newCutter(t, s.url)
	page := startBrowser(t).open(t, origin)
	const accept = `Accept: "text/event-stream", "Cache-Control": "no-cache"`

	first := page.ask(t, network.url+"/numbers", `{headers: {`+accept+`, Authorization: "Bearer x", "X-Tenant": "t"}}`)
	id, data := event(t, first.Text)
	if first.Status != http.StatusOK || first.Build != "42" {
		t.Errorf("got status %d and X-Build %q, want 200 and 42", first.Status, first.Build)
	}
	asked := network.requestsFor("OPTIONS /numbers", time.Time{})
	if len(asked) != 1 || !strings.Contains(asked[0].text, "authorization,cache-control,x-tenant") {
		t.Fatalf("got preflights %v, want one for authorization,cache-control,x-tenant", asked)
	}
	second := page.ask(t, network.url+"/numbers", `{headers: {`+accept+`, Authorization: "Bearer x", "Last-Event-ID": "`+id+`"}}`)
	if _, next := event(t, second.Text); next != data+1 {
		t.Errorf("got number %d after %d, want the next", next, data)
	}
	if got := network.requestsFor("GET /numbers", time.Time{}); len(got) != 2 || !strings.Contains(got[1].text, "Bearer x") {
		t.Errorf("got requests %v, want two with the credentials", got)
	}

	// What isn't granted isn't sent.
	before := time.Now()
	if got := page.ask(t, network.url+"/numbers", `{headers: {`+accept+`, "X-Other": "1"}}`); got.Error != "TypeError" {
		t.Errorf("with a header that isn't listed: got %+v, want a TypeError", got)
	}
	if got := network.requestsFor("GET /numbers", before); len(got) > 0 {
		t.Errorf("got %v, want nothing sent that wasn't granted", got)
	}

	// The page sees why it gets no stream.
	for path, want := range map[string]int{"/numbers?lastEventId=-1": http.StatusNoContent, "/numbers?q=1&q=2": http.StatusBadRequest} {
		if got := page.ask(t, network.url+path, "{}"); got.Status != want || got.Error != "" {
			t.Errorf("%s: got %+v, want status %d", path, got, want)
		}
	}
	if got := page.ask(t, network.url+"/numbers", `{headers: {Accept: "application/json"}}`); got.Status != http.StatusNotAcceptable {
		t.Errorf("for JSON: got %+v, want status 406", got)
	}
}

// R6, R10: a page of another origin for which there is no room comes back, and
// doesn't take it for an error.
func TestCrossOriginWithoutRoom(t *testing.T) {
	t.Parallel()
	origin := elsewhere(t)
	for name, bound := range map[string]string{
		"of the route":   "routes: [{path: /numbers, max_clients: 1",
		"in all":         "limits: {clients: 1, retry: 200ms}\nroutes: [{path: /numbers",
		"of the address": "limits: {clients_per_address: 1, retry: 200ms}\nroutes: [{path: /numbers",
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(bound, "limits") {
				bound = "limits: {retry: 200ms}\n" + bound
			}
			s := serve(t, fmt.Sprintf("%s, %s, cors: {origins: [%q], credentials: true}}]\n", bound, numbers, origin))
			_, leave := gather(t, s.url+"/numbers", 1)
			s.awaitClients(t, "/numbers", 1)
			heard := startBrowser(t).open(t, origin).listen(t, s.url+"/numbers", true)
			wait(t, "two attempts", func() (any, bool) {
				got := heard()
				if got.State == 2 || len(got.Data) > 0 {
					t.Fatalf("got %+v, want it to come back", got)
				}
				return got, got.Opened >= 2 && got.Errors >= 2
			})
			leave()
			wait(t, "numbers, now that there is room", func() (any, bool) {
				got := heard()
				return got, len(got.Data) > 0
			})
		})
	}
}

// At the URL of a stream the application's own answers have its own policy,
// and it is asked for what the stream's doesn't grant.
func TestCrossOriginApplication(t *testing.T) {
	t.Parallel()
	origin := elsewhere(t)
	legacy := app(t, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Vary", "Cookie")
		if r.URL.Path == "/open" {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Allow-Methods", "PUT")
			h.Set("Access-Control-Allow-Headers", "x-legacy")
		}
		_, _ = fmt.Fprintf(w, "%q", r.Method+r.Header.Get("X-Legacy"))
	})
	s := serve(t, fmt.Sprintf(`
upstream: %s
defaults: {cors: {origins: [%q]}, poll: {every: 100ms}}
routes:
  - {path: /open, poll: {}}
  - {path: /closed, poll: {}}
`, legacy, origin))
	page := startBrowser(t).open(t, origin)
	for _, tt := range []struct {
		path, options string
		want          string // the answer; "" for one that the page may not read
	}{
		{"/open", `{headers: {Accept: "text/event-stream"}}`, `data: "GET"`},
		{"/closed", `{headers: {Accept: "text/event-stream"}}`, `data: "GET"`},
		{"/open", `{}`, `"GET"`},
		{"/closed", `{}`, ""},
		{"/open", `{method: "PUT"}`, `"PUT"`},
		{"/closed", `{method: "PUT"}`, ""},
		{"/open", `{headers: {"X-Legacy": "1"}}`, `"GET1"`},
		{"/closed", `{headers: {"X-Legacy": "1"}}`, ""},
	} {
		got := page.ask(t, s.url+tt.path, tt.options)
		if tt.want == "" && got.Error != "TypeError" || !strings.Contains(got.Text, tt.want) {
			t.Errorf("%s %s: got %+v, want %q", tt.path, tt.options, got, tt.want)
		}
	}
	resp, _ := send(t, s.url, "GET /closed HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	if got, want := strings.Join(resp.Header.Values("Vary"), ", "), "Cookie, Accept"; got != want {
		t.Errorf("got Vary %q of the application beside a stream, want %q", got, want)
	}
}

// event returns the id and the number of the first event of a stream.
func event(t *testing.T, stream string) (id string, n int) {
	t.Helper()
	for line := range strings.Lines(stream) {
		if value, ok := strings.CutPrefix(line, "id: "); ok {
			id = strings.TrimSpace(value)
		}
		if value, ok := strings.CutPrefix(line, "data: "); ok {
			if _, err := fmt.Sscan(value, &n); err == nil && id != "" {
				return id, n
			}
		}
	}
	t.Fatalf("got stream %q, want an event with an id and a number", stream)
	return "", 0
}
