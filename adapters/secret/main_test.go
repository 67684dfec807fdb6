package secret_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hidden is part of every secret of these tests.
const hidden = "hunter2"

// write writes a file and returns its path, which is that of a new directory
// if it isn't absolute.
func write(tb testing.TB, path, content string) string {
	tb.Helper()
	if !filepath.IsAbs(path) {
		path = filepath.Join(tb.TempDir(), path)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// fails checks that err holds the given parts and no secret.
func fails(tb testing.TB, what string, err error, parts ...string) {
	tb.Helper()
	if err == nil {
		tb.Fatalf("%s: got no error, want one", what)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			tb.Errorf("%s: got error %q, want it to hold %q", what, err, part)
		}
	}
	if strings.Contains(err.Error(), hidden) {
		tb.Errorf("%s: got error %q, want no secret in it", what, err)
	}
}
