package proxy

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sidestream/adapters"
)

// What is answered 2xx is in the feed, and clients get it in order.
func TestIngest(t *testing.T) {
	inPost(t, &post{}, `routes: [{path: /events, post: {in: /in}}]`, func(w *world) {
		c := w.connect("/events")
		defer c.drop()
		w.bring("/in", "1\n2").wants(http.StatusAccepted)
		w.bring("/in", "3").wants(http.StatusAccepted)
		c.wants("E-1 1", "E-2 2", "E-3 3")
		for name, want := range map[string]string{
			`sidestream_ingest_requests_total{class="2xx",route="/events"}`:  "2",
			`sidestream_ingest_requests_total{class="5xx",route="/events"}`:  "0",
			`sidestream_ingest_events_total{route="/events"}`:                "3",
			`sidestream_source_events_total{adapter="post",route="/events"}`: "3",
			`sidestream_clients{route="/events"}`:                            "1",
		} {
			if got := w.metric(name); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
	})
}

// A request opens the stream that it is for, which then lingers for clients
// that come.
func TestIngestOpensItsStream(t *testing.T) {
	p := &post{}
	inPost(t, p, `routes: [{path: "/events/{user}", post: {in: "/in/{user}"}, linger: 10s, history: {replay: all}}]`, func(w *world) {
		w.bring("/in/ann", "1").wants(http.StatusAccepted)
		w.bring("/in/bob", "2").wants(http.StatusAccepted)
		if got := p.running(); got != 2 {
			t.Errorf("sources running: got %d, want one for each user", got)
		}
		after(9 * time.Second)
		w.bring("/in/ann", "3").wants(http.StatusAccepted)
		after(2 * time.Second)
		if got := p.running(); got != 1 {
			t.Errorf("sources running when the linger of one is over: got %d, want 1", got)
		}
		c := w.connect("/events/ann")
		c.wants("E-1 1", "E-2 3")
		c.drop()
		after(time.Minute)
		if got := p.running(); got != 0 {
			t.Errorf("sources running in the end: got %d, want none", got)
		}
		for _, path := range []string{"/in/%00", "/in/" + strings.Repeat("a", 2000), "/in/a%2Fb", "/in/%FF"} {
			w.bring(path, "1").wants(http.StatusNotFound)
		}
		if got := w.metric(`sidestream_ingest_requests_total{class="4xx",route="/events/{user}"}`); got != "4" {
			t.Errorf("refused requests: got %s, want 4", got)
		}
	})
}

// A request holds its stream, although no client does.
func TestIngestHoldsItsStream(t *testing.T) {
	p := &post{}
	inPost(t, p, `{limits: {ingest_timeout: 1h}, routes: [{path: /events, post: {in: /in}, linger: 1s, max_streams: 1}]}`, func(w *world) {
		p.fail(errDown)
		s := w.bring("/in", "1")
		c := w.connect("/events")
		c.wants(" stream.stale …")
		_, body := w.adminGet("/streams")
		if want := `"route":"/events","clients":1,"ingest":1,"state":"stale"`; !strings.Contains(body, want) {
			t.Errorf("/streams: got %s, want it to hold %s", body, want)
		}
		c.drop()
		after(time.Minute)
		if s.answered() {
			t.Fatalf("got status %d before the source has taken the event", s.status)
		}
		p.fail(nil)
		after(time.Minute)
		s.wants(http.StatusAccepted)
		if got := p.running(); got != 0 {
			t.Errorf("sources running after the linger: got %d, want none", got)
		}
	})
}

// Methods that aren't for events go where they went before.
func TestIngestOnTheRoutesOwnPath(t *testing.T) {
	const routes = `routes: [{path: /events, host: a.example, post: {in: /events, methods: [POST, OPTIONS]}}, {path: /put, method: PUT, post: {in: /other}}]`
	app := "upstream: http://127.0.0.1:1\n"
	for _, tt := range []struct {
		table, method, host, path string
		want                      int
	}{
		{routes, "POST", "a.example", "/events", http.StatusAccepted},
		{routes, "POST", "A.Example", "/events", http.StatusAccepted},
		{routes, "OPTIONS", "a.example", "/events", http.StatusAccepted},
		{routes, "PATCH", "a.example", "/events", http.StatusMethodNotAllowed},
		{routes, "POST", "b.example", "/events", http.StatusNotFound},
		{routes, "POST", "b.example", "/other", http.StatusAccepted},
		{routes, "POST", "a.example", "//events", http.StatusNotFound}, // no redirect
		{routes, "GET", "a.example", "//events", http.StatusTemporaryRedirect},
		{app + routes, "POST", "a.example", "/events", http.StatusAccepted},
		{app + routes, "PATCH", "a.example", "/events", http.StatusBadGateway}, // the application's, which isn't there
		{app + routes, "POST", "b.example", "/events", http.StatusBadGateway},
		{app + routes, "GET", "a.example", "/events", http.StatusBadGateway},
	} {
		inPost(t, &post{}, tt.table, func(w *world) {
			s := w.bringTo(w.client(w.public), tt.method, "http://"+tt.host+tt.path, strings.NewReader("1"))
			s.wants(tt.want)
			if allow := s.header.Get("Allow"); (allow != "") != (tt.want == http.StatusMethodNotAllowed) {
				t.Errorf("%s %s%s: got Allow %q with status %d", tt.method, tt.host, tt.path, allow, s.status)
			}
		})
	}
}

// More requests than there may be are refused before their bodies are read.
func TestIngestLimit(t *testing.T) {
	inPost(t, &post{}, `{limits: {ingest: 2, retry: 20s}, routes: [{path: /events, post: {in: /in}}]}`, func(w *world) {
		var bodies []*io.PipeWriter
		var slow []*sending
		for range 2 {
			r, body := io.Pipe()
			bodies = append(bodies, body)
			slow = append(slow, w.bringTo(w.client(w.public), http.MethodPost, "http://example.com/in", r))
		}
		r, body := io.Pipe()
		defer body.Close()
		s := w.bringTo(w.client(w.public), http.MethodPost, "http://example.com/in", r)
		s.wants(http.StatusServiceUnavailable)
		if n, err := strconv.Atoi(s.header.Get("Retry-After")); err != nil || n < 20 || n > 40 {
			t.Errorf("Retry-After: got %q, want 20 to 40", s.header.Get("Retry-After"))
		}
		for i, body := range bodies {
			_, _ = io.WriteString(body, "1")
			body.Close()
			slow[i].wants(http.StatusAccepted)
		}
		w.bring("/in", "1").wants(http.StatusAccepted)
	})
}

// There is a bound on the time that a request may take, wherever it hangs.
func TestIngestTimeout(t *testing.T) {
	p := &post{}
	inPost(t, p, `{limits: {ingest_timeout: 10s}, routes: [{path: /events, post: {in: /in}}]}`, func(w *world) {
		r, body := io.Pipe()
		defer body.Close()
		slow := w.bringTo(w.client(w.public), http.MethodPost, "http://example.com/in", r)
		p.fail(errDown)
		waits := w.bring("/in", "1")
		after(9 * time.Second)
		if slow.answered() || waits.answered() {
			t.Error("got answers before the time is up")
		}
		after(2 * time.Second)
		slow.wants(http.StatusBadRequest) // the body can't be read
		waits.wants(http.StatusServiceUnavailable)
		if got := w.server.ingests.have.Load(); got != 0 {
			t.Errorf("requests counted: got %d, want none", got)
		}
	})
}

// A connection may be used again after a request that brought events, and
// after the time that it might have taken.
func TestIngestKeepsConnections(t *testing.T) {
	inPost(t, &post{}, `{limits: {ingest_timeout: 10s}, routes: [{path: /events, post: {in: /in}}]}`, func(w *world) {
		dials := 0
		transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			dials++ // one request at a time
			return w.public.dial(ctx, network, address)
		}}
		defer transport.CloseIdleConnections()
		client := &http.Client{Transport: transport}
		w.bringTo(client, http.MethodPost, "http://example.com/in", strings.NewReader("1")).wants(http.StatusAccepted)
		after(time.Minute)
		w.bringTo(client, http.MethodPost, "http://example.com/in", strings.NewReader("2")).wants(http.StatusAccepted)
		if dials != 1 {
			t.Errorf("connections: got %d, want 1", dials)
		}
	})
}

