package proxy

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"sidestream/adapters"
	"sidestream/proxy/strictyaml"
)

// TestRedirects: browsers are redirected to a path made clean. Who sends
// something isn't, wherever it was to go: it would be sent again, if at all, as
// something else.
func TestRedirects(t *testing.T) {
	p := &post{}
	config, err := Parse("f", []byte(`
listen: :1
routes:
  - {path: "/a/{x...}", post: {in: "/in/{x...}"}}
  - {path: /, post: {in: /in}}
`), adapters.NewRegistry(p.adapter()), strictyaml.References{})
	if err != nil {
		t.Fatal(err)
	}
	taken := func(int) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
	}
	router := newRouter(config, handlers{stream: taken, ingest: taken, behind: func(*url.URL, bool) http.Handler { return nil }})
	for _, tc := range []struct {
		method, path string
		want         int
	}{
		{http.MethodGet, "/a/b", http.StatusAccepted},
		{http.MethodGet, "/a//b", http.StatusTemporaryRedirect},
		{http.MethodHead, "/a//b", http.StatusTemporaryRedirect},
		{http.MethodGet, "//", http.StatusTemporaryRedirect},
		{http.MethodPost, "/in/b", http.StatusAccepted},
		{http.MethodPost, "/in//b", http.StatusNotFound}, // events
		{http.MethodPut, "/in//b", http.StatusNotFound},
		{http.MethodPost, "/a//b", http.StatusNotFound},
		{http.MethodPost, "//", http.StatusNotFound},
		{http.MethodPost, "/nowhere/../a/b", http.StatusNotFound},
		{http.MethodPost, "/a/b", http.StatusMethodNotAllowed},
		{http.MethodPut, "/a/b/", http.StatusMethodNotAllowed},
		{http.MethodPost, "/", http.StatusMethodNotAllowed},
	} {
		r := httptest.NewRequest(tc.method, "http://a.example"+tc.path, http.NoBody)
		r.Header.Set("Accept", "text/event-stream")
		w := httptest.NewRecorder()
		if router.ServeHTTP(w, r); w.Code != tc.want {
			t.Errorf("%s %s: got status %d, want %d", tc.method, tc.path, w.Code, tc.want)
		}
	}
}
