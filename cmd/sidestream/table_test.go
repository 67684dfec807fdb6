package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whoever gives no routing table is told how.
func TestReadTable(t *testing.T) {
	t.Chdir(t.TempDir())
	dir := t.TempDir()
	absent := filepath.Join(dir, "routes.yaml")
	for name, want := range map[string]string{
		"routes.yaml": "there is no routing table at routes.yaml; name one by --config;",
		absent:        "there is no routing table at " + absent + "; name one by --config, or, in a container, mount one there,",
		dir:           "the routing table " + dir + " is a directory",
	} {
		if _, err := readTable(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want one with %q", name, err, want)
		}
		for _, command := range []string{"serve", "validate"} {
			root := newRoot()
			root.SetArgs([]string{command, "--config", name})
			if err := root.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s %s: got error %v, want one with %q", command, name, err, want)
			}
		}
	}

	if err := os.WriteFile(absent, []byte("routes: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := readTable(absent); string(got) != "routes: []\n" || err != nil {
		t.Errorf("got %q, error %v; want the content", got, err)
	}
}
