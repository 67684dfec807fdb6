package proxy

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"sidestream/adapters"
	"sidestream/proxy/strictyaml"
)

// staged is an adapter whose sources do what a test says. It takes no
// variable with the value "bad".
type staged struct {
	can     adapters.Capabilities
	openErr error
	run     func(ctx context.Context, emit func(adapters.Event) error) error
	explain func(ctx context.Context, run bool) (adapters.Explanation, error) // nil: no Explainer

	env    adapters.Env // of the source that was opened
	closed atomic.Bool
}

func (s *staged) Capabilities() adapters.Capabilities { return s.can }

func (s *staged) Open(vars adapters.Vars, env adapters.Env) (adapters.Source, error) {
	for _, value := range vars {
		if value == "bad" {
			return nil, adapters.ErrBadVariable
		}
	}
	s.env = env
	if s.explain != nil {
		return stagedExplainer{stagedSource{s}}, s.openErr
	}
	return stagedSource{s}, s.openErr
}

func (s *staged) Close() error {
	s.closed.Store(true)
	return nil
}

type stagedSource struct{ *staged }

func (s stagedSource) Run(ctx context.Context, _ adapters.Position, emit func(adapters.Event) error) error {
	if s.run == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	return s.run(ctx, emit)
}

type stagedExplainer struct{ stagedSource }

func (s stagedExplainer) Explain(ctx context.Context, run bool) (adapters.Explanation, error) {
	return s.explain(ctx, run)
}

