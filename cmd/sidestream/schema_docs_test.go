package main

import (
	"maps"
	"os"
	"path/filepath"
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

// What documents say of keys by hand: in lines of a list that begin with one in
// bold, and in the first column of tables whose first column is of keys.
var (
	keyLine   = regexp.MustCompile("(?m)^- \\*\\*`[^\n]*")
	keyInLine = regexp.MustCompile("\\*\\*`([a-z0-9_.]+)`\\*\\*")
	keyTable  = regexp.MustCompile(`(?m)^\| key \|.*\n(?:\|.*\n)+`)
	keyInRow  = regexp.MustCompile("`([a-z0-9_.]+)`")
)

// TestDocumentsNameOnlyKeys goes through the pages about routes and sources: a
// list of what there is to say about keys names only keys that there are.
func TestDocumentsNameOnlyKeys(t *testing.T) {
	all := sections(t)
	names := func(of ...string) map[string]bool {
		found := map[string]bool{}
		for _, section := range of {
			for _, key := range all[section] {
				found[key.Path] = true
				found[key.Path[strings.LastIndexByte(key.Path, '.')+1:]] = true
			}
		}
		return found
	}
	pages := map[string]map[string]bool{
		"routes.md":           names("route", "event"),
		"adapters/history.md": {"history.durable": true, "history.replicas": true, "history.cache": true},
	}
	for _, name := range known(zerolog.Nop()).Names() {
		pages["adapters/"+name+".md"] = names(name)
	}
	checked := 0
	for name, keys := range pages {
		data, err := os.ReadFile(filepath.Join(docs, name))
		if err != nil {
			t.Fatal(err)
		}
		text := generated.ReplaceAllString(string(data), "")
		var spans [][]string
		for _, line := range keyLine.FindAllString(text, -1) {
			spans = append(spans, keyInLine.FindAllStringSubmatch(line, -1)...)
		}
		for _, table := range keyTable.FindAllString(text, -1) {
			for row := range strings.Lines(table) {
				column, _, _ := strings.Cut(row[1:], "|")
				spans = append(spans, keyInRow.FindAllStringSubmatch(column, -1)...)
			}
		}
		for _, span := range spans {
			checked++
			if !keys[span[1]] {
				t.Errorf("%s: got a line about %s, want only keys that there are", name, span[1])
			}
		}
	}
	if checked == 0 {
		t.Error("got no lines about keys, want some")
	}
}
