package sse

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/httpclient"
	"sidestream/adapters/secret"
)

// TestBadOptions: what can't work is refused, with the option's path and what
// would be right.
func TestBadOptions(t *testing.T) {
	token := secret.Text("t")
	for _, tt := range []struct {
		edit func(*Options)
		path string
		want string // part of the message
	}{
		{func(o *Options) { o.URL = "ftp://events.test/" }, "url", "http or https"},
		{func(o *Options) { o.URL = "http://ann:pw@events.test/" }, "url", "auth is for them"},
		{func(o *Options) { o.URL = "/x/{nobody}" }, "url", "it has user, rest"},
		{func(o *Options) { o.Query = map[string]string{"k": "{nobody}"} }, "query.k", "it has user, rest"},
		{func(o *Options) { o.Client.Headers = map[string]secret.Value{"last-event-id": token} }, "headers.last-event-id", "set where"},
		{func(o *Options) { o.Client.MaxConnections = 0 }, "max_connections", "from 1"},
		{func(o *Options) { o.Forward = []string{"Cookie", "Accept"} }, "forward[1]", "who the client is"},
		{func(o *Options) { o.Forward = []string{"Host"} }, "forward[0]", "who the client is"},
		{func(o *Options) { o.Forward = []string{"a b"} }, "forward[0]", "not the name"},
		{func(o *Options) {
			o.Forward, o.Client.Auth = []string{"authorization"}, httpclient.Auth{Bearer: &token}
		}, "forward[0]", "leave out one"},
		{func(o *Options) {
			o.Forward, o.Client.Headers = []string{"x-key"}, map[string]secret.Value{"X-Key": token}
		}, "forward[0]", "leave out one"},
		{func(o *Options) { o.Always = true }, "always", "variables (user, rest)"},
		{func(o *Options) { o.Always, o.Forward = true, []string{"Cookie"} }, "always", "forwards credentials"},
		{func(o *Options) { o.IDs = "auto" }, "ids", "number, pass, replay"},
		{func(o *Options) { o.LastEventIDParam, o.Query = "id", map[string]string{"id": "1"} }, "last_event_id_param", "already"},
		{func(o *Options) { o.LastEventIDParam = strings.Repeat("x", 101) }, "last_event_id_param", "100 bytes"},
		{func(o *Options) { o.Types = map[string]string{"a": "stream.b"} }, "types.a", "reserved"},
		{func(o *Options) { o.Types = map[string]string{"": "b"} }, "types.", `"message"`},
		{func(o *Options) { o.ConnectTimeout = 0 }, "connect_timeout", "above 0"},
		{func(o *Options) { o.Settle = 0 }, "settle", "from 1ms to 1m"},
		{func(o *Options) { o.Settle = adapters.Duration(time.Hour) }, "settle", "from 1ms to 1m"},
		{func(o *Options) { o.MinRetry = 0 }, "min_retry", "from 10ms to 1h"},
		{func(o *Options) { o.MaxRetry = adapters.Duration(2 * time.Hour) }, "max_retry", "from 10ms to 1h"},
		{func(o *Options) { o.MinRetry = adapters.Duration(2 * time.Minute) }, "max_retry", "less than min_retry"},
		{func(o *Options) { o.Retry = adapters.Duration(2 * time.Minute) }, "retry", "from min_retry to max_retry"},
		{func(o *Options) { o.MaxEvent = 0 }, "max_event", "from 1 byte to 1GiB"},
		{func(o *Options) { o.MaxEvent = 1<<30 + 1 }, "max_event", "from 1 byte to 1GiB"},
		{func(o *Options) { o.MaxLine = 1 << 31 }, "max_line", "4KiB more"},
	} {
		_, err := tryConfigure(adapters.Route{
			Path: "/events", Vars: []string{"user", "rest"}, Upstream: &url.URL{Scheme: "http", Host: "app.test"},
		}, tt.edit)
		if !complains(err, tt.path, tt.want) {
			t.Errorf("got %v, want a complaint about %s with %q", err, tt.path, tt.want)
		}
	}
}

// TestNoUpstream: a path needs an upstream to go under, and one that it can.
func TestNoUpstream(t *testing.T) {
	for want, upstream := range map[string]*url.URL{
		"set upstream":          nil,
		"can't be read from":    {Scheme: "ftp", Host: "app.test"},
		"a query or a fragment": {Scheme: "http", Host: "app.test", RawQuery: "a"},
	} {
		if _, err := tryConfigure(adapters.Route{Path: "/events", Upstream: upstream}, nil); !complains(err, "url", want) {
			t.Errorf("got %v, want a complaint about url with %q", err, want)
		}
	}
}

// TestAllAtOnce: all that is wrong is said at once.
func TestAllAtOnce(t *testing.T) {
	_, err := tryConfigure(adapters.Route{}, func(o *Options) { o.URL, o.IDs, o.Settle = "x", "x", 0 })
	for _, path := range []string{"url", "ids", "settle"} {
		if !complains(err, path, "") {
			t.Errorf("got %v, want a complaint about %s among others", err, path)
		}
	}
}

// complains reports whether err has in it an error about the option at path,
// with part of its message.
func complains(err error, path, part string) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			if complains(e, path, part) {
				return true
			}
		}
		return false
	}
	var option *adapters.OptionError
	return errors.As(err, &option) && option.Path == path && strings.Contains(option.Err.Error(), part)
}

func TestCapabilities(t *testing.T) {
	for ids, want := range map[IDs]adapters.Capabilities{
		idsNumber: {},
		idsPass:   {Positions: true},
		idsReplay: {Positions: true, Replayable: true},
	} {
		got := openScript(adapters.Env{}, nil, func(o *Options) { o.IDs = ids }).Capabilities()
		if got.Positions != want.Positions || got.Replayable != want.Replayable || got.WholeURL || got.Always {
			t.Errorf("%s: got %+v, want %+v", ids, got, want)
		}
	}
	for configured, want := range map[string]bool{"": true, "/events": false} {
		f := configure(t, adapters.Route{Path: "/events", Upstream: &url.URL{Scheme: "http", Host: "app.test"}}, func(o *Options) { o.URL = configured })
		if got := f.Capabilities().WholeURL; got != want {
			t.Errorf("url %q: got WholeURL %v, want %v", configured, got, want)
		}
	}
}