func TestIngestWithoutRoom(t *testing.T) {
	t.Run("for streams", func(t *testing.T) {
		inPost(t, &post{}, `routes: [{path: "/events/{u}", post: {in: "/in/{u}"}, max_streams: 1}]`, func(w *world) {
			c := w.connect("/events/ann")
			w.bring("/in/bob", "1").wants(http.StatusTooManyRequests)
			w.bring("/in/ann", "1").wants(http.StatusAccepted)
			c.drop()
			w.bring("/in/bob", "1").wants(http.StatusAccepted) // whom nobody uses makes room
		})
	})
	t.Run("in the source", func(t *testing.T) {
		p := &post{}
		inPost(t, p, `{limits: {ingest_timeout: 1h}, routes: [{path: /events, post: {in: /in, room: 1}, backoff: {max: 1s}}]}`, func(w *world) {
			p.fail(errDown)
			first := w.bring("/in", "1")
			w.bring("/in", "2").wants(http.StatusTooManyRequests)
			p.fail(nil)
			after(time.Minute)
			first.wants(http.StatusAccepted)
		})
	})
}

func TestIngestPanics(t *testing.T) {
	p := &post{serve: func(w http.ResponseWriter, r *http.Request) bool {
		switch r.Header.Get("Expect-It") {
		case "late":
			w.WriteHeader(http.StatusOK)
			panic("secret")
		case "abort":
			panic(http.ErrAbortHandler)
		default:
			panic("boom")
		}
	}}
	inPost(t, p, `routes: [{path: /events, post: {in: /in}}]`, func(w *world) {
		w.bring("/in", "1").wants(http.StatusInternalServerError)
		if !strings.Contains(w.log.String(), "panic: boom") {
			t.Errorf("got a log without the panic:\n%s", w.log)
		}
		for _, how := range []string{"late", "abort"} {
			req := asked(w.t.Context(), http.MethodPost, "/in", "Expect-It: "+how)
			func() {
				defer func() {
					if got := recover(); got != http.ErrAbortHandler { //nolint:errorlint // it is the very one
						t.Errorf("%s: got the panic %v, want that the connection is aborted", how, got)
					}
				}()
				w.server.ServeHTTP(httptest.NewRecorder(), req)
			}()
		}
		if got := w.server.ingests.have.Load(); got != 0 {
			t.Errorf("requests counted: got %d, want none", got)
		}
	})
}

