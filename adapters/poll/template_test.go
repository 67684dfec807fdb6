package poll

import (
	"errors"
	"net/http"
	"testing"

	"sidestream/adapters"
)

// TestURL: it is the template's, asked for as it is.
func TestURL(t *testing.T) {
	seen := make(chan string, 1)
	upstream := serve(t, func(_ http.ResponseWriter, r *http.Request) { seen <- r.Host + r.RequestURI })
	f := configure(t, adapters.Route{Vars: []string{"v", "rest"}, Upstream: upstream}, func(o *Options) {
		o.URL, o.Query = "/a/{v}/b/{rest...}?q={v}", map[string]string{"r": "{v}"}
		o.Answer.Format = "bytes"
	})
	s, err := f.Open(adapters.Vars{"v": "%2f?&#@ +", "rest": "x/%2e%2e/;"}, adapters.Env{})
	if err != nil {
		t.Fatal(err)
	}
	take(t, s, "", 1)
	const query = "%252f%3F%26%23%40+%2B"
	if got, want := <-seen, upstream.Host+"/a/%252f%3F&%23@%20+/b/x/%252e%252e/%3B?q="+query+"&r="+query; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestBadVariables: there is no source for what can't be in its URL, the first
// cursor included, whatever the route is.
func TestBadVariables(t *testing.T) {
	f := configure(t, someRoute, func(o *Options) { o.URL = "/{user}/{rest...}?page={page}" })
	for _, vars := range []adapters.Vars{nil, {"user": "..", "rest": "x"}, {"user": "a/b", "rest": "x"}, {"user": "a", "rest": "x/../y"}, {"user": "a", "rest": "x", "page": "\n"}} {
		if s, err := f.Open(vars, adapters.Env{}); !errors.Is(err, adapters.ErrBadVariable) || s != nil {
			t.Errorf("%q: got %v, %v, want ErrBadVariable and no source", vars, s, err)
		}
	}
	f = configure(t, someRoute, func(o *Options) { o.URL, o.Cursor = "/{cursor}", Cursor{Next: ".next", Start: ".."} })
	if _, err := f.Open(nil, adapters.Env{}); !errors.Is(err, adapters.ErrBadVariable) {
		t.Errorf("got %v, want ErrBadVariable", err)
	}
}

// TestCursor: it is a variable like others, for the time of one URL.
func TestCursor(t *testing.T) {
	f := configure(t, someRoute, func(o *Options) { o.URL, o.Cursor.Next = "/{user}?after={cursor}", ".next" })
	vars := adapters.Vars{"user": "ann"}
	for _, tt := range []struct{ cursor, want string }{
		{"c&d", "http://legacy.test/ann?after=c%26d"},
		{"", "http://legacy.test/ann"},
	} {
		got, err := f.target.expand(vars, tt.cursor)
		if err != nil || got.String() != tt.want {
			t.Errorf("%q: got %v, %v, want %s", tt.cursor, got, err, tt.want)
		}
	}
	if _, err := f.target.expand(vars, "a\nb"); !errors.Is(err, adapters.ErrBadVariable) {
		t.Errorf("got %v, want ErrBadVariable", err)
	}
}
