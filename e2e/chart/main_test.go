package chart

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "write the golden files, and the reference of the values, anew")

// sidestream is the path of the program. It is built unless E2E_BINARY names
// one.
var sidestream = os.Getenv("E2E_BINARY")

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "sidestream-chart-")
	if err == nil && sidestream == "" {
		sidestream, err = build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "chart:", err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}))
}

func build(dir string) (string, error) {
	path := filepath.Join(dir, "sidestream")
	cmd := exec.Command("go", "build", "-trimpath", "-o", path, "./cmd/sidestream")
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
}
