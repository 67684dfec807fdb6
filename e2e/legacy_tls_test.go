package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// An authority issues certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string // its own certificate
}

// issued is a certificate with its key.
type issued struct{ cert, key string } // PEM

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{cert: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of a test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, a.cert, a.cert, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	a.pem = pemOf("CERTIFICATE", der)
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

// issue makes a certificate for servers and clients that is valid for a time
// from now; a negative one is over.
func (a *authority) issue(t testing.TB, valid time.Duration, names ...string) issued {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "a test"},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(valid),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return issued{pemOf("CERTIFICATE", der), pemOf("PRIVATE KEY", private)}
}

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// secured makes a server of legacy APIs one with this certificate. If clients
// is given, it wants one of theirs, too.
func secured(t *testing.T, own issued, clients *authority) func(*httptest.Server) {
	t.Helper()
	pair, err := tls.X509KeyPair([]byte(own.cert), []byte(own.key))
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}}
	if clients != nil {
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		config.ClientCAs.AddCert(clients.cert)
	}
	return func(s *httptest.Server) {
		s.TLS = config
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
	}
}

// R11: an API whose certificate is not right is not talked to, and clients
// wait. Once the files are right, which are read again, all is well.
func TestLegacyTLS(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	const ip = "127.0.0.1"
	good := ca.issue(t, time.Hour, ip)
	user, stranger := ca.issue(t, time.Hour), other.issue(t, time.Hour)
	for name, c := range map[string]struct {
		own     issued
		clients *authority
		files   map[string]string // at first
		options string
		right   map[string]string // what makes it right; nil: nothing can
	}{
		"unknown authority":     {good, nil, nil, "", nil},
		"other authority":       {good, nil, map[string]string{"ca": other.pem}, "ca: %[1]s/ca", map[string]string{"ca": ca.pem}},
		"CA that is no PEM":     {good, nil, map[string]string{"ca": "nonsense"}, "ca: %[1]s/ca", map[string]string{"ca": ca.pem}},
		"wrong name":            {ca.issue(t, time.Hour, "legacy.test"), nil, map[string]string{"ca": ca.pem}, "ca: %[1]s/ca", nil},
		"name as configured":    {ca.issue(t, time.Hour, "legacy.test"), nil, map[string]string{"ca": other.pem}, "ca: %[1]s/ca, server_name: legacy.test", map[string]string{"ca": ca.pem}},
		"expired":               {ca.issue(t, -time.Hour, ip), nil, map[string]string{"ca": ca.pem}, "ca: %[1]s/ca", nil},
		"no client certificate": {good, ca, map[string]string{"ca": ca.pem}, "ca: %[1]s/ca", nil},
		"client certificate": {
			good, ca, map[string]string{"ca": ca.pem, "cert": stranger.cert, "key": stranger.key},
			"ca: %[1]s/ca, cert: %[1]s/cert, key: %[1]s/key", map[string]string{"cert": user.cert, "key": user.key},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := startLegacy(t, says(http.StatusOK, `{"v":1}`), secured(t, c.own, c.clients))
			dir := t.TempDir()
			for file, content := range c.files {
				writeFile(t, filepath.Join(dir, file), content)
			}
			options := c.options
			if options != "" {
				options = fmt.Sprintf(options, dir)
			}
			s := serve(t, quick+fmt.Sprintf("\nroutes:\n  - {path: /doc, live_marker: false, poll: {url: %s/doc, tls: {%s}}}\n", api.url, options))
			client := follow(t, s.url+"/doc")
			awaitKinds(t, client, "stream.stale")
			if reason := reasonOf(t, client); reason == "" || strings.ContainsAny(reason, `/:"`) {
				t.Errorf("got the reason %q, want one without names and paths", reason)
			}
			if got := len(api.requests("")); got > 0 {
				t.Fatalf("got %d requests at an API that is not to be trusted, want none", got)
			}
			if c.right == nil {
				s.awaitLog(t, "source failed; it will be run again", 2)
				return
			}
			for file, content := range c.right {
				replaceFile(t, filepath.Join(dir, file), content)
			}
			awaitKinds(t, client, "stream.stale", "stream.fresh", "message")
			if got := client.conns(); len(got) != 1 || !slices.Equal(client.messages(), []string{`{"v":1}`}) {
				t.Errorf("got %v on %d connections, want the document on one", client.messages(), len(got))
			}
		})
	}
}