// What goes wrong in a source is an error, for the sender to try again.
func TestReceiveOfBrokenSources(t *testing.T) {
	for want, source := range map[string]adapters.Source{
		"panic: boom": panickingReceiver{},
		"the source receives nothing; that is a mistake of the adapter's": panicking{},
	} {
		s := &stream{source: source, over: t.Context()}
		if err := s.receive(t.Context(), nil); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got error %v, want %q", err, want)
		}
	}
}

type panickingReceiver struct{ adapters.Source }

func (panickingReceiver) Receive(context.Context, []adapters.Event) error { panic("boom") }

// The next stream may do better than one whose source is over.
func TestIngestIntoWhatIsOver(t *testing.T) {
	p := &post{}
	inPost(t, p, `{limits: {ingest_timeout: 1h}, routes: [{path: /events, post: {in: /in}, linger: 5s, history: {replay: all}}]}`, func(w *world) {
		p.fail(errDown)
		waits := w.bring("/in", "1")
		p.fail(adapters.Permanent("not allowed", errDown))
		after(time.Minute)
		waits.wants(http.StatusServiceUnavailable)
		over := w.bring("/in", "2")
		over.wants(http.StatusServiceUnavailable)
		p.fail(nil)
		after(10 * time.Second) // nobody keeps it by asking
		w.bring("/in", "3").wants(http.StatusAccepted)
		c := w.connect("/events")
		defer c.drop()
		c.wants("E-1 3")
	})
}

