package schema

import (
	"reflect"
	"strings"

	"sidestream/adapters"
)

// Table returns the schema of a routing table for the adapters that are
// known. table and route are pointers to what a table and a route say by
// default. The error is one of reading the comments.
//
// It panics at a type that the decoder doesn't know, since that is a mistake
// in the program.
func Table(table, route any, known *adapters.Registry, comments *Comments) (*Schema, error) {
	g := &generator{comments: comments, definitions: scalars()}
	root := g.value(reflect.ValueOf(table).Elem(), true)
	one := g.value(reflect.ValueOf(route).Elem(), true)
	defaults := root.Properties["defaults"]

	for name, option := range defaults.Properties {
		if reflect.DeepEqual(option, one.Properties[name]) {
			defaults.Properties[name] = ref("route/properties/" + name)
		}
	}
	for _, name := range known.Names() {
		adapter, _ := known.Lookup(name)
		options := reflect.ValueOf(adapter.Options()).Elem()
		s := g.value(options, true)
		s.Description = strings.TrimPrefix(g.comments.of(options.Type()).synopsis, "Package ")
		definition := "adapters." + name
		g.definitions[definition] = s
		defaults.Properties[name] = ref(definition)
		one.Properties[name] = ref(definition)
		one.OneOf = append(one.OneOf, &Schema{Required: []string{name}})
	}
	kept := root.Properties["history"]
	for _, kind := range known.Stores() {
		options := reflect.ValueOf(kind.Options()).Elem()
		s := g.value(options, true)
		s.Description = strings.TrimPrefix(g.comments.of(options.Type()).synopsis, "Package ")
		definition := "stores." + kind.Name
		g.definitions[definition] = s
		kept.Properties[kind.Name] = ref(definition)
	}
	one.Type, one.Required = Types{"object"}, []string{"path"}
	g.definitions["route"] = one

	routes := root.Properties["routes"]
	routes.AnyOf = []*Schema{{Type: Types{"array", "null"}, Items: ref("route")}, ref("route")}

	root.Dialect = "http://json-schema.org/draft-07/schema#"
	root.Title = "Sidestream's routing table"
	root.Description = "What Sidestream serves: how, which streams, of which sources."
	root.Definitions = g.definitions
	return root, comments.err
}
