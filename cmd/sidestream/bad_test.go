package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestBadConfigurations holds each table in testdata/bad to the exact
// messages beside it.
func TestBadConfigurations(t *testing.T) {
	t.Setenv("SIDESTREAM_TEST_SECRET", "hunter2")
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no bad configurations", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			root := newRoot()
			var stderr bytes.Buffer
			root.SetErr(&stderr)
			root.SetArgs([]string{"validate", file})
			if err := root.ExecuteContext(t.Context()); err == nil {
				t.Error("validate: got no error")
			}
			got := strings.ReplaceAll(stderr.String(), filepath.Dir(file)+"/", "")
			if strings.Contains(got, "hunter2") {
				t.Errorf("a secret is shown:\n%s", got)
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}
