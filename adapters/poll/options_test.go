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

// TestBadURL: what is wrong is said of the option that it is in. Package
// urltemplate has all that can be.
func TestBadURL(t *testing.T) {
	const none = "there is no cursor; set cursor"
	tests := []struct {
		name string
		edit func(*Options)
		path string
		want string
	}{
		{"scheme", func(o *Options) { o.URL = "ftp://legacy.test/x" }, "url", "has to be http or https"},
		{"user", func(o *Options) { o.URL = "http://user:hunter2@legacy.test/x" }, "url", "user name or password"},
		{"variable", func(o *Options) { o.URL = "/x/{nobody}" }, "url", "no variable {nobody}; it has user, rest, page"},
		{"variable in the query", func(o *Options) { o.Query = map[string]string{"k": "{nobody}"} }, "query.k", "no variable {nobody}; it has user, rest, page"},
		{"variable, with a cursor", func(o *Options) { o.Cursor.Next, o.URL = ".next", "/x/{nobody}?a={cursor}" }, "url", "it has user, rest, page, cursor"},
		{"no cursor", func(o *Options) { o.URL = "/x?a={cursor}" }, "url", none},
		{"no cursor in the query", func(o *Options) { o.Query = map[string]string{"k": "{cursor}"} }, "query.k", none},
		{"no first cursor", func(o *Options) { o.Cursor.Next, o.URL = ".next", "/x/{cursor}" }, "url", "set cursor.start"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tryConfigure(someRoute, tt.edit)
			wantOptionError(t, err, tt.path, tt.want)
		})
	}
	if _, err := tryConfigure(someRoute, func(o *Options) { o.Cursor, o.URL = Cursor{Next: ".next", Start: "0"}, "/x/{cursor}" }); err != nil {
		t.Errorf("with a first cursor: got %v, want no error", err)
	}
}

// TestNoUpstream: a path needs an upstream to go under.
func TestNoUpstream(t *testing.T) {
	_, err := tryConfigure(adapters.Route{Path: "/doc"}, nil)
	wantOptionError(t, err, "url", "an upstream is needed")
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

func TestCapabilities(t *testing.T) {
	for configured, whole := range map[string]bool{"": true, "/other": false} {
		f := configure(t, someRoute, func(o *Options) { o.URL = configured })
		want := adapters.Capabilities{Positions: true, Stateful: true, WholeURL: whole}
		if got := f.Capabilities(); !reflect.DeepEqual(got, want) {
			t.Errorf("url %q: got %+v, want %+v", configured, got, want)
		}
	}
}
