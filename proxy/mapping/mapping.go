// Package mapping turns a source's events into a route's: expressions in the
// jq language, compiled once when the routing table is loaded, choose, split
// and reshape messages.
//
// What expressions promise, about numbers, time and memory, is said in package
// jq. Beside that, what they make of one message is bounded, and one that fails
// concerns the message at hand and no other. An event with none of the
// expressions set is not touched, decoded or copied.
package mapping

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/jq"
)

// Spec is what a route says about its events. Each to ID are jq expressions,
// given the message as "." and $route, $vars, $key, $headers, $meta, and, of a
// source that has such a thing, $subject, $topic, $partition, $offset and
// $timestamp; an empty one leaves the event as the source made it. Of an expression
// that yields several values the first counts, Each apart.
type Spec struct {
	Each  string `yaml:"each"`  // yields the values that the message is split into; "." is one of them below
	Where string `yaml:"where"` // null and false drop the event
	Type  string `yaml:"type"`  // text, or null for the default type
	Data  string `yaml:"data"`  // text is written as it is, anything else as JSON
	Key   string `yaml:"key"`   // text or number
	ID    string `yaml:"id"`    // text or number; for sources without positions of their own

	// Decode says how the payload becomes ".": json, or text for a string.
	Decode Decoding `yaml:"decode"`

	// Timeout bounds one expression on one message.
	Timeout adapters.Duration `yaml:"timeout"`

	// MaxEvents bounds what Each may yield for one message.
	MaxEvents int `yaml:"max_events"`

	// MaxOutput bounds the bytes of all events made from one message.
	MaxOutput adapters.Size `yaml:"max_output"`
}

// Decoding says how a payload becomes what expressions see.
type Decoding string

const (
	decodeJSON Decoding = "json"
	decodeText Decoding = "text"
)

// Values implements [adapters.Choice].
func (Decoding) Values() []string { return []string{string(decodeJSON), string(decodeText)} }

// DefaultSpec returns a Spec without expressions, and with the bounds that
// hold unless others are set: 1s, 10000 events and 16MiB for a message.
func DefaultSpec() Spec {
	return Spec{Decode: decodeJSON, Timeout: adapters.Duration(time.Second), MaxEvents: 10_000, MaxOutput: 16 << 20}
}

// A Mapping is a compiled Spec. It is safe for concurrent use.
type Mapping struct {
	each, where, typ, data, key, id *jq.Expression

	to *jq.Expression // the route's key

	text      bool
	maxEvents int
	maxOutput int
	needsMeta bool
	needsData bool     // an expression reads the payload
	readers   []string // the names of those that do
}

// A SpecError is a complaint about one of a route's expressions.
type SpecError struct {
	Field string // where it stands in the route: "event.where", "key"
	Err   error
}

func (e *SpecError) Error() string { return e.Field + ": " + e.Err.Error() }

func (e *SpecError) Unwrap() error { return e.Err }

// Compile compiles s, which started as [DefaultSpec], and key, the route's
// own expression, which gives [Event.To] and, for want of s.Key, the key of
// events that have no state. It returns nil and no error if there is no
// expression. Every error is a [SpecError]; several are joined.
func Compile(s Spec, key string) (*Mapping, error) {
	m := &Mapping{maxEvents: s.MaxEvents, maxOutput: int(s.MaxOutput)}
	var errs []error
	m.text = s.Decode == decodeText
	if !slices.Contains(s.Decode.Values(), string(s.Decode)) {
		errs = append(errs, &SpecError{"event.decode", fmt.Errorf(`%q is not one of "json" and "text"`, s.Decode)})
	}
	used := false
	for _, f := range []struct {
		name, source string
		into         **jq.Expression
	}{
		{"event.each", s.Each, &m.each},
		{"event.where", s.Where, &m.where},
		{"event.type", s.Type, &m.typ},
		{"event.data", s.Data, &m.data},
		{"event.key", s.Key, &m.key},
		{"event.id", s.ID, &m.id},
		{"key", key, &m.to},
	} {
		if f.source == "" {
			continue
		}
		used = true
		x, err := jq.Compile(f.name, f.source, time.Duration(s.Timeout), variableNames()...)
		if err != nil {
			errs = append(errs, &SpecError{f.name, err})
			continue
		}
		*f.into = x
		if x.ReadsInput() {
			m.needsData, m.readers = true, append(m.readers, f.name)
		}
		for _, name := range append(metaNames(), "headers", "meta") {
			m.needsMeta = m.needsMeta || x.Uses("$"+name)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	if !used {
		return nil, nil //nolint:nilnil // "nothing to do" is what callers test for on every event
	}
	return m, nil
}

// variableNames are the variables that expressions may use, in the order in
// which their values are handed over.
func variableNames() []string {
	names := []string{"$route", "$vars", "$key"}
	for _, name := range metaNames() {
		names = append(names, "$"+name)
	}
	return append(names, "$headers", "$meta")
}

// metaNames are the facts of [adapters.Event.Meta] that have a variable of
// their own, null where a source doesn't know of such a thing.
func metaNames() []string {
	return []string{"subject", "topic", "partition", "offset", "timestamp"}
}

// NeedsMeta reports whether an expression reads what is in an event's Headers
// or Meta.
func (m *Mapping) NeedsMeta() bool { return m != nil && m.needsMeta }

// ReadsPayload reports whether the expression called name, such as "key" or
// "event.where", may look at the payload.
func (m *Mapping) ReadsPayload(name string) bool { return m != nil && slices.Contains(m.readers, name) }

// Splits reports whether one message can become several events.
func (m *Mapping) Splits() bool { return m != nil && m.each != nil }

// SetsID reports whether events get ids of the route's making.
func (m *Mapping) SetsID() bool { return m != nil && m.id != nil }

// SetsKey reports whether events get keys of the route's making.
func (m *Mapping) SetsKey() bool { return m != nil && (m.key != nil || m.to != nil) }
