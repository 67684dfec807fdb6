package nats

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"sidestream/adapters"
)

// maxSubject is the longest subject, in bytes. A server closes the connection
// of a client that sends it a line of more than 4096 (max_control_line).
const maxSubject = 1024

const (
	separator = "."
	anyToken  = "*"
	anyRest   = ">"
)

// rules are what tokens may hold.
type rules struct {
	what     string // a subject, or a key, for errors
	valid    func(r rune) bool
	hint     string
	reserved string // characters with which what a variable begins can't begin
}

// subjectRules are those of subjects
// (https://docs.nats.io/nats-concepts/subjects).
func subjectRules() rules {
	return rules{
		what:  "subject",
		valid: func(r rune) bool { return !unicode.IsSpace(r) && !unicode.IsControl(r) },
		hint:  "no white space and no control characters",

		// What clients choose must not lead to the subjects of the servers
		// ($SYS, $JS, $KV) and to answers (_INBOX).
		reserved: "$_",
	}
}

// keyRules are those of a bucket's keys, as client libraries hold them
// (https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-6.md).
func keyRules() rules {
	return rules{
		what: "key",
		valid: func(r rune) bool {
			return r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_/=", r))
		},
		hint: "letters, digits and -/_=",
	}
}

// templates are subjects, or keys, in which variables stand for tokens. No two
// of them match the same subject. Of none, nothing is made.
type templates struct {
	list  []template
	rules rules
}

// A template is one of them, by tokens.
type template []token

// A token is made of text and variables.
type token []part

// A part is text, or what a variable stands for.
type part struct {
	text string
	name string // of the variable; empty: text
	rest bool   // the variable makes several tokens
}

// parseTemplates returns the templates that an option lists, with the
// variables of route. All that is wrong is in the error.
func parseTemplates(option string, list []string, route adapters.Route, rules rules) (templates, error) {
	var c adapters.OptionErrors
	all := templates{rules: rules}
	for i, text := range list {
		path := option
		if len(list) > 1 {
			path = fmt.Sprintf("%s[%d]", option, i)
		}
		t, err := parseTemplate(text, route, rules)
		if err != nil {
			c.Refuse(true, path, "%w", err)
			continue
		}
		for _, other := range all.list {
			c.Refuse(t.overlaps(other), path, "%q and %q can match the same %s, which would come twice; leave out one, or make them differ", text, other, rules.what)
		}
		all.list = append(all.list, t)
	}
	return all, c.Err()
}

func parseTemplate(text string, route adapters.Route, rules rules) (template, error) {
	switch {
	case text == "":
		return nil, fmt.Errorf("is empty; %q stands for every %s", anyRest, rules.what)
	case len(text) > maxSubject:
		return nil, fmt.Errorf("a %s has at most %d bytes", rules.what, maxSubject)
	case !utf8.ValidString(text):
		return nil, errors.New("is not UTF-8")
	}
	texts := splitTokens(text)
	t := make(template, len(texts))
	for i, piece := range texts {
		tok, err := parseToken(piece, i == len(texts)-1, rules)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", text, err)
		}
		for _, p := range tok {
			if err := checkName(p, route); err != nil {
				return nil, fmt.Errorf("%q: %w", text, err)
			}
		}
		t[i] = tok
	}
	return t, nil
}

// splitTokens splits text at its dots, apart from those of "{name...}".
func splitTokens(text string) []string {
	var list []string
	start, inside := 0, false
	for i := range len(text) {
		switch c := text[i]; {
		case c == '{':
			inside = true
		case c == '}':
			inside = false
		case c == '.' && !inside:
			list = append(list, text[start:i])
			start = i + 1
		}
	}
	return append(list, text[start:])
}

func parseToken(text string, last bool, rules rules) (token, error) {
	switch {
	case text == "":
		return nil, errors.New("has an empty token; dots stand between two tokens")
	case text == anyRest && !last:
		return nil, fmt.Errorf("%q stands for the rest, so that it must be the last token; %q stands for one token", anyRest, anyToken)
	case text == anyRest, text == anyToken:
		return token{{text: text}}, nil
	}
	var tok token
	for text != "" {
		literal, after, found := strings.Cut(text, "{")
		if err := checkLiteral(literal, rules); err != nil {
			return nil, err
		}
		if literal != "" {
			tok = append(tok, part{text: literal})
		}
		if !found {
			break
		}
		name, tail, closed := strings.Cut(after, "}")
		name, rest := strings.CutSuffix(name, "...")
		switch {
		case !closed || name == "" || strings.ContainsAny(name, "{."):
			return nil, errors.New(`has a brace that begins no variable; a variable is "{name}", or "{name...}" for several tokens`)
		case rest && (literal != "" || len(tok) > 0 || tail != "" || !last):
			return nil, fmt.Errorf(`"{%s...}" stands for several tokens, so that it must be the last one, alone`, name)
		}
		tok = append(tok, part{name: name, rest: rest})
		text = tail
	}
	return tok, nil
}

