package kube

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sidestream/e2e/chart"
)

// A rendering is what is installed together, in one of the ways that there
// are.
type rendering struct {
	name   string
	oldest string // release that it is for; "": any
	given  string // what whoever installs it has said
	app    bool   // the application in it is one that "restricted" keeps out
	render func(t *testing.T, r release) []byte
}

// renderings are all of them: of each set of values that the chart's golden
// files are made of, for each release; of kustomize; and plain manifests.
func renderings(t *testing.T) []rendering {
	t.Helper()
	tree := chart.Tree(t)
	// The chart that has the sidecar in one line.
	if err := os.CopyFS(filepath.Join(tree, "one-line"), os.DirFS("../chart/testdata/one-line")); err != nil {
		t.Fatal(err)
	}
	chart.Build(t, filepath.Join(tree, "one-line"))

	files, err := filepath.Glob("../chart/testdata/*.values.yaml")
	if err != nil || len(files) < 12 {
		t.Fatalf("got sets of values %q and %v, want a dozen at least", files, err)
	}
	var all []rendering
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".values.yaml")
		what := "sidestream"
		switch {
		case name == "one-line":
			what = name
		case strings.HasPrefix(name, "sidecar"):
			what = "examples/legacy-app"
		}
		all = append(all, rendering{name, oldest[name], text(t, file), name == "one-line", func(t *testing.T, r release) []byte {
			t.Helper()
			args := []string{"--kube-version", r.version, "--values", file}
			if name == "production" && r.version < "v1.31" {
				args = append(args, "--set", "service.trafficDistribution=") // it is younger
			}
			return chart.Template(t, "live", filepath.Join(tree, what), args...)
		}})
	}
	all = append(all, rendering{"kustomize", "v1.29.6", "", true, func(t *testing.T, _ release) []byte {
		t.Helper()
		return chart.Kustomize(t, filepath.Join(tree, "kustomize", "example"))
	}})
	plain, err := filepath.Glob(filepath.Join(tree, "examples", "plain", "*.yaml"))
	if err != nil || len(plain) == 0 {
		t.Fatalf("got plain manifests %q and %v, want some", plain, err)
	}
	for _, file := range plain {
		all = append(all, rendering{"plain " + filepath.Base(file), "v1.29.6", "", false, func(t *testing.T, _ release) []byte {
			t.Helper()
			return []byte(text(t, file))
		}})
	}
	return all
}

// oldest are the releases that values ask for, where that isn't any: native
// sidecars in any case.
var oldest = map[string]string{"one-line": "v1.29.6", "sidecar-more": "v1.29.6"}

func text(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// Whatever is rendered, for the release that it is rendered for: it has no
// field that an API server doesn't know, "restricted" lets its pods in, and
// nothing in it leads nowhere.
func TestRendered(t *testing.T) {
	for _, rendering := range renderings(t) {
		for _, r := range releases {
			if r.version < rendering.oldest { // of equal length
				continue
			}
			t.Run(rendering.name+" "+r.version, func(t *testing.T) {
				set, err := Decode(rendering.render(t, r))
				if err != nil {
					t.Fatal(err)
				}
				if len(set) == 0 {
					t.Fatal("got no object, want some")
				}
				for _, o := range set {
					if err := r.schemas(t).Check(o); err != nil {
						t.Error(err)
					}
					if err := CheckRestricted(o, r.minor()); err != nil && !(rendering.app && onlyOfApp(err)) {
						t.Error(err)
					}
					checkReferences(t, set, o, rendering.given)
				}
				if err := set.CheckLinks(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// onlyOfApp reports whether a complaint is of the application's container, and
// not of Sidestream's.
func onlyOfApp(err error) bool {
	return strings.Contains(err.Error(), `"app"`) && !strings.Contains(err.Error(), `"sidestream"`)
}

// checkReferences wants what pods can't start without to be rendered too, or
// to be somebody's whose name is in the values.
func checkReferences(t *testing.T, set Set, o Object, given string) {
	t.Helper()
	names, err := References(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		kind, name, _ := strings.Cut(name, " ")
		if set.Find(kind, name) == nil && !strings.Contains(given, name) {
			t.Errorf("%v: needs the %s %s, which is neither rendered nor named in the values", o, kind, name)
		}
	}
}
