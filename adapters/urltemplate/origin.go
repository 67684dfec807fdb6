package urltemplate

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// What is wrong with a URL that an adapter may want to say in other words.
var (
	ErrNoUpstream = errors.New("an upstream is needed; set upstream, or write the URL in full, such as http://127.0.0.1:3000/orders")
	ErrUserinfo   = errors.New("a URL must not hold a user name or password, which would end up in logs")
)

// Origin returns the scheme and host of u, such as "http://127.0.0.1:3000", in
// one spelling of several: in lower case, without the scheme's own port.
func Origin(u *url.URL) string {
	host := strings.ToLower(u.Host)
	switch u.Scheme {
	case "http":
		host = strings.TrimSuffix(host, ":80")
	case "https":
		host = strings.TrimSuffix(host, ":443")
	}
	return u.Scheme + "://" + host
}

// splitOrigin returns the origin of text, the path of the upstream that it is
// under, if it is relative, and what follows.
func splitOrigin(text string, upstream *url.URL) (origin, base, rest string, err error) {
	if strings.HasPrefix(text, "/") {
		switch {
		case upstream == nil:
			return "", "", "", ErrNoUpstream
		case isSocket(upstream):
			return "http://localhost", "", text, nil
		}
		if err := checkOrigin(upstream); err != nil {
			return "", "", "", fmt.Errorf("the upstream can't be read from: %w", err)
		}
		return Origin(upstream), strings.TrimSuffix(upstream.EscapedPath(), "/"), text, nil
	}
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return "", "", "", errors.New(`write it in full, such as http://127.0.0.1:3000/orders, or from "/" on to go under the upstream`)
	}
	host, rest := rest, ""
	if i := strings.IndexAny(host, "/?#"); i >= 0 {
		host, rest = host[:i], host[i:]
	}
	switch {
	case strings.ContainsAny(scheme+host, "{}"):
		return "", "", "", errors.New("a variable may stand in the path or the query, never in the scheme or the host")
	case strings.Contains(host, "@"):
		return "", "", "", ErrUserinfo
	}
	u, err := url.Parse(scheme + "://" + host)
	if err != nil {
		return "", "", "", fmt.Errorf("%q is not a scheme and a host, such as http://127.0.0.1:3000", scheme+"://"+host)
	}
	if err := checkOrigin(u); err != nil {
		return "", "", "", err
	}
	return Origin(u), "", rest, nil
}

// isSocket reports whether an upstream is a Unix-domain socket; see
// [sidestream/adapters.Route].
func isSocket(upstream *url.URL) bool { return upstream.Scheme == "unix" }

func checkOrigin(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("the scheme is %q; it has to be http or https", u.Scheme)
	case u.Hostname() == "":
		return errors.New("the host is missing; write, for instance, http://127.0.0.1:3000/orders")
	case u.User != nil:
		return ErrUserinfo
	case u.RawQuery != "" || u.Fragment != "":
		return errors.New("its URL has a query or a fragment, which a path can't be put under")
	}
	return nil
}
