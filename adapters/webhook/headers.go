package webhook

import (
	"net/http"
	"slices"
	"strings"

	"sidestream/adapters/webhook/verify"
)

// signatureHeader returns the header of which the options say that it has a
// signature, in canonical form, or "".
func signatureHeader(o *verify.Options) string {
	if o.HMAC == nil {
		return ""
	}
	return http.CanonicalHeaderKey(o.HMAC.Header)
}

// public returns a copy of h without what is for nobody else: credentials and
// signatures.
func (f *factory) public(h http.Header) map[string][]string {
	all := make(map[string][]string, len(h))
	for name, values := range h {
		if name != f.signed && !hidden(name) {
			all[name] = slices.Clone(values)
		}
	}
	return all
}

// hidden reports whether the header of this name holds, by its name, what
// clients must not get to see: rather one too many than one too few.
func hidden(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(secretive(), func(part string) bool { return strings.Contains(name, part) })
}

// secretive are parts of the names of headers that hold secrets, or proofs made
// with them.
func secretive() []string {
	return []string{
		"authorization", "auth-", "cookie", "token", "signature", "hmac",
		"secret", "password", "credential", "api-key", "apikey", "access-key",
	}
}
