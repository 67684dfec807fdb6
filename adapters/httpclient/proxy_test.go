package httpclient

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"sidestream/adapters/secret"
	"sidestream/adapters/tlsfiles/tlstest"
)

// proxy starts a proxy that leads every request, tunneled or not, to one
// server, and asks for a password.
func proxy(tb testing.TB, target string) (*log, string) {
	tb.Helper()
	return serve(tb, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := (&http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}).BasicAuth()
		if user != "app" || password != hidden {
			hijacked(w, "HTTP/1.1 407 "+hidden+"\r\nContent-Length: 0\r\n\r\n")
			return
		}
		if r.Method != http.MethodConnect {
			io.WriteString(w, "by proxy")
			return
		}
		there, err := net.Dial("tcp", target)
		if err != nil {
			tb.Error(err)
			return
		}
		here := hijacked(w, "HTTP/1.1 200 OK\r\n\r\n")
		var wg sync.WaitGroup
		wg.Go(func() { io.Copy(there, here); there.Close() })
		wg.Go(func() { io.Copy(here, there); here.Close() })
		wg.Wait()
	})
}

// hijacked writes an answer as it is and returns its connection.
func hijacked(w http.ResponseWriter, answer string) net.Conn {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	io.WriteString(conn, answer)
	if strings.Contains(answer, "407") {
		conn.Close()
	}
	return conn
}

func through(tb testing.TB, address string) Proxy {
	tb.Helper()
	var p Proxy
	if err := p.UnmarshalText([]byte(address)); err != nil {
		tb.Fatal(err)
	}
	return p
}

func TestProxy(t *testing.T) {
	a := tlstest.NewAuthority(t)
	got, server := serveTLS(t, a, nil, ok)
	address := server.Listener.Addr().String()
	tunneled, proxyURL := proxy(t, address)
	ca := write(t, "ca.pem", a.PEM())
	client := func(user string) *Client {
		return newClient(t, func(o *Options) {
			o.TLS.CA, o.Proxy = ca, through(t, strings.Replace(proxyURL, "://", "://"+user+"@", 1))
			o.Headers = map[string]secret.Value{"X-Key": secret.Text(hidden)}
		})
	}

	c := client("app:" + hidden)
	get(t, c, "https://legacy", nil)
	equal(t, "method", tunneled.last(t).Method, http.MethodConnect)
	equal(t, "tunnel", tunneled.last(t).Host, "legacy:443")
	want(t, "to the proxy", tunneled.last(t).Header, map[string]string{"X-Key": ""})
	want(t, "to the server", got.last(t).Header, map[string]string{"X-Key": hidden, "Proxy-Authorization": ""})

	_, body := get(t, c, "http://legacy.test", nil)
	equal(t, "body", body, "by proxy")
	equal(t, "URL", tunneled.last(t).URL.Host, "legacy.test")

	fails(t, client("app:wrong-"+hidden), "https://legacy", "the proxy answered 407")
	c.Close() // ends the tunnel
}

func TestProxyFromEnvironment(t *testing.T) {
	_, proxyURL := proxy(t, "")
	t.Setenv("HTTP_PROXY", strings.Replace(proxyURL, "://", "://app:"+hidden+"@", 1))
	t.Setenv("NO_PROXY", "")
	t.Setenv("REQUEST_METHOD", "")
	_, body := get(t, newClient(t, nil), "http://legacy.test", nil)
	equal(t, "body", body, "by proxy")

	fails(t, newClient(t, func(o *Options) { o.Proxy = through(t, "off") }), "http://legacy.invalid", "lookup")
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	got := &log{}
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got.add(r)
		to(302, "http://legacy.test/end")(w, r)
	})}}
	server.Start()
	defer server.Close()
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1") // has no say

	c := newClient(t, func(o *Options) { o.UnixSocket = path })
	_, body := get(t, c, "http://legacy.test", nil)
	equal(t, "body", body, "ok")
	equal(t, "host", got.last(t).Host, "legacy.test")
	equal(t, "requests", len(got.all()), 2)
	equal(t, "request target", got.last(t).RequestURI, "/end")

	fails(t, newClient(t, func(o *Options) { o.UnixSocket = path + "x" }), "http://legacy.test", "no such file")
}
