package proxy

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"sidestream/adapters"
	"sidestream/adapters/adaptertest"
	"sidestream/proxy/strictyaml"
)

// page is an origin that the tables of these tests name.
const page = "https://app.example.com"

// grants are the headers by which a server lets a page read an answer, and
// what the answer depends on, each on a line.
func grants(h http.Header) string {
	var list []string
	for name, values := range h {
		if strings.HasPrefix(name, "Access-Control-") {
			list = append(list, name[len("Access-Control-"):]+": "+strings.Join(values, " | "))
		}
	}
	slices.Sort(list)
	return strings.Join(append(list, "Vary: "+strings.Join(h.Values("Vary"), ", ")), "\n")
}

// lines joins what grants is to return.
func lines(list ...string) string { return strings.Join(list, "\n") }

// TestCORS: who may read a stream (R10).
func TestCORS(t *testing.T) {
	const exact = `origins: ["https://app.example.com", "https://*.example.org", "http://localhost:3000"]`
	for _, tt := range []struct {
		name, cors, origin, want string
	}{
		{"none", `origins: []`, page, lines("Vary: Accept")},
		{"named", exact, page, lines("Allow-Origin: "+page, "Vary: Accept, Origin")},
		{"with credentials", exact + ", credentials: true", page, lines("Allow-Credentials: true", "Allow-Origin: "+page, "Vary: Accept, Origin")},
		{"a header to read", exact + ", expose: [x-a, X-B]", page, lines("Allow-Origin: "+page, "Expose-Headers: X-A, X-B", "Vary: Accept, Origin")},
		{"no page", exact, "", lines("Vary: Accept, Origin")},
		{"another", exact, "https://evil.example.com", lines("Vary: Accept, Origin")},
		{"another scheme", exact, "http://app.example.com", lines("Vary: Accept, Origin")},
		{"another port", exact, page + ":8443", lines("Vary: Accept, Origin")},
		{"one that it begins like", exact, page + ".evil.example", lines("Vary: Accept, Origin")},
		{"one that it ends like", exact, "https://evilapp.example.com", lines("Vary: Accept, Origin")},
		{"null", exact, "null", lines("Vary: Accept, Origin")},
		{"with a port", exact, "http://localhost:3000", lines("Allow-Origin: http://localhost:3000", "Vary: Accept, Origin")},
		{"a subdomain", exact, "https://a.example.org", lines("Allow-Origin: https://a.example.org", "Vary: Accept, Origin")},
		{"one below it", exact, "https://a.b.example.org", lines("Allow-Origin: https://a.b.example.org", "Vary: Accept, Origin")},
		{"the domain of the subdomains", exact, "https://example.org", lines("Vary: Accept, Origin")},
		{"a domain that ends like it", exact, "https://evilexample.org", lines("Vary: Accept, Origin")},
		{"a subdomain's port", exact, "https://a.example.org:8443", lines("Vary: Accept, Origin")},
		{"anybody", `origins: "*"`, "https://evil.example.com", lines("Allow-Origin: *", "Vary: Accept, Origin")},
		{"no page of anybody's", `origins: "*"`, "", lines("Vary: Accept, Origin")},
	} {
		inWorld(t, `routes: [{path: /p, log: {name: p}, cors: {`+tt.cors+`}}]`, func(w *world) {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				headers := []string{"Accept: " + eventStreamType}
				if tt.origin != "" {
					headers = append(headers, "Origin: "+tt.origin)
				}
				resp := w.do(method, "/p", headers...)
				resp.Body.Close()
				if got := grants(resp.Header); got != tt.want {
					t.Errorf("%s, %s:\ngot\n%s\nwant\n%s", tt.name, method, got, tt.want)
				}
			}
		})
	}
}

