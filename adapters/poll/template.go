package poll

import (
	"maps"
	"net/url"
	"strings"

	"sidestream/adapters"
)

// cursorVar is the name of the variable that stands for the cursor.
const cursorVar = "cursor"

// A template makes the URL of a request out of a source's variables and the
// cursor. What it makes differs from the configured text in the variables'
// places only: a value can't reach beyond its segment or query value.
type template struct {
	origin string // scheme and host, such as "http://127.0.0.1:3000"
	path   []piece
	query  []pair
	cursor string // the first one
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

// check returns an error, [adapters.ErrBadVariable], if vars can't be in a URL.
func (t *template) check(vars adapters.Vars) error {
	_, err := t.expand(vars, t.cursor)
	return err
}

// expand returns the URL for vars and a cursor; an empty one is none. An
// error is [adapters.ErrBadVariable].
func (t *template) expand(vars adapters.Vars, cursor string) (*url.URL, error) {
	if cursor != "" {
		vars = maps.Clone(vars)
		if vars == nil {
			vars = adapters.Vars{}
		}
		vars[cursorVar] = cursor
	}
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
