package proxy

import (
	"fmt"
	"slices"
	"strings"

	"sidestream/adapters"
)

// A matcher makes of a request's variables the key whose events the client
// gets.
type matcher struct {
	parts []matchPart
}

// matchPart is text, or a variable.
type matchPart struct {
	text     string
	variable bool
}

// newMatcher reads a route's match: text in which "{name}" stands for the
// value of one of vars.
func newMatcher(match string, vars []string) (*matcher, error) {
	m := new(matcher)
	for rest := match; rest != ""; {
		text, after, open := strings.Cut(rest, "{")
		if strings.Contains(text, "}") {
			return nil, fmt.Errorf(`%q has a "}" without a "{" before it`, match)
		}
		if text != "" {
			m.parts = append(m.parts, matchPart{text: text})
		}
		if !open {
			break
		}
		name, next, closed := strings.Cut(after, "}")
		switch {
		case !closed:
			return nil, fmt.Errorf(`%q has a "{" without a "}" behind it`, match)
		case !slices.Contains(vars, name):
			return nil, fmt.Errorf("%q is not a variable of this route; it has %s", name, namesOr(vars, "none"))
		}
		if n := len(m.parts); n > 0 && m.parts[n-1].variable {
			return nil, fmt.Errorf("{%s}{%s} can't be told apart; put something between them", m.parts[n-1].text, name)
		}
		m.parts = append(m.parts, matchPart{text: name, variable: true})
		rest = next
	}
	return m, nil
}

// namesOr lists names, or says that there are none.
func namesOr(names []string, none string) string {
	if len(names) == 0 {
		return none
	}
	return strings.Join(names, ", ")
}

// uses reports whether m reads the variable called name.
func (m *matcher) uses(name string) bool {
	return m != nil && slices.Contains(m.parts, matchPart{text: name, variable: true})
}

// key returns the key for vars; "" if m is nil, or if the variables can't be
// told from the key again: one is empty, or has in it the text that follows.
// So requests with other variables never have the same key.
func (m *matcher) key(vars adapters.Vars) string {
	if m == nil {
		return ""
	}
	var b strings.Builder
	for i, p := range m.parts {
		if !p.variable {
			b.WriteString(p.text)
			continue
		}
		value := vars[p.text]
		if value == "" || i+1 < len(m.parts) && strings.Contains(value, m.parts[i+1].text) {
			return ""
		}
		b.WriteString(value)
	}
	return b.String()
}
