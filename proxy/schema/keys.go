package schema

import (
	"fmt"
	"slices"
	"strings"
)

// A Key is what a reference says of one key.
type Key struct {
	Path    string // in what is described: "every", "auth.basic.user", "events[].type"
	Value   string // what may be written there: "duration", "text, or a list of these"
	Default any    // what holds if it is left out; nil for nothing
	Meaning string // its comment, a line for each paragraph and item of a list
}

// Keys returns the keys that may stand in part, which is s or lies in it, and
// in what lies below: each before those below it, in the order of the source.
// What stands under the name of an adapter or a store is left out, and so are
// the keys except, which are some of part itself.
func (s *Schema) Keys(part *Schema, except ...string) []Key {
	w := walk{root: s}
	w.below(part, "", except, nil)
	return w.found
}

// walk goes through the schema root.
type walk struct {
	root  *Schema
	found []Key
}

// below adds the keys of s, whose own path is path; in are the definitions that
// lead to it.
func (w *walk) below(s *Schema, path string, except, in []string) {
	if s == nil {
		return
	}
	if name, ok := s.definition(); ok {
		if !slices.Contains(in, name) {
			w.below(w.root.Definitions[name], path, except, append(in, name))
		}
		return
	}
	for _, name := range s.order {
		if slices.Contains(except, name) {
			continue
		}
		property := s.Properties[name]
		if definition, ok := property.definition(); ok && isKind(definition) {
			continue
		}
		key := Key{strings.TrimPrefix(path+"."+name, "."), w.value(property), property.Default, property.Description}
		w.found = append(w.found, key)
		if !w.resolve(property).isSecret() {
			w.below(property, key.Path, nil, in)
		}
	}
	for _, way := range slices.Concat(s.AllOf, s.AnyOf) {
		if len(way.Type) == 1 && way.Type[0] == "array" {
			if !w.resolve(way.Items).isSecret() {
				w.below(way.Items, path+"[]", nil, in)
			}
			return // what may stand in place of a list is one of its items
		}
		w.below(way, path, except, in)
	}
	if values, ok := s.Additional.(*Schema); ok && !w.resolve(values).isSecret() {
		w.below(values, path+".*", nil, in)
	}
}

// resolve returns what s refers to, or s.
func (w *walk) resolve(s *Schema) *Schema {
	if name, ok := s.definition(); ok && w.root.Definitions[name] != nil {
		return w.root.Definitions[name]
	}
	return s
}

// definition returns the name of the definition that s refers to.
func (s *Schema) definition() (string, bool) {
	return strings.CutPrefix(s.Ref, "#/definitions/")
}

// isKind reports whether a definition is of an adapter's or a store's options:
// "adapters.poll", not "adapters.poll.Query".
func isKind(definition string) bool {
	return strings.Count(definition, ".") == 1
}

// What is written for what a value may be; other single values are called by
// their definitions.
const (
	secretValue  = "text or `{file: path}`"
	mappingValue = "mapping"
)

var plainNames = map[string]string{
	"boolean":  "`true`, `false`",
	"integer":  "number",
	"natural":  "number",
	"fraction": "0 to 1",
}

// value says what may be written for s.
func (w *walk) value(s *Schema) string {
	if name, ok := s.definition(); ok {
		if said, ok := plainNames[name]; ok {
			return said
		}
		if definition := w.root.Definitions[name]; definition != nil && strings.Contains(name, ".") {
			return w.value(definition)
		}
		return name
	}
	if values, ok := s.Additional.(*Schema); ok {
		return "map of " + w.value(values)
	}
	if s.isSecret() {
		return secretValue
	}
	var ways []string
	for _, way := range slices.Concat(s.AllOf, s.AnyOf) {
		said := ""
		switch name, _ := way.definition(); {
		case name == "reference": // any value may be one
		case len(way.Type) == 1 && way.Type[0] == "array":
			said = "list of " + w.value(way.Items)
		default:
			said = w.value(way)
		}
		if said != "" && !slices.Contains(ways, said) {
			ways = append(ways, said)
		}
	}
	if len(ways) == 2 && ways[0] == "list of "+ways[1] {
		return ways[1] + ", one or a list"
	}
	if ways != nil {
		return strings.Join(ways, ", or ")
	}
	if s.Enum != nil {
		return choices(s.Enum)
	}
	if s.Properties != nil {
		return mappingValue
	}
	return "any"
}

// isSecret reports whether s is of a text that may stand in a file.
func (s *Schema) isSecret() bool {
	if len(s.AnyOf) != 2 {
		return false
	}
	text, object := s.AnyOf[0], s.AnyOf[1]
	return text.Ref == "#/definitions/text" && len(object.Properties) == 1 && object.Properties["file"] != nil
}

// choices returns the words of an enumeration. What YAML takes for something
// else is there twice.
func choices(values []any) string {
	var all []string
	for _, v := range values {
		if word := fmt.Sprintf("`%v`", v); !slices.Contains(all, word) {
			all = append(all, word)
		}
	}
	return strings.Join(all, ", ")
}
