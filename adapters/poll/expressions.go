package poll

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/jq"
)

// code are a route's expressions, compiled. Those that aren't configured are
// nil.
type code struct {
	body, choose, next, cursor *jq.Expression
	each, key, typ, data       *jq.Expression

	ignore []*jq.Expression // those among Options.Ignore

	heads bool // what is delivered may depend on the status and the headers of an answer
}

// names are the variables of expressions, in the order of [scope.values].
func names() []string { return []string{"$vars", "$cursor", "$status", "$headers"} }

// compile compiles the expressions of o. Errors are [adapters.OptionError]s.
func compile(o *Options) (code, error) {
	var c code
	var errs []error
	compiled := func(path, source string) *jq.Expression {
		if source == "" {
			return nil
		}
		x, err := jq.Compile("poll."+path, source, time.Duration(o.ExpressionTimeout), names()...)
		if err != nil {
			errs = append(errs, &adapters.OptionError{Path: path, Err: err})
		}
		return x
	}
	c.body = compiled("body", o.Body)
	c.choose = compiled("select", o.Select)
	c.cursor = compiled("cursor.next", o.Cursor.Next)
	if o.Pages.Next != nextLink {
		c.next = compiled("pages.next", o.Pages.Next)
	}
	if o.Emit == emitItems || o.Emit == emitAppend {
		c.each = compiled("items.each", o.Items.Each)
		c.key = compiled("items.key", o.Items.Key)
		c.typ = compiled("items.type", o.Items.Type)
		if o.Items.Data != "." {
			c.data = compiled("items.data", o.Items.Data)
		}
	}
	for i, text := range o.Ignore {
		if isPointer(text) {
			continue
		}
		if x := compiled(indexed("ignore", i), text); x != nil {
			c.ignore = append(c.ignore, x)
		}
	}
	for _, x := range []*jq.Expression{c.choose, c.each, c.key, c.typ, c.data} {
		c.heads = c.heads || x != nil && (x.Uses("$headers") || x.Uses("$status"))
	}
	return c, errors.Join(errs...)
}

// isPointer tells the JSON Pointers among Options.Ignore from expressions.
func isPointer(text string) bool { return strings.HasPrefix(text, "/") }

// A scope is what expressions see beside their input.
type scope struct {
	vars   map[string]any
	cursor string
	answer *answer // nil: none yet

	visited map[string]bool // URLs of this poll's pages
}

func newScope(vars adapters.Vars) scope {
	s := scope{vars: make(map[string]any, len(vars))}
	for name, value := range vars {
		s.vars[name] = value
	}
	return s
}

// values are the values for names.
func (s *scope) values() []any {
	var cursor, status any
	if s.cursor != "" {
		cursor = s.cursor
	}
	headers := map[string]any{}
	if s.answer != nil {
		status = s.answer.status
		for name, values := range s.answer.header {
			headers[http.CanonicalHeaderKey(name)] = strings.Join(values, ", ")
		}
	}
	return []any{s.vars, cursor, status, headers}
}

// word evaluates x to text; "" for null or nothing. path says which option x
// is.
func word(ctx context.Context, x *jq.Expression, path string, input any, values []any) (string, error) {
	v, _, err := first(ctx, x, input, values)
	if err != nil {
		return "", err
	}
	text, ok := jq.Word(v)
	if !ok {
		return "", fmt.Errorf("%w: poll.%s yields something else than text or a number", errExpression, path)
	}
	return text, nil
}

// first returns the first value that x yields, and whether there is one.
func first(ctx context.Context, x *jq.Expression, input any, values []any) (v any, some bool, err error) {
	v, some, err = x.First(ctx, input, values...)
	if err != nil {
		err = fmt.Errorf("%w: %w", errExpression, err)
	}
	return v, some, err
}

func indexed(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
