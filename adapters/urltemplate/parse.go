package urltemplate

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"sidestream/adapters"
)

// Parse returns the template for the URL text, or, if that is empty, for the
// upstream followed by the route's path, with those of the route's query
// parameters that a request has. A text that starts with "/" goes under the
// upstream; one at a Unix-domain socket has the host localhost. The pairs of
// query are added; their values may hold variables, too.
//
// An error is an [adapters.OptionError] about "url" or "query.name", and an
// [UnknownError] in it if the route doesn't have a variable.
func Parse(text string, query map[string]string, route adapters.Route) (*Template, error) {
	t, err := parseURL(text, route)
	if err != nil {
		return nil, &adapters.OptionError{Path: "url", Err: err}
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		value, err := parseValue(query[name], route.Vars, escapeText)
		if err != nil {
			return nil, &adapters.OptionError{Path: "query." + name, Err: err}
		}
		t.query = append(t.query, pair{name: url.QueryEscape(name) + "=", value: value})
	}
	return t, nil
}

func parseURL(configured string, route adapters.Route) (*Template, error) {
	text := configured
	if text == "" {
		text = route.Path
	}
	origin, base, rest, err := splitOrigin(text, route.Upstream)
	if err != nil {
		return nil, err
	}
	if strings.Contains(rest, "#") {
		return nil, errors.New("a fragment is not sent to a server; leave out # and what follows it (a # that is meant is written %23)")
	}
	path, query, _ := strings.Cut(rest, "?")

	t := &Template{origin: origin}
	if u := route.Upstream; u != nil && isSocket(u) && strings.HasPrefix(text, "/") {
		t.socket = u.Path
	}
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

func parsePath(path string, vars []string) ([]piece, error) {
	var all []piece
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, segment := range segments {
		last := i == len(segments)-1
		pieces, err := parsePieces(segment, vars, escapeRest)
		if err != nil {
			return nil, err
		}
		if segment == "" && !last {
			return nil, errors.New("the path has an empty segment; write / once")
		}
		if plain, _ := url.PathUnescape(segment); plain == "." || plain == ".." {
			return nil, fmt.Errorf("the path has the segment %q; write the path that is meant", segment)
		}
		if !last || len(pieces) > 1 {
			if err := refuseRest(pieces); err != nil {
				return nil, err
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
		name, err := escapeRest(name)
		if err != nil {
			return nil, err
		}
		if assigned {
			name += "="
		}
		pieces, err := parseValue(value, vars, escapeRest)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, pair{name: name, value: pieces})
	}
	return pairs, nil
}

// parseValue splits the value of a query pair at its variables.
func parseValue(value string, vars []string, escape func(string) (string, error)) ([]piece, error) {
	pieces, err := parsePieces(value, vars, escape)
	if err != nil {
		return nil, err
	}
	return pieces, refuseRest(pieces)
}

// refuseRest complains of a variable for several segments.
func refuseRest(pieces []piece) error {
	for _, p := range pieces {
		if p.rest {
			return fmt.Errorf("{%s...} stands for all that remains of a path: it has to be its last segment, by itself; in the query, write {%[1]s}", p.name)
		}
	}
	return nil
}

// parsePieces splits text at its variables. escape is for what is between
// them.
func parsePieces(text string, vars []string, escape func(string) (string, error)) ([]piece, error) {
	var pieces []piece
	for text != "" {
		i := strings.IndexAny(text, "{}")
		if i < 0 {
			i = len(text)
		}
		if i > 0 {
			escaped, err := escape(text[:i])
			if err != nil {
				return nil, err
			}
			pieces = append(pieces, piece{text: escaped})
			text = text[i:]
			continue
		}
		end := strings.IndexByte(text, '}')
		if end <= 0 || strings.Contains(text[1:end], "{") {
			return nil, errors.New("unbalanced braces; a variable is written {name} (a brace that is meant is written %7B or %7D)")
		}
		name, rest := strings.CutSuffix(text[1:end], "...")
		if !slices.Contains(vars, name) {
			return nil, &UnknownError{Name: name, vars: vars}
		}
		pieces = append(pieces, piece{name: name, rest: rest})
		text = text[end+1:]
	}
	return pieces, nil
}

// An UnknownError is a variable that the route doesn't have.
type UnknownError struct {
	Name string
	vars []string // those that it has
}

func (e *UnknownError) Error() string {
	has := "none at all"
	if len(e.vars) > 0 {
		has = strings.Join(e.vars, ", ")
	}
	return fmt.Sprintf("the route has no variable {%s}; it has %s", e.Name, has)
}
