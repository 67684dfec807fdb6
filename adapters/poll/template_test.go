package poll

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"sidestream/adapters"
)

func TestURL(t *testing.T) {
	query := []string{"page", "q r"}
	all := adapters.Vars{"user": "ann", "rest": "x/y z", "page": "2", "q r": "a&b"}
	tests := []struct {
		name, url, path, base string
		vars                  adapters.Vars
		want                  string
	}{
		{name: "default", path: "/api/{user}", vars: all, want: "http://legacy.test:81/api/ann?page=2&q+r=a%26b"},
		{name: "default, one absent", path: "/api/{user}", vars: adapters.Vars{"user": "ann", "q r": ""}, want: "http://legacy.test:81/api/ann?q+r="},
		{name: "default, none there", path: "/api/{user}", vars: adapters.Vars{"user": "ann"}, want: "http://legacy.test:81/api/ann"},
		{name: "default, rest", path: "/api/{rest...}", vars: adapters.Vars{"rest": "x/y z"}, want: "http://legacy.test:81/api/x/y%20z"},
		{name: "default, under a base", base: "/v1/", path: "/api/", want: "http://legacy.test:81/v1/api/"},
		{name: "default, escaped once", path: "/b c/stra\u00dfe/%41", want: "http://legacy.test:81/b%20c/stra%C3%9Fe/%41"},
		{name: "relative", url: "/x/{user}", base: "/v1", vars: all, want: "http://legacy.test:81/v1/x/ann"},
		{name: "whole", url: "HTTPS://other.test/x.{user}.json", vars: all, want: "https://other.test/x.ann.json"},
		{name: "host only", url: "http://other.test", vars: all, want: "http://other.test/"},
		{name: "host and query", url: "http://other.test?a={page}", vars: all, want: "http://other.test/?a=2"},
		{name: "IPv6", url: "http://[::1]:8080/{rest...}", vars: all, want: "http://[::1]:8080/x/y%20z"},
		{name: "query", url: "/x?a=1&f[x]=p{page}q&b&c=", vars: all, want: "http://legacy.test:81/x?a=1&f%5Bx%5D=p2q&b&c="},
		{name: "pair dropped", url: "/x?a=1&p={page}{user}&c=3", vars: adapters.Vars{"user": "ann"}, want: "http://legacy.test:81/x?a=1&c=3"},
		{name: "only pair dropped", url: "/x?p={page}", want: "http://legacy.test:81/x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := configure(t, adapters.Route{
				Path: tt.path, Vars: []string{"user", "rest", "page", "q r"}, Query: query,
				Upstream: &url.URL{Scheme: "http", Host: "legacy.test:81", Path: tt.base},
			}, func(o *Options) { o.URL = tt.url })
			got, err := f.target.expand(tt.vars, "")
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestHostileVariables proves that a value is refused, or is one segment or
// query value of the request as the upstream sees it, and nothing more.
func TestHostileVariables(t *testing.T) {
	type request struct{ uri, host string }
	seen := make(chan request, 1)
	upstream := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		seen <- request{r.RequestURI, r.Host}
	})
	f := configure(t, adapters.Route{Vars: []string{"v", "rest"}, Upstream: upstream}, func(o *Options) {
		o.URL = "/a/{v}/b/{rest...}?q={v}&z=1"
		o.Answer.Format = "bytes"
	})
	values := []string{
		"", ".", "..", "...", "a/b", `a\b`, "../../etc/passwd", "@evil.test", "a@evil.test:80", "//evil.test", "a\r\nHost: evil.test",
		"a\nb", "a\x00b", "\x7f", "\xff\xfe", strings.Repeat("x", 64<<10), strings.Repeat("x", adapters.MaxVar), "%2f", "%2e%2e", "%",
		"%00", "?x=", "x?y", "#", "a#b", "&z=2", "a=b", ";", "..;", "a b", "+", ":", "http://evil.test", "{v}", "\u00e9", "\u2028", "*", "[x]", `"<>`,
	}
	for _, value := range values {
		name := value[:min(len(value), 20)]
		t.Run(name, func(t *testing.T) {
			s, err := f.Open(adapters.Vars{"v": value, "rest": "one/" + value}, adapters.Env{})
			if err != nil {
				if !errors.Is(err, adapters.ErrBadVariable) {
					t.Errorf("got error %v, want ErrBadVariable", err)
				}
				return
			}
			take(t, s, "", 1)
			got := <-seen
			if got.host != upstream.Host {
				t.Errorf("got host %q, want %q", got.host, upstream.Host)
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
			if len(pairs) != 2 || pairs[1] != "z=1" {
				t.Fatalf("got query %q, want q={v}&z=1", query)
			}
			if plain, err := url.QueryUnescape(strings.TrimPrefix(pairs[0], "q=")); err != nil || plain != value {
				t.Errorf("got query value %q (%v), want %q", plain, err, value)
			}
		})
	}
	for _, value := range []string{"", ".", "..", "a/b", `a\b`, "a\r\nb", strings.Repeat("x", 64<<10)} {
		if _, err := f.Open(adapters.Vars{"v": value, "rest": "x"}, adapters.Env{}); !errors.Is(err, adapters.ErrBadVariable) {
			t.Errorf("%.20q: got %v, want ErrBadVariable", value, err)
		}
	}
	for _, rest := range []string{"", "/", "a//b", "a/", "../x", "a/../b", "a/./b"} {
		if _, err := f.Open(adapters.Vars{"v": "x", "rest": rest}, adapters.Env{}); !errors.Is(err, adapters.ErrBadVariable) {
			t.Errorf("rest %q: got %v, want ErrBadVariable", rest, err)
		}
	}
}
