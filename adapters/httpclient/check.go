package httpclient

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"sidestream/adapters"
)

// The bounds of options.
const (
	maxEntries     = 100
	maxRedirects   = 50
	maxConnections = 10000
)

// Check adds what is wrong with the options to c. It does no I/O: files need
// not exist, as a routing table may be checked elsewhere than where it is
// used.
func (o *Options) Check(c *adapters.OptionErrors) {
	o.checkHeaders(c)
	o.checkConnections(c)
	o.TLS.Check(c, "tls")
	o.Auth.check(c)
}

func (o *Options) checkHeaders(c *adapters.OptionErrors) {
	c.Refuse(len(o.Headers) > maxEntries, "headers", "there are %d; the most is %d", len(o.Headers), maxEntries)
	seen := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(o.Headers)) {
		path, value := "headers."+name, o.Headers[name]
		err := CheckHeader(name)
		c.Refuse(err != nil, path, "%v", err)
		canonical := http.CanonicalHeaderKey(name)
		other, twice := seen[canonical]
		c.Refuse(twice, path, "it is the same header as %s", other)
		seen[canonical] = name
		c.Refuse(value.IsZero(), path, "must be text or {file: path}")
		c.Refuse(!httpguts.ValidHeaderFieldValue(value.Reveal()), path, "its text can't be in a header: it holds a control character")
		c.Refuse(canonical == "Host" && value.File == "" && !validHost(value.Reveal()), path, "its text is not a host")
	}
	_, authorization := seen["Authorization"]
	c.Refuse(authorization && o.Auth != Auth{}, "auth", "the header Authorization is configured too; choose one")
}

func validHost(s string) bool { return s != "" && httpguts.ValidHostHeader(s) }

// CheckHeader returns why a header can't be set by configuration, or nil: its
// name is none, or its value is the client's or the protocol's to say.
func CheckHeader(name string) error {
	canonical := http.CanonicalHeaderKey(name)
	switch {
	case !httpguts.ValidHeaderFieldName(name):
		return fmt.Errorf("%q is not the name of a header", name)
	case slices.Contains(ownHeaders, canonical), strings.HasPrefix(canonical, "If-"):
		return fmt.Errorf("%s is not for configuration to set; it is set where it is needed", canonical)
	default:
		return nil
	}
}

// ownHeaders are, apart from conditions (RFC 9110, section 13.1), those that
// frame a message or belong to a connection (section 7.6.1), and those that
// ask for answers which a caller of this package has to expect.
var ownHeaders = []string{
	"Accept-Encoding", "Connection", "Content-Length", "Expect", "Keep-Alive",
	"Proxy-Authorization", "Proxy-Connection", "Range", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade",
}

func (o *Options) checkConnections(c *adapters.OptionErrors) {
	c.OneOf("redirects", string(o.Redirects), o.Redirects.Values()...)
	c.Refuse(o.MaxRedirects < 1 || o.MaxRedirects > maxRedirects, "max_redirects",
		`%d is out of bounds; it is from 1 to %d, and "redirects: none" follows none`, o.MaxRedirects, maxRedirects)
	c.Refuse(o.MaxConnections < 1 || o.MaxConnections > maxConnections, "max_connections",
		"%d is out of bounds; it is from 1 to %d", o.MaxConnections, maxConnections)
	if o.UnixSocket != "" {
		c.Refuse(o.Proxy.url != nil, "unix_socket", "a socket can't be reached through a proxy; leave out one of the two")
		c.Refuse(o.Redirects == redirectsAny, "unix_socket", `other hosts can't be reached through a socket; leave out "redirects: any"`)
	}
	c.Refuse(o.TLS.ServerName != "" && o.Proxy.url != nil && o.Proxy.url.Scheme == "https", "tls.server_name",
		"it would be asked of the https proxy too; leave out one of the two")
}

func (a *Auth) check(c *adapters.OptionErrors) {
	n := 0
	for _, set := range []bool{a.Basic != nil, a.Bearer != nil, a.OAuth2 != nil} {
		if set {
			n++
		}
	}
	c.Refuse(n > 1, "auth", "choose one of basic, bearer and oauth2")
	if b := a.Basic; b != nil {
		c.Refuse(b.User.IsZero() && b.Password.IsZero(), "auth.basic", "needs user, password or both")
		c.Refuse(strings.Contains(b.User.Reveal(), ":"), "auth.basic.user", "it holds a colon, which would end it (RFC 7617, section 2)")
	}
	if a.Bearer != nil {
		c.Refuse(a.Bearer.IsEmpty(), "auth.bearer", "must be a token or {file: path}")
		c.Refuse(!httpguts.ValidHeaderFieldValue(a.Bearer.Reveal()), "auth.bearer", "it can't be in a header: it holds a control character")
	}
	if a.OAuth2 != nil {
		a.OAuth2.check(c)
	}
}

func (o *OAuth2) check(c *adapters.OptionErrors) {
	const path = "auth.oauth2"
	u, err := url.Parse(o.TokenURL)
	c.Refuse(err != nil || !isHTTP(u) || u.Fragment != "", path+".token_url",
		"must be an absolute http or https URL without a fragment") // RFC 6749, section 3.2
	c.Refuse(err == nil && u.User != nil, path+".token_url", "must not hold a user or password; client_id and client_secret are for that")
	c.Refuse(o.ClientID == "", path+".client_id", "is missing")
	if o.Style != "" {
		c.OneOf(path+".style", string(o.Style), o.Style.Values()...)
	}
	c.Refuse(len(o.Scopes) > maxEntries, path+".scopes", "there are %d; the most is %d", len(o.Scopes), maxEntries)
	for i, scope := range o.Scopes {
		c.Refuse(scope == "" || strings.ContainsAny(scope, " \"\\"), fmt.Sprintf("%s.scopes[%d]", path, i),
			"must be one word (RFC 6749, section 3.3)")
	}
	c.Refuse(len(o.Params) > maxEntries, path+".params", "there are %d; the most is %d", len(o.Params), maxEntries)
	for _, name := range slices.Sorted(maps.Keys(o.Params)) {
		at := path + ".params." + name
		c.Refuse(slices.Contains([]string{"client_id", "client_secret", "scope"}, name), at, "it has an option of its own")
		c.Refuse(o.Params[name].IsZero(), at, "must be text or {file: path}")
	}
}

func isHTTP(u *url.URL) bool {
	return (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != ""
}