func stagedTable(t *testing.T, s *staged, table string) *Config {
	t.Helper()
	registry := adapters.NewRegistry(adapters.New("staged", func() struct{} { return struct{}{} },
		func(struct{}, adapters.Route) (adapters.Factory, error) { return s, nil }))
	config, err := Parse("test.yaml", []byte(table), registry, strictyaml.References{
		Env: func(string) (string, bool) { return "hunter2", true },
	})
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func asked(ctx context.Context, method, target string, headers ...string) *http.Request {
	r := httptest.NewRequestWithContext(ctx, method, target, http.NoBody)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// gone cancels a request as soon as its answer begins.
type gone struct {
	*httptest.ResponseRecorder
	cancel context.CancelFunc
}

func (g gone) WriteHeader(status int) {
	g.ResponseRecorder.WriteHeader(status)
	g.cancel()
}

// TestExplainAgrees: what is explained is what a server does.
func TestExplainAgrees(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-App", "yes") }))
	defer app.Close()
	const routes = `
defaults: {linger: 0s}
routes:
  - {path: "/files/{rest...}", staged: {}}
  - {path: /exact/, staged: {}}
  - {path: "/orders/{id}", query: [user], staged: {}}
  - {path: /orders/latest, staged: {}}
  - {path: /posted, method: POST, staged: {}}
  - {path: /hosted, host: B.example, staged: {}}
`
	const stream, document, anything = "Accept: text/event-stream", "Accept: application/json", "Accept: */*"
	for _, tt := range []struct {
		method, target, header string
		behind, alone          string // kind, or status, and the line of the route; with an application behind, and without
	}{
		{"GET", "/files/a/b", stream, "stream 4", "stream 4"},
		{"GET", "/files/a/b", anything, "passthrough 4", "stream 4"},
		{"GET", "/files/a/b", document, "passthrough 4", "406 4"},
		{"GET", "/files", stream, "passthrough 0", "307 0"},
		{"GET", "/files//a", stream, "passthrough 0", "307 0"},
		{"GET", "/files/%00", stream, "404 4", "404 4"},
		{"GET", "/exact/", stream, "stream 5", "stream 5"},
		{"GET", "/exact", stream, "passthrough 0", "307 0"},
		{"GET", "/orders/7?user=x&other=y", stream, "400 6", "400 6"},
		{"GET", "/orders/7?user=x&user=y", stream, "400 6", "400 6"},
		{"GET", "/orders/7?user=%zz", stream, "400 6", "400 6"},
		{"GET", "/orders/7?user=x", stream, "stream 6", "stream 6"},
		{"GET", "/orders/7?lastEventId=-1", stream, "204 6", "204 6"},
		{"GET", "/orders/bad", stream, "404 6", "404 6"},
		{"GET", "/orders/latest", stream, "stream 7", "stream 7"},
		{"GET", "/orders/latest", "Accept: text/event-stream;q=0.1, text/html", "passthrough 7", "stream 7"},
		{"POST", "/orders/latest", stream, "passthrough 0", "405 0"},
		{"HEAD", "/orders/latest", stream, "stream 7", "stream 7"},
		{"POST", "/posted", stream, "stream 8", "stream 8"},
		{"GET", "/posted", stream, "passthrough 0", "405 0"},
		{"GET", "http://b.example:80/hosted", stream, "stream 9", "stream 9"},
		{"GET", "http://B.Example/hosted", stream, "stream 9", "stream 9"},
		{"GET", "http://a.example/hosted", stream, "passthrough 0", "404 0"},
		{"GET", "/else", stream, "passthrough 0", "404 0"},
	} {
		for _, c := range []struct{ first, want string }{{"upstream: " + app.URL, tt.behind}, {"admin: off", tt.alone}} {
			table := stagedTable(t, &staged{can: adapters.Capabilities{WholeURL: true}}, c.first+routes)
			e := Explain(table, asked(t.Context(), tt.method, tt.target, tt.header), ExplainOptions{})
			if got := describe(&e.Outcome); got != c.want {
				t.Errorf("%s %s with %s, %s: explained as %q, want %q", tt.method, tt.target, tt.header, c.first, got, c.want)
			}
			if (e.Outcome.Kind == Streamed) == (e.Outcome.Why != "") {
				t.Errorf("%s %s with %s, %s: got the reason %q for a %s", tt.method, tt.target, tt.header, c.first, e.Outcome.Why, e.Outcome.Kind)
			}

			server := New(table, Settings{})
			ctx, cancel := context.WithCancel(t.Context())
			rec := gone{httptest.NewRecorder(), cancel}
			server.ServeHTTP(rec, asked(ctx, tt.method, tt.target, tt.header))
			cancel()
			server.retire()
			server.running.Wait()
			server.transports.closeIdle()
			served := Refused
			switch {
			case rec.Header().Get("X-App") != "":
				served = Passed
			case rec.Header().Get("Content-Type") == eventStreamType:
				served = Streamed
			}
			if served != e.Outcome.Kind || served == Refused && rec.Code != e.Outcome.Status {
				t.Errorf("%s %s with %s, %s: served %s %d, explained as %s %d", tt.method, tt.target, tt.header, c.first,
					served, rec.Code, e.Outcome.Kind, e.Outcome.Status)
			}
		}
	}
}

func TestExplainMismatches(t *testing.T) {
	for _, tt := range []struct{ route, method, target, want string }{
		{"path: /a/b", "GET", "/a/c", `path: segment 2 is "c", not "b"`},
		{"path: /a/b", "GET", "/a", "path: it ends before the route's /b"},
		{"path: /a/b", "GET", "/", `path: segment 1 is "", not "a"`},
		{"path: /a", "GET", "/a/b/c", `path: it goes on after the route's end, with "b"`},
		{"path: /a", "GET", "/a/", "path: it has a slash too many at the end"},
		{"path: /a/", "GET", "/a", "path: it lacks the slash at the end"},
		{"path: /a/", "GET", "/a/b", `path: it goes on after the route's end, with "b"`},
		{"path: /", "GET", "/a", `path: it goes on after the route's end, with "a"`},
		{`path: "/a/{id}"`, "GET", "/a/", "path: segment 2, {id}, is empty"},
		{`path: "/a/{id}"`, "GET", "/a//", `path: it isn't clean; "/a" would be`},
		{`path: "/a/{rest...}"`, "GET", "/a", "path: it ends before the route's /{rest...}"},
		{"path: /a", "GET", "/%61", ""}, // matches
		{"path: /a", "GET", "/%2561", `path: segment 1 is "%61", not "a"`},
		{"path: /a", "GET", "/" + strings.Repeat("x", 99), `path: segment 1 is "` + strings.Repeat("x", 64) + `…", not "a"`},
		{"path: /a, method: POST", "GET", "/a", "method: it takes POST, not GET"},
		{"path: /a", "HEAD", "/a", ""},
		{"path: /a, host: b.example", "GET", "/a", `host: it takes b.example, not "example.com"`},
		{"path: /a, host: b.example, method: POST", "GET", "/x",
			`path: segment 1 is "x", not "a"; method: it takes POST, not GET; host: it takes b.example, not "example.com"`},
	} {
		config := stagedTable(t, &staged{}, "routes: [{"+tt.route+", staged: {}}]")
		e := Explain(config, asked(t.Context(), tt.method, tt.target), ExplainOptions{})
		if got := e.Routes[0].Why; got != tt.want || e.Routes[0].Taken != (tt.want == "") {
			t.Errorf("%s for %s %s: got taken %v, why %q; want %q", tt.route, tt.method, tt.target, e.Routes[0].Taken, got, tt.want)
		}
	}
}

func TestExplainPrecedence(t *testing.T) {
	config := stagedTable(t, &staged{}, `routes:
  - {path: "/a/{id}", staged: {}}
  - {path: /a/b, staged: {}}
  - {path: "/{rest...}", staged: {}}
`)
	e := Explain(config, asked(t.Context(), "GET", "/a/b"), ExplainOptions{})
	var got []string
	for _, r := range e.Routes {
		got = append(got, r.Why)
	}
	specific := "it matches, but the route in line 3 is more specific"
	if want := []string{specific, "", specific}; !slices.Equal(got, want) || !e.Routes[1].Taken {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestExplainSecrets: what the configuration keeps secret and what the
// request's headers may hold is nowhere in an explanation.
func TestExplainSecrets(t *testing.T) {
	s := &staged{can: adapters.Capabilities{Forward: []string{"Accept-Language", "X-User"}}}
	config := stagedTable(t, s, `defaults:
  event: {type: '"${TYPE}"'}
routes:
  - path: /a
    event: &event {where: '.token == "${TOKEN}"', data: .data}
    staged: {}
  - path: /b
    event: {<<: *event, data: ".x"}
    staged: {}
`)
	headers := []string{"Authorization: Bearer opensesame", "Cookie: s=opensesame", "X-Api-Key: opensesame", "X-User: opensesame", "Accept-Language: opensesame", "Accept: */*"}
	for path, want := range map[string][]Expression{
		"/a": {{"event.where", `.token == "${TOKEN}"`}, {"event.type", `"${TYPE}"`}, {"event.data", ".data"}},
		"/b": {{"event.where", `.token == "${TOKEN}"`}, {"event.type", `"${TYPE}"`}, {"event.data", ".x"}},
	} {
		e := Explain(config, asked(t.Context(), "GET", path, headers...), ExplainOptions{})
		if !slices.Equal(e.Stream.Expressions, want) {
			t.Errorf("%s: got expressions %q, want %q", path, e.Stream.Expressions, want)
		}
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"hunter2", "opensesame"} {
			if strings.Contains(string(text), secret) {
				t.Errorf("%s: %q is shown: %s", path, secret, text)
			}
		}
		if got := e.Request.Headers; got.Get("Accept") != "*/*" || got.Get("Authorization") != masked || len(got) != len(headers) {
			t.Errorf("%s: got headers %q, want Accept as it is and the others masked", path, got)
		}
		if want := []Credential{{"Accept-Language", true}, {"X-User", true}}; !slices.Equal(e.Stream.Credentials, want) {
			t.Errorf("%s: got credentials %v, want %v", path, e.Stream.Credentials, want)
		}
		if got := s.env.Credentials; got.Get("X-User") != "opensesame" || len(got) != 2 {
			t.Errorf("%s: the source got %d headers, want the two that it forwards", path, len(got))
		}
	}
}

// describe is the kind of o, or its status, and the line of its route.
func describe(o *Outcome) string {
	if o.Kind == Refused {
		return fmt.Sprint(o.Status, " ", o.Line)
	}
	return fmt.Sprint(o.Kind, " ", o.Line)
}
