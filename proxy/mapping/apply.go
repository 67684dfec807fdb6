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

	// Partitioned says that the source is, which matters to the ids of
	// several events made of one message; see [Split].
	Partitioned bool
}

// An Event is what a message is turned into, or a part of it.
type Event struct {
	adapters.Event

	// To is what clients are matched with: the value of the route's key, or
	// Key if it has none.
	To string
}

// A KeyedError is the failure of an expression on a message whose To is known.
type KeyedError struct {
	To  string
	Err error
}

func (e *KeyedError) Error() string { return e.Err.Error() }

func (e *KeyedError) Unwrap() error { return e.Err }

// Apply appends the events that in is turned into to out, possibly none.
// They have in's position, except when an id expression or Each is at work:
// see [Split]. prev is the position of the message before. In's State is
// not looked at; if in is a whole state, so is what is made of it.
//
// Of an event that takes its key away nothing is changed, and its To is made of
// null, since there is no message.
//
// The error is a [KeyedError] if it concerns nobody but those whom the message
// is for.
func (m *Mapping) Apply(ctx context.Context, in *adapters.Event, prev adapters.Position, s Scope, out []Event) ([]Event, error) {
	r := run{Mapping: m, values: m.variables(in, s)}
	if in.State != nil && in.State.Gone {
		to, err := r.whom(ctx, in, nil)
		if err != nil {
			return out, err
		}
		if to == "" && in.Key != "" {
			return out, errWhose
		}
		return append(out, Event{*in, to}), nil
	}
	input, err := m.decode(in)
	if err != nil {
		return out, err
	}
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
		if s.Partitioned {
			prev = in.Position
		}
		made := out[first:]
		for i := range made[:max(len(made)-1, 0)] {
			made[i].Position = Split(prev, i+1)
		}
	}
	return out, nil
}

// decode makes "." of the payload. If no expression reads that, it may be
// anything.
func (m *Mapping) decode(in *adapters.Event) (any, error) {
	switch {
	case !m.needsData, in.Null:
		return nil, nil //nolint:nilnil // null is a value like another
	case m.text:
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
	errWhose      = errors.New("a deletion has no payload, so that key must be made of $key or $subject")
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
	values := []any{s.Route, vars, in.Key}
	for _, name := range metaNames() {
		values = append(values, jq.Value(in.Meta[name]))
	}
	return append(values, headers, meta)
}

// run is the work on one message.
type run struct {
	*Mapping
	values []any
	bytes  int
}

// one appends the event made of input, unless where drops it. whole says
// that input is all of the message, so that its payload can stay as it is.
func (r *run) one(ctx context.Context, in *adapters.Event, input any, whole bool, out []Event) ([]Event, error) {
	to, err := r.whom(ctx, in, input)
	if err != nil {
		return out, err
	}
	made, some, err := r.shape(ctx, in, input, whole, to)
	switch {
	case err != nil && r.to != nil && ctx.Err() == nil:
		return out, &KeyedError{to, err}
	case err != nil || !some:
		return out, err
	}
	return append(out, made), nil
}

// whom returns the value of the route's key, or in's key if it has none.
func (r *run) whom(ctx context.Context, in *adapters.Event, input any) (string, error) {
	if r.to == nil {
		return in.Key, nil
	}
	return r.word(ctx, "key", r.to, input)
}

// word returns the text that x, the expression called name, makes of input.
func (r *run) word(ctx context.Context, name string, x *jq.Expression, input any) (string, error) {
	v, _, err := x.First(ctx, input, r.values...)
	if err != nil {
		return "", hint(err)
	}
	text, ok := jq.Word(v)
	if !ok {
		return "", fmt.Errorf("%s yields a %s where text is needed", name, jq.Type(v))
	}
	return text, nil
}

// shape returns the event made of input, for those that match to, and whether
// where lets it pass.
func (r *run) shape(ctx context.Context, in *adapters.Event, input any, whole bool, to string) (made Event, some bool, err error) {
	eval := func(x *jq.Expression) (any, bool, error) {
		v, some, err := x.First(ctx, input, r.values...)
		return v, some, hint(err)
	}

	if r.where != nil {
		v, some, err := eval(r.where)
		if err != nil || !some || v == nil || v == false {
			return made, false, err
		}
	}
	e := *in
	e.State = nil
	if r.to != nil && in.State == nil {
		e.Key = to
	}
	switch {
	case r.data != nil:
		v, some, err := eval(r.data)
		if err != nil || !some {
			return made, false, err
		}
		if e.Data, err = jq.Payload(v); err != nil {
			return made, false, fmt.Errorf("event.data: %w", err)
		}
	case !whole:
		if e.Data, err = jq.Payload(input); err != nil {
			return made, false, fmt.Errorf("event.each: %w", err)
		}
	}
	if r.bytes += len(e.Data); r.bytes > r.maxOutput {
		return made, false, fmt.Errorf("the expressions made more than %d bytes of one message (event.max_output)", r.maxOutput)
	}
	for _, f := range []struct {
		name string
		x    *jq.Expression
		into *string
	}{{"event.type", r.typ, &e.Type}, {"event.key", r.key, &e.Key}, {"event.id", r.id, (*string)(&e.Position)}} {
		if f.x == nil {
			continue
		}
		if *f.into, err = r.word(ctx, f.name, f.x, input); err != nil {
			return made, false, err
		}
	}
	if in.State != nil {
		e.State = &adapters.State{Type: e.Type, Data: e.Data}
	}
	if r.to == nil {
		to = e.Key
	}
	return Event{e, to}, true, nil
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
