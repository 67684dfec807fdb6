package sse

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"sidestream/adapters"
)

// newTarget returns the target that is configured, or that of the request if
// none is. Errors complain about the options "url" and "query", and show no
// more of them than hosts and variables, since a query may hold keys.
func newTarget(o *Options, route adapters.Route) (*target, error) {
	t, err := parseTarget(o.URL, route)
	if err != nil {
		return nil, &adapters.OptionError{Path: "url", Err: err}
	}
	for _, name := range slices.Sorted(maps.Keys(o.Query)) {
		value, err := parseParts(o.Query[name], route.Vars, escapeAll)
		if err == nil {
			err = refuseRest(value)
		}
		if err != nil {
			return nil, &adapters.OptionError{Path: "query." + name, Err: err}
		}
		t.query = append(t.query, pair{url.QueryEscape(name) + "=", value})
	}
	return t, nil
}

func parseTarget(configured string, route adapters.Route) (*target, error) {
	text := configured
	if text == "" {
		text = route.Path
	}
	t := new(target)
	below, err := t.setOrigin(text, route.Upstream)
	if err != nil {
		return nil, err
	}
	if strings.Contains(below, "#") {
		return nil, errors.New("a fragment is not sent to a server; leave out # and what follows it (a # that is meant is written %23)")
	}
	path, query, _ := strings.Cut(below, "?")
	if err := t.setPath(path, route.Vars); err != nil {
		return nil, err
	}
	if configured != "" {
		err := t.setQuery(query, route.Vars)
		return t, err
	}
	for _, name := range route.Query {
		t.query = append(t.query, pair{url.QueryEscape(name) + "=", []part{{name: name}}})
	}
	return t, nil
}

// setOrigin takes the scheme and the host of a URL, or those of the upstream
// if it has none, and returns the path and the query.
func (t *target) setOrigin(text string, upstream *url.URL) (below string, err error) {
	if strings.HasPrefix(text, "/") {
		if upstream == nil {
			return "", errors.New("there is no upstream that it could go under; set upstream, or write it in full, such as http://127.0.0.1:3000/events")
		}
		if err := checkOrigin(upstream); err != nil {
			return "", fmt.Errorf("the upstream can't be read from: %w", err)
		}
		t.origin = originOf(upstream)
		return strings.TrimSuffix(upstream.EscapedPath(), "/") + text, nil
	}
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return "", errors.New(`it is neither a URL, such as http://127.0.0.1:3000/events, nor a path under the upstream, which starts with "/"`)
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	host, below := rest[:end], rest[end:]
	switch {
	case strings.ContainsAny(scheme+host, "{}"):
		return "", errors.New("a variable may stand in the path or the query, never in the scheme or the host")
	case strings.Contains(host, "@"):
		return "", errUserinfo
	}
	u, err := url.Parse(scheme + "://" + host)
	if err != nil {
		return "", fmt.Errorf("%q is not a scheme and a host, such as http://127.0.0.1:3000", scheme+"://"+host)
	}
	t.origin = originOf(u)
	return below, checkOrigin(u)
}

var errUserinfo = errors.New("a URL must not hold a user name or a password, which would end up in logs; auth is for them")

func checkOrigin(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("the scheme is %q; it has to be http or https", u.Scheme)
	case u.Hostname() == "":
		return errors.New("the host is missing; write, for instance, http://127.0.0.1:3000/events")
	case u.User != nil:
		return errUserinfo
	case u.RawQuery != "" || u.Fragment != "":
		return errors.New("it has a query or a fragment, which a path can't go under")
	}
	return nil
}

// originOf returns the scheme and host of u, in one spelling of several.
func originOf(u *url.URL) string {
	host := strings.ToLower(u.Host)
	switch u.Scheme {
	case "http":
		host = strings.TrimSuffix(host, ":80")
	case "https":
		host = strings.TrimSuffix(host, ":443")
	}
	return u.Scheme + "://" + host
}

