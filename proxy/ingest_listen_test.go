package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/tlsfiles/tlstest"
	"sidestream/proxy/strictyaml"
)

// A listener for requests that bring events serves those of its routes and
// nothing else, and the public ones don't serve them.
func TestIngestListener(t *testing.T) {
	const table = `
routes:
  - {path: /a, post: {in: "/in/a", listen: ":1"}}
  - {path: "/b/{u}", host: b.example, post: {in: "/in/b/{u}/", listen: ":1", methods: [POST, PUT]}}
  - {path: /c, post: {in: /in/a, listen: ":2"}}
  - {path: /d, post: {in: /in/d}}
`
	inPost(t, &post{}, table, func(w *world) {
		clients := map[string]*connection{"a": w.connect("/a"), "c": w.connect("/c")}
		for _, tt := range []struct {
			listener          *pipeListener
			method, url, body string
			want              int
		}{
			{w.own[":1"], "POST", "http://x/in/a", "1", http.StatusAccepted},
			{w.own[":2"], "POST", "http://x/in/a", "2", http.StatusAccepted},
			{w.own[":1"], "PUT", "http://B.example/in/b/ann/", "3", http.StatusAccepted},
			{w.own[":1"], "PUT", "http://x/in/b/ann/", "", http.StatusNotFound},
			{w.own[":1"], "POST", "http://b.example/in/b/ann", "", http.StatusNotFound}, // no redirect
			{w.own[":1"], "POST", "http://x/in//a", "", http.StatusNotFound},
			{w.own[":1"], "PUT", "http://x/in/a", "", http.StatusMethodNotAllowed},
			{w.own[":1"], "GET", "http://x/in/a", "", http.StatusMethodNotAllowed},
			{w.own[":1"], "GET", "http://x/a", "", http.StatusNotFound},
			{w.own[":1"], "POST", "http://x/in/d", "", http.StatusNotFound},
			{w.own[":1"], "GET", "http://x/metrics", "", http.StatusNotFound},
			{w.public, "POST", "http://x/in/a", "", http.StatusNotFound},
			{w.public, "POST", "http://x/in/d", "4", http.StatusAccepted},
		} {
			w.bringTo(w.client(tt.listener), tt.method, tt.url, strings.NewReader(tt.body)).wants(tt.want)
		}
		clients["a"].wants("E-1 1")
		clients["c"].wants("E-1 2")
		for _, c := range clients {
			c.drop()
		}

		const warning = "take effect when the program is started again"
		w.server.Reload(w.parse(table))
		if strings.Contains(w.log.String(), warning) {
			t.Error("got the warning about listeners although they are the same")
		}
		w.server.Reload(w.parse(`routes: [{path: /a, post: {in: /in/z, listen: ":1"}}]`))
		if !strings.Contains(w.log.String(), warning) {
			t.Error("got no warning although a listener is no longer wanted")
		}
		w.bringTo(w.client(w.own[":1"]), "POST", "http://x/in/z", strings.NewReader("1")).wants(http.StatusAccepted)
		w.bringTo(w.client(w.own[":1"]), "POST", "http://x/in/a", strings.NewReader("1")).wants(http.StatusNotFound)
		w.bringTo(w.client(w.own[":2"]), "POST", "http://x/in/a", strings.NewReader("1")).wants(http.StatusNotFound)
	})
}

// Requests under way at such a listener finish when the server drains, and it
// is open for as long as the others.
func TestIngestListenerDrains(t *testing.T) {
	inPost(t, &post{}, `{drain: {delay: 5s, timeout: 10s}, routes: [{path: /a, post: {in: /in, listen: ":1"}}]}`, func(w *world) {
		client := w.client(w.own[":1"])
		r, body := io.Pipe()
		slow := w.bringTo(client, http.MethodPost, "http://x/in", r)
		w.stop()
		after(4 * time.Second)
		w.bringTo(client, http.MethodPost, "http://x/in", strings.NewReader("1")).wants(http.StatusAccepted)
		after(5 * time.Second)
		if s := w.bringTo(client, http.MethodPost, "http://x/in", strings.NewReader("2")); !s.answered() || s.status != 0 {
			t.Errorf("got status %d when the listeners are closed, want none", s.status)
		}
		_, _ = io.WriteString(body, "3")
		body.Close()
		slow.wants(http.StatusAccepted)
	})
}

