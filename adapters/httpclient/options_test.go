package httpclient

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"sidestream/adapters"
	"sidestream/adapters/secret"
	"sidestream/proxy/strictyaml"
)

const everything = `
headers:
  X-Key: hunter2-header
  X-File: {file: /run/secrets/key}
auth:
  oauth2:
    token_url: https://auth.test/token
    client_id: app
    client_secret: hunter2-client
    scopes: [read, write]
    params: {audience: hunter2-audience, client_assertion: {file: /run/secrets/jwt}}
    style: params
tls: {ca: /tls/ca.crt, cert: /tls/tls.crt, key: /tls/tls.key, server_name: legacy, min_version: 1.3}
proxy: http://app:hunter2-proxy@proxy.test:3128
redirects: any
max_redirects: 2
max_connections: 7
`

// decode decodes text over the defaults.
func decode(tb testing.TB, text string) (Options, error) {
	tb.Helper()
	d, err := strictyaml.Parse("routes.yaml", []byte(text), strictyaml.References{})
	if err != nil {
		tb.Fatal(err)
	}
	outer := struct {
		Options `yaml:",inline"`
	}{Defaults()}
	d.Decode(d.Root, "poll", &outer)
	return outer.Options, d.Err()
}

func TestDecode(t *testing.T) {
	o, err := decode(t, everything)
	if err != nil {
		t.Fatalf("decode: got %v, want no error", err)
	}
	var c adapters.OptionErrors
	if o.Check(&c); c.Err() != nil {
		t.Errorf("Check: got %v, want no error", c.Err())
	}
	equal(t, "header", o.Headers["X-Key"].Reveal(), "hunter2-header")
	equal(t, "header file", o.Headers["X-File"].File, "/run/secrets/key")
	equal(t, "param file", o.Auth.OAuth2.Params["client_assertion"].File, "/run/secrets/jwt")
	equal(t, "min_version", o.TLS.MinVersion, "1.3")
	equal(t, "max_connections", o.MaxConnections, 7)
	equal(t, "proxy", o.Proxy.String(), "http://(secret)@proxy.test:3128")
}

func TestDecodeRefusesBadProxies(t *testing.T) {
	for _, text := range []string{
		"hunter2", "ftp://hunter2@proxy.test", "http://", "http://a:hunter2@proxy.test:x",
		"http://proxy.test/hunter2", "http://proxy.test?hunter2", "http://%zzhunter2", "proxy.test:3128",
	} {
		var p Proxy
		err := p.UnmarshalText([]byte(text))
		if err == nil {
			t.Errorf("proxy %q: got no error, want one", text)
		}
		clean(t, err)
	}
}

func TestSecretsAreMasked(t *testing.T) {
	o, err := decode(t, everything)
	if err != nil {
		t.Fatal(err)
	}
	password := secret.Text("hunter2-password")
	o.Auth.Basic, o.Auth.Bearer = &Basic{User: secret.Text("hunter2-user"), Password: password}, &password
	within := struct{ options Options }{o}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, value := range []any{o, &o, within, o.Headers, o.Auth, *o.Auth.OAuth2, password, &password, o.Proxy} {
			if got := fmt.Sprintf(verb, value); strings.Contains(got, hidden) || strings.Contains(got, fmt.Sprintf("%x", hidden)) {
				t.Errorf("%s of %T: got %s, want it masked", verb, value, got)
			}
		}
	}
	got, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(got), hidden) || !strings.Contains(string(got), `"X-Key":"(secret)"`) {
		t.Errorf("JSON: got %s, want secrets masked", got)
	}
}

