package poll

import (
	"errors"
	"math"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/secret"
)

var someRoute = adapters.Route{
	Path:     "/api/{user}/{rest...}",
	Vars:     []string{"user", "rest", "page"},
	Query:    []string{"page"},
	Upstream: &url.URL{Scheme: "http", Host: "legacy.test"},
}

func TestBadOptions(t *testing.T) {
	tests := []struct {
		name string
		edit func(*Options)
		path string
		want string
	}{
		{"every too short", func(o *Options) { o.Every = evenly(9 * time.Millisecond) }, "every", "at least 10ms"},
		{"every overflows", func(o *Options) { o.Every = evenly(math.MaxInt64) }, "every", "at most 8760h"},
		{"jitter negative", func(o *Options) { o.Jitter = -0.1 }, "jitter", "fraction from 0 to 1"},
		{"jitter above one", func(o *Options) { o.Jitter = 1.1 }, "jitter", "fraction from 0 to 1"},
		{"jitter no number", func(o *Options) { o.Jitter = adapters.Fraction(math.NaN()) }, "jitter", "fraction from 0 to 1"},
		{"timeout zero", func(o *Options) { o.Timeout = 0 }, "timeout", "above 0"},
		{"max_body zero", func(o *Options) { o.Answer.MaxBody = 0 }, "max_body", "from 1 byte to 1GiB"},
		{"max_body huge", func(o *Options) { o.Answer.MaxBody = math.MaxInt64 }, "max_body", "from 1 byte to 1GiB"},
		{"emit", func(o *Options) { o.Emit = "patches" }, "emit", `"patches" is not known; valid: snapshot`},
		{"format", func(o *Options) { o.Answer.Format = "xls" }, "format", "valid: auto, json, ndjson"},
		{"type forges a field (W3)", func(o *Options) { o.Type = "a\ndata: b" }, "type", "one line"},
		{"header forwarded and configured", func(o *Options) {
			o.Forward = []string{"Cookie", "x-KEY"}
			o.Client.Headers = map[string]secret.Value{"X-Key": secret.Text("hunter2")}
		}, "forward[1]", "x-KEY is configured too"},
		{"credentials forwarded and configured", func(o *Options) {
			o.Forward = []string{"authorization"}
			token := secret.Text("hunter2")
			o.Client.Auth.Bearer = &token
		}, "forward[0]", "authorization is configured too"},
		{"type reserved", func(o *Options) { o.Type = "stream.gap" }, "type", "reserved"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tryConfigure(someRoute, tt.edit)
			wantOptionError(t, err, tt.path, tt.want)
		})
	}
}

func TestBadURL(t *testing.T) {
	tests := []struct{ url, want string }{
		{"api/x", `from "/" on`},
		{"legacy.test:80/x", `from "/" on`},
		{"ftp://legacy.test/x", "only http and https"},
		{"http:///x", "host is missing"},
		{"http://:80/x", "host is missing"},
		{"http://legacy.test:http/x", "not a scheme and a host"},
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
		{"http://legacy.test/a#b", "fragment"},
		{"http://legacy.test/a/../b", `segment ".."`},
		{"http://legacy.test/a/%2e%2E/b", `segment "%2e%2E"`},
		{"http://legacy.test/.", `segment "."`},
		{"http://legacy.test/a//b", "empty segment"},
		{"//legacy.test/a", "empty segment"},
		{"http://legacy.test/100%", "%25"},
		{"http://legacy.test/?x=%zz&key=hunter2", "%25"},
		{"http://legacy.test/a\nb", "control character"},
	}
	for _, tt := range tests {
		t.Run(tt.url, func(t *testing.T) {
			_, err := tryConfigure(someRoute, func(o *Options) { o.URL = tt.url })
			wantOptionError(t, err, "url", tt.want)
		})
	}
}

func TestBadUpstream(t *testing.T) {
	tests := []struct {
		name     string
		upstream *url.URL
		want     string
	}{
		{"none", nil, "upstream is needed"},
		{"scheme", &url.URL{Scheme: "nats", Host: "legacy.test"}, "only http and https"},
		{"user", &url.URL{Scheme: "http", Host: "legacy.test", User: url.UserPassword("u", "hunter2")}, "user name or password"},
		{"query", &url.URL{Scheme: "http", Host: "legacy.test", RawQuery: "k=hunter2"}, "query"},
	}
	for _, tt := range tests {
		for _, configured := range []string{"", "/api/x"} {
			t.Run(tt.name+" for "+configured, func(t *testing.T) {
				route := someRoute
				route.Upstream = tt.upstream
				_, err := tryConfigure(route, func(o *Options) { o.URL = configured })
				wantOptionError(t, err, "url", tt.want)
			})
		}
	}
}

func wantOptionError(t *testing.T, err error, path, text string) {
	t.Helper()
	var option *adapters.OptionError
	if !errors.As(err, &option) {
		t.Fatalf("got error %v, want an OptionError", err)
	}
	if option.Path != path || !strings.Contains(err.Error(), text) {
		t.Errorf("got %q, want option %q and %q", err, path, text)
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %q, want no secret in it", err)
	}
}

// TestOneHost: a budget is that of a host, however routes spell it.
func TestOneHost(t *testing.T) {
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
		for _, f := range []*factory{
			configure(t, adapters.Route{}, func(o *Options) { o.URL = tt.url }),
			configure(t, adapters.Route{Path: "/doc", Upstream: u}, nil),
		} {
			if got := f.target.origin; got != tt.want {
				t.Errorf("%s: got the host %s, want %s", tt.url, got, tt.want)
			}
		}
	}
}

func TestCapabilities(t *testing.T) {
	for configured, whole := range map[string]bool{"": true, "/other": false} {
		f := configure(t, someRoute, func(o *Options) { o.URL = configured })
		want := adapters.Capabilities{Positions: true, Stateful: true, WholeURL: whole}
		if got := f.Capabilities(); !reflect.DeepEqual(got, want) {
			t.Errorf("url %q: got %+v, want %+v", configured, got, want)
		}
	}
}
