package history

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sidestream/adapters"
	"sidestream/adapters/webhook"
	"sidestream/proxy"
	"sidestream/proxy/eventstream"
	"sidestream/proxy/strictyaml"
)

// A program serves a routing table, as Sidestream does.
type program struct {
	t    *testing.T
	url  string
	stop func()
}

// serve starts a program with routes whose histories are in dir.
func serve(t *testing.T, dir, routes string) *program {
	t.Helper()
	known := adapters.NewRegistry(webhook.Adapter()).WithStores(NATS(zerolog.Nop()))
	table := fmt.Sprintf("admin: \"off\"\ndrain: {window: 0s}\nhistory: {nats: {embedded: {dir: %q}}}\nroutes:\n%s", dir, routes)
	config, err := proxy.Parse("test.yaml", []byte(table), known, strictyaml.References{Env: os.LookupEnv})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	server := proxy.New(config, proxy.Settings{Log: zerolog.Nop()})
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx, proxy.Listeners{Public: []proxy.PublicListener{{Listener: ln}}}) }()
	var stopped bool
	p := &program{t: t, url: "http://" + ln.Addr().String(), stop: func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the program: %v", err)
		}
	}}
	t.Cleanup(p.stop)
	return p
}

// post sends a webhook, which has to be taken.
func (p *program) post(path, body string) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		p.t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusNoContent {
		p.t.Fatalf("POST %s: got status %d, want 204", path, answer.StatusCode)
	}
}

// read returns the next n events of a stream, control events included, as id,
// type and data.
func (p *program) read(path, id string, n int) (got [][3]string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), soon)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path, http.NoBody)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	if id != "" {
		r.Header.Set("Last-Event-ID", id)
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	d := eventstream.NewDecoder(answer.Body, nil)
	for len(got) < n {
		e, err := d.Next()
		if err != nil {
			p.t.Fatalf("GET %s after %q: got %q, then %v; want %d events", path, id, got, err, n)
		}
		got = append(got, [3]string{e.ID, e.Type, string(bytes.TrimSpace(e.Data))})
	}
	return got
}

func data(events [][3]string) (list []string) {
	for _, e := range events {
		list = append(list, e[2])
	}
	return list
}

// TestServed: clients of routes with durable histories go on from any id after
// the program was started again, whatever the route makes of events.
func TestServed(t *testing.T) {
	const keyed = `
  - path: /of/{user}
    webhook: {ingest: /in, verify: {none: true}}
    key: .user
    match: "{user}"
    event: {data: .n}
    history: {durable: true, replay: all}
`
	const split = `
  - path: /all
    webhook: {ingest: /in, verify: {none: true}}
    event: {each: ".n, .n + 0.5"}
    history: {durable: true, replay: all}
`
	send := func(p *program) {
		for i := range 12 {
			p.post("/in", fmt.Sprintf(`{"user":"u%d","n":%d}`, i%3, i))
		}
	}
	t.Run("keys", func(t *testing.T) {
		dir := t.TempDir()
		p := serve(t, dir, keyed)
		send(p)
		all := p.read("/of/u1", "", 4)
		if got, want := data(all), []string{"1", "4", "7", "10"}; !slices.Equal(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
		p.stop()
		p = serve(t, dir, keyed)
		for i := range 3 {
			if got, want := p.read("/of/u1", all[i][0], 3-i), all[i+1:]; !slices.Equal(got, want) {
				t.Errorf("after %q: got %q, want %q", all[i][0], got, want)
			}
		}
		if got := p.read("/of/u1", "", 4); !slices.Equal(got, all) {
			t.Errorf("a new client: got %q, want %q", got, all)
		}
	})
	t.Run("parts", func(t *testing.T) {
		dir := t.TempDir()
		p := serve(t, dir, split)
		send(p)
		all := p.read("/all", "", 24)
		p.stop()
		p = serve(t, dir, split)
		for i := 1; i < 23; i++ { // the first part of all has no place before it
			if got, want := p.read("/all", all[i][0], 23-i), all[i+1:]; !slices.Equal(got, want) {
				t.Errorf("after %q: got %q, want %q", all[i][0], got, want)
			}
		}
	})
	t.Run("newest of each key", func(t *testing.T) {
		const newest = `
  - path: /newest
    webhook: {ingest: /in, verify: {none: true}}
    key: .user
    latest: true
    event: {data: .n}
    history: {durable: true}
`
		dir := t.TempDir()
		p := serve(t, dir, newest)
		send(p)
		p.stop()
		p = serve(t, dir, newest)
		if got, want := data(p.read("/newest", "", 3)), []string{"9", "10", "11"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
	t.Run("since", func(t *testing.T) {
		const since = `
  - path: /since
    webhook: {ingest: /in, verify: {none: true}}
    since: true
    event: {data: .n}
    history: {durable: true}
`
		dir := t.TempDir()
		p := serve(t, dir, since)
		send(p)
		sent, then := time.Now(), time.Time{}
		await(t, "a millisecond, which since counts in", func() bool {
			then = time.Now()
			return then.UnixMilli() > sent.UnixMilli()
		})
		p.post("/in", `{"n":"later"}`)
		p.stop()
		p = serve(t, dir, since)
		if got := data(p.read(fmt.Sprintf("/since?since=%d", then.UnixMilli()), "", 1)); got[0] != "later" {
			t.Errorf("got %q, want what came later", got)
		}
	})
	t.Run("purged id", func(t *testing.T) {
		const few = `
  - path: /few
    webhook: {ingest: /in, verify: {none: true}}
    event: {data: .n}
    history: {durable: true, events: 5, replay: all}
`
		dir := t.TempDir()
		p := serve(t, dir, few)
		p.post("/in", `{"n":"first"}`)
		first := p.read("/few", "", 1)
		send(p)
		p.stop()
		p = serve(t, dir, few)
		got := p.read("/few", first[0][0], 6)
		if got[0][1] != "stream.gap" || !strings.Contains(got[0][2], `"reason":"expired"`) {
			t.Errorf("got %q, want a gap first", got[0])
		}
		if got, want := data(got[1:]), []string{"7", "8", "9", "10", "11"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
