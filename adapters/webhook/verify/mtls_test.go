package verify

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"sidestream/adapters/tlsfiles/tlstest"
)

// withCertificate returns a request over a connection with a certificate that
// was verified.
func withCertificate(leaf *x509.Certificate) *http.Request {
	r := request("/")
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}, VerifiedChains: [][]*x509.Certificate{{leaf}}}
	return r
}

func TestMTLSNames(t *testing.T) {
	id, err := url.Parse("spiffe://example.org/billing")
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{
		Subject:        pkix.Name{CommonName: "billing", Organization: []string{"org"}},
		DNSNames:       []string{"billing.example.org", "*.example.org"},
		EmailAddresses: []string{"billing@example.org"},
		URIs:           []*url.URL{id},
	}
	for name, want := range map[string]bool{
		"billing":                      true,
		"billing.example.org":          true,
		"spiffe://example.org/billing": true,
		"Billing":                      false,
		"other.example.org":            false,
		"org":                          false,
		"billing@example.org":          false,
		"spiffe://example.org":         false,
	} {
		v := verifier(t, Options{MTLS: &MTLS{Names: []string{"nobody", name}}}, 0)
		if want {
			accepts(t, name, v, withCertificate(leaf), "")
		} else {
			refuses(t, name, v, withCertificate(leaf), "")
		}
	}
	nameless := withCertificate(&x509.Certificate{})
	refuses(t, "nameless", verifier(t, Options{MTLS: &MTLS{Names: []string{"billing"}}}, 0), nameless, "")
	accepts(t, "nameless, with no names", verifier(t, Options{MTLS: &MTLS{}}, 0), nameless, "")
}

// TestMTLSConnections does the handshakes with servers that ask for
// certificates in different ways.
func TestMTLSConnections(t *testing.T) {
	authority, stranger := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	for _, tc := range []struct {
		name   string
		ask    tls.ClientAuthType
		issuer *tlstest.Authority // of the client's certificate
		want   int
	}{
		{"verified", tls.VerifyClientCertIfGiven, authority, http.StatusOK},
		{"none", tls.VerifyClientCertIfGiven, nil, http.StatusForbidden},
		{"not verified", tls.RequireAnyClientCert, authority, http.StatusForbidden},
		{"a stranger's, not verified", tls.RequestClientCert, stranger, http.StatusForbidden},
	} {
		v := verifier(t, Options{MTLS: &MTLS{Names: []string{"sender"}}}, 0)
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var refused *Refusal
			if errors.As(v.Verify(r, nil), &refused) {
				w.WriteHeader(refused.Status)
			}
		}))
		server.TLS = &tls.Config{ClientAuth: tc.ask, ClientCAs: authority.Pool()}
		server.StartTLS()
		client := server.Client()
		if tc.issuer != nil {
			pair, err := tls.X509KeyPair(issue(t, tc.issuer))
			if err != nil {
				t.Fatal(err)
			}
			client.Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{pair}
		}
		answer, err := client.Get(server.URL)
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		answer.Body.Close()
		server.Close()
		if answer.StatusCode != tc.want {
			t.Errorf("%s: got status %d, want %d", tc.name, answer.StatusCode, tc.want)
		}
	}
	refuses(t, "no TLS", verifier(t, Options{MTLS: &MTLS{}}, 0), request("/"), "")
}

func issue(tb testing.TB, authority *tlstest.Authority) (cert, key []byte) {
	tb.Helper()
	c, k := authority.Issue(tb, "sender")
	return []byte(c), []byte(k)
}
