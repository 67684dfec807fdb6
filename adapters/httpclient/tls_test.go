package httpclient

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	stdlog "log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sidestream/adapters"
)

func pemText(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// An authority issues certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newAuthority(tb testing.TB) *authority {
	tb.Helper()
	a := &authority{}
	a.cert, a.key, a.pem = a.sign(tb, &x509.Certificate{Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true})
	return a
}

// issue returns a certificate for server or client and its key.
func (a *authority) issue(tb testing.TB, name string) (cert, key string) {
	tb.Helper()
	_, k, cert := a.sign(tb, &x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		DNSNames:    []string{name},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		tb.Fatal(err)
	}
	return cert, pemText("PRIVATE KEY", der)
}

func (a *authority) sign(tb testing.TB, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey, string) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		tb.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return cert, key, pemText("CERTIFICATE", der)
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// serveTLS starts a server, for HTTP/2 too, whose certificate is for
// 127.0.0.1 and "legacy".
func (a *authority) serveTLS(tb testing.TB, edit func(*tls.Config), h http.HandlerFunc) (*log, *httptest.Server) {
	tb.Helper()
	got, server := record(h)
	cert, key := a.issue(tb, "legacy")
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		tb.Fatal(err)
	}
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: a.pool()}
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
	a := newAuthority(t)
	_, server := a.serveTLS(t, nil, ok)
	fails(t, newClient(t, nil), server.URL, "certificate")

	ca := write(t, "ca.pem", a.pem)
	resp, _ := get(t, newClient(t, func(o *Options) { o.TLS.CA = ca }), server.URL, nil)
	equal(t, "HTTP version", resp.ProtoMajor, 2)
	get(t, newClient(t, func(o *Options) { o.TLS.CA, o.TLS.ServerName = ca, "legacy" }), server.URL, nil)
	fails(t, newClient(t, func(o *Options) { o.TLS.CA, o.TLS.ServerName = ca, "other" }), server.URL, "legacy, not other")
	get(t, newClient(t, func(o *Options) { o.TLS.InsecureSkipVerify = true }), server.URL, nil)
}

func TestAuthorityIsReadAgain(t *testing.T) {
	a, b := newAuthority(t), newAuthority(t)
	got, server := a.serveTLS(t, nil, ok)
	_, next := b.serveTLS(t, nil, ok)
	ca := write(t, "ca.pem", a.pem)
	c := newClient(t, func(o *Options) { o.TLS.CA = ca })
	get(t, c, server.URL, nil)
	fails(t, c, next.URL, "certificate")
	write(t, ca, b.pem)
	get(t, c, next.URL, nil)
	got.waitClosed() // the connection that was opened before
	fails(t, c, server.URL, "certificate")
	write(t, ca, "no certificate")
	get(t, c, next.URL, nil) // the last good one
}

func TestClientCertificateIsReadAgain(t *testing.T) {
	a := newAuthority(t)
	got, server := a.serveTLS(t, required, ok)
	ca, dir := write(t, "ca.pem", a.pem), t.TempDir()
	certPath, keyPath := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	c := newClient(t, func(o *Options) { o.TLS.CA, o.TLS.Cert, o.TLS.Key = ca, certPath, keyPath })
	err := fails(t, c, server.URL, "tls.cert: ", certPath, "no such file")
	equal(t, "reason", adapters.Reason(err), reasonTLS)

	cert, key := a.issue(t, "one")
	write(t, certPath, cert)
	write(t, keyPath, key)
	get(t, c, server.URL, nil)
	equal(t, "peer", peer(got.last(t)), "one")

	cert, key = a.issue(t, "two")
	write(t, certPath, cert)
	get(t, c, server.URL, nil) // the key isn't there yet
	equal(t, "peer of half a change", peer(got.last(t)), "one")
	write(t, keyPath, key)
	get(t, c, server.URL, nil)
	equal(t, "peer after the change", peer(got.last(t)), "two")
}

func TestUnusableTLSFiles(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.issue(t, "one")
	_, otherKey := a.issue(t, "two")
	dir := t.TempDir()
	file := func(name, content string) string { return write(t, filepath.Join(dir, name), content) }
	certPath, keyPath := file("cert", cert), file("key", key)
	for _, tc := range []struct {
		edit  func(*TLS)
		parts []string
	}{
		{func(o *TLS) { o.CA = file("bad-ca", hidden) }, []string{"tls.ca: ", "bad-ca", "no certificate"}},
		{func(o *TLS) { o.CA = filepath.Join(dir, "none") }, []string{"tls.ca: ", "none", "no such file"}},
		{func(o *TLS) { o.CA = file("big", strings.Repeat(hidden, maxPEM)) }, []string{"tls.ca: ", "more than"}},
		{func(o *TLS) { o.Cert, o.Key = file("bad-cert", hidden), keyPath }, []string{"tls.cert: ", "bad-cert"}},
		{func(o *TLS) { o.Cert, o.Key = keyPath, keyPath }, []string{"tls.cert: ", keyPath, "tls: failed"}},
		{func(o *TLS) { o.Cert, o.Key = file("bad-der", pemText("CERTIFICATE", []byte(hidden))), keyPath }, []string{"bad-der", "x509: malformed"}},
		{func(o *TLS) { o.Cert, o.Key = certPath, file("bad-key", hidden) }, []string{"tls.key: ", "bad-key"}},
		{func(o *TLS) { o.Cert, o.Key = certPath, file("other-key", otherKey) }, []string{"tls.cert: ", "other-key", "match"}},
	} {
		fails(t, newClient(t, func(o *Options) { tc.edit(&o.TLS) }), "https://127.0.0.1:1", tc.parts...)
	}
}

func TestClientCertificateStaysAtHome(t *testing.T) {
	a := newAuthority(t)
	away, other := a.serveTLS(t, wanted, ok)
	home, server := a.serveTLS(t, wanted, to(302, other.URL+"/end"))
	cert, key := a.issue(t, "app")
	ca, certPath, keyPath := write(t, "ca.pem", a.pem), write(t, "cert.pem", cert), write(t, "key.pem", key)
	get(t, newClient(t, func(o *Options) {
		o.TLS.CA, o.TLS.Cert, o.TLS.Key, o.Redirects = ca, certPath, keyPath, redirectsAny
	}), server.URL, nil)
	equal(t, "peer at home", peer(home.last(t)), "app")
	equal(t, "peer away", peer(away.last(t)), "")
}

func TestMinVersion(t *testing.T) {
	a := newAuthority(t)
	_, server := a.serveTLS(t, func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, ok)
	ca := write(t, "ca.pem", a.pem)
	get(t, newClient(t, func(o *Options) { o.TLS.CA = ca }), server.URL, nil)
	fails(t, newClient(t, func(o *Options) { o.TLS.CA, o.TLS.MinVersion = ca, "1.3" }), server.URL, "version")
}
