package jq

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/itchyny/gojq"
)

// An Expression is compiled and can be run any number of times.
type Expression struct {
	name    string
	timeout time.Duration
	code    *gojq.Code
	used    []string // those of its variables that it reads
	reads   bool     // it may look at its input
}

// Compile compiles source. name says in the errors of a run which setting it
// is: "event.where". Each run may take timeout; 0 is no time at all. vars are
// the names of the variables that source may use, with their "$".
//
// An error quotes source and doesn't say name, which who asked knows.
func Compile(name, source string, timeout time.Duration, vars ...string) (*Expression, error) {
	query, err := gojq.Parse(source)
	if err != nil {
		if p, ok := errors.AsType[*gojq.ParseError](err); ok {
			return nil, fmt.Errorf("%q is not an expression in jq: %w at offset %d", source, err, p.Offset)
		}
		return nil, fmt.Errorf("%q is not an expression in jq: %w", source, err)
	}
	lib, err := gojq.Parse(prelude)
	if err != nil {
		return nil, fmt.Errorf("prelude: %w", err)
	}
	x := &Expression{name: name, timeout: timeout, reads: reads(query)}
	query.FuncDefs = slices.Concat(lib.FuncDefs, query.FuncDefs)

	if x.code, err = compile(query, vars); err != nil {
		err = fmt.Errorf("%q: %w", source, err)
		if len(vars) > 0 {
			err = fmt.Errorf("%w; the variables are %s", err, strings.Join(vars, ", "))
		}
		return nil, err
	}
	for i, name := range vars {
		// A variable is read if there is no doing without it.
		if _, err := compile(query, slices.Concat(vars[:i], vars[i+1:])); err != nil {
			x.used = append(x.used, name)
		}
	}
	return x, nil
}

// prelude holds numbers that are written within texts to the same bound as
// those that Decode reads. A definition reads the one before it.
const prelude = `
def _tonumber: tonumber; def tonumber: _fewdigits | _tonumber;
def _fromjson: fromjson; def fromjson: _fewdigits | _fromjson;
.`

func compile(query *gojq.Query, vars []string) (*gojq.Code, error) {
	return gojq.Compile(query, gojq.WithVariables(vars), gojq.WithFunction("_fewdigits", 0, 0, fewDigits))
}

func fewDigits(v any, _ []any) any {
	if text, ok := v.(string); ok {
		if err := scan(text); err != nil {
			return err
		}
	}
	return v
}

// Uses reports whether x reads a variable, named with its "$": one that
// Compile was given, not one of the expression's own of the same name.
func (x *Expression) Uses(variable string) bool { return slices.Contains(x.used, variable) }

// First runs x on input, with a value for each variable in the order that
// Compile was given. It returns the first value that x yields, and whether it
// yields any. input and values are of the types that [Decode] and [Value]
// return.
//
// A run that takes too long ends in an error that is [ErrTimeout], one whose
// ctx is done in that of ctx.
func (x *Expression) First(ctx context.Context, input any, values ...any) (v any, some bool, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, x.timeout, ErrTimeout)
	defer cancel()
	v, some = x.code.RunWithContext(ctx, input, values...).Next()
	if err, failed := v.(error); failed {
		return nil, false, x.failure(ctx, err)
	}
	return v, some, nil
}

// All is like [Expression.First] but returns all values that x yields. If
// they are more than most it returns none of them, and a [TooManyError].
func (x *Expression) All(ctx context.Context, most int, input any, values ...any) ([]any, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, x.timeout, ErrTimeout)
	defer cancel()
	var list []any
	for it := x.code.RunWithContext(ctx, input, values...); ; {
		v, more := it.Next()
		if !more {
			return list, nil
		}
		if err, failed := v.(error); failed {
			return nil, x.failure(ctx, err)
		}
		if len(list) >= most {
			return nil, &TooManyError{x.name, most}
		}
		list = append(list, v)
	}
}
