package main

import (
	"bytes"
	"runtime"
	"strings"
	"testing"
)

func run(t *testing.T, args ...string) string {
	t.Helper()
	root := newRoot()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetArgs(args)
	if err := root.ExecuteContext(t.Context()); err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return out.String()
}

func TestVersion(t *testing.T) {
	got := strings.Fields(run(t, "version"))
	if len(got) < 4 || got[0] != "sidestream" || got[1] != version() || got[2] != runtime.Version() {
		t.Errorf("got %q, want the name, the version, Go's version and the platform", got)
	}

	defer func(before [2]string) { release, revision = before[0], before[1] }([2]string{release, revision})
	release, revision = "0.1.0", "3d1dab6"
	platform := runtime.GOOS + "/" + runtime.GOARCH
	if got, want := run(t, "version"), "sidestream 0.1.0 "+runtime.Version()+" "+platform+" 3d1dab6\n"; got != want {
		t.Errorf("as the linker sets it: got %q, want %q", got, want)
	}
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if got := run(t, "completion", shell); !strings.Contains(got, "sidestream") {
			t.Errorf("%s: got %.80q, want a script", shell, got)
		}
	}
	if got := run(t, "__complete", "ser"); !strings.HasPrefix(got, "serve\t") {
		t.Errorf("completing ser: got %q, want serve", got)
	}
}
