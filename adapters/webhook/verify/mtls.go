package verify

import (
	"crypto/x509"
	"net/http"
	"slices"
	"time"
)

// mtls is the scheme of [MTLS].
type mtls struct {
	mute
	names []string
}

func newMTLS(_ string, o *MTLS) scheme { return &mtls{names: o.Names} }

func (s *mtls) verify(r *http.Request, _ []byte, _ time.Time) error {
	switch {
	case r.TLS == nil:
		return refuse("the connection has no TLS")
	case len(r.TLS.VerifiedChains) == 0:
		return refuse("the client has no certificate that was verified")
	}
	leaf := r.TLS.VerifiedChains[0][0]
	if len(s.names) > 0 && !slices.ContainsFunc(namesOf(leaf), func(name string) bool { return slices.Contains(s.names, name) }) {
		return refuse("the certificate of client %.100q is for none of the names", leaf.Subject.CommonName)
	}
	return nil
}

// namesOf returns whom a certificate is for.
func namesOf(cert *x509.Certificate) []string {
	names := slices.Clone(cert.DNSNames)
	if cert.Subject.CommonName != "" {
		names = append(names, cert.Subject.CommonName)
	}
	for _, u := range cert.URIs {
		names = append(names, u.String())
	}
	return names
}
