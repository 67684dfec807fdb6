package httpclient

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"sidestream/adapters/secret"
)

// Describe returns the headers that Do would send for req, without what
// prepare adds, with secrets masked: "(secret)". It does no I/O.
func (c *Client) Describe(req *http.Request, forward http.Header) http.Header {
	h := req.Header.Clone()
	if h == nil {
		h = http.Header{}
	}
	for _, cred := range c.credentials {
		h.Set(cred.header, cred.masked)
	}
	for name, values := range forward {
		if len(values) > 0 {
			h.Set(name, secret.Mask)
		}
	}
	return h
}

// DescribeURL returns u with the values masked, "(secret)", of those pairs of
// the query that, by their names, may be secrets.
func DescribeURL(u *url.URL) string {
	shown := *u
	pairs := strings.Split(u.RawQuery, "&")
	for i, pair := range pairs {
		name, _, assigned := strings.Cut(pair, "=")
		if assigned && isSecret(name) {
			pairs[i] = name + "=" + secret.Mask
		}
	}
	shown.RawQuery = strings.Join(pairs, "&")
	return shown.String()
}

// isSecret reports whether the name of a parameter is like that of a secret.
func isSecret(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc([]string{"auth", "credential", "key", "pass", "secret", "session", "sig", "token"}, func(word string) bool {
		return strings.Contains(name, word)
	})
}
