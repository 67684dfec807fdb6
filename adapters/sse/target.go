package sse

import (
	"net/url"
	"strings"

	"sidestream/adapters"
)

// A target makes the URL of a stream out of a source's variables. A value
// can't reach beyond the place of its variable: a part of a segment, several
// segments, or a part of a query value.
type target struct {
	origin string // scheme and host, such as "http://127.0.0.1:3000"
	path   []part
	query  []pair
}

// A part is escaped text or, if name is set, stands for a variable.
type part struct {
	text string
	name string
	rest bool // "{name...}": several segments
}

// A pair is left out of the query if one of its variables is absent.
type pair struct {
	name  string // escaped, with its "=" if it has one
	value []part
}

// expand returns the URL for vars. An error is [adapters.ErrBadVariable].
func (t *target) expand(vars adapters.Vars) (*url.URL, error) {
	text := []byte(t.origin)
	for _, p := range t.path {
		value, err := p.segment(vars)
		if err != nil {
			return nil, err
		}
		text = append(text, value...)
	}
	var query []string
	for _, p := range t.query {
		if !p.isComplete(vars) {
			continue
		}
		value, err := p.expand(vars)
		if err != nil {
			return nil, err
		}
		query = append(query, value)
	}
	if len(query) > 0 {
		text = append(append(text, '?'), strings.Join(query, "&")...)
	}
	return url.Parse(string(text))
}

// segment returns the part as it stands in a path.
func (p part) segment(vars adapters.Vars) (string, error) {
	switch {
	case p.name == "":
		return p.text, nil
	case p.rest:
		return vars.Path(p.name)
	default:
		return vars.Segment(p.name)
	}
}

// isComplete reports whether the request has all variables of the pair.
func (p pair) isComplete(vars adapters.Vars) bool {
	for _, v := range p.value {
		if _, ok := vars[v.name]; !ok && v.name != "" {
			return false
		}
	}
	return true
}

func (p pair) expand(vars adapters.Vars) (string, error) {
	var b strings.Builder
	b.WriteString(p.name)
	for _, v := range p.value {
		value, err := v.text, error(nil)
		if v.name != "" {
			value, err = vars.Query(v.name)
		}
		if err != nil {
			return "", err
		}
		b.WriteString(value)
	}
	return b.String(), nil
}
