package sse

import (
	"errors"
	"net/http"
	"testing"

	"sidestream/adapters"
)

// TestURL: it is the template's, asked for as it is.
func TestURL(t *testing.T) {
	seen := make(chan string, 1)
	upstream := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Host + r.RequestURI
		begin(w, "data: a\n\n")
		<-r.Context().Done()
	})
	f := configure(t, adapters.Route{Vars: []string{"v", "rest"}, Upstream: upstream}, func(o *Options) {
		o.URL, o.Query = "/a/{v}/b/{rest...}?q={v}", map[string]string{"r": "{v}"}
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
	for _, vars := range []adapters.Vars{nil, {"v": "..", "rest": "x"}, {"v": "a", "rest": "x/../y"}, {"v": "a\nb", "rest": "x"}} {
		if s, err := f.Open(vars, adapters.Env{}); !errors.Is(err, adapters.ErrBadVariable) || s != nil {
			t.Errorf("%q: got %v, %v, want ErrBadVariable and no source", vars, s, err)
		}
	}
}
