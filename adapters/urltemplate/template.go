package urltemplate

import (
	"net/url"
	"slices"
	"strings"

	"sidestream/adapters"
)

// A Template makes URLs. It is safe for concurrent use.
type Template struct {
	origin string
	socket string
	path   []piece
	query  []pair
}

// A piece is escaped text or, if name is set, stands for a variable.
type piece struct {
	text string
	name string
	rest bool // "{name...}": several segments
}

// A pair is left out of the query if one of its variables is absent.
type pair struct {
	name  string // escaped, with its "=" if there is one
	value []piece
}

// Origin returns the scheme and host of all URLs of t, as [Origin] has them.
func (t *Template) Origin() string { return t.origin }

// Socket returns the path of the Unix-domain socket at which the URLs of t are
// asked; empty: at their host.
func (t *Template) Socket() string { return t.socket }

// InPath reports whether the path has the variable name, so that there is no
// URL without it.
func (t *Template) InPath(name string) bool {
	return slices.ContainsFunc(t.path, func(p piece) bool { return p.name == name && name != "" })
}

// Expand returns the URL for vars. An error is [adapters.ErrBadVariable].
func (t *Template) Expand(vars adapters.Vars) (*url.URL, error) {
	var b strings.Builder
	b.WriteString(t.origin)
	for _, p := range t.path {
		text, err := p.text, error(nil)
		switch {
		case p.rest:
			text, err = vars.Path(p.name)
		case p.name != "":
			text, err = vars.Segment(p.name)
		}
		if err != nil {
			return nil, err
		}
		b.WriteString(text)
	}
	sep := "?"
	for _, p := range t.query {
		text, ok, err := p.expand(vars)
		if err != nil {
			return nil, err
		}
		if ok {
			b.WriteString(sep + text)
			sep = "&"
		}
	}
	return url.Parse(b.String())
}

// expand returns the pair as text, or false if a variable is absent.
func (p pair) expand(vars adapters.Vars) (string, bool, error) {
	var b strings.Builder
	b.WriteString(p.name)
	for _, v := range p.value {
		if v.name == "" {
			b.WriteString(v.text)
			continue
		}
		if _, ok := vars[v.name]; !ok {
			return "", false, nil
		}
		value, err := vars.Query(v.name)
		if err != nil {
			return "", false, err
		}
		b.WriteString(value)
	}
	return b.String(), true, nil
}
