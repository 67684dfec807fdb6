package main

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"gopkg.in/yaml.v3"

	"sidestream/proxy/schema"
	"sidestream/proxy/strictyaml"
)

// keysOf returns all keys that may stand in what s describes and below, with
// their schemas, by path: "history.bytes", "events.data". Below a source, and
// below the keys except, it doesn't look.
func keysOf(root, s *schema.Schema, except ...string) map[string]*schema.Schema {
	found := map[string]*schema.Schema{}
	var walk func(s *schema.Schema, path string, in []string)
	walk = func(s *schema.Schema, path string, in []string) {
		if s == nil {
			return
		}
		if name := strings.TrimPrefix(s.Ref, "#/definitions/"); !slices.Contains(in, name) && !isSource(name) {
			walk(root.Definitions[name], path, append(in, name))
		}
		for key, property := range s.Properties {
			if path == "" && slices.Contains(except, key) {
				continue
			}
			at := strings.TrimPrefix(path+"."+key, ".")
			found[at] = property
			walk(property, at, in)
		}
		for _, other := range slices.Concat(s.AllOf, s.AnyOf, []*schema.Schema{s.Items}) {
			walk(other, path, in)
		}
		if values, ok := s.Additional.(*schema.Schema); ok {
			walk(values, path, in)
		}
	}
	walk(s, "", nil)
	return found
}

// isSource reports whether a definition is of a source's options.
func isSource(definition string) bool {
	name, ok := strings.CutPrefix(definition, "adapters.")
	return ok && slices.Contains(known(zerolog.Nop()).Names(), name)
}

// TestSchemaDescribesEveryKey looks for a comment, for editors to show.
func TestSchemaDescribesEveryKey(t *testing.T) {
	root := freshSchema(t)
	all := map[string]*schema.Schema{"": root}
	maps.Copy(all, root.Definitions)
	for name, s := range all {
		if isSource(name) && s.Description == "" {
			t.Errorf("got nothing said of %s, want a package comment", name)
		}
		for path, property := range keysOf(root, s) {
			if property.Description == "" && property.Ref == "" {
				t.Errorf("%s: got nothing said of %s, want a comment at its field", name, path)
			}
		}
	}
}

// TestReferenceShowsEveryKey looks for each key in the first half of the
// reference table: in its place, or in a comment, as in {key, key: value}, if
// what it belongs to isn't there by default, or is written in short.
func TestReferenceShowsEveryKey(t *testing.T) {
	data, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(data), "# yaml-language-server: $schema=cmd/sidestream/routes.schema.json\n") {
		t.Error("the first line doesn't name the schema for editors")
	}
	doc, err := strictyaml.Parse(reference, data, strictyaml.References{})
	if err != nil {
		t.Fatal(err)
	}
	half, _, _ := strings.Cut(string(data), "\nroutes:")
	root := freshSchema(t)
	expect := func(in string, s *schema.Schema, except ...string) {
		for path := range keysOf(root, s, except...) {
			full := strings.TrimPrefix(in+"."+path, ".")
			if !stands(doc.Root, full, half) {
				t.Errorf("got no %s in the first half of %s, want it with its default and a line about it", full, reference)
			}
		}
	}
	route := root.Definitions["route"]
	expect("", root, "routes")
	expect("defaults", route, append([]string{"path", "method", "host", "query", "key", "match", "latest", "since"}, known(zerolog.Nop()).Names()...)...)
	for _, name := range known(zerolog.Nop()).Names() {
		expect("defaults."+name, root.Definitions["adapters."+name])
	}
}

// stands reports whether a mapping in n has the key at path, or text names the
// key of what is no mapping in n.
func stands(n *yaml.Node, path, text string) bool {
	parent, key := "", path
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		parent, key = path[:i], path[i+1:]
	}
	at := n
	if parent != "" {
		at = strictyaml.Find(n, parent)
	}
	if at.Kind == yaml.MappingNode && len(at.Content) > 0 {
		for i := 0; i < len(at.Content); i += 2 {
			if at.Content[i].Value == key {
				return true
			}
		}
		return false
	}
	return regexp.MustCompile(`[{ ]` + key + `[:,}]`).MatchString(text)
}

var (
	fenced   = regexp.MustCompile("(?s)```.*?```")
	codeSpan = regexp.MustCompile("`[^`]+`")
	word     = regexp.MustCompile(`[a-z][a-z0-9_]*`)
	heading  = regexp.MustCompile("(?m)^###? .*$")
)

// TestReadmeNamesEveryKey compares the reference tables in README.md with the
// schema, both ways.
func TestReadmeNamesEveryKey(t *testing.T) {
	data, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	root := freshSchema(t)
	route := root.Definitions["route"]
	table := keysOf(root, root, "routes", "defaults", "history")
	table["history"] = root.Properties["history"]
	stores := keysOf(root, root.Properties["history"])
	for _, key := range []string{"history", "history.durable", "history.replicas", "history.cache"} {
		stores[key] = route.Properties["history"]
	}
	sections := map[string]map[string]*schema.Schema{
		"### The table":            table,
		"### Durable history":      stores,
		"### A route":              keysOf(root, route, append(known(zerolog.Nop()).Names(), "event")...),
		"### `event`: expressions": keysOf(root, route.Properties["event"]),
	}
	for _, name := range known(zerolog.Nop()).Names() {
		sections["### `"+name+"`"] = keysOf(root, root.Definitions["adapters."+name])
	}
	for title, keys := range sections {
		_, text, ok := strings.Cut(string(data), "\n"+title+"\n")
		if !ok {
			t.Errorf("got no section %q in README.md, want one", title)
			continue
		}
		if end := heading.FindStringIndex(text); end != nil {
			text = text[:end[0]]
		}
		text = fenced.ReplaceAllString(text, "")
		said := map[string]bool{}
		for _, span := range codeSpan.FindAllString(text, -1) {
			for _, w := range word.FindAllString(span, -1) {
				said[w] = true
			}
		}
		names := map[string]bool{"routes": true, "defaults": true, "event": true}
		for path := range keys {
			key := path[strings.LastIndexByte(path, '.')+1:]
			names[key] = true
			if !said[key] {
				t.Errorf("README.md, %q: got nothing about %s, want its key in backquotes", title, path)
			}
		}
		ofKeys := false // whether we are in a table whose rows are about keys
		for row := range strings.Lines(text) {
			ofKeys = strings.HasPrefix(row, "| key |") || ofKeys && strings.HasPrefix(row, "|")
			column, _, _ := strings.Cut(strings.TrimPrefix(row, "|"), "|")
			if !ofKeys {
				continue
			}
			for _, span := range codeSpan.FindAllString(column, -1) {
				for _, w := range word.FindAllString(span, -1) {
					if !names[w] {
						t.Errorf("README.md, %q: got a row about %s, want only keys that there are", title, w)
					}
				}
			}
		}
	}
}
