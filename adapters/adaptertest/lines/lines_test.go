package lines_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sidestream/adapters"
	"sidestream/adapters/adaptertest"
	"sidestream/adapters/adaptertest/lines"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	adaptertest.Run(t, adaptertest.Harness{Start: func(t testing.TB) *adaptertest.Upstream {
		t.Helper()
		path := filepath.Join(t.TempDir(), "lines")
		factory, err := lines.Adapter().Configure(adapters.Route{Path: "/lines"}, func(options any) error {
			o := options.(*lines.Options)
			o.Path, o.Every = path, adapters.Duration(time.Millisecond)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		create := func() error { return os.WriteFile(path, nil, 0o600) }
		if err := create(); err != nil {
			t.Fatal(err)
		}
		files := 1
		return &adaptertest.Upstream{
			Factory: factory,
			Publish: func(_ context.Context, i int) error {
				file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
				if err != nil {
					return err
				}
				defer file.Close()
				// No two files begin alike, as logs don't, whose lines have times.
				_, err = fmt.Fprintf(file, "%d %s %d\n", i, path, files)
				return err
			},
			Number: func(e adapters.Event) (i int, err error) {
				_, err = fmt.Sscanf(string(e.Data), "%d ", &i)
				return i, err
			},
			Recreate: func(context.Context) error {
				files++
				return errors.Join(os.Remove(path), create())
			},
			Fail:    func(context.Context) error { return os.Rename(path, path+".away") },
			Recover: func(context.Context) error { return os.Rename(path+".away", path) },
			Private: []string{path},
		}
	}})
}

// TestContributing holds the document to this code, and to what it says of its
// length.
func TestContributing(t *testing.T) {
	document, err := os.ReadFile("../../../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllSubmatch(document, -1)
	if len(blocks) != 2 {
		t.Fatalf("got %d blocks of Go in CONTRIBUTING.md, want 2", len(blocks))
	}
	source, err := os.ReadFile("lines.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(blocks[0][1], source) {
		t.Error("got another adapter in CONTRIBUTING.md, want lines.go as it is")
	}
	test, err := os.ReadFile("lines_test.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(test, blocks[1][1]) {
		t.Error("got another test in CONTRIBUTING.md, want TestConformance as it is")
	}
	_, code, _ := bytes.Cut(source, []byte("\n)\n")) // behind the imports
	if got := len(regexp.MustCompile(`(?m)^\s*[^/\s].*$`).FindAll(code, -1)); got > 100 {
		t.Errorf("got %d lines of code, want 100 at most", got)
	}
}
