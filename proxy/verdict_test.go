package proxy

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sidestream/adapters"
)

// later makes a request whose answer may take a while.
func (w *world) later(path string, headers ...string) <-chan *http.Response {
	answer := make(chan *http.Response, 1)
	go func() { answer <- w.get(path, headers...) }()
	synctest.Wait()
	return answer
}

const guarded = `routes: [{path: /a, headers: {Access-Control-Allow-Origin: "https://app"}, api: {forward: [Authorization]}, live_marker: false}]`

// The answer to a request waits for the upstream's first word.
func TestVerdict(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int // of the upstream
		want   int // that of the answer, or 0 for none yet
		events []string
	}{
		{"none", unanswered, 0, nil},
		{"well", 200, 200, []string{`v0 {"Authorization":["ann"]}`}},
		{"unauthorized", 401, 401, nil},
		{"forbidden", 403, 403, nil},
		{"down", 503, 200, []string{` stream.stale …`}}, // R6
		{"over", 410, 200, []string{`-1 stream.end {}`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, guarded, func(w *world) {
				w.api.answer("ann", unanswered)
				answer := w.later("/a", "Authorization: ann")
				after(5 * time.Second)
				if len(answer) > 0 {
					t.Error("answered before the upstream was heard of")
				}
				w.api.answer("ann", tt.status)
				if tt.want == 0 {
					after(4 * time.Second)
					if len(answer) > 0 {
						t.Errorf("answered before %v have passed", verdictTime)
					}
					after(2 * time.Second)
					tt.want = http.StatusOK // R6, and a refusal comes as the last event
				}
				resp := <-answer
				if resp.StatusCode != tt.want {
					t.Fatalf("got status %d, want %d", resp.StatusCode, tt.want)
				}
				c := &connection{w: w, resp: resp, done: make(chan struct{})}
				go c.read()
				c.wants(tt.events...)
				if tt.name == "none" {
					w.api.answer("ann", 401)
					c.wants(`-1 stream.end {"status":401,"reason":"denied"}`)
				}
				c.drop()
			})
		})
	}
}

