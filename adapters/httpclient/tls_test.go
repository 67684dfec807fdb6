package httpclient

import (
	"crypto/tls"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"sidestream/adapters"
	"sidestream/adapters/tlsfiles/tlstest"
)

// serveTLS starts a server, for HTTP/2 too, whose certificate is for
// 127.0.0.1 and "legacy".
func serveTLS(tb testing.TB, a *tlstest.Authority, edit func(*tls.Config), h http.HandlerFunc) (*log, *httptest.Server) {
	tb.Helper()
	got, server := record(h)
	cert, key := a.Issue(tb, "legacy")
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		tb.Fatal(err)
	}
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: a.Pool()}
	if edit != nil {
		edit(server.TLS)
	}
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateClosed {
			got.close()
		}
	}
	server.Config.ErrorLog = stdlog.New(io.Discard, "", 0)
	server.EnableHTTP2 = true
	server.StartTLS()
	tb.Cleanup(server.Close)
	return got, server
}

// Whether a server asks for client certificates of its authority.
func required(c *tls.Config) { c.ClientAuth = tls.RequireAndVerifyClientCert }
func wanted(c *tls.Config)   { c.ClientAuth = tls.VerifyClientCertIfGiven }

// peer returns the name in the client's certificate.
func peer(r *http.Request) string {
	if len(r.TLS.PeerCertificates) == 0 {
		return ""
	}
	return r.TLS.PeerCertificates[0].Subject.CommonName
}

func TestTrust(t *testing.T) {
	a := tlstest.NewAuthority(t)
	_, server := serveTLS(t, a, nil, ok)
	fails(t, newClient(t, nil), server.URL, "certificate")

	ca := write(t, "ca.pem", a.PEM())
	resp, _ := get(t, newClient(t, func(o *Options) { o.TLS.CA = ca }), server.URL, nil)
	equal(t, "HTTP version", resp.ProtoMajor, 2)
	get(t, newClient(t, func(o *Options) { o.TLS.CA, o.TLS.ServerName = ca, "legacy" }), server.URL, nil)
	fails(t, newClient(t, func(o *Options) { o.TLS.CA, o.TLS.ServerName = ca, "other" }), server.URL, "legacy, not other")
	get(t, newClient(t, func(o *Options) { o.TLS.InsecureSkipVerify = true }), server.URL, nil)
}

// TestConnectionsAreKept: as long as no TLS file changes, requests share
// connections, and the shared configuration stays what it was.
func TestConnectionsAreKept(t *testing.T) {
	a := tlstest.NewAuthority(t)
	got, server := serveTLS(t, a, nil, ok)
	ca := write(t, "ca.pem", a.PEM())
	c := newClient(t, func(o *Options) { o.TLS.CA = ca })
	get(t, c, server.URL, nil)
	first := got.last(t).RemoteAddr
	get(t, c, server.URL, nil)
	equal(t, "the second request's connection", got.last(t).RemoteAddr, first)
	config, err := c.home.tls.Config()
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "protocols in the shared configuration", len(config.NextProtos), 0)
}

func TestAuthorityIsReadAgain(t *testing.T) {
	a, b := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	got, server := serveTLS(t, a, nil, ok)
	_, next := serveTLS(t, b, nil, ok)
	ca := write(t, "ca.pem", a.PEM())
	c := newClient(t, func(o *Options) { o.TLS.CA = ca })
	get(t, c, server.URL, nil)
	fails(t, c, next.URL, "certificate")
	write(t, ca, b.PEM())
	get(t, c, next.URL, nil)
	got.waitClosed() // the connection that was opened before
	fails(t, c, server.URL, "certificate")
	write(t, ca, "no certificate")
	get(t, c, next.URL, nil) // the last good one
}

func TestClientCertificateIsReadAgain(t *testing.T) {
	a := tlstest.NewAuthority(t)
	got, server := serveTLS(t, a, required, ok)
	ca, dir := write(t, "ca.pem", a.PEM()), t.TempDir()
	certPath, keyPath := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	c := newClient(t, func(o *Options) { o.TLS.CA, o.TLS.Cert, o.TLS.Key = ca, certPath, keyPath })
	err := fails(t, c, server.URL, "tls.cert: ", certPath, "no such file")
	equal(t, "reason", adapters.Reason(err), "upstream TLS files not usable")

	cert, key := a.Issue(t, "one")
	write(t, certPath, cert)
	write(t, keyPath, key)
	get(t, c, server.URL, nil)
	equal(t, "peer", peer(got.last(t)), "one")

	cert, key = a.Issue(t, "two")
	write(t, certPath, cert)
	get(t, c, server.URL, nil) // the key isn't there yet
	equal(t, "peer of half a change", peer(got.last(t)), "one")
	write(t, keyPath, key)
	get(t, c, server.URL, nil)
	equal(t, "peer after the change", peer(got.last(t)), "two")
}

func TestClientCertificateStaysAtHome(t *testing.T) {
	a := tlstest.NewAuthority(t)
	away, other := serveTLS(t, a, wanted, ok)
	home, server := serveTLS(t, a, wanted, to(302, other.URL+"/end"))
	cert, key := a.Issue(t, "app")
	ca, certPath, keyPath := write(t, "ca.pem", a.PEM()), write(t, "cert.pem", cert), write(t, "key.pem", key)
	get(t, newClient(t, func(o *Options) {
		o.TLS.CA, o.TLS.Cert, o.TLS.Key, o.Redirects = ca, certPath, keyPath, redirectsAny
	}), server.URL, nil)
	equal(t, "peer at home", peer(home.last(t)), "app")
	equal(t, "peer away", peer(away.last(t)), "")
}
