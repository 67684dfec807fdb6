package tlsfiles_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"sidestream/adapters"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hidden is part of what must not be shown of files.
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

// fails checks that err is one of a [tlsfiles.Source], holds the given parts
// and shows nothing of the files.
func fails(tb testing.TB, what string, err error, parts ...string) {
	tb.Helper()
	if got, want := adapters.Reason(err), "upstream TLS files not usable"; got != want || adapters.IsPermanent(err) {
		tb.Fatalf("%s: got %v, want a transient error with the reason %q", what, err, want)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			tb.Errorf("%s: got error %q, want it to hold %q", what, err, part)
		}
	}
	if strings.Contains(err.Error(), hidden) {
		tb.Errorf("%s: got error %q, want nothing of the files in it", what, err)
	}
}
