package verify

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// A publicURL is where senders send requests.
type publicURL struct {
	scheme, name, port string // the name of an IPv6 address is in brackets
	path               string
	ownPath            bool // the request's path follows
}

const pathPlaceholder = "{path}"

// parsePublicURL reads a URL as it is configured.
func parsePublicURL(text string) (publicURL, error) {
	bare, ownPath := strings.CutSuffix(text, pathPlaceholder)
	u, err := url.Parse(bare)
	_, rest, _ := strings.Cut(bare, "://")
	switch {
	case strings.ContainsAny(bare, "{}"):
		return publicURL{}, errors.New(`braces are only for "{path}" at its end`)
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return publicURL{}, errors.New("must be an absolute http or https URL")
	case u.User != nil:
		return publicURL{}, errors.New("must not hold a user or password")
	case strings.HasSuffix(u.Host, ":"), !strings.HasPrefix(rest, u.Host): // the second: it is escaped
		return publicURL{}, errors.New("its host must be written in full and plainly")
	case strings.ContainsAny(bare, "?#"):
		return publicURL{}, errors.New("must not have a query or fragment; the request's query is added")
	case ownPath && strings.HasSuffix(bare, "/"):
		return publicURL{}, errors.New(`must not have a slash before "{path}", which begins with one`)
	}
	return publicURL{
		scheme:  u.Scheme,
		name:    strings.TrimSuffix(u.Host, ":"+u.Port()),
		port:    u.Port(),
		path:    strings.TrimPrefix(rest, u.Host),
		ownPath: ownPath,
	}, nil
}

// of returns the URL that r was sent to.
func (u publicURL) of(r *http.Request) string { return u.with(u.port, r) }

// variants returns the URL that r was sent to with a port and without.
func (u publicURL) variants(r *http.Request) []string {
	port := u.port
	switch {
	case port != "":
	case u.scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	return []string{u.with(port, r), u.with("", r)}
}

func (u publicURL) with(port string, r *http.Request) string {
	var b strings.Builder
	b.WriteString(u.scheme + "://" + u.name)
	if port != "" {
		b.WriteString(":" + port)
	}
	b.WriteString(u.path)
	if u.ownPath {
		b.WriteString(r.URL.EscapedPath())
	}
	if r.URL.RawQuery != "" || r.URL.ForceQuery {
		b.WriteString("?" + r.URL.RawQuery)
	}
	return b.String()
}
