package httpclient

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"sidestream/adapters"
	"sidestream/adapters/secret"
	"sidestream/adapters/tlsfiles/tlstest"
)

// tokenServer starts a token endpoint that counts its tokens: "token-1"….
func tokenServer(tb testing.TB, lifetime int) (*log, string) {
	tb.Helper()
	var mu sync.Mutex
	n := 0
	return serve(tb, func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		mu.Lock()
		defer mu.Unlock()
		n++
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token":"token-%d","token_type":"bearer","expires_in":%d}`, n, lifetime)
	})
}

func withOAuth(tokenURL string, edit func(*Options)) func(*Options) {
	return func(o *Options) {
		o.Auth.OAuth2 = &OAuth2{TokenURL: tokenURL, ClientID: "app", ClientSecret: secret.Text("s:" + hidden)}
		if edit != nil {
			edit(o)
		}
	}
}

func authorizations(l *log) string {
	var list []string
	for _, r := range l.all() {
		list = append(list, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	}
	return strings.Join(list, " ")
}

func TestTokenIsKept(t *testing.T) {
	asked, tokenURL := tokenServer(t, 3600)
	got, server := serve(t, ok)
	c := newClient(t, withOAuth(tokenURL+"/token?q=classified", func(o *Options) {
		o.Auth.OAuth2.Scopes = []string{"read", "write"}
		o.Auth.OAuth2.Params = map[string]secret.Value{"audience": secret.Text("legacy")}
	}))
	get(t, c, server, http.Header{"Authorization": {"theirs"}})
	equal(t, "token requests for somebody with credentials", len(asked.all()), 0)
	get(t, c, server, nil)
	get(t, c, server, nil)
	equal(t, "tokens sent", authorizations(got), "theirs token-1 token-1")
	equal(t, "token requests", len(asked.all()), 1)
	r := asked.last(t)
	user, password, _ := r.BasicAuth()
	equal(t, "client", user+" "+password, "app s%3A"+hidden)
	equal(t, "form", r.PostForm.Encode(), "audience=legacy&grant_type=client_credentials&scope=read+write")
}

func TestTokenExpires(t *testing.T) {
	_, tokenURL := tokenServer(t, 1)
	got, server := serve(t, ok)
	c := newClient(t, withOAuth(tokenURL, nil))
	get(t, c, server, nil)
	get(t, c, server, nil)
	equal(t, "tokens sent", authorizations(got), "token-1 token-2")
}

func TestTokenStyles(t *testing.T) {
	got, server := serve(t, ok)
	asked, tokenURL := serve(t, func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		if r.PostForm.Get("client_secret") != "s:"+hidden { // only in the body
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"access_token":"x","expires_in":1}`)
	})
	c := newClient(t, withOAuth(tokenURL, func(o *Options) { o.Auth.OAuth2.Style = styleAuto }))
	get(t, c, server, nil)
	equal(t, "token requests of auto", len(asked.all()), 2)
	get(t, c, server, nil)
	equal(t, "token requests once the style is known", len(asked.all()), 3)
	get(t, newClient(t, withOAuth(tokenURL, func(o *Options) { o.Auth.OAuth2.Style = styleParams })), server, nil)
	equal(t, "token requests of params", len(asked.all()), 4)
	equal(t, "tokens sent", authorizations(got), "x x x")
	fails(t, newClient(t, withOAuth(tokenURL, func(o *Options) { o.Auth.OAuth2.Style = styleHeader })), server, "400")
}

// TestRefusedToken has an upstream that refuses the first token.
func TestRefusedToken(t *testing.T) {
	asked, tokenURL := tokenServer(t, 3600)
	var bodies []string
	got, server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies = append(bodies, string(body))
		if r.Header.Get("Authorization") == "Bearer token-1" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	c := newClient(t, withOAuth(tokenURL, nil))
	resp, _ := do(t, c, request(t, http.MethodPost, server, strings.NewReader("payload")), nil)
	equal(t, "status", resp.StatusCode, 200)
	equal(t, "tokens sent", authorizations(got), "token-1 token-2")
	equal(t, "bodies", strings.Join(bodies, " "), "payload payload")
	get(t, c, server, nil)
	equal(t, "token requests", len(asked.all()), 2)
}

func TestTokenRefusedForGood(t *testing.T) {
	asked, tokenURL := tokenServer(t, 3600)
	got, server := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	c := newClient(t, withOAuth(tokenURL, nil))
	resp, _ := get(t, c, server, nil)
	equal(t, "status", resp.StatusCode, 401)
	equal(t, "tokens sent", authorizations(got), "token-1 token-2")
	equal(t, "token requests", len(asked.all()), 2)

	resp, _ = get(t, c, server, http.Header{"Authorization": {"theirs"}})
	equal(t, "status", resp.StatusCode, 401)
	equal(t, "tokens sent", authorizations(got), "token-1 token-2 theirs")

	resp, _ = do(t, c, request(t, http.MethodPost, server, io.MultiReader(strings.NewReader("x"))), nil)
	equal(t, "status of a body that can't be repeated", resp.StatusCode, 401)
	equal(t, "tokens sent", authorizations(got), "token-1 token-2 theirs token-2")
}

func TestTokenSecretIsReadAgain(t *testing.T) {
	asked, tokenURL := tokenServer(t, 1)
	_, server := serve(t, ok)
	path := write(t, "secret", "one\n")
	c := newClient(t, withOAuth(tokenURL, func(o *Options) { o.Auth.OAuth2.ClientSecret = secret.Value{File: path} }))
	for _, text := range []string{"one", "two"} {
		write(t, path, text)
		get(t, c, server, nil)
		_, password, _ := asked.last(t).BasicAuth()
		equal(t, "secret", password, text)
	}
}

func TestTokenFailures(t *testing.T) {
	got, server := serve(t, ok)
	for _, tc := range []struct {
		status       int
		kind, answer string
		part         string
	}{
		{401, "application/json", `{"error":"invalid_client","error_description":"hunter2"}`, "answered 401 (invalid_client)"},
		{400, "application/json", `{"error":"hunter2","error_uri":"hunter2"}`, "answered 400"},
		{200, "application/json", `{"error":"invalid_scope"}`, "answered 200 (invalid_scope)"},
		{500, "text/html", "<p>hunter2", "answered 500"},
		{302, "text/html", "", "answered 302"},
		{200, "text/html", "hunter2", "not a token"},
		{200, "text/plain", "access_token=%zzhunter2", "not a token"},
		{200, "application/json", `{"token":"hunter2"}`, "not a token"},
		{200, "application/json", `{"access_token":"hunter2\r\nX: y"}`, "not a token"},
		{200, "application/json", `{"access_token":"` + strings.Repeat(hidden, maxToken) + `"}`, "not a token"},
		{200, "application/json", strings.Repeat("[", 2<<20), "not a token"},
	} {
		asked, tokenURL := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", tc.kind)
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(tc.status)
			io.WriteString(w, tc.answer)
		})
		c := newClient(t, withOAuth(tokenURL+"/?q=classified", func(o *Options) { o.Auth.OAuth2.Style = styleHeader }))
		err := fails(t, c, server, tc.part)
		equal(t, "reason", adapters.Reason(err), "token endpoint failed")
		equal(t, "token requests", len(asked.all()), 1)
	}
	fails(t, newClient(t, withOAuth("http://127.0.0.1:1/?q=classified", nil)), server, "refused")
	fails(t, newClient(t, withOAuth("http://"+raw(t, "HTTP/1.1 hunter2\r\n\r\n")+"/?q=classified", nil)), server, "not well-formed")
	fails(t, newClient(t, withOAuth("https://127.0.0.1:1/", func(o *Options) { o.TLS.CA = write(t, "ca", hidden) })), server, "tls.ca")
	fails(t, newClient(t, withOAuth("http://127.0.0.1:1/", func(o *Options) { o.Auth.OAuth2.ClientSecret = secret.Value{File: "/does/not/exist"} })),
		server, "auth.oauth2.client_secret", "/does/not/exist")
	equal(t, "requests without a token", len(got.all()), 0)
}

// TestTokenEndpointHasItsOwnAddress keeps what is the upstream's alone, its
// socket and its name in TLS, from the token endpoint.
func TestTokenEndpointHasItsOwnAddress(t *testing.T) {
	a := tlstest.NewAuthority(t)
	asked, endpoint := serveTLS(t, a, required, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"access_token":"x"}`)
	})
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	got := &log{}
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got.add(r) })}}
	server.Start()
	defer server.Close()
	cert, key := a.Issue(t, "app")
	c := newClient(t, withOAuth(endpoint.URL, func(o *Options) {
		o.UnixSocket = path
		o.TLS.CA, o.TLS.ServerName = write(t, "ca", a.PEM()), "upstream.test"
		o.TLS.Cert, o.TLS.Key = write(t, "cert", cert), write(t, "key", key)
	}))
	get(t, c, "http://legacy.test", nil)
	equal(t, "tokens sent", authorizations(got), "x")
	equal(t, "client of the endpoint", peer(asked.last(t)), "app")
}
