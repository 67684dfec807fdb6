package poll

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"sidestream/adapters"
)

// newTemplate returns the template for the URL that is configured, or for
// that of the request if none is. Errors complain about the options "url" and
// "query"; they show no more of them than names and hosts, since a query may
// hold keys.
func newTemplate(o *Options, route adapters.Route) (*template, error) {
	if o.Cursor.Next != "" {
		route.Vars = append(slices.Clone(route.Vars), cursorVar)
	}
	t, err := parseTemplate(o.URL, route)
	if err != nil {
		return nil, &adapters.OptionError{Path: "url", Err: err}
	}
	t.cursor = o.Cursor.Start
	for _, p := range t.path {
		if p.name == cursorVar && o.Cursor.Next != "" && t.cursor == "" {
			return nil, adapters.BadOption("url", "with {cursor} in its path, the first request needs one too; set cursor.start")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o.Query)) {
		pieces, err := parseValue(strings.NewReplacer("%", "%25", "&", "%26", "#", "%23", "+", "%2B", "=", "%3D").Replace(o.Query[name]), route.Vars)
		if err != nil {
			return nil, &adapters.OptionError{Path: "query." + name, Err: err}
		}
		t.query = append(t.query, pair{name: url.QueryEscape(name) + "=", value: pieces})
	}
	return t, nil
}

func parseTemplate(configured string, route adapters.Route) (*template, error) {
	text := configured
	if text == "" {
		text = route.Path
	}
	origin, base, rest, err := splitOrigin(text, route.Upstream)
	if err != nil {
		return nil, err
	}
	if strings.Contains(rest, "#") {
		return nil, errors.New("a fragment is never sent to a server; leave out # and what follows (a literal # is written %23)")
	}
	path, query, _ := strings.Cut(rest, "?")

	t := &template{origin: origin}
	if t.path, err = parsePath(base+path, route.Vars); err != nil {
		return nil, err
	}
	if configured == "" {
		for _, name := range route.Query {
			t.query = append(t.query, pair{name: url.QueryEscape(name) + "=", value: []piece{{name: name}}})
		}
		return t, nil
	}
	t.query, err = parseQuery(query, route.Vars)
	return t, err
}

// splitOrigin returns the scheme and host of text, the path of the upstream
// that it is under, if it is relative, and what follows.
func splitOrigin(text string, upstream *url.URL) (origin, base, rest string, err error) {
	if strings.HasPrefix(text, "/") {
		if upstream == nil {
			return "", "", "", errors.New("an upstream is needed; set upstream, or write the URL in full, such as http://127.0.0.1:3000/orders")
		}
		if err := checkOrigin(upstream); err != nil {
			return "", "", "", fmt.Errorf("the upstream can't be polled: %w", err)
		}
		return originOf(upstream), strings.TrimSuffix(upstream.EscapedPath(), "/"), text, nil
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
		return "", "", "", errUserinfo
	}
	u, err := url.Parse(scheme + "://" + host)
	if err != nil {
		return "", "", "", fmt.Errorf("%q is not a scheme and a host, such as http://127.0.0.1:3000", scheme+"://"+host)
	}
	if err := checkOrigin(u); err != nil {
		return "", "", "", err
	}
	return originOf(u), "", rest, nil
}

// originOf returns the scheme and host of u, in one spelling of several.
func originOf(u *url.URL) string {
	host := strings.ToLower(u.Host)
	if def := map[string]string{"http": ":80", "https": ":443"}[u.Scheme]; def != "" {
		host = strings.TrimSuffix(host, def)
	}
	return u.Scheme + "://" + host
}

var errUserinfo = errors.New("a URL must not hold a user name or password, which would end up in logs")

func checkOrigin(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("the scheme is %q; only http and https can be polled", u.Scheme)
	case u.Hostname() == "":
		return errors.New("the host is missing; write, for instance, http://127.0.0.1:3000/orders")
	case u.User != nil:
		return errUserinfo
	case u.RawQuery != "" || u.Fragment != "":
		return errors.New("its URL has a query or a fragment, which a path can't be put under")
	}
	return nil
}

