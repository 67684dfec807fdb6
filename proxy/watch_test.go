package proxy

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestWatch(t *testing.T) {
	// As a kubelet lays out a ConfigMap: routes.yaml -> ..data/routes.yaml,
	// ..data -> a directory for each version.
	dir := t.TempDir()
	version := func(name, content string) {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name, "routes.yaml"), content)
		tmp := filepath.Join(dir, "..data_tmp")
		if err := os.Symlink(name, tmp); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(tmp, filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	version("..v1", "one")
	mounted := filepath.Join(dir, "routes.yaml")
	if err := os.Symlink(filepath.Join("..data", "routes.yaml"), mounted); err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(t.TempDir(), "routes.yaml")
	write(t, plain, "one")

	for _, tt := range []struct {
		name, file string
		change     func()
	}{
		{"symlink swap", mounted, func() { version("..v2", "two") }},
		{"write in place", plain, func() { write(t, plain, "two") }},
		{"replace by rename", plain, func() {
			write(t, plain+".new", "three")
			if err := os.Rename(plain+".new", plain); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			changed, done := make(chan struct{}, 10), make(chan error, 1)
			started := make(chan struct{})
			go func() {
				done <- watch(ctx, tt.file, func() { close(started) }, func() { changed <- struct{}{} })
			}()
			<-started
			tt.change()
			select {
			case <-changed:
			case <-time.After(10 * time.Second):
				t.Error("the change went unnoticed")
			}
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWatchIgnoresWhatIsTheSame(t *testing.T) {
	file := filepath.Join(t.TempDir(), "routes.yaml")
	write(t, file, "one")
	ctx, cancel := context.WithCancel(t.Context())
	changed, done := make(chan string, 10), make(chan error, 1)
	started := make(chan struct{})
	go func() {
		done <- watch(ctx, file, func() { close(started) }, func() {
			content, _ := os.ReadFile(file)
			changed <- string(content)
		})
	}()
	<-started
	write(t, file, "one") // touched
	write(t, file+".other", "x")
	time.Sleep(3 * settle) // for what should not happen
	write(t, file, "two")
	if got := <-changed; got != "two" {
		t.Errorf("first change: got %q, want two", got)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Error(err)
	}
}
