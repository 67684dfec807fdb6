package poll

import (
	"io"
	"net/http"
	"net/url"
	"sync"
	"testing"

	"sidestream/adapters"
	"sidestream/adapters/secret"
)

// TestCredentialsStay: another host gets no credentials, not by way of a
// redirect to it and a link to its next page either.
func TestCredentialsStay(t *testing.T) {
	for name, next := range map[string]string{"link": nextLink, "expression": ".next"} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var seen []http.Header // guarded by mu
			away := serve(t, func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				seen = append(seen, r.Header)
				mu.Unlock()
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Link", `</all?page=2>; rel="next"`)
				io.WriteString(w, `{"items":[],"next":"/all?page=2"}`)
			})
			home := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") == "" || r.Header.Get("X-Key") == "" || r.Header.Get("Cookie") == "" {
					t.Errorf("got %v at home, want all credentials", r.Header)
				}
				http.Redirect(w, r, away.String()+"/all", http.StatusFound)
			})
			f := configure(t, adapters.Route{Path: "/doc", Upstream: home}, func(o *Options) {
				token := secret.Text("hunter2")
				o.Client.Redirects, o.Client.Auth.Bearer = "any", &token
				o.Client.Headers = map[string]secret.Value{"X-Key": token}
				o.Forward, o.Select, o.Pages.Next = []string{"Cookie"}, ".items", next
			})
			s, err := f.Open(nil, adapters.Env{Credentials: http.Header{"Cookie": {"sid=hunter2"}}})
			if err != nil {
				t.Fatal(err)
			}
			wantReason(t, fail(t, s), errPageElsewhere.Error())
			mu.Lock()
			defer mu.Unlock()
			if len(seen) != 1 {
				t.Errorf("got %d requests elsewhere, want that of the redirect", len(seen))
			}
			for _, header := range seen {
				for _, name := range []string{"Authorization", "X-Key", "Cookie"} {
					if got := header.Get(name); got != "" {
						t.Errorf("got %s: %s elsewhere, want none", name, got)
					}
				}
			}
		})
	}
}

// TestNextPage: a page may come from where redirects have led; the next one is
// on the configured host, or where that itself has gone over to https.
func TestNextPage(t *testing.T) {
	for _, tt := range []struct{ configured, here, link, want string }{
		{"http://a.test/x", "http://a.test/x", "?page=2", "http://a.test/x?page=2"},
		{"http://a.test/x", "http://a.test/x", "http://A.test:80/y#z", "http://A.test:80/y"},
		{"http://A.test:80/x", "http://a.test/x", "/y", "http://a.test/y"},
		{"http://a.test:81/x", "http://a.test:81/x", "//a.test:81/y", "http://a.test:81/y"},
		{"http://a.test/x", "https://a.test:8443/x", "/y", "https://a.test:8443/y"},
		{"http://a.test/x", "https://a.test:8443/x", "https://a.test/y", ""},
		{"http://a.test/x", "https://b.test/x", "http://a.test/y", "http://a.test/y"},
		{"http://a.test/x", "https://b.test/x", "/y", ""},
		{"http://a.test/x", "http://a.test:81/x", "/y", ""},
		{"https://a.test/x", "https://a.test:8443/x", "/y", ""},
		{"https://a.test/x", "http://a.test/x", "/y", ""},
	} {
		s := newTestSource(nil, func(o *Options) { o.URL = tt.configured })
		here, err := url.Parse(tt.here)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if next, err := s.sameHost(here, tt.link); err == nil {
			got = next.String()
		}
		if got != tt.want {
			t.Errorf("%s, by way of %s, to %s: got %q, want %q", tt.configured, tt.here, tt.link, got, tt.want)
		}
	}
}
