package httpclient

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sidestream/adapters"
)

// withKey returns a client that sends the file's content as X-Key, and a
// function that returns what it sends now.
func withKey(t *testing.T, path string) (c *Client, server string, sent func() string) {
	t.Helper()
	got, server := serve(t, ok)
	c = newClient(t, func(o *Options) { o.Headers = map[string]Value{"X-Key": {File: path}} })
	return c, server, func() string {
		t.Helper()
		get(t, c, server, nil)
		return got.last(t).Header.Get("X-Key")
	}
}

func TestFileIsReadAgain(t *testing.T) {
	path := write(t, "key", "one\n")
	_, _, sent := withKey(t, path)
	equal(t, "at first", sent(), "one")

	write(t, path, "two\r\n") // the same size by chance with "four"
	equal(t, "rewritten", sent(), "two")
	write(t, path, "2.0\r\n")
	equal(t, "rewritten with the same size", sent(), "2.0")

	next := write(t, path+".next", "four")
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
	equal(t, "renamed onto", sent(), "four")
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
	_, _, sent := withKey(t, filepath.Join(dir, "key"))
	equal(t, "before the swap", sent(), "one")
	link("v2", "..data_tmp")
	if err := os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")); err != nil {
		t.Fatal(err)
	}
	equal(t, "after the swap", sent(), "two")
}

// TestChangeWithoutATrace changes a file and nothing that tells of it. If it
// was modified long before it was first read, that can't happen by itself, and
// it isn't read again.
func TestChangeWithoutATrace(t *testing.T) {
	for _, tc := range []struct {
		age  time.Duration
		want string
	}{{time.Hour, "one"}, {0, "two"}} {
		path, modified := write(t, "key", "one"), time.Now().Add(-tc.age)
		chtimes := func() {
			if err := os.Chtimes(path, modified, modified); err != nil {
				t.Fatal(err)
			}
		}
		chtimes()
		_, _, sent := withKey(t, path)
		equal(t, "at first", sent(), "one")
		write(t, path, "two")
		chtimes()
		equal(t, "modified "+tc.age.String()+" ago", sent(), tc.want)
	}
}

func TestLastContentStands(t *testing.T) {
	path := write(t, "key", "one")
	_, _, sent := withKey(t, path)
	equal(t, "at first", sent(), "one")

	write(t, path, "")
	equal(t, "emptied", sent(), "one")
	write(t, path, strings.Repeat("x", maxValue+1))
	equal(t, "too large", sent(), "one")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	equal(t, "removed", sent(), "one")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	equal(t, "a directory", sent(), "one")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	write(t, path, "two")
	equal(t, "back", sent(), "two")
}

func TestFileThatWasNeverGood(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	c, server, sent := withKey(t, path)
	err := fails(t, c, server, "headers.X-Key: ", path, "no such file")
	equal(t, "reason", adapters.Reason(err), reasonCredentials)
	write(t, path, "")
	fails(t, c, server, "headers.X-Key: ", path, "empty")
	write(t, path, strings.Repeat(hidden, maxValue))
	fails(t, c, server, "headers.X-Key: ", path, "more than 65536 bytes")
	write(t, path, hidden+"\n\n")
	fails(t, c, server, "headers.X-Key: ", "control character")
	write(t, path, "good\n")
	equal(t, "at last", sent(), "good")
}

func TestFileMustBeRegular(t *testing.T) {
	c, server, _ := withKey(t, t.TempDir())
	fails(t, c, server, "headers.X-Key: ", "not a regular file")
}

func TestBasicFromFiles(t *testing.T) {
	got, server := serve(t, ok)
	user, password := write(t, "user", "app\n"), write(t, "password", "pass:word\n")
	c := newClient(t, func(o *Options) { o.Auth.Basic = &Basic{User: Value{File: user}, Password: Value{File: password}} })
	check := func(wantUser, wantPassword string) {
		t.Helper()
		get(t, c, server, nil)
		u, p, _ := got.last(t).BasicAuth()
		equal(t, "user", u, wantUser)
		equal(t, "password", p, wantPassword)
	}
	check("app", "pass:word")
	write(t, user, "next")
	write(t, password, "other")
	check("next", "other")
}

func TestBearerFromFile(t *testing.T) {
	got, server := serve(t, ok)
	path := write(t, "token", "one\n")
	c := newClient(t, func(o *Options) { o.Auth.Bearer = &Value{File: path} })
	get(t, c, server, nil)
	want(t, "first", got.last(t).Header, map[string]string{"Authorization": "Bearer one"})
	write(t, path, "two\n")
	get(t, c, server, http.Header{})
	want(t, "rotated", got.last(t).Header, map[string]string{"Authorization": "Bearer two"})
}