// What isn't a stream can be read by the page too, which would take it for a
// broken connection otherwise: refusals, the end, and what is to be waited for.
func TestCORSOfEveryAnswer(t *testing.T) {
	const table = `
defaults: {cors: {origins: ["` + page + `"], credentials: true}, headers: {Vary: X-Own, X-Own: "1"}}
routes:
  - {path: "/v/{x}", query: [q], log: {name: p}}
  - {path: /api, api: {forward: [Authorization]}, live_marker: false}
`
	inWorld(t, table, func(w *world) {
		w.api.answer("bob", http.StatusForbidden)
		for _, tt := range []struct {
			path   string
			status int
			vary   string
			header string
		}{
			{"/v/a", 200, "X-Own, Accept, Origin", "X-Any: 1"},
			{"/v/a?lastEventId=-1", 204, "X-Own, Accept, Origin", "X-Any: 1"},
			{"/v/a?q=1&q=2", 400, "X-Own, Accept, Origin", "X-Any: 1"},
			{"/v/a%00", 404, "X-Own, Accept, Origin", "X-Any: 1"},
			{"/v/a%2fb", 404, "X-Own, Accept, Origin", "X-Any: 1"}, // the adapter's own rule
			{"/v/a", 406, "Accept, Origin", "Accept: application/json"},
			{"/api", 200, "X-Own, Accept, Authorization, Origin", "Authorization: ann"},
			{"/api", 403, "X-Own, Accept, Authorization, Origin", "Authorization: bob"},
		} {
			resp := w.get(tt.path, "Origin: "+page, tt.header)
			resp.Body.Close()
			if got := resp.Header.Get("Cache-Control"); tt.status != 200 && got != "no-store" {
				t.Errorf("%s, %s: got %d with Cache-Control %q, want nobody else to get it", tt.path, tt.header, resp.StatusCode, got)
			}
			want := lines("Allow-Credentials: true", "Allow-Origin: "+page, "Vary: "+tt.vary)
			if got := grants(resp.Header); resp.StatusCode != tt.status || got != want {
				t.Errorf("%s, %s: got %d\n%s\nwant %d\n%s", tt.path, tt.header, resp.StatusCode, got, tt.status, want)
			}
		}
		resp := w.get("/nowhere", "Origin: "+page)
		resp.Body.Close()
		if got, want := grants(resp.Header), "Vary: "; resp.StatusCode != http.StatusNotFound || got != want {
			t.Errorf("what is no route's: got %d\n%s\nwant 404\n%s", resp.StatusCode, got, want)
		}
	})
}

// A redirect is for pages too: one that they may not read they don't follow (R5).
func TestCORSOfRedirects(t *testing.T) {
	inWorld(t, `routes: [{path: "/tree/{rest...}", log: {}, cors: {origins: ["`+page+`"]}}]`, func(w *world) {
		for _, path := range []string{"/tree", "/tree//a"} {
			resp := w.get(path, "Origin: "+page)
			resp.Body.Close()
			if got := resp.Header.Get("Access-Control-Allow-Origin"); resp.StatusCode != http.StatusTemporaryRedirect || got != page {
				t.Errorf("%s: got %d for %q, want 307 for %q", path, resp.StatusCode, got, page)
			}
		}
	})
}

