package schema_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"sidestream/adapters"
	"sidestream/proxy/schema"
	"sidestream/proxy/strictyaml"
)

func registry() *adapters.Registry {
	second := func() sourceOptions { return sourceOptions{1e9} }
	return adapters.NewRegistry(adapters.New("a", second, nil), adapters.New("b", second, nil))
}

func describe(t *testing.T) *schema.Schema {
	t.Helper()
	defaults := table{Options: options{
		Text: "x", Int: 5, Every: 120e9, List: []string{"l"}, Mode: "auto", Span: span{5e9, 6e9}, inlined: inlined{64 << 10},
	}}
	s, err := schema.Table(&defaults, &route{Level: 5}, registry(), schema.NewComments("sidestream", "../.."))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := json.Marshal(describe(t))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("s.json", doc); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("s.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// TestOptionsAsDecoded asks the decoder and the schema about the same values.
func TestOptionsAsDecoded(t *testing.T) {
	compiled := compile(t)
	env := func(string) (string, bool) { return "", true }
	for _, tt := range []struct {
		key       string
		good, bad []string
		lax       []string // bad, but the schema can't tell
	}{
		{"text", []string{"a", "5", "1.5", "true", "''", "null", "~", "2020-01-01", "${X}"}, []string{"[a]", "{a: b}"}, nil},
		{"bool", []string{"true", "false", "null"}, []string{"yes", "5", "'true'", "[true]"}, []string{"${X}"}},
		{"int", []string{"5", "-5", "null"}, []string{"'5'", "a", "1.5", "true", "[5]", "{}"}, []string{"99999999999999999999", "${X}"}},
		{"uint", []string{"5"}, []string{"-5", "'5'", "a"}, []string{"256"}},
		{"float", []string{"5", "1.5", "-1", "1e3"}, []string{"'5'", "a", "true"}, nil},
		{"part", []string{"0", "1", "0.25"}, []string{"'0.5'", "half"}, nil},
		{"every", []string{"250ms", "1h30m", "1.5s", ".5s", "0", "0s", "'0'", "+5s", "3µs", "null"}, []string{"5", "soon", "5 s", "-5s", "1.5", "true", "[5s]", "''", "s"}, []string{"9999h"}},
		{"in", []string{"0", "65536", "64KiB", "64 KiB", "10MB", "'7'", "5B", "1kB"}, []string{"-1", "1.5MiB", "64kib", "5 parsecs", "KiB", "true"}, []string{"99999999999GiB"}},
		{"secret", []string{"a", "5", "${X}"}, []string{"[a]", "{}"}, nil},
		{"maybe", []string{"5", "null"}, []string{"a", "{}"}, nil},
		{"list", []string{"[a, 5]", "a", "5", "[]", "null", "[null]"}, []string{"{a: b}", "[[a]]", "[{a: b}]"}, nil},
		{"map", []string{"{a: 5}", "{}", "null"}, []string{"[a]", "a", "{a: b}"}, nil},
		{"maps", []string{"{a: {name: x}}"}, []string{"{a: x}", "{a: {nam: x}}"}, nil},
		{"mode", []string{"auto", "true", "'true'", "1.2", "'1.2'", "null"}, []string{"on", "false", "1.3", "[auto]", "{}"}, []string{"${X}"}},
		{"word", []string{"a", "5", "null"}, []string{"[a]", "{a: b}"}, nil},
		{"span", []string{"5s", "0", "{min: 1s}", "{min: 1s, max: 2s}", "{}", "null"}, []string{"5", "soon", "{mid: 1s}", "{min: soon}", "[5s]"}, nil},
		{"spans", []string{"5s", "[5s, {min: 1s}]", "{min: 1s}", "[]"}, []string{"soon", "[soon]", "{mid: 1s}", "[[5s]]"}, nil},
		{"count", []string{"all", "0", "7"}, []string{"some", "-1", "[all]"}, nil},
		{"tree", []string{"{name: a, left: {left: {name: b}}}", "{more: [{name: a}, {more: {name: b}}]}", "null"}, []string{"a", "{left: {nam: b}}", "{more: [a]}", "{size: a}"}, nil},
		{"pairs", []string{"[{a: 1}, {}]", "{a: 1}"}, []string{"[{b: 1}]", "a"}, nil},
		{"inner", []string{"{deep: 1}", "{}", "null"}, []string{"{deeper: 1}", "{deep: a}", "5"}, nil},
		{"Ignored", nil, []string{"a"}, nil},
		{"ignored", nil, []string{"a"}, nil},
		{"inlined", nil, []string{"{in: 5}"}, nil},
	} {
		check := func(value string, decodes, valid bool) {
			text := fmt.Sprintf("options: {%s: %s}", tt.key, value)
			if strings.HasPrefix(value, "$") { // a flow mapping would end at its brace
				text = fmt.Sprintf("options:\n  %s: %s", tt.key, value)
			}
			doc, err := strictyaml.Parse("f.yaml", []byte(text), strictyaml.References{Env: env})
			if err != nil {
				t.Fatal(err)
			}
			if got := doc.Decode(doc.Root, "", new(table)); got != decodes {
				t.Errorf("%s: got decoded %v (%v), want %v", text, got, doc.Err(), decodes)
			}
			var v any
			if err := yaml.Unmarshal([]byte(text), &v); err != nil {
				t.Fatal(err)
			}
			if err := compiled.Validate(plain(v)); (err == nil) != valid {
				t.Errorf("%s: got %v from the schema, want valid %v", text, err, valid)
			}
		}
		for _, value := range tt.good {
			check(value, true, true)
		}
		for _, value := range tt.bad {
			check(value, false, false)
		}
		for _, value := range tt.lax {
			check(value, false, true)
		}
	}
}

// plain returns v as JSON has it: YAML knows dates.
func plain(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		if _, ok := v.(fmt.Stringer); ok {
			return fmt.Sprint(v)
		}
		return v
	}
	for k, item := range m {
		m[k] = plain(item)
	}
	return m
}

// TestRoutes holds a route to one source, and everything to the keys that
// there are.
func TestRoutes(t *testing.T) {
	compiled := compile(t)
	for text, want := range map[string]bool{
		"{}":   true,
		"null": true,
		"routes: [{path: /x, a: {}}, {path: /y, b: {every: 2s}, level: 1}]": true,
		"routes: {path: /x, a: null}":                                       true,
		"routes: null":                                                      true,
		"defaults: {level: 1, a: {every: 2s}}":                              true,
		"defaults: null":                                                    true,
		"routes: [{path: /x}]":                                              false,
		"routes: [{path: /x, a: {}, b: {}}]":                                false,
		"routes: [{a: {}}]":                                                 false,
		"routes: [{path: /x, c: {}}]":                                       false,
		"routes: [{path: /x, a: {evry: 2s}}]":                               false,
		"routes: [{path: /x, a: {}, levl: 1}]":                              false,
		"routes: [null]":                                                    false,
		"routes: x":                                                         false,
		"defaults: {levl: 1}":                                               false,
		"defaults: {c: {}}":                                                 false,
		"defaults: {a: {every: soon}}":                                      false,
		"defaults: {path: /x}":                                              false,
		"route: []":                                                         false,
	} {
		var v any
		if err := yaml.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		if err := compiled.Validate(v); (err == nil) != want {
			t.Errorf("%s: got %v, want valid %v", text, err, want)
		}
	}
}

func TestDefaults(t *testing.T) {
	root := describe(t)
	got := map[string]any{}
	for key, s := range root.Properties["options"].Properties {
		if s.Default != nil {
			got[key] = s.Default
		}
	}
	for key, s := range root.Definitions["adapters.a"].Properties {
		got["a."+key] = s.Default
	}
	want := map[string]any{
		"text": "x", "bool": false, "int": 5, "uint": uint8(0), "float": 0.0, "part": adapters.Fraction(0), "every": "2m", "in": "64KiB",
		"secret": "", "list": []any{"l"}, "mode": mode("auto"), "span": "5s", "count": count(0), "a.every": "1s",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got defaults\n%#v, want\n%#v", got, want)
	}
	if got := root.Properties["options"].Properties["span"].AnyOf[1].Properties["max"].Default; got != "6s" {
		t.Errorf("inside a mapping: got default %v, want 6s", got)
	}
	for key, s := range root.Definitions["proxy.schema_test.tree"].Properties {
		if s.Default != nil {
			t.Errorf("%s of an element: got default %v, want none", key, s.Default)
		}
	}
}

func TestUnknownTypePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("got no panic for a channel")
		}
	}()
	_, _ = schema.Table(&struct {
		C chan int `yaml:"c"`
	}{}, &route{}, registry(), schema.NewComments("sidestream", "../.."))
}

// TestPatterns compares the patterns of durations and sizes with what is
// accepted of all short texts.
func TestPatterns(t *testing.T) {
	definitions := describe(t).Definitions
	for name, c := range map[string]struct {
		letters string
		accept  func([]byte) error
	}{
		"duration": {"07.smhnuµ+ ", new(adapters.Duration).UnmarshalText},
		"size":     {"07.KkMGiB+ ", new(adapters.Size).UnmarshalText},
	} {
		pattern := regexp.MustCompile(definitions[name].Pattern)
		var try func(text string, more int)
		try = func(text string, more int) {
			err := c.accept([]byte(text))
			if got := pattern.MatchString(text); got != (err == nil) {
				t.Errorf("%s %q: got a match %v, want %v (%v)", name, text, got, err == nil, err)
			}
			for _, letter := range c.letters {
				if more > 0 {
					try(text+string(letter), more-1)
				}
			}
		}
		try("", 4)
	}
}
