package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/rs/zerolog"

	"sidestream/proxy/schema"
)

const docs = "../../docs"

// generated matches what go generate writes into a document: a table of the
// keys of what the first comment names.
var generated = regexp.MustCompile(`(?s)(<!-- keys of (\w+): [^\n]*-->\n)(.*?)(<!-- end of keys -->\n)`)

// sections are what a table consists of, by the names that documents have for
// them.
func sections(t *testing.T) map[string][]schema.Key {
	t.Helper()
	root := freshSchema(t)
	route := root.Definitions["route"]
	all := map[string][]schema.Key{
		"table": root.Keys(root, "defaults", "routes"),
		"route": root.Keys(route, "event"),
		"event": root.Keys(route.Properties["event"]),
	}
	for _, name := range known(zerolog.Nop()).Names() {
		all[name] = root.Keys(root.Definitions["adapters."+name])
	}
	all["store"] = root.Keys(root.Definitions["stores.nats"])
	return all
}

// documents returns the Markdown documents of the project, by their paths.
func documents(t *testing.T) map[string]string {
	t.Helper()
	names := []string{"../../README.md", "../../CONTRIBUTING.md", "../../SECURITY.md", "../../CHANGELOG.md"}
	err := filepath.WalkDir(docs, func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".md" {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = string(data)
	}
	return all
}

// TestReferenceIsCurrent holds the tables in documents to the source, and
// wants one of everything.
func TestReferenceIsCurrent(t *testing.T) {
	missing := sections(t)
	for name, text := range documents(t) {
		want := generated.ReplaceAllStringFunc(text, func(region string) string {
			m := generated.FindStringSubmatch(region)
			keys, ok := missing[m[2]]
			if !ok {
				t.Errorf("%s: got a table of the keys of %q, want those of something that there is, and once", name, m[2])
				return region
			}
			delete(missing, m[2])
			return m[1] + schema.Markdown(keys) + m[4]
		})
		if want == text {
			continue
		}
		if !*update {
			t.Errorf("%s: its tables aren't what the source says now; run go generate ./cmd/sidestream", name)
		} else if err := os.WriteFile(name, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name := range missing {
		t.Errorf("got no table of the keys of %s, want one in a document", name)
	}
}
