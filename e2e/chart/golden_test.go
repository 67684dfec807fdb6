package chart

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// renderings are those with golden files: testdata/NAME.golden.yaml is what
// testdata/NAME.values.yaml makes of the chart on a version of Kubernetes.
var renderings = []struct {
	name, chart, kube string
}{
	{"minimal", "sidestream", "1.36.0"},
	{"minimal-old", "sidestream", "1.25.0"},
	{"production", "sidestream", "1.36.0"},
	{"history", "sidestream", "1.36.0"},
	{"claim", "sidestream", "1.33.1-gke.100"},
	{"tls", "sidestream", "1.36.0"},
	{"existing", "sidestream", "1.29.0"},
	{"text", "sidestream", "1.36.0"},
	{"haproxy", "sidestream", "1.36.0"},
	{"haproxy-tls", "sidestream", "1.36.0"},
	{"traefik", "sidestream", "1.36.0"},
	{"alb", "sidestream", "1.36.0"},
	{"gateway-api", "sidestream", "1.36.0"},
	{"gateway-tls", "sidestream", "1.36.0"},
	{"cpu", "sidestream", "1.36.0"},
	{"sidecar", "examples/legacy-app", "1.36.0"},
	{"sidecar-1.29", "examples/legacy-app", "1.29.4"},
	{"sidecar-1.28", "examples/legacy-app", "1.28.9"},
	{"sidecar-forced", "examples/legacy-app", "1.36.0"},
	{"sidecar-more", "examples/legacy-app", "1.36.0"},
	{"one-line", "one-line", "1.36.0"},
}

func TestGolden(t *testing.T) {
	tree := Tree(t)
	addOneLine(t, tree)
	for _, r := range renderings {
		t.Run(r.name, func(t *testing.T) {
			got := Template(t, "live", filepath.Join(tree, r.chart), "--namespace", "web", "--kube-version", r.kube,
				"--values", filepath.Join("testdata", r.name+".values.yaml"))
			golden(t, filepath.Join("testdata", r.name+".golden.yaml"), got)
			if r.name != "existing" { // whose table is elsewhere
				checkTable(t, got)
			}
		})
	}
}

func TestGoldenKustomize(t *testing.T) {
	got := Kustomize(t, filepath.Join(Tree(t), "kustomize", "example"))
	golden(t, filepath.Join("testdata", "kustomize.golden.yaml"), got)
	checkTable(t, got)
}

// addOneLine adds the chart of testdata that has the sidecar in one line, with
// the dependency where that chart says it is.
func addOneLine(t *testing.T, tree string) {
	t.Helper()
	dir := filepath.Join(tree, "one-line")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "one-line"))); err != nil {
		t.Fatal(err)
	}
	Build(t, dir)
}

// golden compares with a file, or writes it.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	got = append(bytes.TrimSpace(withoutDashboard(got)), '\n')
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got other manifests than %s has; if that is meant, run the test with -update and look at the difference\n%s", path, difference(t, path, got))
	}
}

// withoutDashboard leaves out the text of the dashboard, which is a file of its
// own.
func withoutDashboard(manifests []byte) []byte {
	const begin, end = "  sidestream.json: |\n", "\n    }\n"
	i := bytes.Index(manifests, []byte(begin))
	if i < 0 {
		return manifests
	}
	i += len(begin)
	n := bytes.Index(manifests[i:], []byte(end))
	return bytes.Join([][]byte{manifests[:i], manifests[i+n+len(end):]}, []byte("    (files/dashboard.json)\n"))
}

// difference shows what diff says.
func difference(t *testing.T, path string, got []byte) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "diff", "-u", path, "-")
	cmd.Stdin = bytes.NewReader(got)
	out, _ := cmd.Output() // it fails if there is any
	return string(out)
}

// checkTable lets the program check the routing table of manifests.
func checkTable(t *testing.T, manifests []byte) {
	t.Helper()
	secrets := t.TempDir()
	text := strings.ReplaceAll(table(t, objects(t, manifests)), "${file:/run/secrets", "${file:"+secrets)
	for _, name := range []string{"github/secret", "tokens/api"} {
		path := filepath.Join(secrets, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("secret"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "routes.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), sidestream, "validate", path)
	cmd.Env = append(os.Environ(), "KAFKA_PASSWORD=secret")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("sidestream validate: %v\n%s\n%s", err, out, text)
	}
}
