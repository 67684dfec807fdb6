package chart

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// What the chart's README shows as values are values, of the gateway and of a
// chart with the sidecar.
func TestReadme(t *testing.T) {
	tree := Tree(t)
	addOneLine(t, tree)
	readme, err := os.ReadFile(filepath.Join(tree, "sidestream", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(# values.yaml\n.*?)```").FindAllSubmatch(readme, -1)
	charts := []string{"sidestream", "one-line"}
	if len(blocks) != len(charts) {
		t.Fatalf("got %d blocks of values, want %d", len(blocks), len(charts))
	}
	for i, block := range blocks {
		values := filepath.Join(t.TempDir(), "values.yaml")
		if err := os.WriteFile(values, block[1], 0o600); err != nil {
			t.Fatal(err)
		}
		checkTable(t, Template(t, "live", filepath.Join(tree, charts[i]), "--values", values))
	}
}
