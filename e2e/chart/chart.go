// Package chart renders what is in the directory helm as those who install it
// do: by Helm's command line, and by that of kustomize. Its tests hold the chart
// to what it promises without a cluster: what it renders, what it refuses and
// why, and that the program takes what it writes.
package chart

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"sigs.k8s.io/yaml"
)

// Versions of the programs, which setup.sh builds.
const (
	helmVersion      = "v4.3.1"
	kustomizeVersion = "v5.8.2"
)

// Tree returns a copy of the directory helm, in which each example has its
// dependencies. It goes with the test.
func Tree(tb testing.TB) string {
	tb.Helper()
	tree := filepath.Join(tb.TempDir(), "helm")
	if err := os.CopyFS(tree, os.DirFS(source(tb))); err != nil {
		tb.Fatal(err)
	}
	examples, err := filepath.Glob(filepath.Join(tree, "examples", "*", "Chart.yaml"))
	if err != nil || len(examples) == 0 {
		tb.Fatalf("got examples %q and error %v, want charts", examples, err)
	}
	for _, example := range examples {
		Build(tb, filepath.Dir(example))
	}
	return tree
}

// Build puts a chart's dependencies into it.
func Build(tb testing.TB, chart string) {
	tb.Helper()
	if out, err := Helm(tb, "dependency", "build", chart); err != nil {
		tb.Fatalf("%v\n%s", err, out)
	}
}

// Template renders a chart and returns its manifests. Further arguments are
// those of "helm template".
func Template(tb testing.TB, release, chart string, args ...string) []byte {
	tb.Helper()
	out, err := Helm(tb, append([]string{"template", release, chart}, args...)...)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// Kustomize builds a directory and returns its manifests.
func Kustomize(tb testing.TB, dir string) []byte {
	tb.Helper()
	out, err := run(tb, "kustomize-"+kustomizeVersion, "build", dir)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// Helm runs Helm, which knows of no cluster and of nothing that whoever runs
// the test has configured. The error holds what it complained of.
func Helm(tb testing.TB, args ...string) ([]byte, error) {
	tb.Helper()
	return run(tb, "helm-"+helmVersion, args...)
}

func run(tb testing.TB, program string, args ...string) ([]byte, error) {
	tb.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		tb.Fatal(err)
	}
	path := filepath.Join(cache, "sidestream", "bin", program)
	if _, err := os.Stat(path); err != nil {
		tb.Fatalf("%v (setup.sh installs what the tests need)", err)
	}
	home := tb.TempDir()
	cmd := exec.CommandContext(tb.Context(), path, args...)
	cmd.Env = []string{"HOME=" + home, "XDG_CACHE_HOME=" + home, "XDG_CONFIG_HOME=" + home, "XDG_DATA_HOME=" + home, "PATH=" + os.Getenv("PATH")}
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("%s %q: %w\n%s", program, args, err, complaints.Bytes())
	}
	return out, nil
}

// source returns the directory helm of the project.
func source(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "helm", "sidestream", "Chart.yaml")); err == nil {
			return filepath.Join(dir, "helm")
		}
	}
	tb.Fatal("got no directory helm above the test, want the project's")
	return ""
}

// An Object is one of a manifest, as plain values.
type Object map[string]any

// Objects takes manifests apart.
func Objects(manifests []byte) (objects []Object, err error) {
	for doc := range bytes.SplitSeq(manifests, []byte("\n---")) {
		var o Object
		if err := yaml.UnmarshalStrict(doc, &o); err != nil {
			return nil, fmt.Errorf("%w in\n%s", err, doc)
		}
		if len(o) > 0 {
			objects = append(objects, o)
		}
	}
	if len(objects) == 0 {
		return nil, errors.New("there is no object")
	}
	return objects, nil
}
