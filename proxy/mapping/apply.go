package mapping

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sidestream/adapters"
	"sidestream/adapters/jq"
)

// Scope is what expressions see beside the message.
type Scope struct {
	Route string
	Vars  adapters.Vars
}

// Apply appends the events that in is turned into to out, possibly none.
// They have in's position, except when an id expression or Each is at work:
// see [Split]. prev is the position of the message before. In's State is
// not looked at; if in is a whole state, so is what is made of it.
func (m *Mapping) Apply(ctx context.Context, in *adapters.Event, prev adapters.Position, s Scope, out []adapters.Event) ([]adapters.Event, error) {
	input, err := m.decode(in)
	if err != nil {
		return out, err
	}
	r := run{Mapping: m, values: m.variables(in, s)}
	if m.each == nil {
		return r.one(ctx, in, input, true, out)
	}

	parts, err := m.each.All(ctx, m.maxEvents, input, r.values...)
	if err != nil {
		return out, hint(err)
	}
	first := len(out)
	for _, part := range parts {
		if out, err = r.one(ctx, in, part, false, out); err != nil {
			return out[:first], err
		}
	}
	if !m.SetsID() && in.Position != "" {
		made := out[first:]
		for i := range made[:max(len(made)-1, 0)] {
			made[i].Position = Split(prev, i+1)
		}
	}
	return out, nil
}

// decode makes "." of the payload.
func (m *Mapping) decode(in *adapters.Event) (any, error) {
	if m.text {
		return string(in.Data), nil
	}
	v, err := jq.Decode(in.Data)
	switch {
	case errors.Is(err, jq.ErrDigits):
		return nil, errHugeNumber
	case err != nil:
		return nil, errNotJSON
	}
	return v, nil
}

var (
	errNotJSON    = errors.New("the payload is not JSON (event.decode: text takes it as a string)")
	errHugeNumber = fmt.Errorf("a number of the payload has more than %d digits", jq.MaxDigits)
)

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
			meta[name] = jq.Value(value)
		}
		meta["position"], meta["type"], meta["key"], meta["time"] = string(in.Position), in.Type, in.Key, nil
		if !in.Time.IsZero() {
			meta["time"] = jq.Value(in.Time)
		}
	}
	return []any{s.Route, vars, headers, meta}
}

// run is the work on one message.
type run struct {
	*Mapping
	values []any
	bytes  int
}

// one appends the event made of input, unless where drops it. whole says
// that input is all of the message, so that its payload can stay as it is.
func (r *run) one(ctx context.Context, in *adapters.Event, input any, whole bool, out []adapters.Event) ([]adapters.Event, error) {
	eval := func(x *jq.Expression) (any, bool, error) {
		v, some, err := x.First(ctx, input, r.values...)
		return v, some, hint(err)
	}

	if r.where != nil {
		v, some, err := eval(r.where)
		if err != nil || !some || v == nil || v == false {
			return out, err
		}
	}
	e := *in
	e.State = nil
	switch {
	case r.data != nil:
		v, some, err := eval(r.data)
		if err != nil || !some {
			return out, err
		}
		if e.Data, err = jq.Payload(v); err != nil {
			return out, fmt.Errorf("event.data: %w", err)
		}
	case !whole:
		var err error
		if e.Data, err = jq.Payload(input); err != nil {
			return out, fmt.Errorf("event.each: %w", err)
		}
	}
	if r.bytes += len(e.Data); r.bytes > r.maxOutput {
		return out, fmt.Errorf("the expressions made more than %d bytes of one message (event.max_output)", r.maxOutput)
	}
	for _, f := range []struct {
		name string
		x    *jq.Expression
		into *string
	}{{"type", r.typ, &e.Type}, {"key", r.key, &e.Key}, {"id", r.id, (*string)(&e.Position)}} {
		if f.x == nil {
			continue
		}
		v, _, err := eval(f.x)
		if err != nil {
			return out, err
		}
		var ok bool
		if *f.into, ok = jq.Word(v); !ok {
			return out, fmt.Errorf("event.%s yields a %s where text is needed", f.name, jq.Type(v))
		}
	}
	if in.State != nil {
		e.State = &adapters.State{Type: e.Type, Data: e.Data}
	}
	return append(out, e), nil
}

// hint adds to an error of an expression the setting that allows it more.
func hint(err error) error {
	if errors.Is(err, jq.ErrTimeout) {
		return fmt.Errorf("%w (event.timeout): %w", err, context.DeadlineExceeded)
	}
	if _, ok := errors.AsType[*jq.TooManyError](err); ok {
		return fmt.Errorf("%w (event.max_events)", err)
	}
	return err
}
