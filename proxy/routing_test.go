package proxy

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"sidestream/adapters"
	"sidestream/adapters/adaptertest"
	"sidestream/proxy/strictyaml"
)

// TestRouting: which requests go where. A stream shows itself by its
// Content-Type, an application by its name.
func TestRouting(t *testing.T) {
	app := func(name string) *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, name+" "+r.Method+" "+r.RequestURI)
		}))
		t.Cleanup(s.Close)
		return s
	}
	one, two := app("one"), app("two")
	registry := adapters.NewRegistry(adapters.New("log", func() struct{} { return struct{}{} },
		func(struct{}, adapters.Route) (adapters.Factory, error) { return (&adaptertest.Log{}).Factory(), nil }))
	config, err := Parse("test.yaml", []byte(`
upstream: `+one.URL+`
routes:
  - {path: "/files/{rest...}", log: {}}
  - {path: /exact/, log: {}}
  - {path: "/orders/{id}", log: {}}
  - {path: /orders/latest, upstream: "`+two.URL+`", log: {}}
  - {path: /posted, method: POST, log: {}}
  - {path: /hosted, host: B.example, log: {}}
`), registry, strictyaml.References{})
	if err != nil {
		t.Fatal(err)
	}
	s := New(config, Settings{})
	defer s.transports.closeIdle()

	const stream = "stream"
	for _, tt := range []struct{ method, target, accept, want string }{
		{"HEAD", "/files/a/b", "text/event-stream", stream},
		{"GET", "/files/a/b", "*/*", "one GET /files/a/b"},
		{"GET", "/files", "text/event-stream", "one GET /files"}, // no redirect
		{"GET", "/files//a", "text/event-stream", "one GET /files//a"},
		{"GET", "//", "", "one GET //"},
		{"GET", "/a/../b", "", "one GET /a/../b"},
		{"HEAD", "/exact/", "text/event-stream", stream},
		{"GET", "/exact", "text/event-stream", "one GET /exact"},
		{"HEAD", "/orders/7", "text/event-stream", stream},
		{"HEAD", "/orders/latest", "text/event-stream", stream}, // the more specific
		{"GET", "/orders/latest", "", "two GET /orders/latest"},
		{"POST", "/orders/latest", "text/event-stream", "two POST /orders/latest"},
		{"POST", "/orders/7", "text/event-stream", "one POST /orders/7"},
		{"GET", "/posted", "text/event-stream", "one GET /posted"},
		{"HEAD", "http://b.example/hosted", "text/event-stream", stream},
		{"HEAD", "http://b.example:8080/hosted", "text/event-stream", stream},
		{"HEAD", "http://B.Example/hosted", "text/event-stream", stream},
		{"GET", "http://a.example/hosted", "text/event-stream", "one GET /hosted"},
		{"GET", "/else?a=1;b=2", "", "one GET /else?a=1;b=2"},
	} {
		rec := httptest.NewRecorder()
		req := httptest.NewRequest(tt.method, tt.target, http.NoBody)
		req.RequestURI = req.URL.RequestURI()
		req.Header.Set("Accept", tt.accept)
		s.ServeHTTP(rec, req)
		got := rec.Body.String()
		if rec.Header().Get("Content-Type") == eventStreamType {
			got = stream
		}
		if got != tt.want || rec.Code != http.StatusOK {
			t.Errorf("%s %s: got %d %q, want 200 %q", tt.method, tt.target, rec.Code, got, tt.want)
		}
	}
}
