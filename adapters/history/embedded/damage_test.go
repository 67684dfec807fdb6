//go:build !sidestream_noembed

package embedded

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

const stored = 500

// What can't be opened keeps the server from being up, and is there afterwards
// as it was: the server of its own would go on without the stream, and in the
// second case remove it.
func TestDamageIsRefused(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, o Options) (path string){
		"configuration": func(t *testing.T, o Options) string {
			t.Helper()
			path := file(o, metaFile)
			write(t, path, []byte(`{"name":"H","subjects":["h.`))
			return path
		},
		"block": func(t *testing.T, o Options) string {
			t.Helper()
			remove(t, file(o, "msgs", "index.db"))
			path := file(o, "msgs", "1.blk") // as if the disk couldn't read it
			remove(t, path)
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
			return path
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t)
			fill(t, o, stored)
			before := files(t, o)
			path := damage(t, o)
			s := open(t, o)
			awaitReason(t, s, reasonDamaged)
			if _, err := s.InProcessConn(); err == nil {
				t.Fatal("got a connection to a damaged store, want none")
			}
			s.Close()
			remove(t, path)
			good := before[path]
			write(t, path, good)
			for p, want := range before {
				if filepath.Ext(p) == ".db" {
					continue // made anew
				}
				if got, err := os.ReadFile(p); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: got %d bytes and %v, want it as it was", p, len(got), err)
				}
			}
			s = open(t, o)
			awaitReason(t, s, "")
			wantMessages(t, connect(t, s), stored)
		})
	}
}

// The repair of a damage is seen while the server is open.
func TestDamageIsRepaired(t *testing.T) {
	o := options(t)
	fill(t, o, stored)
	path := file(o, metaFile)
	good := files(t, o)[path]
	write(t, path, []byte("garbage"))
	s := open(t, o)
	awaitReason(t, s, reasonDamaged)
	write(t, path, good)
	awaitReason(t, s, "")
	wantMessages(t, connect(t, s), stored)
}

// What the server takes no notice of loses what the package comment says, and
// no more.
func TestDamageWithinBlock(t *testing.T) {
	middle := func(t *testing.T, o Options) {
		t.Helper()
		path := file(o, "msgs", "1.blk")
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		at := bytes.Index(data, []byte("message 250 "))
		copy(data[at:], "garbage")
		write(t, path, data)
	}
	t.Run("with index", func(t *testing.T) {
		o := options(t)
		fill(t, o, stored)
		middle(t, o)
		s := open(t, o)
		awaitReason(t, s, "")
		js := connect(t, s)
		st, err := js.Stream(t.Context(), stream)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := st.GetMsg(t.Context(), 250); err == nil {
			t.Error("message 250: got garbage, want an error")
		}
		wantReadable(t, js, 1, 249)
		wantReadable(t, js, 251, stored)
	})
	t.Run("without index", func(t *testing.T) {
		o := options(t)
		fill(t, o, stored)
		middle(t, o)
		remove(t, file(o, "msgs", "index.db"))
		s := open(t, o)
		awaitReason(t, s, "")
		wantMessages(t, connect(t, s), 249)
	})
	t.Run("after the last message", func(t *testing.T) {
		o := options(t)
		fill(t, o, stored)
		f, err := os.OpenFile(file(o, "msgs", "1.blk"), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.WriteString("the beginning of a message that was never acknowledged")
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		s := open(t, o)
		awaitReason(t, s, "")
		wantMessages(t, connect(t, s), stored)
	})
	t.Run("index", func(t *testing.T) {
		o := options(t)
		fill(t, o, stored)
		write(t, file(o, "msgs", "index.db"), bytes.Repeat([]byte("garbage"), 100))
		s := open(t, o)
		awaitReason(t, s, "")
		wantMessages(t, connect(t, s), stored)
	})
}

// A process that is killed between the two writes of a stream's configuration
// leaves one that isn't damaged.
func TestInterruptedUpdate(t *testing.T) {
	for name, interrupt := range map[string]func(path string, old []byte) error{
		"update":   func(path string, old []byte) error { return os.WriteFile(path, old, 0o600) },
		"creation": func(path string, _ []byte) error { return os.Remove(path) },
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t)
			fill(t, o, stored)
			sum := file(o, metaSumFile)
			old := files(t, o)[sum]
			s := open(t, o)
			awaitReason(t, s, "")
			js := connect(t, s)
			next := streamConfig
			next.Description = "another"
			if _, err := js.UpdateStream(t.Context(), next); err != nil {
				t.Fatal(err)
			}
			js.Conn().Close()
			s.Close()
			updated := files(t, o)[sum]
			if err := interrupt(sum, old); err != nil {
				t.Fatal(err)
			}
			s = open(t, o)
			awaitReason(t, s, "")
			js = connect(t, s)
			wantMessages(t, js, stored)
			if got := streamInfo(t, js).Config.Description; got != next.Description {
				t.Errorf("got the configuration of %q, want %q", got, next.Description)
			}
			if got := files(t, o)[sum]; !bytes.Equal(got, updated) {
				t.Errorf("got checksum %s, want the server's own, %s", got, updated)
			}
		})
	}
}

// A process that is killed while a stream is made leaves a directory that isn't
// in the way.
func TestInterruptedCreation(t *testing.T) {
	o := options(t)
	if err := os.MkdirAll(file(o, "msgs"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, file(o, "msgs", "1.blk"), nil)
	s := open(t, o)
	awaitReason(t, s, "")
	js := connect(t, s)
	if _, err := js.Stream(t.Context(), stream); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("got %v, want %v", err, jetstream.ErrStreamNotFound)
	}
	createStream(t, js)
	publish(t, js, 10)
	wantMessages(t, js, 10)
}

// A process that is killed while the server starts, and has removed half of a
// stream, leaves the rescue.
func TestRescueAfterCrash(t *testing.T) {
	o := options(t)
	fill(t, o, stored)
	if err := rescueOf(o.Dir).fill(streamsOf(o.Dir)); err != nil {
		t.Fatal(err)
	}
	remove(t, file(o, "msgs", "1.blk"))
	s := open(t, o)
	awaitReason(t, s, "")
	wantMessages(t, connect(t, s), stored)
	if _, err := os.Stat(rescueOf(o.Dir).path); !os.IsNotExist(err) {
		t.Errorf("the rescue afterwards: got %v, want none", err)
	}
}

// files returns the content of all files of the stream, by path.
func files(t *testing.T, o Options) map[string][]byte {
	t.Helper()
	all := make(map[string][]byte)
	for _, pattern := range []string{"meta.*", "msgs/*"} {
		paths, err := filepath.Glob(file(o, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if all[path], err = os.ReadFile(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(all) < 3 {
		t.Fatalf("got %d files of the stream, want at least 3", len(all))
	}
	return all
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}
