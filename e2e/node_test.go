package e2e

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// node runs a script of the directory "node" with arguments.
func node(tb testing.TB, script string, args ...string) *process {
	tb.Helper()
	return nodeTo(tb, nil, script, args...)
}

// nodeTo does so, and hands what the script prints to stdout; see launchTo.
func nodeTo(tb testing.TB, stdout io.Writer, script string, args ...string) *process {
	tb.Helper()
	if _, err := os.Stat(filepath.Join("node", "node_modules", "eventsource")); err != nil {
		tb.Fatalf("%v (setup.sh installs what the tests need)", err)
	}
	return launchTo(tb, stdout, "node", slices.Concat([]string{filepath.Join("node", script)}, args)...)
}

// lines decodes the lines of JSON that a process has written so far.
func lines[T any](tb testing.TB, p *process) []T {
	tb.Helper()
	var all []T
	for text := range strings.Lines(p.output.String()) {
		if !strings.HasSuffix(text, "\n") {
			break // it is being written
		}
		var one T
		if err := json.Unmarshal([]byte(text), &one); err != nil {
			tb.Fatalf("got %q, want a line of JSON", text)
		}
		all = append(all, one)
	}
	return all
}
