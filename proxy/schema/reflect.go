package schema

import (
	"reflect"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"

	"sidestream/adapters"
)

var (
	nodeType = reflect.TypeFor[yaml.Node]()
	notWord  = regexp.MustCompile(`\W+`) // what a name in a JSON pointer does without
)

// generator makes schemas of values. Elements of lists and maps, and what a
// nil pointer leads to, start from nothing wherever they stand, so they are
// described once, under definitions; all else has the defaults of its place.
type generator struct {
	comments    *Comments
	definitions map[string]*Schema
}

// value returns the schema of what is decoded into v. If set is true, v holds
// the defaults.
func (g *generator) value(v reflect.Value, set bool) *Schema {
	t := v.Type()
	if t == nodeType {
		return &Schema{}
	}
	if t.Kind() == reflect.Pointer {
		if v.IsNil() {
			return g.empty(t.Elem())
		}
		return g.value(v.Elem(), set)
	}
	ways := scalar(t)
	switch t.Kind() { //nolint:exhaustive // the others are single values
	case reflect.Struct:
		if object := g.object(v, set); len(ways) == 0 || len(object.Properties) > 0 {
			ways = append(ways, object)
		}
	case reflect.Map:
		ways = append(ways, &Schema{Type: Types{"object", "null"}, Additional: g.empty(t.Elem())})
	case reflect.Slice:
		item := g.empty(t.Elem())
		ways = append(ways, &Schema{Type: Types{"array"}, Items: item}, item)
	}
	var s *Schema
	switch len(ways) {
	case 0:
		panic("schema: can't describe " + t.String())
	case 1:
		s = ways[0]
	default:
		s = &Schema{AnyOf: ways}
	}
	if value := plainValue(v); set && value != nil {
		s = s.open()
		s.Default = value
	}
	return s
}

// open returns s as something that can be added to, which nothing can be to a
// "$ref".
func (s *Schema) open() *Schema {
	if s.Ref == "" {
		return s
	}
	return &Schema{AllOf: []*Schema{s}}
}

// empty returns the schema of what is decoded into a new value of type t.
func (g *generator) empty(t reflect.Type) *Schema {
	if t.Kind() != reflect.Struct || t.Name() == "" || t == nodeType {
		return g.value(reflect.Zero(t), false)
	}
	path := strings.TrimPrefix(t.PkgPath(), g.comments.module+"/")
	name := notWord.ReplaceAllString(path+"."+t.Name(), ".")
	if _, ok := g.definitions[name]; !ok {
		g.definitions[name] = nil // it may lead to itself
		s := g.value(reflect.Zero(t), false).open()
		s.Description = plain(g.comments.of(t).types[typeName(t)], keys(t))
		g.definitions[name] = s
	}
	return ref(name)
}

func ref(definition string) *Schema { return &Schema{Ref: "#/definitions/" + definition} }

// object returns the schema of a mapping for the struct v.
func (g *generator) object(v reflect.Value, set bool) *Schema {
	s := &Schema{Type: Types{"object", "null"}, Properties: map[string]*Schema{}, Additional: false}
	g.properties(s, v, set)
	return s
}

func (g *generator) properties(into *Schema, v reflect.Value, set bool) {
	t := v.Type()
	for f := range t.Fields() {
		tag, ok := f.Tag.Lookup("yaml")
		if !ok {
			continue
		}
		name, option, _ := strings.Cut(tag, ",")
		switch option {
		case "inline":
			g.properties(into, v.FieldByIndex(f.Index), set)
		case "rest":
		default:
			s := g.value(v.FieldByIndex(f.Index), set).open()
			s.Description = g.describe(t, f)
			into.Properties[name] = s
			into.order = append(into.order, name)
		}
	}
}

// describe returns what is to be said of field f of struct t: its comment or
// else that of its type, and then what its valid words mean.
func (g *generator) describe(t reflect.Type, f reflect.StructField) string {
	text, typ := plain(g.comments.of(t).fields[typeName(t)][f.Name], keys(t)), f.Type
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice && typ.Name() == "" {
		typ = typ.Elem()
	}
	about, name := g.comments.of(typ), typeName(typ)
	if text == "" && typ.Kind() == reflect.Struct {
		text = plain(about.types[name], keys(typ))
		if rest, ok := strings.CutPrefix(text, name+" "); ok {
			text = keys(t)[f.Name] + " " + rest
		}
	}
	lines := []string{text}
	if c, ok := reflect.New(typ).Interface().(adapters.Choice); ok {
		for _, word := range c.Values() {
			if meaning := plain(about.values[name][word], nil); meaning != "" {
				lines = append(lines, "  - "+word+": "+meaning)
			}
		}
	}
	return strings.Join(lines, "\n")
}

// keys returns the keys of a struct's fields, by their Go names.
func keys(t reflect.Type) map[string]string {
	names := map[string]string{}
	if t.Kind() != reflect.Struct {
		return names
	}
	for f := range t.Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); name != "" {
			names[f.Name] = name
		}
	}
	return names
}

// typeName returns the name that t is declared by, without type parameters.
func typeName(t reflect.Type) string {
	name, _, _ := strings.Cut(t.Name(), "[")
	return name
}
