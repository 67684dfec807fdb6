package chart

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// A schema is the part of values.schema.json that says what a value is made of.
type schema struct {
	Properties           map[string]schema
	AdditionalProperties any
	Items                *schema
}

// strict reports mappings with names that take other names as well.
func (s schema) strict(name string) error {
	if s.Properties != nil && s.AdditionalProperties != false {
		return fmt.Errorf("values.schema.json: %q takes names that it doesn't know", name)
	}
	var wrong []error
	for key, below := range s.Properties {
		wrong = append(wrong, below.strict(name+"."+key))
	}
	if s.Items != nil {
		wrong = append(wrong, s.Items.strict(name+"[]"))
	}
	return errors.Join(wrong...)
}

// The chart's README ends with this heading and a table made of values.yaml.
const referenceHeading = "\n## Values\n"

// What values.yaml says of each value is the reference, so that there is
// nothing else to keep true; -update writes it.
func TestReference(t *testing.T) {
	chart := filepath.Join(source(t), "sidestream")
	var root yaml.Node
	unmarshal(t, filepath.Join(chart, "values.yaml"), func(data []byte) error { return yaml.Unmarshal(data, &root) })
	var s schema
	unmarshal(t, filepath.Join(chart, "values.schema.json"), func(data []byte) error { return json.Unmarshal(data, &s) })
	if err := s.strict(""); err != nil {
		t.Error(err)
	}

	r := reference{tb: t}
	r.mapping("", root.Content[0], s)

	path := filepath.Join(chart, "README.md")
	readme, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, _, ok := bytes.Cut(readme, []byte(referenceHeading))
	if !ok {
		t.Fatalf("%s has no heading %q", path, referenceHeading)
	}
	want := slices.Concat(head, []byte(referenceHeading+"\n| value | default | meaning |\n|---|---|---|\n"), r.rows.Bytes())
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	} else if !bytes.Equal(readme, want) {
		t.Errorf("got another table in %s than values.yaml makes, want -update\n%s", path, difference(t, path, want))
	}
}

func unmarshal(t *testing.T, path string, into func([]byte) error) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = into(data)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// A reference is a table in Markdown.
type reference struct {
	tb   testing.TB
	rows bytes.Buffer
}

// mapping writes the rows of a mapping's keys. What the schema has no names for
// is one value, and otherwise it has those that there are.
func (r *reference) mapping(prefix string, node *yaml.Node, s schema) {
	var names []string
	for i := 0; i < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		name := prefix + key.Value
		names = append(names, key.Value)
		below, known := s.Properties[key.Value]
		if !known {
			r.tb.Errorf("values.schema.json has no %s, want what values.yaml has", name)
		}
		if below.Properties != nil && len(value.Content) > 0 {
			if key.HeadComment != "" {
				r.row(name, "", key)
			}
			r.mapping(name+".", value, below)
			continue
		}
		r.row(name, r.flow(value), key)
	}
	for name := range s.Properties {
		if !slices.Contains(names, name) && prefix+name != "global" {
			r.tb.Errorf("values.yaml has no %s, want what values.schema.json has", prefix+name)
		}
	}
}

func (r *reference) row(name, value string, key *yaml.Node) {
	if value != "" {
		value = "`" + strings.ReplaceAll(value, "|", `\|`) + "`"
	}
	fmt.Fprintf(&r.rows, "| `%s` | %s | %s |\n", name, value, r.meaning(key))
}

// meaning is the comment above a key, or beside it, as one paragraph. Indented
// lines are code.
func (r *reference) meaning(key *yaml.Node) string {
	// What is set apart by a blank line is about the file.
	comment := key.HeadComment
	if i := strings.LastIndex(comment, "\n\n"); i >= 0 {
		comment = comment[i+2:]
	}
	var text strings.Builder
	code := false // the last line was
	for line := range strings.Lines(comment) {
		line = strings.TrimPrefix(strings.TrimSuffix(line, "\n"), "#")
		sample, isCode := strings.CutPrefix(line, "   ")
		switch {
		case isCode:
			text.WriteString("<br>`" + sample + "`")
		case line != "" && code:
			text.WriteString("<br>" + strings.TrimSpace(line))
		default:
			text.WriteString(line)
		}
		code = isCode || code && line == ""
	}
	return strings.ReplaceAll(strings.TrimSpace(text.String()), "|", `\|`)
}

// flow is a value in one line.
func (r *reference) flow(node *yaml.Node) string {
	var inline func(*yaml.Node)
	inline = func(n *yaml.Node) {
		n.HeadComment, n.LineComment, n.FootComment = "", "", ""
		if n.Kind != yaml.ScalarNode {
			n.Style = yaml.FlowStyle
		}
		for _, child := range n.Content {
			inline(child)
		}
	}
	inline(node)
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	if err := encoder.Encode(node); err != nil {
		r.tb.Fatal(err)
	}
	return strings.Join(strings.Fields(out.String()), " ")
}
