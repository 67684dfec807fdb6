package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"sidestream/proxy"
	"sidestream/proxy/schema"
)

// freshSchema returns the schema as the source has it now.
func freshSchema(t *testing.T) *schema.Schema {
	t.Helper()
	table, route := proxy.Describe()
	s, err := schema.Table(table, route, known(zerolog.Nop()), schema.NewComments("sidestream", "../.."))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSchemaIsCurrent(t *testing.T) {
	var want bytes.Buffer
	enc := json.NewEncoder(&want)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(freshSchema(t)); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("routes.schema.json", want.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	} else if !bytes.Equal(tableSchema, want.Bytes()) {
		t.Error("routes.schema.json isn't what the source says now; run go generate ./cmd/sidestream")
	}
}

func TestSchemaCommand(t *testing.T) {
	if got := run(t, "schema"); got != string(tableSchema) {
		t.Errorf("got %.80q…, want routes.schema.json", got)
	}
}

// validator compiles the schema, which checks that it is one.
func validator(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(tableSchema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("routes.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("routes.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asText makes texts of times, as they are in YAML 1.2 and JSON.
func asText(n *yaml.Node) {
	if n.ShortTag() == "!!timestamp" {
		n.Tag = "!!str"
	}
	for _, child := range n.Content {
		asText(child)
	}
}

var index = regexp.MustCompile(`\.(\d+)\b`)

// complaints returns the places that the schema has something against, as
// validate writes them: "routes[0].poll.every"; "" is the whole table.
func complaints(t *testing.T, s *jsonschema.Schema, table string) map[string]string {
	t.Helper()
	var (
		doc   yaml.Node
		value any
	)
	if err := yaml.Unmarshal([]byte(table), &doc); err != nil {
		t.Fatal(err)
	}
	asText(&doc)
	if err := doc.Decode(&value); err != nil {
		t.Fatal(err)
	}
	places := map[string]string{}
	var add func(*jsonschema.ValidationError)
	add = func(e *jsonschema.ValidationError) {
		if len(e.Causes) == 0 {
			place := index.ReplaceAllString(strings.Join(e.InstanceLocation, "."), "[$1]")
			places[place] = fmt.Sprint(e.ErrorKind)
		}
		for _, cause := range e.Causes {
			add(cause)
		}
	}
	err := s.Validate(value)
	var invalid *jsonschema.ValidationError
	if errors.As(err, &invalid) {
		add(invalid)
	} else if err != nil {
		t.Fatal(err)
	}
	return places
}

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

func TestSchemaAcceptsTables(t *testing.T) {
	s := validator(t)
	tables := map[string]string{}
	for _, name := range []string{reference, "demo/routes.yaml"} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		tables[name] = string(data)
	}
	for page, text := range documents(t) {
		for i, m := range yamlBlock.FindAllStringSubmatch(text, -1) {
			name := fmt.Sprintf("%s, block %d", page, i+1)
			if strings.HasPrefix(strings.TrimSpace(m[1]), "- path:") {
				tables[name] = "routes:\n" + m[1]
			} else if regexp.MustCompile(`(?m)^routes:`).MatchString(m[1]) {
				tables[name] = m[1]
			}
		}
	}
	if len(tables) < 3 {
		t.Error("got no table in documents, want some")
	}
	for name, table := range tables {
		for place, why := range complaints(t, s, table) {
			t.Errorf("%s: %s: got %q, want it to be valid", name, place, why)
		}
	}
}

// The schema knows what stands in one place. These need more, by the name of
// the bad table, or of it and the place.
var onlyTheProgram = map[string]string{
	"bounds":       "what numbers make sense",
	"capabilities": "what a source can do",
	"conflicts":    "several routes",
	"cors":         "what is of use with what, and the grammar of origins and names",
	"durable":      "what a source can do, and what is of use with what",
	"history":      "what is of use with what, and what values make sense",
	"kafka":        "what is of use with what, and the grammar of names and keys",
	"keys":         "what a source can do, and what is of use with what",
	"listen":       "the grammar of addresses, and what is of use with what",
	"nats":         "what is of use with what, and the grammar of names, subjects and URLs",
	"empty":        "no table at all",
	"not-yaml":     "no YAML",
	"patterns":     "the grammar of patterns, methods, hosts and names",
	"references":   "what a reference stands for",
	"sse":          "what is of use with what, what values make sense, and the grammar of URLs",
	"upstreams":    "the grammar of URLs",
	"webhook":      "what is of use with what, what values make sense, and the grammar of paths",

	"history-embedded": "what is of use with what, and what values make sense",
	"history-replicas": "what a source and a store can do",
	"kafka-connection": "what is of use with what, what values make sense, and the grammar of addresses",
	"poll-events":      "what is of use with what, expressions, pointers",
	"poll-requests":    "what is of use with what, and what values make sense",
	"trusted-proxies":  "the grammar of addresses, and what numbers make sense",
	"webhook-verify":   "what is of use with what, and the grammar of keys and addresses",

	"history-key history.nats.urls[0]": "the grammar of URLs",

	"listen-types listen[1].proxy_protocol[0]": "the grammar of networks",
	"listen-types listen[1].proxy_protocol[1]": "the grammar of networks",
	"listen-types listen[1].proxy_protocol[2]": "the grammar of networks",
	"listen-types listen[1].proxy_protocol[3]": "the grammar of networks",
	"listen-types listen[2].mode":              "the grammar of modes",
	"listen-types listen[3].mode":              "the grammar of modes",

	"expressions routes[0].event.type":  "jq",
	"expressions routes[0].event.data":  "jq",
	"expressions routes[0].event.where": "jq",

	"generate routes[1].generate.data":   "templates",
	"generate routes[4].generate.data":   "templates",
	"generate routes[2].generate.count":  "what numbers make sense",
	"generate routes[3].generate.events": "several options",

	"poll routes[0].poll.url":   "several options",
	"poll routes[1].poll.url":   "the route's variables",
	"poll routes[2].poll.url":   "the grammar of URLs",
	"poll routes[3].poll.url":   "the grammar of URLs",
	"poll routes[4].poll.every": "what times make sense",
}

// TestSchemaRefusesBadTables goes through what validate has against the
// tables in testdata/bad: the schema has something against the same places,
// except where only the program can.
func TestSchemaRefusesBadTables(t *testing.T) {
	s := validator(t)
	files, err := filepath.Glob("testdata/bad/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no bad configurations", err)
	}
	line := regexp.MustCompile(`(?m)^\S+:\d+:\d+: (?:([\w.\[\]-]+): )?`)
	used := map[string]bool{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		messages, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		places := map[string]string{}
		if name != "not-yaml" {
			table, err := os.ReadFile(strings.TrimSuffix(file, ".txt") + ".yaml")
			if err != nil {
				t.Fatal(err)
			}
			places = complaints(t, s, string(table))
		}
		for _, m := range line.FindAllStringSubmatch(string(messages), -1) {
			key := name + " " + m[1]
			if _, ok := onlyTheProgram[name]; ok {
				key = name
			}
			_, exempt := onlyTheProgram[key]
			_, refused := places[m[1]]
			switch {
			case !refused && !exempt:
				t.Errorf("%s: the schema has nothing against %q, want it refused; got %q", name, m[1], places)
			case exempt:
				used[key] = used[key] || !refused
			}
		}
	}
	for key := range onlyTheProgram {
		if !used[key] {
			t.Errorf("%s: got it refused by the schema, or by nobody; take it off the list", key)
		}
	}
}