func checkLiteral(text string, rules rules) error {
	for _, r := range text {
		switch {
		case r == '}':
			return errors.New("has a closing brace without an opening one")
		case r == '*' || r == '>':
			return fmt.Errorf("%q stands for a whole token; it can't be a part of one", r)
		case !rules.valid(r):
			return fmt.Errorf("a %s can't hold %q; its tokens have %s", rules.what, r, rules.hint)
		}
	}
	return nil
}

func checkName(p part, route adapters.Route) error {
	switch {
	case p.name == "" || slices.Contains(route.Vars, p.name):
		return nil
	case len(route.Vars) == 0:
		return fmt.Errorf("the route has no variable {%s}; it has none at all", p.name)
	default:
		return fmt.Errorf("the route has no variable {%s}; it has %s", p.name, strings.Join(route.Vars, ", "))
	}
}

// overlaps reports whether some subject matches both t and other, for some
// values of their variables.
func (t template) overlaps(other template) bool {
	for i := range min(len(t), len(other)) {
		a, b := t[i].pattern(), other[i].pattern()
		switch {
		case a == anyRest || b == anyRest:
			return true // of each, there is a token left for it
		case a != b && a != anyToken && b != anyToken:
			return false
		}
	}
	return len(t) == len(other)
}

// pattern returns the token with wildcards in place of variables.
func (t token) pattern() string {
	for _, p := range t {
		switch {
		case p.rest:
			return anyRest
		case p.name != "":
			return anyToken
		}
	}
	return t[0].text
}

func (t template) String() string {
	texts := make([]string, len(t))
	for i, tok := range t {
		for _, p := range tok {
			switch {
			case p.rest:
				texts[i] += "{" + p.name + "...}"
			case p.name != "":
				texts[i] += "{" + p.name + "}"
			default:
				texts[i] += p.text
			}
		}
	}
	return strings.Join(texts, separator)
}

// expand returns the subjects, or keys, for vars. Its errors are
// [adapters.ErrBadVariable].
func (t templates) expand(vars adapters.Vars) ([]string, error) {
	list := make([]string, len(t.list))
	for i, tpl := range t.list {
		subject, err := tpl.expand(vars, t.rules)
		if err != nil {
			return nil, err
		}
		list[i] = subject
	}
	return list, nil
}

func (t template) expand(vars adapters.Vars, rules rules) (string, error) {
	var b strings.Builder
	for i, tok := range t {
		if i > 0 {
			b.WriteString(separator)
		}
		for j, p := range tok {
			if p.name == "" {
				b.WriteString(p.text)
				continue
			}
			value, err := p.value(vars, rules)
			if err == nil && i == 0 && j == 0 && strings.ContainsAny(value[:1], rules.reserved) {
				err = errReserved
			}
			if err != nil {
				return "", fmt.Errorf("%w: %s: %w", adapters.ErrBadVariable, p.name, err)
			}
			b.WriteString(value)
		}
	}
	if b.Len() > maxSubject {
		return "", fmt.Errorf("%w: a %s has at most %d bytes", adapters.ErrBadVariable, rules.what, maxSubject)
	}
	return b.String(), nil
}

// value returns what the part's variable stands for: one token or part of one,
// or, of a rest, one token or several.
func (p part) value(vars adapters.Vars, rules rules) (string, error) {
	value := vars[p.name]
	if len(value) > adapters.MaxVar {
		return "", errLong
	}
	if !p.rest {
		return value, checkToken(value, rules)
	}
	tokens := strings.Split(value, "/")
	for _, tok := range tokens {
		if err := checkToken(tok, rules); err != nil {
			return "", err
		}
	}
	return strings.Join(tokens, separator), nil
}

func checkToken(value string, rules rules) error {
	switch {
	case value == "":
		return errEmpty
	case !utf8.ValidString(value):
		return errNoText
	case strings.ContainsAny(value, ".*>"):
		return errWild
	case strings.ContainsFunc(value, func(r rune) bool { return !rules.valid(r) }):
		return errCharacter
	}
	return nil
}

var (
	errEmpty     = errors.New("is empty")
	errLong      = errors.New("is too long")
	errNoText    = errors.New("is not UTF-8")
	errWild      = errors.New("holds a dot or a wildcard")
	errCharacter = errors.New("holds a character that can't be part of a token")
	errReserved  = errors.New("begins with a character that is reserved at the start of a subject")
)
