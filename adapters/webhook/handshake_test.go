package webhook

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestHandshake(t *testing.T) {
	const origin = "eventemitter.example.com"
	for name, test := range map[string]struct {
		allowed      []string
		most         int
		origin, asks string
		status       int
		origins      string
		rate         string
	}{
		"allowed":            {[]string{"a.example", "EventEmitter.example.com"}, 0, origin, "120", 200, origin, "120"},
		"all":                {[]string{"*"}, 0, origin, "120", 200, "*", "120"},
		"no rate asked":      {[]string{origin}, 0, origin, "", 200, origin, "*"},
		"any rate asked":     {[]string{origin}, 100, origin, "*", 200, origin, "100"},
		"higher rate asked":  {[]string{origin}, 100, origin, "120", 200, origin, "100"},
		"lower rate asked":   {[]string{origin}, 100, origin, "60", 200, origin, "60"},
		"no rate, one is":    {[]string{origin}, 100, origin, "", 200, origin, "100"},
		"not allowed":        {[]string{"a.example"}, 0, origin, "120", 403, "", ""},
		"part of a name":     {[]string{"example.com"}, 0, origin, "", 403, "", ""},
		"rate of 0":          {[]string{origin}, 0, origin, "0", 400, "", ""},
		"rate not a number":  {[]string{origin}, 0, origin, "1e3", 400, "", ""},
		"another's question": {[]string{"*"}, 0, "", "", 204, "", ""},
	} {
		f := open(t, func(o *Options) {
			o.Ingest, o.Verify = "/hooks", bearer("secret") // nobody has it yet who asks
			o.CloudEvents.AllowedOrigins, o.CloudEvents.AllowedRate = test.allowed, test.most
		})
		r := httptest.NewRequest(http.MethodOptions, "/hooks", http.NoBody)
		r.Header.Set("WebHook-Request-Callback", "https://a.example/confirm?key=secret")
		if test.origin != "" {
			r.Header.Set("WebHook-Request-Origin", test.origin)
		}
		if test.asks != "" {
			r.Header.Set("WebHook-Request-Rate", test.asks)
		}
		var s sink
		answer := serve(f, r, s.receive)
		if answer.StatusCode != test.status || len(s.vars) > 0 {
			t.Errorf("%s: got status %d and %d deliveries, want %d and none", name, answer.StatusCode, len(s.vars), test.status)
		}
		for header, want := range map[string]string{
			"WebHook-Allowed-Origin": test.origins, "WebHook-Allowed-Rate": test.rate, "Allow": "POST, OPTIONS",
		} {
			if got := answer.Header.Get(header); got != want {
				t.Errorf("%s: got %s %q, want %q", name, header, got, want)
			}
		}
	}
}
