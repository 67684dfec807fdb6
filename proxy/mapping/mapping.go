// Package mapping turns a source's events into a route's: expressions in the
// jq language, compiled once when the routing table is loaded, choose, split
// and reshape messages.
//
// Numbers pass through exactly as the upstream wrote them. Each expression
// runs under a time limit, and what it makes is bounded; one that fails
// concerns the message at hand and no other. The limits are looked at between
// the steps of an expression, and a single step can use memory without bound
// ("x" * .n, say): expressions are part of the configuration, and trusted. An event with none of the
// expressions set is not touched, decoded or copied.
package mapping

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/itchyny/gojq"

	"sidestream/adapters"
)

// Spec is what a route says about its events. Type to ID are jq expressions,
// given the message as "." and $route, $vars, $headers and $meta; an empty
// one leaves the event as the source made it. Of an expression that yields
// several values the first counts, Each apart.
type Spec struct {
	Each  string `yaml:"each"`  // yields the values that the message is split into; "." is one of them below
	Where string `yaml:"where"` // null and false drop the event
	Type  string `yaml:"type"`  // text, or null for the default type
	Data  string `yaml:"data"`  // text is written as it is, anything else as JSON
	Key   string `yaml:"key"`   // text or number
	ID    string `yaml:"id"`    // text or number; for sources without positions of their own

	// Decode says how the payload becomes ".": json, or text for a string.
	Decode string `yaml:"decode"`

	// Timeout bounds one expression on one message.
	Timeout adapters.Duration `yaml:"timeout"`

	// MaxEvents bounds what Each may yield for one message.
	MaxEvents int `yaml:"max_events"`

	// MaxOutput bounds the bytes of all events made from one message.
	MaxOutput adapters.Size `yaml:"max_output"`
}

// DefaultSpec returns a Spec without expressions, and with the bounds that
// hold unless others are set: 1s, 10000 events and 16MiB for a message.
func DefaultSpec() Spec {
	return Spec{Decode: "json", Timeout: adapters.Duration(time.Second), MaxEvents: 10_000, MaxOutput: 16 << 20}
}

// A Mapping is a compiled Spec. It is safe for concurrent use.
type Mapping struct {
	each, where, typ, data, key, id *expression

	text      bool
	timeout   time.Duration
	maxEvents int
	maxOutput int
	needsMeta bool
}

// A SpecError is a complaint about one field of a Spec.
type SpecError struct {
	Field string // its name in YAML
	Err   error
}

func (e *SpecError) Error() string { return e.Field + ": " + e.Err.Error() }

func (e *SpecError) Unwrap() error { return e.Err }

// Compile compiles s, which started as [DefaultSpec]. It returns nil and no error if s has no expression.
// Every error is a [SpecError]; several are joined.
func Compile(s Spec) (*Mapping, error) {
	m := &Mapping{
		timeout:   time.Duration(s.Timeout),
		maxEvents: s.MaxEvents,
		maxOutput: int(s.MaxOutput),
	}
	var errs []error
	switch s.Decode {
	case "json":
	case "text":
		m.text = true
	default:
		errs = append(errs, &SpecError{"decode", fmt.Errorf(`%q is not one of "json" and "text"`, s.Decode)})
	}
	used := false
	for _, f := range []struct {
		name, source string
		into         **expression
	}{
		{"each", s.Each, &m.each},
		{"where", s.Where, &m.where},
		{"type", s.Type, &m.typ},
		{"data", s.Data, &m.data},
		{"key", s.Key, &m.key},
		{"id", s.ID, &m.id},
	} {
		if f.source == "" {
			continue
		}
		used = true
		x, err := compile(f.name, f.source)
		if err != nil {
			errs = append(errs, &SpecError{f.name, err})
			continue
		}
		*f.into = x
		m.needsMeta = m.needsMeta || strings.Contains(f.source, "$headers") || strings.Contains(f.source, "$meta")
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	if !used {
		return nil, nil //nolint:nilnil // "nothing to do" is what callers test for on every event
	}
	return m, nil
}

// NeedsMeta reports whether an expression reads $headers or $meta.
func (m *Mapping) NeedsMeta() bool { return m != nil && m.needsMeta }

// Splits reports whether one message can become several events.
func (m *Mapping) Splits() bool { return m != nil && m.each != nil }

// SetsID reports whether events get ids of the route's making.
func (m *Mapping) SetsID() bool { return m != nil && m.id != nil }

// SetsKey reports whether events get keys of the route's making.
func (m *Mapping) SetsKey() bool { return m != nil && m.key != nil }

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

	parts, err := m.each.all(ctx, m.timeout, input, r.values, m.maxEvents)
	if err != nil {
		return out, err
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
	if hugeNumber(in.Data) {
		return nil, errHugeNumber
	}
	d := json.NewDecoder(bytes.NewReader(in.Data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, errNotJSON
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errNotJSON
	}
	return v, nil
}

var errNotJSON = errors.New("the payload is not JSON (event.decode: text takes it as a string)")

// maxDigits is the most digits in a row that a number may have. Arithmetic
// takes the square of their number, and can't be interrupted.
const maxDigits = 1000

var errHugeNumber = fmt.Errorf("a number of the payload has more than %d digits", maxDigits)

// hugeNumber reports whether there are more digits in a row in a document of
// JSON, outside of its strings.
func hugeNumber(data []byte) bool {
	digits, inString := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inString:
			if c == '\\' {
				i++
			}
			inString = c != '"'
		case c == '"':
			inString, digits = true, 0
		case c >= '0' && c <= '9':
			if digits++; digits > maxDigits {
				return true
			}
		default:
			digits = 0
		}
	}
	return false
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
	eval := func(x *expression) (any, bool, error) { return x.first(ctx, r.timeout, input, r.values) }

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
		if e.Data, err = payload(v); err != nil {
			return out, err
		}
	case !whole:
		var err error
		if e.Data, err = payload(input); err != nil {
			return out, err
		}
	}
	if r.bytes += len(e.Data); r.bytes > r.maxOutput {
		return out, fmt.Errorf("the expressions made more than %d bytes of one message (event.max_output)", r.maxOutput)
	}
	for _, f := range []struct {
		x    *expression
		into *string
	}{{r.typ, &e.Type}, {r.key, &e.Key}, {r.id, (*string)(&e.Position)}} {
		if f.x == nil {
			continue
		}
		v, _, err := eval(f.x)
		if err != nil {
			return out, err
		}
		if *f.into, err = f.x.word(v); err != nil {
			return out, err
		}
	}
	if in.State != nil {
		e.State = &adapters.State{Type: e.Type, Data: e.Data}
	}
	return append(out, e), nil
}

// payload writes text as it is and anything else as JSON.
func payload(v any) ([]byte, error) {
	if s, ok := v.(string); ok {
		return []byte(s), nil
	}
	return gojq.Marshal(v)
}
