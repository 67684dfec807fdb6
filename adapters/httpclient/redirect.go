package httpclient

import (
	"net/http"
	"net/url"
	"strings"
)

func isRedirect(status int) bool {
	return keepsMethod(status) || status == http.StatusMovedPermanently ||
		status == http.StatusFound || status == http.StatusSeeOther
}

// keepsMethod reports whether a redirect asks for the same request again (RFC
// 9110, sections 15.4.8 and 15.4.9).
func keepsMethod(status int) bool {
	return status == http.StatusTemporaryRedirect || status == http.StatusPermanentRedirect
}

// follow returns the request that a redirect of hop asks for, and whether it
// is still for the host that was asked first.
func (c *Client) follow(hop *http.Request, status int, location string, home bool) (*http.Request, bool, error) {
	to, err := hop.URL.Parse(location)
	if err != nil || to.User != nil || !isHTTP(to) {
		return nil, false, ErrElsewhere
	}
	home = home && sameHost(hop.URL, to)
	if !home && c.redirects != redirectsAny {
		return nil, false, ErrElsewhere
	}
	next := hop.Clone(hop.Context())
	next.URL, next.Host = to, ""
	for name := range next.Header {
		if strings.HasPrefix(name, "If-") || name == "Range" {
			next.Header.Del(name)
		}
	}
	if keepsMethod(status) {
		return next, home, rewind(next)
	}
	withoutBody(next)
	return next, home, nil
}

// withoutBody makes a GET of a request, as browsers do for statuses 301 and
// 302 too (RFC 9110, sections 15.4.2 to 15.4.4). A HEAD stays one.
func withoutBody(req *http.Request) {
	if req.Method != http.MethodHead {
		req.Method = http.MethodGet
	}
	req.Body, req.GetBody, req.ContentLength, req.TransferEncoding = nil, nil, 0, nil
	for name := range req.Header {
		if strings.HasPrefix(name, "Content-") {
			req.Header.Del(name)
		}
	}
}

// sameHost reports whether credentials for one URL may go to another: it is
// the same host, and only from http to https may scheme and port change.
func sameHost(from, to *url.URL) bool {
	if !strings.EqualFold(from.Hostname(), to.Hostname()) {
		return false
	}
	upgrade := from.Scheme == "http" && to.Scheme == "https"
	return upgrade || from.Scheme == to.Scheme && port(from) == port(to)
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if u.Scheme == "https" {
		return "443"
	}
	return "80"
}
