package schema_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sidestream/proxy/schema"
)

// source declares the types below once more, with comments. It stands where
// the comments of this package are looked for.
const source = `package schema_test

type commented struct {
	// URL is what is polled, see [net/url.URL] and [Level]. A URL may be empty.
	//
	// Content-Type is no key, Level is:
	//
	//   - one;
	//   - two,
	//     in two lines.
	URL string

	Level int // of Level; default 5

	// Min and Max bound it.
	Min int
	Max int
	Bare int

	Inner inner
	Many []inner
	Other Other
	Shade shade // of the light
}

// An inner is a thing with Depth. The inner counts.
type inner struct {
	// Depth is how deep.
	Depth int
}

// Other is something else with Depth.
type Other struct{ Depth int }

type shade string

const (
	dark shade = "dark" // no light
	bright shade = "bright"
)
`

type commented struct {
	URL   string  `yaml:"url"`
	Level int     `yaml:"level"`
	Min   int     `yaml:"min"`
	Max   int     `yaml:"max"`
	Bare  int     `yaml:"bare"`
	Inner inner   `yaml:"within"`
	Many  []inner `yaml:"many"`
	Other Other   `yaml:"other_one"`
	Shade shade   `yaml:"shade"`
}

type inner struct {
	Depth int `yaml:"depth"`
}

type Other struct {
	Depth int `yaml:"depth"`
}

type shade string

func (shade) Values() []string { return []string{"dark", "bright"} }

func TestDescriptions(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "proxy", "schema_test")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("types.go", source)
	write("doc.go", "// Package schema_test sees to tests. It has types.\npackage schema_test\n")
	write("x_test.go", "package ignored // not Go {")

	table := struct {
		Options  commented `yaml:"options"`
		Defaults struct{}  `yaml:"defaults"`
		Routes   []string  `yaml:"routes"`
	}{}
	s, err := schema.Table(&table, &route{}, registry(), schema.NewComments("sidestream", root))
	if err != nil {
		t.Fatal(err)
	}
	options := s.Properties["options"]
	for key, want := range map[string]string{
		"url": "url is what is polled, see net/url.URL and level. A URL may be empty.\n\n" +
			"Content-Type is no key, level is:\n\n  - one;\n  - two, in two lines.",
		"level":     "of level; default 5",
		"min":       "min and max bound it.",
		"max":       "min and max bound it.",
		"bare":      "",
		"within":    "An inner is a thing with depth. The inner counts.",
		"many":      "An inner is a thing with depth. The inner counts.",
		"other_one": "other_one is something else with depth.",
		"shade":     "of the light\n  - dark: no light",
	} {
		if got := options.Properties[key].Description; got != want {
			t.Errorf("%s: got %q, want %q", key, got, want)
		}
	}
	if got, want := options.Properties["within"].Properties["depth"].Description, "depth is how deep."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := s.Definitions["proxy.schema_test.inner"].Description, "An inner is a thing with depth. The inner counts."; got != want {
		t.Errorf("an element: got %q, want %q", got, want)
	}
	if got, want := s.Definitions["adapters.a"].Description, "schema_test sees to tests."; got != want {
		t.Errorf("an adapter: got %q, want %q", got, want)
	}

	write("broken.go", "package schema_test // not Go {\nfunc")
	if _, err := schema.Table(&table, &route{}, registry(), schema.NewComments("sidestream", root)); err == nil ||
		!strings.Contains(err.Error(), "broken.go") {
		t.Errorf("a broken file: got error %v, want it named", err)
	}
}
