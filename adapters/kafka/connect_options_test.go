package kafka

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/kafka/broker"
	"sidestream/adapters/secret"
)

// options returns those of a route in YAML, which have to be good.
func mustDecode(tb testing.TB, yaml string) *Options {
	tb.Helper()
	o, err := decode(yaml, adapters.Route{})
	if err != nil {
		tb.Fatalf("%s: got %v, want no error", yaml, err)
	}
	return o
}

func TestBrokerOptions(t *testing.T) {
	o := mustDecode(t, `{topics: a, brokers: [b-0, b-1:1], client_id: c, connect_timeout: 1s, request_timeout: 2s,
		idle: {connections: 3, timeout: 4s}, fetch: {max_response: 256MiB}}`)
	got, closeTokens := o.broker()
	defer closeTokens()
	want := broker.Options{
		Brokers: []string{"b-0:9092", "b-1:1"}, ClientID: "c",
		ConnectTimeout: time.Second, RequestTimeout: 2 * time.Second, MaxResponse: 256 << 20,
		Idle: 3, IdleTimeout: 4 * time.Second,
	}
	if got.TLS != nil || got.SASL.Mechanism != "" || got.SASL.Token != nil {
		t.Errorf("got TLS %v and SASL %+v, want none", got.TLS, got.SASL)
	}
	got.SASL = broker.SASL{}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TLS is on if anything of it is set.
func TestBrokerTLS(t *testing.T) {
	for yaml, want := range map[string]bool{
		`{topics: a}`:                              false,
		`{topics: a, tls: {}}`:                     false,
		`{topics: a, tls: {enabled: false}}`:       false,
		`{topics: a, tls: {min_version: "1.2"}}`:   false,
		`{topics: a, tls: {enabled: true}}`:        true,
		`{topics: a, tls: {min_version: "1.3"}}`:   true,
		`{topics: a, tls: {server_name: "kafka"}}`: true,
	} {
		got, closeTokens := mustDecode(t, yaml).broker()
		defer closeTokens()
		if on := got.TLS != nil; on != want {
			t.Errorf("%s: got TLS: %t, want %t", yaml, on, want)
		}
	}
}

func TestBrokerSASL(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("from a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		yaml                  string
		mechanism             broker.Mechanism
		user, password, token string
		replaceable           bool
	}{
		{`{mechanism: plain, user: u, password: p}`, broker.Plain, "u", "p", "", false},
		{`{mechanism: Scram-SHA-256, user: u, password: {file: ` + file + `}}`, broker.ScramSHA256, "u", "from a file", "", true},
		{`{mechanism: SCRAM-SHA-512, user: {file: ` + file + `}, password: p}`, broker.ScramSHA512, "from a file", "p", "", true},
		{`{mechanism: oauthbearer, token: t}`, broker.OAuthBearer, "", "", "t", false},
		{`{mechanism: OAUTHBEARER, token: {file: ` + file + `}}`, broker.OAuthBearer, "", "", "from a file", false},
	} {
		options, closeTokens := mustDecode(t, `{topics: a, sasl: `+c.yaml+`}`).broker()
		defer closeTokens()
		got := options.SASL
		if got.Mechanism != c.mechanism || got.Replaceable != c.replaceable {
			t.Errorf("%s: got %s, replaceable %t, want %s, %t", c.yaml, got.Mechanism, got.Replaceable, c.mechanism, c.replaceable)
		}
		for what, pair := range map[string]struct {
			reader *secret.Reader
			want   string
		}{"user": {got.User, c.user}, "password": {got.Password, c.password}} {
			if text, err := pair.reader.Read(); text != pair.want || err != nil {
				t.Errorf("%s: got the %s %q, %v, want %q", c.yaml, what, text, err, pair.want)
			}
		}
		if got.Token == nil {
			if c.token != "" {
				t.Errorf("%s: got no token, want %q", c.yaml, c.token)
			}
			continue
		}
		if token, err := got.Token(t.Context()); token != c.token || err != nil {
			t.Errorf("%s: got the token %q, %v, want %q", c.yaml, token, err, c.token)
		}
	}
}

func TestBrokerTokens(t *testing.T) {
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token": "%s-%s-%s", "token_type": "bearer"}`, user, password, r.FormValue("scope"))
	}))
	defer endpoint.Close()
	options, closeTokens := mustDecode(t, `{topics: a, sasl: {mechanism: oauthbearer, oauth2: {
		token_url: "`+endpoint.URL+`", client_id: app, client_secret: s3, scopes: kafka, proxy: off}}}`).broker()
	defer closeTokens()
	if got, err := options.SASL.Token(t.Context()); got != "app-s3-kafka" || err != nil {
		t.Errorf("got the token %q, %v, want that of the endpoint", got, err)
	}
}