func TestDenial(t *testing.T) {
	inWorld(t, guarded, func(w *world) {
		w.api.answer("ann", http.StatusUnauthorized)
		resp := w.get("/a", "Authorization: ann")
		for name, want := range map[string]string{
			"Www-Authenticate":            `Bearer realm="api"`,
			"Cache-Control":               "no-store",
			"Vary":                        "Accept, Authorization",
			"Content-Type":                "text/plain; charset=utf-8",
			"Access-Control-Allow-Origin": "https://app",
			"X-Forged":                    "",
		} {
			if got := strings.Join(resp.Header.Values(name), "; "); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
		_ = resp.Body.Close()
		if got := w.api.sources(); got != 0 {
			t.Errorf("sources after the denial: got %d, want 0", got)
		}
		for name, want := range map[string]string{
			`sidestream_streams{route="/a"}`:                             "0",
			`sidestream_sources{route="/a",state="starting"}`:            "0",
			`sidestream_disconnects_total{reason="denied",route="/a"}`:   "1",
			`sidestream_clients{route="/a"}`:                             "0",
			`sidestream_sources{route="/a",state="fresh"}`:               "0",
			`sidestream_disconnects_total{reason="unopened",route="/a"}`: "0",
		} {
			if got := w.metric(name); got != want {
				t.Errorf("%s: got %s, want %s", name, got, want)
			}
		}
		// The next request asks anew.
		w.api.answer("ann", http.StatusOK)
		c := w.connect("/a", "Authorization: ann")
		defer c.drop()
		c.wants(`v0 {"Authorization":["ann"]}`)
		// HEAD asks nobody.
		head := w.do(http.MethodHead, "/a", "Authorization: ben")
		if got := head.Header.Get("Content-Type"); head.StatusCode != http.StatusOK || got != eventStreamType {
			t.Errorf("HEAD: got status %d, Content-Type %q", head.StatusCode, got)
		}
	})
}

// Credentials that were good, and no longer are: an expired token.
func TestDeniedLater(t *testing.T) {
	inWorld(t, `routes: [{path: /a, api: {forward: [Authorization]}, end: {id: bye, event: over}, live_marker: false}]`, func(w *world) {
		ann, ben := w.connect("/a", "Authorization: ann"), w.connect("/a", "Authorization: ben")
		lingering := w.connect("/a", "Authorization: cid")
		lingering.drop()
		for _, who := range []string{"ann", "cid"} {
			w.api.answer(who, http.StatusForbidden)
		}
		ann.wants(`v0 {"Authorization":["ann"]}`, `bye over {"status":403,"reason":"denied"}`)
		if !ann.ended() || ben.ended() {
			t.Error("the one who is denied stays, or the other was sent away")
		}
		if got := retryLines(ann.bytes()); len(got) != 1 {
			t.Errorf("retry: got %v, want only the one at the start", got)
		}
		resp := w.get("/a", "Authorization: ann", "Last-Event-ID: bye") // what EventSource does by itself
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusNoContent {
			t.Errorf("on its return: got status %d, want 204", resp.StatusCode)
		}
		w.api.answer("ann", http.StatusOK)
		again := w.connect("/a", "Authorization: ann")
		again.wants(`v0 {"Authorization":["ann"]}`)
		for name, want := range map[string]string{
			`sidestream_streams{route="/a"}`:                           "2",
			`sidestream_sources{route="/a",state="fresh"}`:             "2",
			`sidestream_disconnects_total{reason="denied",route="/a"}`: "1",
		} {
			if got := w.metric(name); got != want {
				t.Errorf("%s: got %s, want %s", name, got, want)
			}
		}
		if log := w.log.String(); !strings.Contains(log, `"from":"fresh","to":"denied","reason":"upstream refused the client's credentials with status 403"`) {
			t.Errorf("the log doesn't tell of the denial:\n%s", log)
		}
		again.drop()
		ben.drop()
	})
}

// Without forwarded credentials it is the configuration's that are refused,
// which somebody may mend.
func TestDenialOfNobody(t *testing.T) {
	inWorld(t, `routes: [{path: /a, api: {}, live_marker: false}]`, func(w *world) {
		w.api.answer("", http.StatusUnauthorized)
		c := w.connect("/a")
		defer c.drop()
		c.wants(` stream.stale …`)
		w.api.answer("", http.StatusOK)
		after(time.Minute)
		c.wants(` stream.stale …`, ` stream.fresh …`, `v0 {}`)
	})
}

// Whoever waits for the verdict can go away, or be sent.
func TestLeavingBeforeTheVerdict(t *testing.T) {
	inWorld(t, guarded, func(w *world) {
		w.api.answer("ann", unanswered)
		conn, err := w.public.dial(w.t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprint(conn, "GET /a HTTP/1.1\r\nHost: x\r\nAuthorization: ann\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := w.metric(`sidestream_clients{route="/a"}`); got != "1" {
			t.Errorf("clients: got %s, want 1", got)
		}
		_ = conn.Close()
		synctest.Wait()
		if got := w.api.sources(); got != 0 {
			t.Errorf("sources for nobody: got %d, want 0, without linger", got)
		}
		if got := w.metric(`sidestream_disconnects_total{reason="gone",route="/a"}`); got != "1" {
			t.Errorf("counted as gone: got %s, want 1", got)
		}

		reloaded := w.later("/a", "Authorization: ann")
		w.server.Reload(w.parse(strings.Replace(guarded, "headers:", "retry: 1s, headers:", 1)))
		synctest.Wait()
		resp := <-reloaded
		if resp.StatusCode != http.StatusOK {
			t.Errorf("on a reload: got status %d, want 200", resp.StatusCode)
		}
		_ = resp.Body.Close()

		draining := w.later("/a", "Authorization: ann")
		w.stop()
		resp = <-draining
		if resp.StatusCode != http.StatusOK {
			t.Errorf("in a drain: got status %d, want 200", resp.StatusCode)
		}
		_ = resp.Body.Close()
	})
}

// A private replay can be what finds out.
func TestReplayThatIsDenied(t *testing.T) {
	inWorld(t, `routes: [{path: /r, log: {name: r, forward: [Authorization]}}]`, func(w *world) {
		w.publish("r", numbers(1, 3)...)
		first := w.connect("/r", "Authorization: ann")
		w.publish("r", "4")
		w.server.table.Load().endpoints[0].opened()[0].source = denying{}
		c := w.connect("/r", "Authorization: ann", "Last-Event-ID: r.0.1")
		c.wants(`-1 stream.end {"status":401,"reason":"denied"}`)
		first.wants("r.0.4 4", `-1 stream.end {"status":401,"reason":"denied"}`)
		again := w.connect("/r", "Authorization: ann", "Last-Event-ID: r.0.1")
		again.wants(replayed(2, 4)...)
		again.drop()
	})
}

// denying is a source of an upstream that refuses its credentials.
type denying struct{}

func (denying) Run(context.Context, adapters.Position, func(adapters.Event) error) error {
	return &adapters.DeniedError{Status: http.StatusUnauthorized}
}