func parsePath(path string, vars []string) ([]piece, error) {
	if path == "" {
		path = "/"
	}
	var all []piece
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, segment := range segments {
		last := i == len(segments)-1
		pieces, err := parsePieces(segment, vars)
		if err != nil {
			return nil, err
		}
		if len(pieces) == 0 && !last {
			return nil, errors.New("the path has an empty segment; write / once")
		}
		if plain, _ := url.PathUnescape(segment); plain == "." || plain == ".." {
			return nil, fmt.Errorf("the path has the segment %q; write the path that is meant", segment)
		}
		for _, p := range pieces {
			if p.rest && (!last || len(pieces) > 1) {
				return nil, fmt.Errorf("{%s...} stands for all that remains of a path; it has to be the last segment, by itself", p.name)
			}
		}
		all = append(append(all, piece{text: "/"}), pieces...)
	}
	return all, nil
}

func parseQuery(query string, vars []string) ([]pair, error) {
	var pairs []pair
	for text := range strings.SplitSeq(query, "&") {
		if text == "" {
			continue
		}
		name, value, assigned := strings.Cut(text, "=")
		if strings.ContainsAny(name, "{}") {
			return nil, errors.New("a variable in the query stands after the =, such as ?user={user}")
		}
		name, err := escapeLiteral(name)
		if err != nil {
			return nil, err
		}
		if assigned {
			name += "="
		}
		pieces, err := parseValue(value, vars)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, pair{name: name, value: pieces})
	}
	return pairs, nil
}

// parseValue splits the value of a query pair at its variables.
func parseValue(value string, vars []string) ([]piece, error) {
	pieces, err := parsePieces(value, vars)
	for _, p := range pieces {
		if p.rest {
			return nil, fmt.Errorf("{%s...} can only end a path; in the query, write {%[1]s}", p.name)
		}
	}
	return pieces, err
}

// parsePieces splits text at its variables.
func parsePieces(text string, vars []string) ([]piece, error) {
	var pieces []piece
	for text != "" {
		i := strings.IndexAny(text, "{}")
		if i < 0 {
			i = len(text)
		}
		if i > 0 {
			literal, err := escapeLiteral(text[:i])
			if err != nil {
				return nil, err
			}
			pieces = append(pieces, piece{text: literal})
			text = text[i:]
			continue
		}
		end := strings.IndexByte(text, '}')
		if end <= 0 || strings.Contains(text[1:end], "{") {
			return nil, errors.New("unbalanced braces; a variable is written {name} (a literal brace is written %7B or %7D)")
		}
		name, rest := strings.CutSuffix(text[1:end], "...")
		if !slices.Contains(vars, name) {
			return nil, unknownVariable(name, vars)
		}
		pieces = append(pieces, piece{name: name, rest: rest})
		text = text[end+1:]
	}
	return pieces, nil
}

func unknownVariable(name string, vars []string) error {
	if name == cursorVar {
		return errors.New("there is no cursor; set cursor, an expression for the next one, such as .next")
	}
	if len(vars) == 0 {
		return fmt.Errorf("the route has no variable {%s}; it has none at all", name)
	}
	return fmt.Errorf("the route has no variable {%s}; it has %s", name, strings.Join(vars, ", "))
}

// escapeLiteral escapes what may not stand in a URL (RFC 3986, section 3.3)
// and leaves alone what is escaped already.
func escapeLiteral(text string) (string, error) {
	const plain = "-._~!$&'()*+,;=:@/?"
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		switch {
		case c < ' ' || c == 0x7f:
			return "", errors.New("there is a control character in it")
		case c == '%' && (i+2 >= len(text) || !isHex(text[i+1]) || !isHex(text[i+2])):
			return "", errors.New("a % is followed by two hexadecimal digits; a literal % is written %25")
		case c == '%', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte(plain, c) >= 0:
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
