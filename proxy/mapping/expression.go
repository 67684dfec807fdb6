package mapping

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/itchyny/gojq"

	"sidestream/adapters"
)

// variables are the names that expressions may use, in the order in which
// their values are handed over.
func variableNames() []string { return []string{"$route", "$vars", "$headers", "$meta"} }

type expression struct {
	name string
	code *gojq.Code
}

func compile(name, source string) (*expression, error) {
	query, err := gojq.Parse(source)
	if err != nil {
		var p *gojq.ParseError
		if errors.As(err, &p) {
			return nil, fmt.Errorf("%q is not an expression in jq: %w at offset %d", source, err, p.Offset)
		}
		return nil, fmt.Errorf("%q is not an expression in jq: %w", source, err)
	}
	code, err := gojq.Compile(query, gojq.WithVariables(variableNames()))
	if err != nil {
		return nil, fmt.Errorf("%q: %w; the variables are %s", source, err, strings.Join(variableNames(), ", "))
	}
	return &expression{name, code}, nil
}

// first returns the first value that x yields, and whether it yields any.
func (x *expression) first(ctx context.Context, timeout time.Duration, input any, vars []any) (v any, some bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	v, some = x.code.RunWithContext(ctx, input, vars...).Next()
	if err, failed := v.(error); failed {
		return nil, false, x.failure(ctx, err)
	}
	return v, some, nil
}

// all returns all values that x yields, of which there may be most.
func (x *expression) all(ctx context.Context, timeout time.Duration, input any, vars []any, most int) ([]any, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var list []any
	for it := x.code.RunWithContext(ctx, input, vars...); ; {
		v, more := it.Next()
		if !more {
			return list, nil
		}
		if err, failed := v.(error); failed {
			return nil, x.failure(ctx, err)
		}
		if len(list) == most {
			return nil, fmt.Errorf("event.%s yields more than %d values (event.max_events)", x.name, most)
		}
		list = append(list, v)
	}
}

// failure words an error of the jq machine. The machine's own words may
// quote the message, which has no business in a log.
func (x *expression) failure(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("event.%s ran out of time (event.timeout): %w", x.name, ctx.Err())
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var raised gojq.ValueError
	if errors.As(err, &raised) {
		return fmt.Errorf("event.%s raised an error of its own", x.name)
	}
	words := err.Error()
	if quote := strings.IndexAny(words, `("`); quote >= 0 {
		words = words[:quote]
	}
	return fmt.Errorf("event.%s failed: %s", x.name, strings.TrimRight(words, ": "))
}

// word makes a type, key or id of a value.
func (x *expression) word(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case json.Number, int, float64, *big.Int, bool:
		text, err := gojq.Marshal(v)
		return string(text), err
	default:
		return "", fmt.Errorf("event.%s yields a %s where text is needed", x.name, gojq.TypeOf(v))
	}
}

// variables returns the values for variableNames.
func (m *Mapping) variables(in *adapters.Event, s Scope) []any {
	vars := make(map[string]any, len(s.Vars))
	for name, value := range s.Vars {
		vars[name] = value
	}
	var headers, meta map[string]any
	if m.needsMeta {
		headers = make(map[string]any, len(in.Headers))
		for name, values := range in.Headers {
			headers[name] = strings.Join(values, ", ")
		}
		meta = make(map[string]any, len(in.Meta)+4)
		for name, value := range in.Meta {
			meta[name] = plain(value)
		}
		meta["position"], meta["type"], meta["key"], meta["time"] = string(in.Position), in.Type, in.Key, nil
		if !in.Time.IsZero() {
			meta["time"] = in.Time.UTC().Format(time.RFC3339Nano)
		}
	}
	return []any{s.Route, vars, headers, meta}
}

// plain returns v as one of the types that jq knows.
func plain(v any) any {
	switch v := v.(type) {
	case nil, bool, string, int, float64, *big.Int, json.Number:
		return v
	case int64:
		return big.NewInt(v)
	case uint64:
		return new(big.Int).SetUint64(v)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	default:
		return fmt.Sprint(v)
	}
}