// What a reload leaves as it was keeps its source; what it replaces ends when
// the last request has.
func TestIngestReload(t *testing.T) {
	const before = `{limits: {ingest_timeout: 1h}, routes: [{path: /same, post: {in: /in/same}}, {path: /other, post: {in: /in/other}, linger: 1h}]}`
	const next = `{limits: {ingest_timeout: 1h}, routes: [{path: /same, post: {in: /in/same}}, {path: /other, post: {in: /in/other}, linger: 2h}]}`
	p := &post{}
	inPost(t, p, before, func(w *world) {
		same, other := w.connect("/same"), w.connect("/other")
		defer same.drop()
		r, body := io.Pipe()
		slow := w.bringTo(w.client(w.public), http.MethodPost, "http://example.com/in/other", r)
		w.server.Reload(w.parse(next))
		w.bring("/in/same", "1").wants(http.StatusAccepted)
		same.wants("E-1 1")
		if got := strings.Count(w.log.String(), `"route":"/same","message":"stream opened"`); got != 1 {
			t.Errorf("the unchanged stream was opened %d times, want once", got)
		}
		if p.closed.Load() != 0 {
			t.Error("a factory was closed although a request is under way")
		}
		_, _ = io.WriteString(body, "2")
		body.Close()
		slow.wants(http.StatusAccepted) // in the old feed, whose client is still there
		other.wants("E-1 2")
		after(time.Minute)
		if !other.ended() {
			t.Error("a client of the changed route stays")
		}
		if got := p.closed.Load(); got != 1 {
			t.Errorf("factories closed: got %d, want 1", got)
		}

		// A request that comes to the source when its stream is gone is to be
		// sent again, to the next.
		r, body = io.Pipe()
		slow = w.bringTo(w.client(w.public), http.MethodPost, "http://example.com/in/other", r)
		w.server.Reload(w.parse(before))
		after(time.Minute)
		if got := p.closed.Load(); got != 1 {
			t.Errorf("factories closed while a request is under way: got %d, want the 1 from before", got)
		}
		_, _ = io.WriteString(body, "3")
		body.Close()
		slow.wants(http.StatusTooManyRequests)
		if got := p.closed.Load(); got != 2 {
			t.Errorf("factories closed: got %d, want 2", got)
		}
	})
}

// A request that was routed by the table before, and comes too late, is never
// the adapter's, whose factory is closed.
func TestIngestTooLate(t *testing.T) {
	p := &post{serve: func(http.ResponseWriter, *http.Request) bool {
		t.Error("the adapter was asked")
		return false
	}}
	inPost(t, p, `routes: [{path: /a, post: {in: /in}}]`, func(w *world) {
		old := w.server.table.Load()
		w.server.Reload(w.parse(`routes: [{path: /b, post: {in: /in/b}}]`))
		rec := httptest.NewRecorder()
		old.ServeHTTP(rec, asked(w.t.Context(), http.MethodPost, "/in"))
		if rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") == "" || p.closed.Load() != 1 {
			t.Errorf("got status %d, Retry-After %q, %d factories closed; want 503, some, 1", rec.Code, rec.Header().Get("Retry-After"), p.closed.Load())
		}
		if got := w.server.ingests.have.Load(); got != 0 {
			t.Errorf("requests counted: got %d, want none", got)
		}
	})
}

