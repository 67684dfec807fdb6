package urltemplate

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"sidestream/adapters"
)

func TestExpand(t *testing.T) {
	all := adapters.Vars{"user": "ann", "rest": "x/y z", "page": "2", "q r": "a&b"}
	for _, tt := range []struct {
		name, url, path, base string
		query                 map[string]string
		vars                  adapters.Vars
		want                  string
	}{
		{name: "default", path: "/api/{user}", vars: all, want: "http://app.test:81/api/ann?page=2&q+r=a%26b"},
		{name: "default, one absent", path: "/api/{user}", vars: adapters.Vars{"user": "ann", "q r": ""}, want: "http://app.test:81/api/ann?q+r="},
		{name: "default, none there", path: "/api/{user}", vars: adapters.Vars{"user": "ann"}, want: "http://app.test:81/api/ann"},
		{name: "default, rest", path: "/api/{rest...}", vars: adapters.Vars{"rest": "x/y z"}, want: "http://app.test:81/api/x/y%20z"},
		{name: "default, under a base", base: "/v1/", path: "/api/", want: "http://app.test:81/v1/api/"},
		{name: "default, escaped once", path: "/b c/stra\u00dfe/%41", want: "http://app.test:81/b%20c/stra%C3%9Fe/%41"},
		{name: "relative", url: "/x/{user}", base: "/v1", vars: all, want: "http://app.test:81/v1/x/ann"},
		{name: "whole", url: "HTTPS://Other.test:443/x.{user}.json", vars: all, want: "https://other.test/x.ann.json"},
		{name: "host only", url: "http://other.test", want: "http://other.test/"},
		{name: "host and query", url: "http://other.test?a={page}", vars: all, want: "http://other.test/?a=2"},
		{name: "IPv6", url: "http://[::1]:8080/{rest...}", vars: all, want: "http://[::1]:8080/x/y%20z"},
		{name: "query", url: "/x?a=1&f[x]=p{page}q&b&c=", vars: all, want: "http://app.test:81/x?a=1&f%5Bx%5D=p2q&b&c="},
		{name: "pair dropped", url: "/x?a=1&p={page}{user}&c=3", vars: adapters.Vars{"user": "ann"}, want: "http://app.test:81/x?a=1&c=3"},
		{name: "only pair dropped", url: "/x?p={page}", want: "http://app.test:81/x"},
		{name: "query option", url: "/x?a=1", query: map[string]string{"z z": "100% &x=y#+%41", "u": "{user}!"}, vars: all,
			want: "http://app.test:81/x?a=1&u=ann!&z+z=100%25%20%26x%3Dy%23%2B%2541"},
		{name: "query option dropped", url: "/x", query: map[string]string{"u": "{user}", "v": ""}, want: "http://app.test:81/x?v="},
	} {
		t.Run(tt.name, func(t *testing.T) {
			template := parse(t, tt.url, tt.query, adapters.Route{
				Path: tt.path, Vars: []string{"user", "rest", "page", "q r"}, Query: []string{"page", "q r"},
				Upstream: &url.URL{Scheme: "http", Host: "app.test:81", Path: tt.base},
			})
			got, err := template.Expand(tt.vars)
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if !strings.HasPrefix(tt.want, template.Origin()+"/") {
				t.Errorf("got the origin %s of %s", template.Origin(), tt.want)
			}
		})
	}
}

// TestHostileVariables proves that a value is refused, or is one segment or
// query value of the request as the upstream sees it, and nothing more.
func TestHostileVariables(t *testing.T) {
	type request struct{ uri, host string }
	seen := make(chan request, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		seen <- request{r.RequestURI, r.Host}
	}))
	defer server.Close()
	template := parse(t, server.URL+"/a/{v}/b/{rest...}?q={v}&z=1", map[string]string{"r": "{v}"}, adapters.Route{Vars: []string{"v", "rest"}})
	accepted := 0
	for _, value := range []string{
		"", ".", "..", "...", "a/b", `a\b`, "../../etc/passwd", "@evil.test", "a@evil.test:80", "//evil.test", "a\r\nHost: evil.test",
		"a\nb", "a\x00b", "\x7f", "\xff\xfe", strings.Repeat("x", 64<<10), strings.Repeat("x", adapters.MaxVar), "%2f", "%2e%2e", "%",
		"%00", "?x=", "x?y", "#", "a#b", "&z=2", "a=b", ";", "..;", "a b", "+", ":", "http://evil.test", "{v}", "\u00e9", "\u2028", "*", "[x]", `"<>`,
	} {
		t.Run(value[:min(len(value), 20)], func(t *testing.T) {
			u, err := template.Expand(adapters.Vars{"v": value, "rest": "one/" + value})
			if err != nil {
				if !errors.Is(err, adapters.ErrBadVariable) {
					t.Errorf("got error %v, want ErrBadVariable", err)
				}
				return
			}
			accepted++
			resp, err := server.Client().Get(u.String())
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			got := <-seen
			if want := strings.TrimPrefix(server.URL, "http://"); got.host != want {
				t.Errorf("got host %q, want %q", got.host, want)
			}
			path, query, _ := strings.Cut(got.uri, "?")
			segments := strings.Split(path, "/")
			if len(segments) != 6 || segments[1] != "a" || segments[3] != "b" || segments[4] != "one" {
				t.Fatalf("got path %q, want /a/{v}/b/one/{v}", path)
			}
			for _, i := range []int{2, 5} {
				if plain, err := url.PathUnescape(segments[i]); err != nil || plain != value {
					t.Errorf("got segment %q (%v), want %q", plain, err, value)
				}
			}
			pairs := strings.Split(query, "&")
			if len(pairs) != 3 || pairs[1] != "z=1" {
				t.Fatalf("got query %q, want q={v}&z=1&r={v}", query)
			}
			for name, pair := range map[string]string{"q=": pairs[0], "r=": pairs[2]} {
				if plain, err := url.QueryUnescape(strings.TrimPrefix(pair, name)); err != nil || plain != value {
					t.Errorf("got pair %q (%v), want %s%q", pair, err, name, value)
				}
			}
		})
	}
	if accepted < 15 {
		t.Errorf("got %d values accepted, want those that are harmless", accepted)
	}
}

