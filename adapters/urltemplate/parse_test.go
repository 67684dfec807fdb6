package urltemplate

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"sidestream/adapters"
)

var someRoute = adapters.Route{
	Path:     "/api/{user}/{rest...}",
	Vars:     []string{"user", "rest", "page"},
	Query:    []string{"page"},
	Upstream: &url.URL{Scheme: "http", Host: "legacy.test"},
}

func TestBadURL(t *testing.T) {
	for _, tt := range []struct{ url, want string }{
		{"api/x", `from "/" on`},
		{"legacy.test:80/x", `from "/" on`},
		{"ftp://legacy.test/x", `the scheme is "ftp"; it has to be http or https`},
		{"http:///x", "host is missing"},
		{"http://:80/x", "host is missing"},
		{"http://legacy.test:http/x", "not a scheme and a host"},
		{"http://a b/", "not a scheme and a host"},
		{"http://user:hunter2@legacy.test/x", "user name or password"},
		{"http://us{user}er:hunter2@legacy.test/x", "never in the scheme or the host"},
		{"{user}://legacy.test/x", "never in the scheme or the host"},
		{"http://{user}/x", "never in the scheme or the host"},
		{"http://{user}.test", "never in the scheme or the host"},
		{"http://legacy.test/{nobody}", "no variable {nobody}; it has user, rest, page"},
		{"http://legacy.test/{}", "no variable {}"},
		{"http://legacy.test/{user", "unbalanced braces"},
		{"http://legacy.test/user}", "unbalanced braces"},
		{"http://legacy.test/{us{user}}", "unbalanced braces"},
		{"http://legacy.test/{us/er}", "unbalanced braces"},
		{"http://legacy.test/{rest...}/x", "last segment, by itself"},
		{"http://legacy.test/x{rest...}", "last segment, by itself"},
		{"http://legacy.test/?x={rest...}", "write {rest}"},
		{"http://legacy.test/?{user}=hunter2", "after the ="},
		{"http://legacy.test/?{user}", "after the ="},
		{"http://legacy.test/?x={user", "unbalanced braces"},
		{"http://legacy.test/a#b", "%23"},
		{"http://legacy.test/a/../b", `segment ".."`},
		{"http://legacy.test/a/%2e%2E/b", `segment "%2e%2E"`},
		{"http://legacy.test/.", `segment "."`},
		{"http://legacy.test/a//b", "empty segment"},
		{"//legacy.test/a", "empty segment"},
		{"http://legacy.test/100%", "%25"},
		{"http://legacy.test/?x=%zz&key=hunter2", "%25"},
		{"http://legacy.test/?%z=hunter2", "%25"},
		{"http://legacy.test/a\nb", "control character"},
	} {
		t.Run(tt.url, func(t *testing.T) {
			_, err := Parse(tt.url, map[string]string{"k": "{nobody}"}, someRoute)
			wantOptionError(t, err, "url", tt.want)
		})
	}
}

func TestBadQuery(t *testing.T) {
	for _, tt := range []struct{ value, want string }{
		{"{nobody}", "no variable {nobody}; it has user, rest, page"},
		{"{rest...}", "write {rest}"},
		{"hunter2{", "unbalanced braces"},
		{"hunter2\n", "control character"},
	} {
		_, err := Parse("", map[string]string{"a": "1", "k": tt.value}, someRoute)
		wantOptionError(t, err, "query.k", tt.want)
	}
}

func TestBadUpstream(t *testing.T) {
	for _, tt := range []struct {
		name     string
		upstream *url.URL
		want     string
		is       error // nil: no matter
	}{
		{"none", nil, "upstream is needed", ErrNoUpstream},
		{"scheme", &url.URL{Scheme: "nats", Host: "legacy.test"}, `can't be read from: the scheme is "nats"`, nil},
		{"user", &url.URL{Scheme: "http", Host: "legacy.test", User: url.UserPassword("u", "hunter2")}, "user name or password", ErrUserinfo},
		{"query", &url.URL{Scheme: "http", Host: "legacy.test", RawQuery: "k=hunter2"}, "query", nil},
	} {
		for _, configured := range []string{"", "/api/x"} {
			t.Run(tt.name+" for "+configured, func(t *testing.T) {
				route := someRoute
				route.Upstream = tt.upstream
				_, err := Parse(configured, nil, route)
				wantOptionError(t, err, "url", tt.want)
				if tt.is != nil && !errors.Is(err, tt.is) {
					t.Errorf("got %v, want %v in it", err, tt.is)
				}
			})
		}
	}
}

// TestUnknownError: who asks is told which variable it is.
func TestUnknownError(t *testing.T) {
	for _, url := range []string{"http://legacy.test/{nobody}", "http://legacy.test/{nobody...}", "http://legacy.test/?a={nobody}"} {
		_, err := Parse(url, nil, adapters.Route{})
		wantOptionError(t, err, "url", "no variable {nobody}; it has none at all")
		if unknown, ok := errors.AsType[*UnknownError](err); !ok || unknown.Name != "nobody" {
			t.Errorf("%s: got %v, want an UnknownError about nobody", url, err)
		}
	}
}

func wantOptionError(t *testing.T, err error, path, text string) {
	t.Helper()
	option, ok := errors.AsType[*adapters.OptionError](err)
	if !ok {
		t.Fatalf("got error %v, want an OptionError", err)
	}
	if option.Path != path || !strings.Contains(err.Error(), text) {
		t.Errorf("got %q, want option %q and %q", err, path, text)
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %q, want no secret in it", err)
	}
}
