package kafka

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"sidestream/adapters"
)

// A template is text in which variables of the route stand.
type template []piece

// A piece is text, or what a variable stands for.
type piece struct {
	text string
	name string // of the variable; empty: text
}

// parseTemplate returns the template that text is, with the variables of route:
// "{name}" stands for one. If doubled is true, "{{" stands for a brace and "}}"
// for a closing one.
func parseTemplate(text string, doubled bool, route adapters.Route) (template, error) {
	var t template
	for text != "" {
		i := strings.IndexAny(text, "{}")
		if i < 0 {
			return t.add(text), nil
		}
		t = t.add(text[:i])
		brace := text[i : i+1]
		text = text[i+1:]
		if doubled && strings.HasPrefix(text, brace) {
			t, text = t.add(brace), text[1:]
			continue
		}
		name, rest, closed := strings.Cut(text, "}")
		switch {
		case brace == "}":
			return nil, errors.New("has a closing brace without an opening one" + doubling(doubled, brace))
		case !closed || name == "" || strings.Contains(name, "{"):
			return nil, errors.New(`has a brace that begins no variable; a variable is "{name}"` + doubling(doubled, brace))
		case strings.HasSuffix(name, "..."):
			return nil, fmt.Errorf(`"{%s}" stands for several segments only in the route's path; here it is "{%s}"`, name, strings.TrimSuffix(name, "..."))
		}
		if err := checkVariable(name, route); err != nil {
			return nil, err
		}
		t, text = append(t, piece{name: name}), rest
	}
	return t, nil
}

// doubling says how to write a brace, where there is a way.
func doubling(doubled bool, brace string) string {
	if !doubled {
		return ""
	}
	return fmt.Sprintf("; a brace itself is written twice, %s%s", brace, brace)
}

func checkVariable(name string, route adapters.Route) error {
	switch {
	case slices.Contains(route.Vars, name):
		return nil
	case len(route.Vars) == 0:
		return fmt.Errorf("the route has no variable {%s}; it has none at all", name)
	default:
		return fmt.Errorf("the route has no variable {%s}; it has %s", name, strings.Join(route.Vars, ", "))
	}
}

// add returns t with text behind it.
func (t template) add(text string) template {
	switch n := len(t); {
	case text == "":
		return t
	case n > 0 && t[n-1].name == "":
		t[n-1].text += text
		return t
	default:
		return append(t, piece{text: text})
	}
}

// prefix returns the text before the first variable.
func (t template) prefix() string {
	if len(t) == 0 {
		return ""
	}
	return t[0].text
}

// fixed returns the text, if there is no variable in it.
func (t template) fixed() (text string, ok bool) {
	return t.prefix(), len(t) == 0 || len(t) == 1 && t[0].name == ""
}

// expand returns the text for vars, of which check says what is wrong with the
// value of one. Its errors are [adapters.ErrBadVariable].
func (t template) expand(vars adapters.Vars, check func(value string) error) (string, error) {
	var b strings.Builder
	for _, p := range t {
		if p.name == "" {
			b.WriteString(p.text)
			continue
		}
		value := vars[p.name]
		err := errLong
		if len(value) <= adapters.MaxVar {
			err = check(value)
		}
		if err != nil {
			return "", badVariable(p.name, err)
		}
		b.WriteString(value)
	}
	return b.String(), nil
}

func badVariable(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", adapters.ErrBadVariable, what, err)
}

var (
	errEmpty     = errors.New("is empty")
	errLong      = errors.New("is too long")
	errNoText    = errors.New("is not UTF-8")
	errControl   = errors.New("holds a control character")
	errCharacter = errors.New("holds a character that can't be part of a topic's name; letters, digits, - and _ can")
)