func TestCheck(t *testing.T) {
	oauth := func(edit func(*OAuth2)) func(*Options) {
		return func(o *Options) {
			o.Auth.OAuth2 = &OAuth2{TokenURL: "https://auth.test/token", ClientID: "app", ClientSecret: secret.Text(hidden)}
			edit(o.Auth.OAuth2)
		}
	}
	header := func(name, value string) func(*Options) {
		return func(o *Options) { o.Headers = map[string]secret.Value{name: secret.Text(value)} }
	}
	bearer := secret.Text(hidden)
	for _, tc := range []struct {
		path string // "" for none
		part string
		edit func(*Options)
	}{
		{"", "", func(*Options) {}},
		{"", "", header("X-Key", hidden)},
		{"", "", header("host", "legacy.test:8080")},
		{"", "", oauth(func(*OAuth2) {})},
		{"", "", func(o *Options) { o.Auth.Basic = &Basic{User: bearer} }},
		{"headers.X Key", "not the name", header("X Key", "")},
		{"headers.content-length", "Content-Length", header("content-length", "1")},
		{"headers.If-None-Match", "If-None-Match", header("If-None-Match", "x")},
		{"headers.accept-encoding", "Accept-Encoding", header("accept-encoding", "gzip")},
		{"headers.X-Key", "control character", header("X-Key", hidden+"\r\nX: y")},
		{"headers.Host", "not a host", header("Host", hidden+" x")},
		{"headers.X-Key", "text or {file: path}", func(o *Options) { o.Headers = map[string]secret.Value{"X-Key": {}} }},
		{"headers.x-key", "same header as X-Key", func(o *Options) { o.Headers = map[string]secret.Value{"X-Key": bearer, "x-key": bearer} }},
		{"headers", "the most is 100", func(o *Options) {
			o.Headers = map[string]secret.Value{}
			for i := range 101 {
				o.Headers[fmt.Sprint("X-", i)] = bearer
			}
		}},
		{"auth", "choose one", func(o *Options) { o.Auth.Basic, o.Auth.Bearer = &Basic{User: bearer}, &bearer }},
		{"auth", "Authorization", func(o *Options) {
			o.Auth.Bearer, o.Headers = &bearer, map[string]secret.Value{"authorization": bearer}
		}},
		{"auth.basic", "user, password or both", func(o *Options) { o.Auth.Basic = &Basic{} }},
		{"auth.basic.user", "colon", func(o *Options) { o.Auth.Basic = &Basic{User: secret.Text(hidden + ":")} }},
		{"auth.bearer", "a token", func(o *Options) { o.Auth.Bearer = &secret.Value{} }},
		{"auth.bearer", "control character", func(o *Options) { v := secret.Text(hidden + "\n"); o.Auth.Bearer = &v }},
		{"auth.oauth2.token_url", "absolute", oauth(func(o *OAuth2) { o.TokenURL = "/token?hunter2" })},
		{"auth.oauth2.token_url", "absolute", oauth(func(o *OAuth2) { o.TokenURL = "http://%zz?hunter2" })},
		{"auth.oauth2.token_url", "client_secret", oauth(func(o *OAuth2) { o.TokenURL = "https://a:hunter2@auth.test/" })},
		{"auth.oauth2.client_id", "missing", oauth(func(o *OAuth2) { o.ClientID = "" })},
		{"auth.oauth2.style", "known", oauth(func(o *OAuth2) { o.Style = "cookie" })},
		{"auth.oauth2.scopes[1]", "one word", oauth(func(o *OAuth2) { o.Scopes = []string{"a", "b c"} })},
		{"auth.oauth2.params.scope", "option of its own", oauth(func(o *OAuth2) { o.Params = map[string]secret.Value{"scope": bearer} })},
		{"auth.oauth2.params.x", "text or {file: path}", oauth(func(o *OAuth2) { o.Params = map[string]secret.Value{"x": {}} })},
		{"tls.cert", "tls.key", func(o *Options) { o.TLS.Cert = "a" }},
		{"tls.server_name", "https proxy", func(o *Options) {
			o.TLS.ServerName, o.Proxy.url = "a", parse(t, "https://a:hunter2@proxy.test")
		}},
		{"unix_socket", "proxy", func(o *Options) { o.UnixSocket, o.Proxy.url = "/s", parse(t, "http://a:hunter2@proxy.test") }},
		{"unix_socket", "redirects: any", func(o *Options) { o.UnixSocket, o.Redirects = "/s", "any" }},
		{"redirects", "known", func(o *Options) { o.Redirects = "some" }},
		{"max_redirects", "1 to 50", func(o *Options) { o.MaxRedirects = 0 }},
		{"max_connections", "1 to 10000", func(o *Options) { o.MaxConnections = 10001 }},
	} {
		o := Defaults()
		tc.edit(&o)
		var c adapters.OptionErrors
		o.Check(&c)
		err := c.Err()
		if tc.path == "" {
			if err != nil {
				t.Errorf("Check: got %v, want no error", err)
			}
			continue
		}
		if err == nil || strings.Contains(err.Error(), "\n") || !strings.HasPrefix(err.Error(), tc.path+": ") || !strings.Contains(err.Error(), tc.part) {
			t.Errorf("Check: got %v, want one error at %s with %q", err, tc.path, tc.part)
			continue
		}
		clean(t, err)
	}
}