// certified returns the TLS of a server with a certificate for its name, who
// asks for those that clients issues if it isn't nil.
func certified(tb testing.TB, a *tlstest.Authority, name string, clients *tlstest.Authority) *tls.Config {
	tb.Helper()
	cert, key := a.Issue(tb, name)
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		tb.Fatal(err)
	}
	c := &tls.Config{Certificates: []tls.Certificate{pair}}
	if clients != nil {
		c.ClientCAs, c.ClientAuth = clients.Pool(), tls.RequireAndVerifyClientCert
	}
	return c
}

// secureClient is a client of a listener with TLS, by HTTP/2 if that is had.
func secureClient(l *pipeListener, c *tls.Config) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: l.dial, TLSClientConfig: c, DisableKeepAlives: true, ForceAttemptHTTP2: true,
	}}
}

func TestIngestListenerTLS(t *testing.T) {
	var config *tls.Config // what the server is asked for
	var failure error
	ask := func() (*tls.Config, error) { return config, failure }
	var seen *http.Request
	p := &post{
		tls:   map[string]func() (*tls.Config, error){"a": ask},
		serve: func(_ http.ResponseWriter, r *http.Request) bool { seen = r; return false },
	}
	inPost(t, p, `routes: [{path: /a, post: {in: /in/a, listen: ":1", tls: a}}]`, func(w *world) {
		one, two := tlstest.NewAuthority(w.t), tlstest.NewAuthority(w.t)
		config = certified(w.t, one, "x", nil)
		trusts := func(a *tlstest.Authority) *http.Client {
			return secureClient(w.own[":1"], &tls.Config{RootCAs: a.Pool()})
		}
		bring := func(client *http.Client) *sending {
			s := w.bringTo(client, http.MethodPost, "https://x/in/a", strings.NewReader("1"))
			after(time.Minute) // a pipe holds nothing, so that a refusal may have to wait for a deadline
			client.CloseIdleConnections()
			return s
		}
		bring(trusts(one)).wants(http.StatusAccepted)
		if seen.TLS == nil || seen.ProtoMajor != 2 {
			t.Errorf("got a request by %s, TLS %v, want HTTP/2 with TLS", seen.Proto, seen.TLS != nil)
		}
		config = certified(w.t, two, "x", nil) // the next connection has it
		bring(trusts(two)).wants(http.StatusAccepted)
		if s := bring(trusts(one)); !strings.Contains(s.body, "unknown authority") {
			t.Errorf("got %d %q, want that the old certificate is gone", s.status, s.body)
		}

		// Clients have to prove who they are, anew each time.
		config = certified(w.t, one, "x", two)
		if s := bring(trusts(one)); s.status != 0 {
			t.Errorf("without a client certificate: got status %d, want none", s.status)
		}
		cert, key := two.Issue(w.t, "sender")
		pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
		if err != nil {
			t.Fatal(err)
		}
		known := secureClient(w.own[":1"], &tls.Config{
			RootCAs: one.Pool(), Certificates: []tls.Certificate{pair}, ClientSessionCache: tls.NewLRUClientSessionCache(1),
		})
		bring(known).wants(http.StatusAccepted)
		if got := seen.TLS.PeerCertificates; len(got) == 0 || got[0].Subject.CommonName != "sender" {
			t.Errorf("got a request with %d certificates, want that of sender", len(got))
		}
		config = certified(w.t, one, "x", tlstest.NewAuthority(w.t))
		if s := bring(known); s.status != 0 {
			t.Errorf("with a client certificate of an authority that was trusted: got status %d, want none", s.status)
		}

		config, failure = nil, errors.New("no such file")
		if s := bring(trusts(one)); s.status != 0 {
			t.Errorf("without a certificate: got status %d, want none", s.status)
		}
		if !strings.Contains(w.log.String(), "route /a: no such file") {
			t.Errorf("got a log that doesn't say so:\n%s", w.log)
		}
		if s := w.bringTo(w.client(w.own[":1"]), http.MethodPost, "http://x/in/a", strings.NewReader("1")); s.status == http.StatusAccepted {
			t.Error("got events without TLS")
		}
	})
}