// Run waits for the handlers of requests that were cut off.
func TestIngestUnwinds(t *testing.T) {
	done := false // no handler is left once Run has returned
	p := &post{serve: func(_ http.ResponseWriter, r *http.Request) bool {
		<-r.Context().Done()
		time.Sleep(time.Second) // virtual
		done = true
		return true
	}}
	inPost(t, p, `{limits: {ingest_timeout: 1h}, drain: {timeout: 1s}, routes: [{path: /a, post: {in: /in}}]}`, func(w *world) {
		cut := w.bring("/in", "1")
		w.shutdown()
		if !done {
			t.Error("Run returned while a handler was at work")
		}
		if cut.answered(); cut.status == http.StatusAccepted {
			t.Error("what was cut off was accepted")
		}
		w.boot(`routes: [{path: /a, post: {in: /in}}]`) // for inPost to end
	})
}

// Clients are told to leave when the delay is over. From then on events are
// taken only if they outlast the process; what is under way finishes.
func TestIngestDrain(t *testing.T) {
	for name, tt := range map[string]struct {
		can  adapters.Capabilities
		want int
	}{
		"in memory": {adapters.Capabilities{}, http.StatusServiceUnavailable},
		"durable":   {adapters.Capabilities{Positions: true, Replayable: true}, http.StatusAccepted},
	} {
		t.Run(name, func(t *testing.T) {
			p := &post{can: tt.can}
			inPost(t, p, `{drain: {delay: 10s, window: 10s, timeout: 20s}, routes: [{path: /events, post: {in: /in}}]}`, func(w *world) {
				r, body := io.Pipe()
				slow := w.bringTo(w.client(w.public), http.MethodPost, "http://example.com/in", r)
				var clients []*connection // so many that one is there until nearly the end
				for range 30 {
					clients = append(clients, w.connect("/events"))
				}
				w.stop()
				after(9 * time.Second)
				w.bring("/in", "1").wants(http.StatusAccepted)
				after(2 * time.Second)
				w.bring("/in", "2").wants(tt.want)
				after(10 * time.Second)
				for _, c := range clients {
					if !c.ended() {
						t.Error("a client stays")
					}
				}
				after(5 * time.Second) // the listeners are closed
				if s := w.bring("/in", "3"); !s.answered() || s.status != 0 {
					t.Errorf("got status %d when the listeners are closed, want none", s.status)
				}
				_, _ = io.WriteString(body, "4")
				body.Close()
				slow.wants(http.StatusAccepted)
			})
		})
	}
}

// Of a burst that is more than there is room for, exactly what is accepted is
// delivered, once.
func TestIngestBurst(t *testing.T) {
	const requests = 2000
	inPost(t, &post{}, `{limits: {ingest: 100}, routes: [{path: /events, post: {in: /in, room: 50}, history: {events: 5000}}]}`, func(w *world) {
		c := w.connect("/events")
		defer c.drop()
		all := make([]*sending, requests)
		client := w.client(w.public)
		for i := range all {
			req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, "http://example.com/in", strings.NewReader(strconv.Itoa(i)))
			if err != nil {
				t.Fatal(err)
			}
			s := &sending{w: w, done: make(chan struct{})}
			all[i] = s
			go func() {
				defer close(s.done)
				resp, err := client.Do(req)
				if err == nil {
					s.status = resp.StatusCode
					resp.Body.Close()
				}
			}()
		}
		var accepted []string
		by := map[int]int{}
		for i, s := range all {
			<-s.done
			by[s.status]++
			if s.status == http.StatusAccepted {
				accepted = append(accepted, strconv.Itoa(i))
			}
		}
		var got []string
		for _, e := range c.seen() {
			_, data, _ := strings.Cut(e, " ")
			got = append(got, data)
		}
		slices.Sort(got)
		slices.Sort(accepted)
		if !slices.Equal(got, accepted) || len(accepted) == 0 {
			t.Errorf("delivered %d events, want the %d that were accepted", len(got), len(accepted))
		}
		t.Logf("by status: %v", by)
		if by[http.StatusAccepted]+by[http.StatusTooManyRequests]+by[http.StatusServiceUnavailable] != requests {
			t.Errorf("got the statuses %v, want 202, 429 and 503 only", by)
		}
	})
}
