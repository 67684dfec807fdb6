package schema

import (
	"encoding"
	"reflect"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"sidestream/adapters"
)

// Texts that the UnmarshalText of a duration and of a size accept, and those
// with a reference in them: what that stands for may be right, and isn't known
// here.
const (
	durationPattern  = `^\+?0$|^\+?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$`
	sizePattern      = `^\+?[0-9]+ *([kMG]B|[KMG]iB|B)? *$`
	referencePattern = `\$\{`
)

// scalars are the definitions of single values. They have no description,
// which editors would show in place of that of the key.
func scalars() map[string]*Schema {
	// value is one of types; a text among them has to match the pattern or to
	// hold a reference.
	value := func(hint, pattern string, types ...string) *Schema {
		if pattern != "" {
			pattern += "|"
		}
		return &Schema{Type: append(types, "null"), Pattern: pattern + referencePattern, TypeError: hint, PatternError: hint}
	}
	integer := value("write a whole number", "", "integer", "string")
	natural := value("write a whole number, 0 or more", "", "integer", "string")
	natural.Minimum = 0
	fraction := value("write a number from 0 to 1", "", "number", "string")
	fraction.Minimum, fraction.Maximum = 0, 1
	size := value("write a number of bytes, such as 65536, 64KiB or 10MB", sizePattern, "string", "integer")
	size.Minimum = 0
	duration := value("write a number with a unit, such as 250ms, 2s or 1h30m", durationPattern, "string", "integer")
	duration.If = &Schema{Type: Types{"integer"}}
	duration.Then = &Schema{Enum: []any{0}, TypeError: duration.TypeError}
	return map[string]*Schema{
		"boolean":   value("write true or false", "", "boolean", "string"),
		"integer":   integer,
		"natural":   natural,
		"number":    value("write a number", "", "number", "string"),
		"fraction":  fraction,
		"duration":  duration,
		"size":      size,
		"reference": value("write a reference, such as ${NAME}", "", "string"),
		// The decoder takes every single value for the text that it is written
		// as. A list of types would make editors propose true and false.
		"text": {
			If:   &Schema{Type: Types{"array", "object"}},
			Then: &Schema{Type: Types{"string"}},
		},
	}
}

// scalar returns what a single value for t may be, each way a schema, or nil
// if t can't be written as one.
func scalar(t reflect.Type) []*Schema {
	switch t {
	case reflect.TypeFor[adapters.Duration]():
		return []*Schema{ref("duration")}
	case reflect.TypeFor[adapters.Size]():
		return []*Schema{ref("size")}
	case reflect.TypeFor[adapters.Fraction]():
		return []*Schema{ref("fraction")}
	}
	var ways []*Schema
	value := reflect.New(t).Interface() // has all methods, whatever their receiver
	if c, ok := value.(adapters.Choice); ok {
		ways = append(ways, words(c.Values()), ref("reference"))
	}
	if s, ok := value.(adapters.Shorthand); ok {
		ways = append(ways, scalar(reflect.TypeOf(s.Scalar()))...)
	}
	if ways != nil {
		return ways
	}
	if _, ok := value.(encoding.TextUnmarshaler); ok {
		return []*Schema{ref("text")}
	}
	switch t.Kind() {
	case reflect.String:
		return []*Schema{ref("text")}
	case reflect.Bool:
		return []*Schema{ref("boolean")}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return []*Schema{ref("integer")}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return []*Schema{ref("natural")}
	case reflect.Float32, reflect.Float64:
		return []*Schema{ref("number")}
	default:
		return nil
	}
}

// words lists valid words, and for one such as true or 1.2 also what YAML
// takes it for.
func words(values []string) *Schema {
	var list []any
	for _, word := range values {
		list = append(list, word)
		var value any
		if err := yaml.Unmarshal([]byte(word), &value); err != nil {
			continue
		}
		switch value.(type) {
		case bool, int, float64:
			list = append(list, value)
		}
	}
	return &Schema{Enum: list}
}

// plainValue returns what to write for v, or nil if there is nothing to be
// written, or too much.
func plainValue(v reflect.Value) any {
	if at, ok := v.Interface().(time.Time); ok && at.IsZero() {
		return nil
	}
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		text, err := m.MarshalText()
		if err != nil || len(text) == 0 && v.Kind() == reflect.Struct {
			return nil
		}
		if n, err := strconv.Atoi(string(text)); err == nil {
			return n
		}
		return brief(string(text))
	}
	switch v.Kind() {
	case reflect.Struct, reflect.Map:
		return nil
	case reflect.Slice:
		var list []any
		for _, item := range v.Seq2() {
			if value := plainValue(item); value != nil {
				list = append(list, value)
			}
		}
		if list == nil {
			return nil
		}
		return list
	default:
		return v.Interface()
	}
}

// brief returns what may be a duration without the zeros that Go writes: "2m" for "2m0s".
func brief(text string) string {
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
