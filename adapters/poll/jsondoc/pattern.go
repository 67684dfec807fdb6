package jsondoc

import (
	"errors"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// A rule is a place in a tree of pointer patterns, and what holds for the
// values that the pattern which ends there matches.
type rule struct {
	names map[string]*rule // by name or index as it is written in canonical JSON
	any   *rule            // for "*"

	ends    bool   // a pattern ends here
	pointer string // that pattern, as configured
	key     string // the member that identifies elements, as it is written
}

var (
	errPointerStart  = errors.New(`a JSON pointer is empty or starts with "/"`)
	errPointerEscape = errors.New(`in a JSON pointer "~" is written "~0", and "/" in a name "~1"`)
	errPointerText   = errors.New("it is not UTF-8")
)

// add adds a pattern, a JSON pointer by RFC 6901 in which a token "*" stands
// for any, and returns the rule where it ends.
func (r *rule) add(pointer string) (*rule, error) {
	if pointer != "" && pointer[0] != '/' {
		return nil, errPointerStart
	}
	tokens := strings.Split(pointer, "/")[1:]
	for i, token := range tokens {
		plain := strings.NewReplacer("~0", "", "~1", "").Replace(token)
		if strings.Contains(plain, "~") {
			return nil, errPointerEscape
		}
		var err error
		if tokens[i], err = written(strings.NewReplacer("~0", "~", "~1", "/").Replace(token)); err != nil {
			return nil, err
		}
	}
	for _, token := range tokens {
		r = r.child(token)
	}
	r.ends, r.pointer = true, pointer
	return r, nil
}

func (r *rule) child(token string) *rule {
	if token == "*" {
		if r.any == nil {
			r.any = new(rule)
		}
		return r.any
	}
	next := r.names[token]
	if next == nil {
		next = new(rule)
		if r.names == nil {
			r.names = make(map[string]*rule)
		}
		r.names[token] = next
	}
	return next
}

// written returns a name as it is written in canonical JSON, without quotes.
func written(name string) (string, error) {
	text, err := jsontext.AppendQuote(nil, name)
	if err != nil {
		return "", errPointerText
	}
	return string(text[1 : len(text)-1]), nil
}

// rules are those that a value's pointer leads to. A rule that names more of
// the pointer comes before one that leaves it open.
type rules []*rule

// under returns the rules for a member with the given name, as it is written.
func (list rules) under(name []byte) rules {
	var next rules
	for _, r := range list {
		if named := r.names[string(name)]; named != nil {
			next = append(next, named)
		}
		if r.any != nil {
			next = append(next, r.any)
		}
	}
	return next
}

// at returns the rules for an element.
func (list rules) at(index int) rules {
	if len(list) == 0 {
		return nil
	}
	var digits [20]byte
	return list.under(strconv.AppendInt(digits[:0], int64(index), 10))
}

// match returns the first rule that ends at this value, or nil.
func (list rules) match() *rule {
	for _, r := range list {
		if r.ends {
			return r
		}
	}
	return nil
}
