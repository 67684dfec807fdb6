package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A rehearsal is what all clients are put through at the same time. Each has
// every stream behind a network of its own.
type rehearsal struct {
	steady    *sidestream // stays up,
	killed    *sidestream // and is killed
	failing   atomic.Bool // the API that is polled answers 503
	followers map[string][]*follower
	verdicts  []verdict
}

// rehearsalPatience is how long a rehearsal waits for what should happen soon,
// to many clients at a time.
const rehearsalPatience = 3 * patience

// toldToWait is how long the clients of the stream "retry" are told to wait: longer
// than any of them waits by itself.
const toldToWait = 8 * time.Second

const steadyTable = `
upstream: %s
defaults: {retry: 50ms, history: {replay: all}, webhook: {verify: {none: true}}, event: {type: .type, data: .data}}
routes:
  - {path: /kinds, webhook: {}, heartbeat: 100ms}
  - {path: /large, webhook: {max_body: 4MiB}, max_event_size: 2MiB}
  - {path: /retry, webhook: {}, retry: %v}
  - {path: /cut, webhook: {}}
  - {path: /closed, max_age: 1s, history: {replay: none, events: 10000}, generate: {every: 100ms, data: '{"data": "{{.N}}"}'}}
  - {path: /end, linger: 10m, end: {data: thank you}, generate: {every: 100ms, count: 3, data: '{"data": "{{.N}}"}'}}
  - {path: /stale, history: {replay: none}, backoff: {min: 50ms, max: 200ms}, event: {type: "", data: ""}, poll: {every: 100ms}}
`

const killedTable = `
upstream: %s
history: {nats: {embedded: {dir: %q}}}
defaults: {retry: 200ms, webhook: {verify: {none: true}}, event: {type: .type, data: .data}}
routes:
  - {path: /killed, webhook: {}, history: {durable: true, replay: all}}
  - {path: /gap, webhook: {}, history: {replay: all}}
`

var (
	steadyStreams = []string{"kinds", "large", "retry", "cut", "closed", "end", "stale"}
	killedStreams = []string{"killed", "gap"}
)

// TestRealClients puts clients that are in wide use, none of them written
// here, through what a stream can bring: kinds of payloads (W2, W5, W7, C3,
// C6, C7, X2), heartbeats (R3, C2), retry (W6, X6), connections that are cut or
// closed, and a server that is killed (R4, R8, C1, C5, X5, X10), the end (R5, R7),
// and Sidestream's own events. Where a client does otherwise than the standard says,
// that is in the table of clients, and what it does is checked all the same.
func TestRealClients(t *testing.T) {
	t.Parallel()
	r := &rehearsal{followers: map[string][]*follower{}}
	behind := app(t, r.behind())
	r.steady = serve(t, fmt.Sprintf(steadyTable, behind, toldToWait))
	r.killed = serve(t, fmt.Sprintf(killedTable, behind, t.TempDir()))
	cast := &cast{}
	for _, c := range realClients {
		urls := map[string]string{}
		var followers []*follower
		for s, streams := range map[*sidestream][]string{r.steady: steadyStreams, r.killed: killedStreams} {
			for _, stream := range streams {
				network := newCutter(t, s.url)
				urls[stream] = network.url + "/" + stream
				followers = append(followers, &follower{realClient: c, stream: stream, network: network})
			}
		}
		heard := c.start(t, cast, urls)
		for _, f := range followers {
			f.recorder = heard
			r.followers[f.stream] = append(r.followers[f.stream], f)
		}
	}

	// What takes time goes on while the rest is played.
	checkRetry := r.retry(t)
	checkLarge := r.large(t)
	r.kinds(t)
	r.cuts(t)
	r.stale(t)
	r.kill(t)
	checkLarge()
	checkRetry()
	r.closed(t)
	r.end(t)
	r.again(t)
}

