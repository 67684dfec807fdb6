package secret_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sidestream/adapters/secret"
)

// limit is that of the files in these tests, in bytes.
const limit = 32

// holds checks what the content of f is.
func holds(tb testing.TB, what string, f *secret.File, want string) {
	tb.Helper()
	got, err := f.Content()
	if err != nil || string(got) != want {
		tb.Errorf("%s: got %q, %v, want %q", what, got, err, want)
	}
}

func TestNoFile(t *testing.T) {
	f := secret.NewFile("tls.ca", "", limit)
	if got, err := f.Content(); f != nil || got != nil || err != nil || f.Trouble() != nil {
		t.Errorf("got %v with %q, %v, want nothing", f, got, err)
	}
}

func TestFileIsReadAgain(t *testing.T) {
	path := write(t, "key", "one")
	f := secret.NewFile("key", path, limit)
	holds(t, "at first", f, "one")

	write(t, path, "three")
	holds(t, "rewritten", f, "three")
	write(t, path, "seven")
	holds(t, "rewritten with the same size", f, "seven")

	next := write(t, path+".next", "eight")
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
	holds(t, "renamed onto", f, "eight")
}

// TestSymlinkSwap does what Kubernetes does to a mounted secret: key is a
// link into ..data, which is a link to a directory, and is replaced.
func TestSymlinkSwap(t *testing.T) {
	dir := t.TempDir()
	old := time.Now().Add(-time.Hour)
	for version, content := range map[string]string{"v1": "one", "v2": "two"} {
		if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
			t.Fatal(err)
		}
		path := write(t, filepath.Join(dir, version, "key"), content)
		if err := os.Chtimes(path, old, old); err != nil { // nothing but the inode tells them apart
			t.Fatal(err)
		}
	}
	link := func(target, name string) {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	link("v1", "..data")
	link("..data/key", "key")
	f := secret.NewFile("key", filepath.Join(dir, "key"), limit)
	holds(t, "before the swap", f, "one")
	link("v2", "..data_tmp")
	if err := os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")); err != nil {
		t.Fatal(err)
	}
	holds(t, "after the swap", f, "two")
}

// TestTracesOfChange changes a file in place and then sets its time. What was
// modified long before it was first read can't change without a trace by
// itself, and isn't read again if there is none.
func TestTracesOfChange(t *testing.T) {
	for _, tc := range []struct {
		name       string
		age, later time.Duration // of the file at first, and by how much less after the change
		content    string        // after the change
		want       string
	}{
		{"none", time.Hour, 0, "two", "one"},
		{"size", time.Hour, 0, "three", "three"},
		{"later", time.Hour, time.Minute, "two", "two"},
		{"earlier", time.Hour, -time.Minute, "two", "two"}, // an older one was restored
		{"none yet", 0, 0, "two", "two"},
		{"none any more", 5 * time.Second, 0, "two", "one"},
	} {
		path, modified := write(t, "key", "one"), time.Now().Add(-tc.age)
		chtimes := func(to time.Time) {
			if err := os.Chtimes(path, to, to); err != nil {
				t.Fatal(err)
			}
		}
		chtimes(modified)
		f := secret.NewFile("key", path, limit)
		holds(t, tc.name+": at first", f, "one")
		write(t, path, tc.content)
		chtimes(modified.Add(tc.later))
		holds(t, tc.name, f, tc.want)
	}
}

func TestLastContentStands(t *testing.T) {
	path := write(t, "key", "one")
	f := secret.NewFile("key", path, limit)
	holds(t, "at first", f, "one")

	write(t, path, "")
	holds(t, "emptied", f, "one")
	write(t, path, strings.Repeat("x", limit+1))
	holds(t, "too large", f, "one")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	holds(t, "removed", f, "one")
	if err := f.Trouble(); err == nil || !strings.HasPrefix(err.Error(), "key: ") || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("removed: got %v, want that, about the option", err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	holds(t, "a directory", f, "one")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	write(t, path, "two")
	holds(t, "back", f, "two")
	if err := f.Trouble(); err != nil {
		t.Errorf("back: got %v, want no trouble", err)
	}
}

func TestFileThatWasNeverGood(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	f := secret.NewFile("auth.key", path, limit)
	check := func(what, part string) {
		t.Helper()
		_, err := f.Content()
		fails(t, what, err, "auth.key: ", path, part)
	}
	check("not there", "no such file")
	write(t, path, "")
	check("empty", "it is empty")
	write(t, path, strings.Repeat(hidden, limit))
	check("too large", "more than 32 bytes")
	write(t, path, strings.Repeat("x", limit))
	holds(t, "as large as can be", f, strings.Repeat("x", limit))
}

func TestFileMustBeRegular(t *testing.T) {
	_, err := secret.NewFile("key", t.TempDir(), limit).Content()
	fails(t, "a directory", err, "key: ", "not a regular file")
}

// TestConcurrentContent: readers see each version as a whole, and never an
// older one after a newer.
func TestConcurrentContent(t *testing.T) {
	const versions = 200
	path := write(t, "key", "0")
	f := secret.NewFile("key", path, limit)
	read := func() int {
		data, err := f.Content()
		if err != nil {
			t.Errorf("got %v, want no error", err)
		}
		n, err := strconv.Atoi(string(data))
		if err != nil {
			t.Errorf("got %q, want one of the versions", data)
		}
		return n
	}
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for last := 0; last < versions && !t.Failed(); {
				now := read()
				if now < last {
					t.Errorf("got version %d after %d, want none older", now, last)
				}
				last = now
			}
		})
	}
	for n := 1; n <= versions; n++ {
		if err := os.Rename(write(t, path+".next", strconv.Itoa(n)), path); err != nil {
			t.Error(err)
			break
		}
	}
	readers.Wait()
}