// TestBadVariables: what can't be in its place makes no URL.
func TestBadVariables(t *testing.T) {
	template := parse(t, "http://legacy.test/{v}/{rest...}?q={q}{absent}", nil, adapters.Route{Vars: []string{"v", "rest", "q", "absent"}})
	fails := func(vars adapters.Vars) {
		t.Helper()
		if u, err := template.Expand(vars); !errors.Is(err, adapters.ErrBadVariable) {
			t.Errorf("%.20q: got %v, %v, want ErrBadVariable", vars, u, err)
		}
	}
	for _, value := range []string{"", ".", "..", "a/b", `a\b`, "a\r\nb", strings.Repeat("x", 64<<10)} {
		fails(adapters.Vars{"v": value, "rest": "x"})
	}
	for _, rest := range []string{"", "/", "a//b", "a/", "../x", "a/../b", "a/./b"} {
		fails(adapters.Vars{"v": "x", "rest": rest})
	}
	fails(nil)
	fails(adapters.Vars{"v": "x", "rest": "x", "q": "a\nb"}) // of a pair that would be left out
}

func TestInPath(t *testing.T) {
	template := parse(t, "http://legacy.test/x{a}/{rest...}?q={b}", nil, adapters.Route{Vars: []string{"a", "b", "rest"}})
	for name, want := range map[string]bool{"a": true, "rest": true, "b": false, "c": false, "": false} {
		if got := template.InPath(name); got != want {
			t.Errorf("%q: got %v, want %v", name, got, want)
		}
	}
}

// TestOrigin: a host is one host, however routes spell it.
func TestOrigin(t *testing.T) {
	for _, tt := range []struct{ url, want string }{
		{"http://api.test/x", "http://api.test"},
		{"http://API.test/y", "http://api.test"},
		{"http://api.test:80", "http://api.test"},
		{"https://Api.Test:443/x", "https://api.test"},
		{"https://api.test:80/x", "https://api.test:80"},
		{"http://[::1]:80/x", "http://[::1]"},
	} {
		u, err := url.Parse(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		for _, got := range []string{
			Origin(u),
			parse(t, tt.url, nil, adapters.Route{}).Origin(),
			parse(t, "", nil, adapters.Route{Path: "/doc", Upstream: u}).Origin(),
		} {
			if got != tt.want {
				t.Errorf("%s: got the origin %s, want %s", tt.url, got, tt.want)
			}
		}
	}
}

// TestSocket: what goes under an upstream at a socket is asked there.
func TestSocket(t *testing.T) {
	upstream := &url.URL{Scheme: "unix", OmitHost: true, Path: "/run/app.sock"}
	for text, want := range map[string][2]string{
		"":                    {"/run/app.sock", "http://localhost"},
		"/a/{v}":              {"/run/app.sock", "http://localhost"},
		"https://legacy.test": {"", "https://legacy.test"},
	} {
		template := parse(t, text, nil, adapters.Route{Path: "/doc", Vars: []string{"v"}, Upstream: upstream})
		if got := [2]string{template.Socket(), template.Origin()}; got != want {
			t.Errorf("%q: got the socket and origin %q, want %q", text, got, want)
		}
	}
}

func parse(t *testing.T, text string, query map[string]string, route adapters.Route) *Template {
	t.Helper()
	template, err := Parse(text, query, route)
	if err != nil {
		t.Fatal(err)
	}
	return template
}