// Who passes at an address passes for all of its routes.
func TestIngestListenerTLSOfSeveralRoutes(t *testing.T) {
	configs := map[string]*tls.Config{}
	ask := func(name string) func() (*tls.Config, error) {
		return func() (*tls.Config, error) { return configs[name], nil }
	}
	p := &post{tls: map[string]func() (*tls.Config, error){"a": ask("a"), "b": ask("b")}}
	const table = `routes: [{path: /a, post: {in: /in/a, listen: ":1", tls: a}}, {path: /b, post: {in: /in/b, listen: ":1", tls: b}}]`
	inPost(t, p, table, func(w *world) {
		one := tlstest.NewAuthority(w.t)
		client := secureClient(w.own[":1"], &tls.Config{RootCAs: one.Pool()})
		bring := func() *sending {
			s := w.bringTo(client, http.MethodPost, "https://x/in/b", strings.NewReader("1"))
			after(time.Minute) // a pipe holds nothing, so that a refusal may have to wait for a deadline
			client.CloseIdleConnections()
			return s
		}
		configs["a"], configs["b"] = certified(w.t, one, "x", nil), certified(w.t, one, "x", nil)
		bring().wants(http.StatusAccepted)
		configs["b"] = certified(w.t, one, "x", one)
		if s := bring(); s.status != 0 {
			t.Errorf("with routes of different demands: got status %d, want none", s.status)
		}
		if want := "route /b trusts other client certificates"; !strings.Contains(w.log.String(), want) {
			t.Errorf("got a log without %q:\n%s", want, w.log)
		}
		// What was opened for TLS serves nothing without.
		w.server.Reload(w.parse(strings.NewReplacer(", tls: a", "", ", tls: b", "").Replace(table)))
		if s := bring(); s.status != 0 {
			t.Errorf("at a route that has no TLS any more: got status %d, want none", s.status)
		}
	})
}

// What isn't opened for TLS doesn't serve a route that has got it.
func TestIngestListenerGetsTLS(t *testing.T) {
	p := &post{tls: map[string]func() (*tls.Config, error){"a": func() (*tls.Config, error) { return nil, errors.New("unused") }}}
	inPost(t, p, `routes: [{path: /a, post: {in: /in, listen: ":1"}}]`, func(w *world) {
		client := w.client(w.own[":1"])
		w.bringTo(client, http.MethodPost, "http://x/in", strings.NewReader("1")).wants(http.StatusAccepted)
		w.server.Reload(w.parse(`routes: [{path: /a, post: {in: /in, listen: ":1", tls: a}}]`))
		w.bringTo(client, http.MethodPost, "http://x/in", strings.NewReader("1")).wants(http.StatusNotFound)
	})
}

func TestListenForIngest(t *testing.T) {
	table := func(address string) *Config {
		config, err := Parse("test.yaml", []byte(`{listen: "127.0.0.1:0", admin: off, routes: [`+
			`{path: /a, post: {in: /in/a, listen: "`+address+`"}}, {path: /b, post: {in: /in/b, listen: "`+address+`"}}]}`),
			adapters.NewRegistry((&post{}).adapter()), strictyaml.References{})
		if err != nil {
			t.Fatal(err)
		}
		return config
	}
	config := table("127.0.0.1:00")
	l, err := Listen(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Public) != 1 || len(l.Ingest) != 1 {
		t.Fatalf("got %d public listeners and %d for events, want one of each", len(l.Public), len(l.Ingest))
	}
	ctx, stop := context.WithCancel(t.Context())
	server, done := New(config, Settings{}), make(chan error, 1)
	go func() { done <- server.Run(ctx, l) }()
	resp, err := http.Post("http://"+l.Ingest[0].Addr().String()+"/in/b", "text/plain", strings.NewReader("1"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		t.Errorf("got status %d, want 202", resp.StatusCode)
	}
	http.DefaultClient.CloseIdleConnections()
	taken := l.Ingest[0].Addr().(*net.TCPAddr).String()
	if again, err := Listen(t.Context(), table(taken)); err == nil || !strings.Contains(err.Error(), "listen for requests that bring events") {
		again.close()
		t.Errorf("an address that is taken: got error %v", err)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
}