func (t *target) setPath(path string, vars []string) error {
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, segment := range segments {
		last := i == len(segments)-1
		parts, err := parseParts(segment, vars, escapeRest)
		if err != nil {
			return err
		}
		if segment == "" && !last {
			return errors.New("the path has an empty segment; write / once")
		}
		if plain, _ := url.PathUnescape(segment); plain == "." || plain == ".." {
			return fmt.Errorf("the path has the segment %q; write the path that is meant", segment)
		}
		if !last || len(parts) > 1 {
			if err := refuseRest(parts); err != nil {
				return err
			}
		}
		t.path = append(append(t.path, part{text: "/"}), parts...)
	}
	return nil
}

func (t *target) setQuery(query string, vars []string) error {
	for text := range strings.SplitSeq(query, "&") {
		if text == "" {
			continue
		}
		name, value, assigned := strings.Cut(text, "=")
		if strings.ContainsAny(name, "{}") {
			return errors.New("a variable in the query stands behind the =, such as ?user={user}")
		}
		name, err := escapeRest(name)
		if err != nil {
			return err
		}
		if assigned {
			name += "="
		}
		parts, err := parseParts(value, vars, escapeRest)
		if err == nil {
			err = refuseRest(parts)
		}
		if err != nil {
			return err
		}
		t.query = append(t.query, pair{name, parts})
	}
	return nil
}

// refuseRest complains of a variable for several segments.
func refuseRest(parts []part) error {
	for _, p := range parts {
		if p.rest {
			return fmt.Errorf("{%s...} stands for all that remains of a path: it has to be its last segment, by itself; in the query, write {%[1]s}", p.name)
		}
	}
	return nil
}

// parseParts splits text at its variables. escape is for what is between
// them.
func parseParts(text string, vars []string, escape func(string) (string, error)) ([]part, error) {
	var parts []part
	for text != "" {
		plain, behind, found := strings.Cut(text, "{")
		if strings.Contains(plain, "}") {
			return nil, errBraces
		}
		if plain != "" {
			escaped, err := escape(plain)
			if err != nil {
				return nil, err
			}
			parts = append(parts, part{text: escaped})
		}
		if !found {
			break
		}
		name, rest, closed := strings.Cut(behind, "}")
		if !closed || strings.Contains(name, "{") {
			return nil, errBraces
		}
		name, several := strings.CutSuffix(name, "...")
		if !slices.Contains(vars, name) {
			return nil, unknownVariable(name, vars)
		}
		parts = append(parts, part{name: name, rest: several})
		text = rest
	}
	return parts, nil
}

var errBraces = errors.New("a brace stands alone; a variable is written {name} (a brace that is meant, %7B or %7D)")

func unknownVariable(name string, vars []string) error {
	if len(vars) == 0 {
		return fmt.Errorf("the route has no variable {%s}; it has none at all", name)
	}
	return fmt.Errorf("the route has no variable {%s}; it has %s", name, strings.Join(vars, ", "))
}

// Characters that needn't be escaped: in the value of a query pair, and what
// may stand in a URL besides (RFC 3986, section 3.3 and 3.4).
const (
	plainChars = "-._~!$'()*,;:@/?"
	delimiters = "&+="
)

// escapeRest escapes what may not stand in a URL, and leaves alone what is
// escaped already.
func escapeRest(text string) (string, error) {
	for i := range len(text) {
		if text[i] == '%' && (i+2 >= len(text) || !isHex(text[i+1]) || !isHex(text[i+2])) {
			return "", errors.New("a % is followed by two hexadecimal digits; a % that is meant is written %25")
		}
	}
	return escapeExcept(text, plainChars+delimiters+"%")
}

// escapeAll escapes what would be something else than text in the value of a
// query pair.
func escapeAll(text string) (string, error) { return escapeExcept(text, plainChars) }

func escapeExcept(text, plain string) (string, error) {
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		switch {
		case c < ' ' || c == 0x7f:
			return "", errors.New("there is a control character in it")
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte(plain, c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String(), nil
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