// TestPreflight: what a route grants it answers, and what it doesn't is for
// the application behind, if there is one.
func TestPreflight(t *testing.T) {
	const asked = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
	granted := func(method, headers string) string {
		list := []string{"Allow-Credentials: true"}
		if headers != "" {
			list = append(list, "Allow-Headers: "+headers)
		}
		return lines(append(list, "Allow-Methods: "+method, "Allow-Origin: "+page, "Max-Age: 600", "Vary: "+asked)...)
	}
	const table = `
routes:
  - {path: "/get/{id}", log: {}, cors: {origins: ["` + page + `"], credentials: true, headers: [X-Tenant]}}
  - {path: /post, method: POST, log: {}, cors: {origins: ["` + page + `"], credentials: true}}
  - {path: /plain, log: {}}
  - {path: /never, log: {}, cors: {origins: "*", max_age: 0s}}
`
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "https://the-application's-own")
		w.Header().Set("Vary", "X-App")
		_, _ = io.WriteString(w, r.Method)
	}))
	defer app.Close()
	const its = "Allow-Origin: https://the-application's-own\nVary: X-App"
	registry := adapters.NewRegistry(adapters.New("log", func() struct{} { return struct{}{} },
		func(struct{}, adapters.Route) (adapters.Factory, error) { return (&adaptertest.Log{}).Factory(), nil }))
	for _, tt := range []struct {
		path, origin, method, headers string
		granted                       string // both alone and before an application
		refused                       string // alone: status and headers
	}{
		{"/get/7", page, "GET", "", granted("GET", ""), ""},
		{"/get/7", page, "GET", "authorization,cache-control,last-event-id,x-tenant", granted("GET", "authorization,cache-control,last-event-id,x-tenant"), ""},
		{"/get/7", page, "HEAD", "x-tenant", granted("HEAD", "x-tenant"), ""},
		{"/post", page, "POST", "authorization", granted("POST", "authorization"), ""},
		{"/post", page, "POST", "content-type", granted("POST", "content-type"), ""},
		{"/get/7", page, "GET", "content-type", "", "204 Vary: " + asked},
		{"/never", page, "GET", "", lines("Allow-Methods: GET", "Allow-Origin: *", "Max-Age: 0", "Vary: "+asked), ""},
		{"/get/7", "https://evil.example", "GET", "", "", "204 Vary: " + asked},
		{"/get/7", page, "GET", "x-other", "", "204 Vary: " + asked},
		{"/get/7", "", "GET", "", "", "204 Vary: " + asked},
		{"/post", page, "POST", "x-tenant", "", "204 Vary: " + asked},
		{"/get/7", page, "PUT", "", "", "405 Vary: "},
		{"/post", page, "GET", "", "", "405 Vary: "},
		{"/plain", page, "GET", "", "", "405 Vary: "},
		{"/nowhere", page, "GET", "", "", "404 Vary: "},
	} {
		for _, behind := range []bool{false, true} {
			first := "admin: off"
			if behind {
				first = "upstream: " + app.URL
			}
			config, err := Parse("test.yaml", []byte(first+table), registry, strictyaml.References{})
			if err != nil {
				t.Fatal(err)
			}
			s := New(config, Settings{})
			r := httptest.NewRequest(http.MethodOptions, tt.path, http.NoBody)
			r.Header.Set("Access-Control-Request-Method", tt.method)
			if tt.origin != "" {
				r.Header.Set("Origin", tt.origin)
			}
			if tt.headers != "" {
				r.Header.Set("Access-Control-Request-Headers", tt.headers)
			}
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			s.transports.closeIdle()
			want := "204 " + tt.granted
			switch {
			case tt.granted != "":
			case behind:
				want = "200 " + its
			default:
				want = tt.refused
			}
			if got := fmt.Sprintf("%d %s", w.Code, grants(w.Header())); got != want {
				t.Errorf("%s of %q for %s %q, an application behind %v:\ngot\n%s\nwant\n%s", tt.path, tt.origin, tt.method, tt.headers, behind, got, want)
			}
		}
	}
	// OPTIONS that ask nothing of that kind are the application's.
	config, err := Parse("test.yaml", []byte("upstream: "+app.URL+table), registry, strictyaml.References{})
	if err != nil {
		t.Fatal(err)
	}
	s := New(config, Settings{})
	defer s.transports.closeIdle()
	r := httptest.NewRequest(http.MethodOptions, "/get/7", http.NoBody)
	r.Header.Set("Origin", page)
	w := httptest.NewRecorder()
	if s.ServeHTTP(w, r); w.Body.String() != http.MethodOptions || grants(w.Header()) != its {
		t.Errorf("OPTIONS without a method asked for: got %q\n%s\nwant it passed through", w.Body, grants(w.Header()))
	}
}

// At the URL of a stream the application answers as it did: with its own
// policy for other origins, and with what its answer depends on in addition.
func TestApplicationBesideAStream(t *testing.T) {
	for _, tt := range []struct {
		vary []string // of the application
		want string   // at a stream's URL
	}{
		{nil, "Vary: Accept"},
		{[]string{"Origin"}, "Vary: Origin, Accept"},
		{[]string{"Accept-Encoding, accept", "Origin"}, "Vary: Accept-Encoding, accept, Origin"},
		{[]string{"*"}, "Vary: *"},
	} {
		app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusEarlyHints) // which makes ReverseProxy forget what stands there
			w.Header()["Vary"] = tt.vary
			w.Header().Set("Access-Control-Allow-Origin", "https://the-application's-own")
			_, _ = io.WriteString(w, r.Method)
		}))
		registry := adapters.NewRegistry(adapters.New("log", func() struct{} { return struct{}{} },
			func(struct{}, adapters.Route) (adapters.Factory, error) { return (&adaptertest.Log{}).Factory(), nil }))
		config, err := Parse("test.yaml", []byte(`{upstream: "`+app.URL+`", routes: [{path: /a, log: {}, cors: {origins: ["`+page+`"]}}, {path: /b, upstream: "`+app.URL+`", log: {}}]}`), registry, strictyaml.References{})
		if err != nil {
			t.Fatal(err)
		}
		s := New(config, Settings{})
		for _, c := range []struct{ method, path, want string }{
			{http.MethodGet, "/a", tt.want},
			{http.MethodHead, "/a", tt.want},
			{http.MethodGet, "/b", tt.want},
			{http.MethodPut, "/a", "Vary: " + strings.Join(tt.vary, ", ")},
			{http.MethodPut, "/b", "Vary: " + strings.Join(tt.vary, ", ")},
			{http.MethodGet, "/c", "Vary: " + strings.Join(tt.vary, ", ")},
		} {
			r := httptest.NewRequest(c.method, c.path, http.NoBody)
			r.Header.Set("Origin", page)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			want := "Allow-Origin: https://the-application's-own\n" + c.want
			if got := grants(w.Header()); got != want {
				t.Errorf("%s %s, Vary %q of the application:\ngot\n%s\nwant\n%s", c.method, c.path, tt.vary, got, want)
			}
		}
		app.Close()
		r := httptest.NewRequest(http.MethodGet, "/a", http.NoBody)
		w := httptest.NewRecorder()
		if s.ServeHTTP(w, r); w.Code != http.StatusBadGateway || w.Header().Get("Vary") != "Accept" {
			t.Errorf("with the application gone: got %d, Vary %q; want 502, Accept", w.Code, w.Header().Get("Vary"))
		}
		s.transports.closeIdle()
	}
}

