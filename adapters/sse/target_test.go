package sse

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"sidestream/adapters"
)

func TestURL(t *testing.T) {
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
		{name: "query option", url: "/x?a=1", query: map[string]string{"z z": "100% &x=y#+", "u": "{user}!"}, vars: all,
			want: "http://app.test:81/x?a=1&u=ann!&z+z=100%25%20%26x%3Dy%23%2B"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := configure(t, adapters.Route{
				Path: tt.path, Vars: []string{"user", "rest", "page", "q r"}, Query: []string{"page", "q r"},
				Upstream: &url.URL{Scheme: "http", Host: "app.test:81", Path: tt.base},
			}, func(o *Options) { o.URL, o.Query = tt.url, tt.query })
			got, err := f.target.expand(tt.vars)
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if got, want := f.Capabilities().WholeURL, tt.url == ""; got != want {
				t.Errorf("got WholeURL %v, want %v", got, want)
			}
		})
	}
}

// TestHostileVariables: a value is refused, or is one segment or query value of
// the request as the server sees it, and nothing more.
func TestHostileVariables(t *testing.T) {
	seen := make(chan string, 1)
	upstream := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Host + " " + r.RequestURI
		begin(w, "data: a\n\n")
		<-r.Context().Done()
	})
	f := configure(t, adapters.Route{Vars: []string{"v", "rest"}, Upstream: upstream}, func(o *Options) {
		o.URL, o.Query = "/a/{v}/b/{rest...}?q={v}", map[string]string{"r": "{v}"}
	})
	accepted := 0
	for _, value := range []string{
		"", ".", "..", "...", "a/b", `a\b`, "../../etc/passwd", "@evil.test", "//evil.test", "a\r\nHost: evil.test", "a\nb", "a\x00b", "\x7f",
		"\xff\xfe", strings.Repeat("x", 64<<10), strings.Repeat("x", adapters.MaxVar), "%2f", "%2e%2e", "%", "%00", "?x=", "#", "&z=2", "a=b",
		";", "a b", "+", ":", "http://evil.test", "{v}", "\u00e9", "\u2028", "*", `"<>`,
	} {
		s, err := f.Open(adapters.Vars{"v": value, "rest": "one/" + value}, adapters.Env{})
		if err != nil {
			if !errors.Is(err, adapters.ErrBadVariable) || s != nil {
				t.Errorf("%.20q: got error %v, want ErrBadVariable and no source", value, err)
			}
			continue
		}
		accepted++
		take(t, s, "", 1)
		host, uri, _ := strings.Cut(<-seen, " ")
		path, query, _ := strings.Cut(uri, "?")
		segments, pairs := strings.Split(path, "/"), strings.Split(query, "&")
		if host != upstream.Host || len(segments) != 6 || len(pairs) != 2 {
			t.Errorf("%.20q: got %s at %s", value, uri, host)
			continue
		}
		for _, i := range []int{2, 5} {
			if plain, err := url.PathUnescape(segments[i]); err != nil || plain != value {
				t.Errorf("%.20q: got segment %q", value, segments[i])
			}
		}
		for i, name := range []string{"q=", "r="} {
			if plain, err := url.QueryUnescape(strings.TrimPrefix(pairs[i], name)); err != nil || plain != value {
				t.Errorf("%.20q: got pair %q", value, pairs[i])
			}
		}
	}
	if accepted < 15 {
		t.Errorf("got %d values accepted, want those that are harmless", accepted)
	}
}
