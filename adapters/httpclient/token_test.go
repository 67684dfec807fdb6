package httpclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/secret"
	"sidestream/adapters/tlsfiles"
	"sidestream/adapters/tlsfiles/tlstest"
)

func TestTokens(t *testing.T) {
	asked, endpoint := tokenServer(t, 3600)
	o := OAuth2{TokenURL: endpoint, ClientID: "app", ClientSecret: secret.Text(hidden), Scopes: []string{"read"}}
	tokens := NewTokens("sasl.oauth2", o, tlsfiles.Defaults(), Proxy{off: true})
	defer tokens.Close()
	for range 2 {
		got, err := tokens.Token(t.Context())
		if err != nil {
			t.Fatalf("Token: got %v, want no error", err)
		}
		equal(t, "token", got, "token-1")
	}
	equal(t, "token requests", len(asked.all()), 1)
	equal(t, "scope", asked.last(t).PostForm.Get("scope"), "read")
}

// TestTokensOverTLS reaches an endpoint that wants a client certificate, and
// isn't what ServerName says.
func TestTokensOverTLS(t *testing.T) {
	a := tlstest.NewAuthority(t)
	asked, endpoint := serveTLS(t, a, required, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"access_token":"x"}`)
	})
	files := tlsfiles.Defaults()
	cert, key := a.Issue(t, "app")
	files.CA, files.ServerName = write(t, "ca", a.PEM()), "kafka.test"
	files.Cert, files.Key = write(t, "cert", cert), write(t, "key", key)
	tokens := NewTokens("sasl.oauth2", OAuth2{TokenURL: endpoint.URL, ClientID: "app"}, files, Proxy{off: true})
	defer tokens.Close()
	got, err := tokens.Token(t.Context())
	if err != nil {
		t.Fatalf("Token: got %v, want no error", err)
	}
	equal(t, "token", got, "x")
	equal(t, "client of the endpoint", peer(asked.last(t)), "app")
}

func TestTokensThroughProxy(t *testing.T) {
	proxied, proxy := tokenServer(t, 3600)
	tokens := NewTokens("sasl.oauth2", OAuth2{TokenURL: "http://auth.test/token", ClientID: "app"}, tlsfiles.Defaults(), Proxy{url: parse(t, proxy)})
	defer tokens.Close()
	if got, err := tokens.Token(t.Context()); got != "token-1" || err != nil {
		t.Errorf("Token: got %q, %v, want token-1", got, err)
	}
	equal(t, "host that the proxy was asked for", proxied.last(t).Host, "auth.test")
}

func TestTokensNameTheirOption(t *testing.T) {
	none := secret.Value{File: filepath.Join(t.TempDir(), "none")}
	o := OAuth2{TokenURL: "http://127.0.0.1:1/", ClientID: "app", ClientSecret: none}
	tokens := NewTokens("sasl.oauth2", o, tlsfiles.Defaults(), Proxy{off: true})
	_, err := tokens.Token(t.Context())
	clean(t, err)
	equal(t, "error", err.Error(), secret.ReasonUnavailable+": sasl.oauth2.client_secret: stat "+none.File+": no such file or directory")

	o.ClientSecret, o.Params = secret.Text(hidden), map[string]secret.Value{"audience": none}
	_, err = NewTokens("sasl.oauth2", o, tlsfiles.Defaults(), Proxy{off: true}).Token(t.Context())
	clean(t, err)
	equal(t, "error", err.Error(), secret.ReasonUnavailable+": sasl.oauth2.params.audience: stat "+none.File+": no such file or directory")
}

// lasting returns tokens that last for an hour, "token-1"… as often as the
// endpoint was asked, which answers with a status.
func lasting(status *int) *Tokens {
	o := OAuth2{TokenURL: "http://auth.test", ClientID: "app", Style: styleHeader}
	tokens := NewTokens("sasl.oauth2", o, tlsfiles.Defaults(), Proxy{off: true})
	n := 0
	tokens.tokens.client.Transport = script(func(*http.Request) (*http.Response, error) {
		time.Sleep(time.Second)
		n++
		w := httptest.NewRecorder()
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(*status)
		fmt.Fprintf(w, `{"access_token":"token-%d","expires_in":3600}`, n)
		return w.Result(), nil
	})
	return tokens
}

// TestTokensAreRenewed renews a token early, so that whoever gets it has some of
// its time left, and makes do with the old one while there is no other.
func TestTokensAreRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status := http.StatusOK
		tokens := lasting(&status)
		var at time.Duration
		start := time.Now()
		for _, step := range []struct {
			at     time.Duration // since the first token was got
			status int
			want   string // "" for an error
		}{
			{0, http.StatusOK, "token-1"},
			{2879 * time.Second, http.StatusOK, "token-1"},
			{2881 * time.Second, http.StatusServiceUnavailable, "token-1"}, // asks in vain
			{3000 * time.Second, http.StatusOK, "token-3"},
			{3000*time.Second + 3580*time.Second, http.StatusServiceUnavailable, "token-3"},
			{3000*time.Second + 3600*time.Second, http.StatusServiceUnavailable, ""},
			{3000*time.Second + 3700*time.Second, http.StatusOK, "token-6"},
		} {
			status, at = step.status, step.at+time.Second
			time.Sleep(time.Until(start.Add(at)) - time.Second)
			got, err := tokens.Token(t.Context())
			if got != step.want || (err == nil) != (step.want != "") {
				t.Errorf("after %v: got %q, %v, want %q", step.at, got, err, step.want)
			}
			if err != nil {
				equal(t, "reason", adapters.Reason(err), reasonToken)
			}
		}
	})
}

// TestTokensAreSharedByAll has many ask at once, of which one fetches.
func TestTokensAreSharedByAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status := http.StatusOK
		tokens := lasting(&status)
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if got, err := tokens.Token(t.Context()); got != "token-1" || err != nil {
					t.Errorf("got %q, %v, want token-1", got, err)
				}
			})
		}
		all.Wait()
	})
}

func TestTokensEndWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, endpoint := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		r.ParseForm() // a server that has not read the body doesn't see that the client is gone
		cancel()
		<-r.Context().Done()
	})
	tokens := NewTokens("sasl.oauth2", OAuth2{TokenURL: endpoint, ClientID: "app"}, tlsfiles.Defaults(), Proxy{off: true})
	defer tokens.Close()
	if _, err := tokens.Token(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}
