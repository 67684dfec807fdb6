package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// Environment variables; see the package comment.
const (
	binaryVar  = "E2E_BINARY"
	raceVar    = "E2E_RACE"
	traefikVar = "E2E_TRAEFIK"
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "sidestream-e2e-")
	if err == nil && os.Getenv(binaryVar) == "" {
		err = build(filepath.Join(dir, "sidestream"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}))
}

// build builds the binary and leaves its path in the environment.
func build(path string) error {
	args := []string{"build", "-trimpath", "-o", path}
	if os.Getenv(raceVar) == "1" {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, "./cmd/sidestream")...)
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return os.Setenv(binaryVar, path)
}
