package proxy

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/textproto"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
	"gopkg.in/yaml.v3"

	"sidestream/proxy/strictyaml"
)

// checkCORS complains of what browsers would make nothing of.
func (l *loader) checkCORS(n *yaml.Node, path string, r *Route) bool {
	complain := l.complainer(n, path)
	ok := true
	c := &r.CORS
	for i, origin := range c.Origins {
		field := fmt.Sprintf("cors.origins[%d]", i)
		if err := checkOrigin(origin); err != nil {
			ok = complain(field, "%v", err)
		}
		if origin == anyOrigin && len(c.Origins) > 1 {
			ok = complain(field, `"*" is every origin, and stands alone; leave out either it or the others`)
		}
	}
	if slices.Contains(c.Origins, anyOrigin) && c.Credentials {
		ok = complain("cors.credentials", `has no place with the origin "*", whose answers to requests with credentials browsers don't show to pages; name the origins`)
	}
	own := strictyaml.Find(n, "cors")
	if own.Kind == yaml.MappingNode && own != n && len(c.Origins) == 0 && strictyaml.Find(n, "cors.origins") == own {
		ok = complain("cors", `has no effect without origins; name them, such as "https://app.example.com"`)
	}
	for _, list := range []struct {
		key   string
		names []string
	}{{"headers", c.Headers}, {"expose", c.Expose}} {
		for i, name := range list.names {
			if !httpguts.ValidHeaderFieldName(name) || name == "*" {
				ok = complain(fmt.Sprintf("cors.%s[%d]", list.key, i), "%q is not the name of a header, such as X-Tenant", name)
			}
		}
	}
	if age := time.Duration(c.MaxAge); age%time.Second != 0 {
		ok = complain("cors.max_age", "%v is not a whole number of seconds", age)
	}
	if len(c.Origins) == 0 {
		return ok
	}
	if r.Method == http.MethodOptions {
		ok = complain("method", "OPTIONS is what browsers ask with whether a page may have the stream (cors); choose another method")
	}
	for name := range r.Headers {
		if strings.HasPrefix(textproto.CanonicalMIMEHeaderKey(name), "Access-Control-") {
			ok = complain("headers."+name, "is for the route's cors to set; leave it out")
		}
	}
	return ok
}

const anyOrigin = "*"

var (
	originScheme = regexp.MustCompile(`^[a-z][a-z0-9+.-]*$`)
	originHost   = regexp.MustCompile(`^([a-z0-9_-]+\.)*[a-z0-9_-]+$`)
	originPort   = regexp.MustCompile(`^[1-9][0-9]{0,4}$`)
)

// checkOrigin returns why text is not an origin in the form in which browsers
// send it (RFC 6454 section 6.2), with or without a wildcard for subdomains, or
// nil.
func checkOrigin(text string) error {
	switch text {
	case anyOrigin:
		return nil
	case "null":
		return errors.New(`"null" is the origin of whatever has none, such as a file or a page in a sandbox, of anybody's; leave it out`)
	}
	scheme, rest, ok := strings.Cut(strings.ToLower(text), "://")
	if !ok {
		return fmt.Errorf("%q has no scheme; an origin is one such as https://app.example.com", text)
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, tail := rest[:end], rest[end:]
	if strings.Contains(authority, "@") {
		return errors.New("has a user, which no origin does; write one such as https://app.example.com")
	}
	host, port := splitPort(authority)
	right, err := rightHost(host)
	if err != nil || !originScheme.MatchString(scheme) || port != "" && !originPort.MatchString(port[1:]) {
		if err == nil {
			err = errors.New("is not an origin, such as https://app.example.com or http://localhost:3000")
		}
		return fmt.Errorf("%q %w", text, err)
	}
	if scheme == "https" && port == ":443" || scheme == "http" && port == ":80" {
		port = ""
	}
	right = scheme + "://" + right + port
	switch {
	case strings.EqualFold(right, text):
		return nil
	case tail == "/":
		return fmt.Errorf("%q ends with a slash, which no origin does; write %s", text, right)
	case tail != "":
		return fmt.Errorf("%q goes on after the host, which no origin does; write %s", text, right)
	default:
		return fmt.Errorf("%q is not as browsers write it; write %s", text, right)
	}
}

// splitPort returns the port with its colon.
func splitPort(authority string) (host, port string) {
	colon := strings.LastIndexByte(authority, ':')
	if colon < 0 || strings.HasSuffix(authority, "]") {
		return authority, ""
	}
	return authority[:colon], authority[colon:]
}

// rightHost returns the host of an origin as browsers write it.
func rightHost(host string) (string, error) {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		a, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		if err != nil || !a.Is6() || a.Zone() != "" {
			return "", errors.New("has no valid address as its host")
		}
		return "[" + a.String() + "]", nil
	}
	wildcard := ""
	if strings.Contains(host, "*") {
		rest, ok := strings.CutPrefix(host, "*.")
		switch {
		case strings.Count(host, "*") > 1:
			return "", errors.New("has several wildcards; one may stand for all subdomains, as in https://*.example.com")
		case !ok || rest == "":
			return "", errors.New(`has a wildcard that isn't for subdomains, as that of https://*.example.com is; "*" alone is every origin`)
		}
		if suffix, listed := publicsuffix.PublicSuffix(rest); suffix == rest && (listed || strings.Contains(rest, ".")) {
			return "", fmt.Errorf("has a wildcard for all that anybody may register under %s; name your own domain, as in https://*.example.com", rest)
		}
		host, wildcard = rest, "*."
	}
	if ascii, err := idna.Lookup.ToASCII(host); err == nil {
		host = ascii
	}
	if !originHost.MatchString(host) {
		return "", errors.New("has no valid host; an origin is one such as https://app.example.com")
	}
	return wildcard + host, nil
}
