package schema_test

import (
	"slices"
	"strings"
	"testing"

	"sidestream/proxy/schema"
)

// TestKeys goes through the keys of what has everything that the decoder knows.
func TestKeys(t *testing.T) {
	root := describe(t)
	var paths []string
	values := map[string]string{}
	for _, k := range root.Keys(root.Properties["options"], "bool", "float") {
		paths = append(paths, k.Path)
		values[k.Path] = k.Value
	}
	for _, want := range []string{"text", "span", "span.min", "spans[].max", "maps.*.name", "tree.left"} {
		if !slices.Contains(paths, want) {
			t.Errorf("got keys %q, want %s among them", paths, want)
		}
	}
	for _, excepted := range []string{"bool", "float", "tree.left.left.left"} {
		if slices.Contains(paths, excepted) {
			t.Errorf("got keys %q, want no %s", paths, excepted)
		}
	}
	if i, j := slices.Index(paths, "span"), slices.Index(paths, "span.min"); j != i+1 {
		t.Errorf("got span and span.min as keys %d and %d, want one behind the other", i, j)
	}
	for path, want := range map[string]string{
		"text":  "text",
		"int":   "number",
		"part":  "0 to 1",
		"every": "duration",
		"in":    "size",
		"list":  "text, one or a list",
		"map":   "map of number",
		"mode":  "`auto`, `true`, `1.2`",
		"span":  "duration, or mapping",
		"count": "`all`, or number",
		"tree":  "mapping",
	} {
		if got := values[path]; got != want {
			t.Errorf("%s: got %q for what may be written, want %q", path, got, want)
		}
	}
	for _, k := range root.Keys(root.Definitions["route"]) {
		if k.Path == "a" || strings.HasPrefix(k.Path, "a.") {
			t.Errorf("got the key %s, want none of an adapter's options", k.Path)
		}
	}
}

// TestMarkdown has rows as GitHub is to render them.
func TestMarkdown(t *testing.T) {
	for _, tt := range []struct {
		name string
		key  schema.Key
		want string
	}{
		{"plain", schema.Key{Path: "a.b", Value: "text", Meaning: "b is so."}, "| `a.b` | text |  | `b` is so. |"},
		{"its default", schema.Key{Path: "b", Value: "duration", Default: "10s", Meaning: "b is so. Default 10s."}, "| `b` | duration | `10s` | `b` is so. |"},
		{"the default is", schema.Key{Path: "b", Default: 5.0, Meaning: "how many; default 5"}, "| `b` |  | `5` | how many |"},
		{"more after the default", schema.Key{Path: "b", Default: "1MiB", Meaning: "One. Default 1MiB. Two."}, "| `b` |  | `1MiB` | One. Two. |"},
		{"another default", schema.Key{Path: "b", Default: "1MiB", Meaning: "One. Default 1MiB; many less."}, "| `b` |  | `1MiB` | One. Default 1MiB; many less. |"},
		{"zero", schema.Key{Path: "b", Default: "0s", Meaning: "how old; default 0: any"}, "| `b` |  | `0s` | how old; default 0: any |"},
		{"list", schema.Key{Path: "b", Default: []any{"x", "y"}}, "| `b` |  | `[\"x\",\"y\"]` |  |"},
		{"list of one", schema.Key{Path: "b", Default: []any{"x"}}, "| `b` |  | `x` |  |"},
		{"false", schema.Key{Path: "b", Default: false}, "| `b` |  | `false` |  |"},
		{"code", schema.Key{Path: "b", Meaning: `It has "x|y", {name}, {{.N}}, $vars, max_bytes and fetch.max_wait.`},
			"| `b` |  |  | It has `x\\|y`, `{name}`, `{{.N}}`, `$vars`, `max_bytes` and `fetch.max_wait`. |"},
		{"address", schema.Key{Path: "b", Meaning: "See (RFC 1, https://www.example.com/a_b#c)."}, "| `b` |  |  | See (RFC 1, https://www.example.com/a_b#c). |"},
		{"special", schema.Key{Path: "b", Meaning: "a * or <b> or [c] | d"}, "| `b` |  |  | a \\* or \\<b> or \\[c] \\| d |"},
		{"paragraphs", schema.Key{Path: "b", Meaning: "One.\n\nTwo:\n\n  - x;\n  - y."}, "| `b` |  |  | One.<br>Two:<br>• x;<br>• y. |"},
		{"words", schema.Key{Path: "b", Meaning: "b is one.\n  - at_once: now\n  - x-y: later"}, "| `b` |  |  | `b` is one.<br>`at_once`: now<br>`x-y`: later |"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := schema.Markdown([]schema.Key{tt.key})
			if want := "| key | value | default | meaning |\n|---|---|---|---|\n" + tt.want + "\n"; got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// TestMarkdownSaysThingsOnce has two keys with one comment.
func TestMarkdownSaysThingsOnce(t *testing.T) {
	both := "max_a and max_b bound it. Default 1 and 2."
	got := schema.Markdown([]schema.Key{{Path: "max_a", Default: 1, Meaning: both}, {Path: "max_b", Default: 2, Meaning: both}})
	want := "| key | value | default | meaning |\n|---|---|---|---|\n" +
		"| `max_a` |  | `1` | `max_a` and `max_b` bound it. Default 1 and 2. |\n| `max_b` |  | `2` | see the row above |\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
