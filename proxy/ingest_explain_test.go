package proxy

import (
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"sidestream/adapters"
	"sidestream/proxy/strictyaml"
)

// TestExplainIngest: what is explained of a request that brings events is what
// a server does.
func TestExplainIngest(t *testing.T) {
	const table = `
routes:
  - {path: "/a/{u}", post: {in: "/in/{u}", methods: [POST, PUT]}}
  - {path: /b, post: {in: /b}}
  - {path: /c, post: {in: /c/in, listen: ":9"}}
`
	for _, tt := range []struct {
		method, target string
		kind           string // with its status and its route's line
		why            []string
	}{
		{"POST", "/in/ann", "ingest 3", []string{
			"taken: as a request that brings events to /in/{u}",
			`path: segment 1 is "in", not "b"; method: it takes GET, not POST`,
			`path: segment 1 is "in", not "c"; method: it takes GET, not POST`,
		}},
		{"PUT", "/in/ann", "ingest 3", nil},
		{"GET", "/in/ann", "405 0", []string{
			`path: segment 1 is "in", not "a"; as a request that brings events to /in/{u} it would be POST or PUT`,
			"path: …", "path: …",
		}},
		{"POST", "/in/%00", "404 3", []string{"taken: as …", "path: …", "path: …"}},
		{"POST", "/b", "ingest 4", nil},
		{"GET", "/b", "stream 4", []string{"path: …", "taken: ", "path: …"}},
		{"PUT", "/b", "405 0", []string{
			"path: …", "method: it takes GET, not PUT; as a request that brings events to /b it would be POST", "path: …",
		}},
		{"POST", "//b", "404 0", nil},
		{"POST", "/c/in", "404 0", []string{
			"path: …", "path: …",
			`path: it goes on after the route's end, with "in"; method: it takes GET, not POST; as a request that brings events to /c/in, it is taken at :9 only`,
		}},
	} {
		config, err := Parse("test.yaml", []byte(table), adapters.NewRegistry((&post{}).adapter()), strictyaml.References{})
		if err != nil {
			t.Fatal(err)
		}
		e := Explain(config, asked(t.Context(), tt.method, tt.target, "Accept: text/event-stream"), ExplainOptions{})
		if got := describe(&e.Outcome); got != tt.kind {
			t.Errorf("%s %s: explained as %q, want %q", tt.method, tt.target, got, tt.kind)
		}
		for i, want := range tt.why {
			got := e.Routes[i].Why
			if e.Routes[i].Taken {
				got = "taken: " + got
			}
			if prefix, open := strings.CutSuffix(want, "…"); got != want && !(open && strings.HasPrefix(got, prefix)) {
				t.Errorf("%s %s: route %d: got %q, want %q", tt.method, tt.target, i, got, want)
			}
		}
		if e.Outcome.Kind == Streamed {
			continue // which doesn't end
		}
		server := New(config, Settings{})
		rec := httptest.NewRecorder()
		server.ServeHTTP(rec, asked(t.Context(), tt.method, tt.target))
		server.retire()
		server.running.Wait()
		served := strconv.Itoa(rec.Code)
		if rec.Code == 202 {
			served = "ingest"
		}
		if want, _, _ := strings.Cut(tt.kind, " "); served != want {
			t.Errorf("%s %s: served %s, want %s", tt.method, tt.target, served, want)
		}
	}
}