// behind is the application: an API to be polled, and the browsers' pages.
func (r *rehearsal) behind() http.HandlerFunc {
	var polls atomic.Int64
	return func(w http.ResponseWriter, req *http.Request) {
		switch path := req.URL.Path; {
		case path == "/stale" && r.failing.Load():
			polls.Add(1)
			http.Error(w, "down", http.StatusServiceUnavailable)
		case path == "/stale":
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"failed": %v}`, polls.Load() > 0)
		case strings.HasPrefix(path, "/modules/"):
			name := strings.TrimPrefix(path, "/modules/")
			if filepath.Ext(name) == "" {
				name += ".js" // as bundlers find it
			}
			http.ServeFile(w, req, filepath.Join("node", "node_modules", filepath.FromSlash(name)))
		case filepath.Ext(path) == ".html":
			http.ServeFile(w, req, filepath.Join("pages", filepath.Base(path)))
		default:
			http.ServeFile(w, req, filepath.Join("node", filepath.Base(path)))
		}
	}
}

// publishHook makes an event of a webhook's stream; no type stands for the
// default. It insists, since a server that was just started may not be ready.
func publishHook(t *testing.T, s *sidestream, stream, typ, data string) {
	t.Helper()
	message := map[string]any{"type": nil, "data": data}
	if typ != "" {
		message["type"] = typ
	}
	text, err := json.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	transport := transportFor(t, "HTTP/1.1")
	wait(t, "the webhook accepted", func() (any, bool) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/"+stream, strings.NewReader(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := transport.RoundTrip(req)
		if err != nil {
			return err, false
		}
		defer resp.Body.Close()
		return resp.Status, resp.StatusCode == http.StatusNoContent
	})
}

// An item is an event that all clients should hear as it is.
type item struct {
	of   behaviour
	typ  string
	sent string
	want string // "": as sent
}

var items = []item{
	{hearsTypes, "", "plain", ""},
	{hearsTypes, "join", `ann "and" bob`, ""},
	{hearsTypes, "stockUpdate", `{"symbol": "QCOM"}`, ""},
	{hearsTypes, "", "plain again", ""},
	{hearsLines, "", "one\ntwo\n\nfour\n", ""},
	{hearsLines, "", "a\rb\r\nc", "a\nb\nc"},
	{hearsLines, "", "\n\nthird", ""},
	{hearsLines, "", "\n", ""},
	{hearsEmpty, "", "", ""},
	{hearsEmpty, "join", "", ""},
	{hearsUnicode, "", "  naïve — 日本語 🎈 👩‍👩‍👧 e\u0301 \u2028 \u2029 \U0010fffd ", ""},
	{hearsUnicode, "", "\ufeffa mark of byte order", ""},
	{hearsControls, "", "\x01\x02\x03\x04\x05\x06\x07\b\t\v\f\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x7f\u0080\u0085\u009f", ""},
	{hearsNUL, "", "a\x00b", ""},
}

const (
	theFirst = "the first"
	theLast  = "the last"
)

// kinds publishes the items, with silence between, in which there are heartbeats.
func (r *rehearsal) kinds(t *testing.T) {
	t.Helper()
	reference := follow(t, r.steady.url+"/kinds")
	publishHook(t, r.steady, "kinds", "", theFirst)
	r.await(t, "kinds", "the first event", func(f *follower) bool { return len(f.events()) > 0 })
	awaitBeats(t, r.steady.url+"/kinds", 10)
	for _, i := range items {
		publishHook(t, r.steady, "kinds", i.typ, i.sent)
	}
	publishHook(t, r.steady, "kinds", "", theLast)
	sent := reference.await(t, len(items)+2)
	ids := map[string]int{}
	for i, e := range sent {
		ids[e.ID] = i
	}

	for _, b := range []behaviour{hearsTypes, hearsLines, hearsEmpty, hearsUnicode, hearsControls, hearsNUL} {
		r.judge(t, "kinds", b, func(f *follower) string {
			events := f.events()
			if len(events) == 0 || events[len(events)-1].Data != theLast {
				return "has not heard the last"
			}
			for i, item := range items {
				if item.of != b {
					continue
				}
				want := heard{Kind: item.typ, Data: item.want}
				if want.Kind == "" {
					want.Kind = "message"
				}
				if want.Data == "" {
					want.Data = item.sent
				}
				id := sent[i+1].ID
				at := slices.IndexFunc(events, func(h heard) bool { return h.ID == id })
				if at < 0 {
					return fmt.Sprintf("%s %q is not heard", want.Kind, want.Data)
				}
				if got := events[at]; got.Kind != want.Kind || got.Data != want.Data {
					return fmt.Sprintf("%s %q is heard as %s %q", want.Kind, want.Data, got.Kind, got.Data)
				}
			}
			return ""
		})
	}
	r.judge(t, "kinds", hearsIDs, func(f *follower) string {
		for i, h := range f.events() {
			if at, ok := ids[h.ID]; !ok || at < i {
				return fmt.Sprintf("hears %q with the id %q", h.Data, h.ID)
			}
		}
		return ""
	})
	r.judge(t, "kinds", ignoresHeartbeats, func(f *follower) string {
		for _, h := range f.events() {
			if _, ok := ids[h.ID]; !ok {
				return fmt.Sprintf("hears a %s %q", h.Kind, h.Data)
			}
		}
		return ""
	})
}

// awaitBeats reads a stream until n heartbeats have come.
func awaitBeats(t *testing.T, url string, n int) {
	t.Helper()
	req := request(t, http.MethodGet, url)
	req.Header.Set("Accept", "text/event-stream")
	resp, err := transportFor(t, "HTTP/1.1").RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	beats := 0
	for in := bufio.NewScanner(resp.Body); beats < n && in.Scan(); {
		if in.Text() == ":" {
			beats++
		}
	}
	if beats < n {
		t.Fatalf("got %d heartbeats and an end, want %d", beats, n)
	}
}

// large publishes a payload of 1 MB between two small ones.
func (r *rehearsal) large(t *testing.T) (check func()) {
	t.Helper()
	large := strings.Repeat("0123456789abcdefghijklmnopqrstuvwxyzäöüß", 1_000_000/44+1)
	publishHook(t, r.steady, "large", "", theFirst)
	publishHook(t, r.steady, "large", "", large)
	publishHook(t, r.steady, "large", "", theLast)
	return func() {
		r.judge(t, "large", hearsLarge, func(f *follower) string {
			switch data := f.data("message"); {
			case slices.Equal(data, []string{theFirst, large, theLast}):
				return ""
			case !slices.Equal(data, []string{theFirst}):
				return fmt.Sprintf("hears %.100q", data)
			case len(f.requests()) < 3:
				return "hears nothing after the first"
			default:
				return "asks for it again and again"
			}
		})
	}
}

// retry cuts all connections and sees how long clients wait.
func (r *rehearsal) retry(t *testing.T) (check func()) {
	t.Helper()
	publishHook(t, r.steady, "retry", "", theFirst)
	r.await(t, "retry", "the first event", func(f *follower) bool { return len(f.events()) > 0 })
	cuts := map[*follower]time.Time{}
	for _, f := range r.followers["retry"] {
		cuts[f] = time.Now()
		f.network.cut()
	}
	return func() {
		r.judge(t, "retry", obeysRetry, func(f *follower) string {
			after := f.network.requestsFor("GET /retry", cuts[f])
			if len(after) == 0 {
				return "stays away"
			}
			switch waited := after[0].at.Sub(cuts[f]); {
			case waited >= toldToWait-50*time.Millisecond: // timers of Node.js may be early
				return ""
			case waited >= toldToWait/2-50*time.Millisecond:
				return "comes back after more than half of the time"
			default:
				return "comes back sooner"
			}
		})
	}
}

// cuts cuts all connections again and again, and publishes meanwhile.
func (r *rehearsal) cuts(t *testing.T) {
	t.Helper()
	var want []string
	more := func() {
		for range 4 {
			want = append(want, strconv.Itoa(len(want)))
			publishHook(t, r.steady, "cut", "", want[len(want)-1])
		}
	}
	var last time.Time
	for cut := range 4 {
		more()
		r.conforming(t, "cut", resumesCut, fmt.Sprintf("%d numbers", len(want)), func(f *follower) bool {
			return len(f.data("message")) >= len(want)
		})
		if cut == 3 {
			break
		}
		last = time.Now()
		for _, f := range r.followers["cut"] {
			f.network.cut()
		}
		more()
	}
	r.judge(t, "cut", resumesCut, inOrder(want))
	r.judge(t, "cut", sendsID, func(f *follower) string {
		after := f.network.requestsFor("GET /cut", last)
		if len(after) == 0 {
			return "stays away"
		}
		head := strings.ToLower(after[0].text)
		switch {
		case strings.Contains(head, "\r\nlast-event-id: "):
			return ""
		case strings.Contains(head, "?lasteventid="):
			return "sends it in the query"
		default:
			return "sends none"
		}
	})
}

// inOrder says in what way a client has not heard these messages, each once
// and in this order.
func inOrder(want []string) func(*follower) string {
	return func(f *follower) string {
		got := f.data("message")
		switch {
		case slices.Equal(got, want):
			return ""
		case len(got) < len(want) && slices.Equal(got, want[:len(got)]):
			return "hears no more"
		default:
			return fmt.Sprintf("hears %q", got)
		}
	}
}

// stale lets the API that is polled fail, and heals it.
func (r *rehearsal) stale(t *testing.T) {
	t.Helper()
	r.await(t, "stale", "stream.live", func(f *follower) bool { return len(f.events()) == 2 })
	r.failing.Store(true)
	r.await(t, "stale", "stream.stale", func(f *follower) bool { return len(f.events()) == 3 })
	r.failing.Store(false)
	r.judge(t, "stale", hearsStale, func(f *follower) string {
		var got []string
		for _, h := range f.events() {
			got = append(got, h.Kind)
		}
		if want := []string{"message", "stream.live", "stream.stale", "stream.fresh", "message"}; !slices.Equal(got, want) {
			return fmt.Sprintf("hears %q", got)
		}
		return ""
	})
}

// kill kills the server under all clients, and starts it again. One stream
// has a durable history, and the other one doesn't.
func (r *rehearsal) kill(t *testing.T) {
	t.Helper()
	var want []string
	more := func() {
		for range 5 {
			want = append(want, strconv.Itoa(len(want)))
			publishHook(t, r.killed, "killed", "", want[len(want)-1])
		}
	}
	more()
	publishHook(t, r.killed, "gap", "", theFirst)
	r.await(t, "killed", "5 numbers", func(f *follower) bool { return len(f.data("message")) == 5 })
	r.await(t, "gap", "the first event", func(f *follower) bool { return len(f.events()) > 0 })
	r.killed.kill()
	r.killed.start(t)
	more()
	publishHook(t, r.killed, "gap", "", theLast)
	r.judge(t, "killed", resumesKilled, inOrder(want))
	r.judge(t, "gap", hearsGap, func(f *follower) string {
		events := f.events()
		var got []string
		for _, h := range events {
			got = append(got, h.Kind)
		}
		switch {
		case slices.Equal(got, []string{"message"}):
			return "hears no more"
		case !slices.Equal(got, []string{"message", "stream.gap", "message"}) || events[2].Data != theLast:
			return fmt.Sprintf("hears %q", got)
		}
		var gap struct{ Requested string }
		if err := json.Unmarshal([]byte(events[1].Data), &gap); err != nil || gap.Requested != events[0].ID {
			return fmt.Sprintf("hears the gap %q after %q", events[1].Data, events[0].ID)
		}
		return ""
	})
}

// closed looks at clients whose connections are closed by the server, every
// second, in the middle of a stream of numbers.
func (r *rehearsal) closed(t *testing.T) {
	t.Helper()
	r.judge(t, "closed", resumesClosed, func(f *follower) string {
		var does []string
		messages := f.data("message")
		numbers := slices.DeleteFunc(slices.Clone(messages), func(data string) bool { return data == "" })
		if len(numbers) < len(messages) {
			does = append(does, "hears empty messages")
		}
		for i := range numbers[min(1, len(numbers)):] {
			if numbers[i+1] != next(t, numbers[i]) {
				does = append(does, fmt.Sprintf("hears %s after %s", numbers[i+1], numbers[i]))
			}
		}
		switch {
		case f.closed():
			does = append(does, "gives up")
		case len(f.requests()) < 4:
			does = append(does, "has not come back often")
		}
		return strings.Join(does, ", ")
	})
}

// end looks at clients whose stream has ended, and whose next request is
// answered 204.
func (r *rehearsal) end(t *testing.T) {
	t.Helper()
	r.judge(t, "end", staysAway, func(f *follower) string {
		want := []heard{
			{Kind: "message", Data: "1"}, {Kind: "message", Data: "2"}, {Kind: "message", Data: "3"},
			{Kind: "stream.end", Data: "thank you", ID: "-1"},
		}
		same := func(got, want heard) bool {
			return got.Kind == want.Kind && got.Data == want.Data && (want.ID == "" || got.ID == want.ID)
		}
		if got := f.events(); !slices.EqualFunc(got, want, same) {
			return fmt.Sprintf("hears %v", got)
		}
		switch len(f.requests()) {
		case 1:
			return "doesn't ask again"
		case 2:
			return ""
		default:
			return "asks again and again"
		}
	})
}