// Where events are brought, a route's cors says nothing: neither of the
// answers nor of preflights, although the path is the stream's own.
func TestCORSIsNotForIngest(t *testing.T) {
	const table = `routes: [{path: /events, post: {in: /events, methods: [POST, OPTIONS]}, cors: {origins: ["` + page + `"]}}]`
	inPost(t, &post{}, table, func(w *world) {
		for _, tt := range []struct {
			method, asked string
			status        int
			want          string
		}{
			{http.MethodPost, "", http.StatusAccepted, "Vary: "},
			{http.MethodOptions, "POST", http.StatusAccepted, "Vary: "}, // the adapter's, which takes OPTIONS
			{http.MethodOptions, "GET", http.StatusNoContent, lines("Allow-Methods: GET", "Allow-Origin: "+page, "Max-Age: 600",
				"Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers")},
		} {
			headers := []string{"Origin: " + page}
			if tt.asked != "" {
				headers = append(headers, "Access-Control-Request-Method: "+tt.asked)
			}
			resp := w.do(tt.method, "/events", headers...)
			resp.Body.Close()
			if got := grants(resp.Header); resp.StatusCode != tt.status || got != tt.want {
				t.Errorf("%s for %q: got %d\n%s\nwant %d\n%s", tt.method, tt.asked, resp.StatusCode, got, tt.status, tt.want)
			}
		}
	})
}

func TestCheckOrigin(t *testing.T) {
	for _, right := range []string{
		"*", "https://app.example.com", "http://app.example.com:8080", "https://*.example.com", "https://*.example.com:8443",
		"http://localhost", "http://127.0.0.1:3000", "http://[::1]:3000", "https://App.Example.com", "https://my_app.example.com", "https://*.internal", "https://*.example.co.uk",
		"https://xn--mller-kva.example", "chrome-extension://abcdefghijklmnop", "capacitor://localhost",
	} {
		if err := checkOrigin(right); err != nil {
			t.Errorf("%s: got %v, want nothing against it", right, err)
		}
	}
	for text, want := range map[string]string{
		"":                            "has no scheme",
		"null":                        "leave it out",
		"app.example.com":             "has no scheme",
		"//app.example.com":           "has no scheme",
		"*.example.com":               "has no scheme",
		"https://":                    "has no valid host",
		"https:///":                   "has no valid host",
		"https://app.example.com/":    "ends with a slash, which no origin does; write https://app.example.com",
		"https://app.example.com/a/b": "goes on after the host, which no origin does; write https://app.example.com",
		"https://app.example.com?x":   "goes on after the host",
		"https://app.example.com#x":   "goes on after the host",
		"https://u:hunter2@app":       "has a user",
		"https://app.example.com:443": "write https://app.example.com",
		"http://app.example.com:80/":  "write http://app.example.com",
		"https://app.example.com:":    "is not an origin",
		"https://app.example.com:x":   "is not an origin",
		"https://app.example.com:*":   "is not an origin",
		"1https://app.example.com":    "is not an origin",
		"https://müller.example":      "write https://xn--mller-kva.example",
		"https://app..example.com":    "has no valid host",
		"https://app example.com":     "has no valid host",
		"https://*":                   `"*" alone is every origin`,
		"https://*.":                  `"*" alone is every origin`,
		"https://app.*.com":           "isn't for subdomains",
		"https://*app.example.com":    "isn't for subdomains",
		"https://*.*.example.com":     "several wildcards",
		"https://*.com":               "anybody may register under com",
		"https://*.co.uk":             "anybody may register under co.uk",
		"https://*.github.io":         "anybody may register under github.io",
		"https://[::1":                "has no valid address",
		"https://[1.2.3.4]":           "has no valid address",
		"https://[0:0::1]":            "write https://[::1]",
	} {
		err := checkOrigin(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: got a secret shown", text)
		}
	}
}
