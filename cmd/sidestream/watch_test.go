package main

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
		name, file, before, after string
		change                    func()
	}{
		{"symlink swap", mounted, "one", "two", func() { version("..v2", "two") }},
		{"write in place", plain, "one", "two", func() { write(t, plain, "two") }},
		{"replace by rename", plain, "two", "three", func() {
			write(t, plain+".new", "three")
			if err := os.Rename(plain+".new", plain); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			changed, done := make(chan string, 10), make(chan error, 1)
			go func() {
				// Not what stands there, to learn when watching has begun.
				done <- watch(ctx, tt.file, nil, func(content []byte) { changed <- string(content) })
			}()
			await(t, changed, tt.before)
			tt.change()
			await(t, changed, tt.after)
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

func await(t *testing.T, changed <-chan string, want string) {
	t.Helper()
	select {
	case got := <-changed:
		if got != want {
			t.Errorf("changed to %q, want %q", got, want)
		}
	case <-time.After(10 * time.Second):
		t.Errorf("the change to %q went unnoticed", want)
	}
}

func TestWatchIgnoresWhatIsTheSame(t *testing.T) {
	file := filepath.Join(t.TempDir(), "routes.yaml")
	write(t, file, "one")
	ctx, cancel := context.WithCancel(t.Context())
	changed, done := make(chan string, 10), make(chan error, 1)
	go func() { done <- watch(ctx, file, []byte("one"), func(content []byte) { changed <- string(content) }) }()
	// The watch of a neighbour notices when both have had the time to look.
	beside, besideDone := make(chan string, 10), make(chan error, 1)
	go func() {
		besideDone <- watch(ctx, file+".other", nil, func(content []byte) { beside <- string(content) })
	}()
	for _, content := range []string{"x", "y"} {
		if err := os.Chtimes(file, time.Time{}, time.Now()); err != nil {
			t.Error(err)
		}
		write(t, file+".other", content)
		await(t, beside, content)
	}
	write(t, file+".new", "two")
	if err := os.Rename(file+".new", file); err != nil {
		t.Error(err)
	}
	await(t, changed, "two")
	cancel()
	for _, done := range []chan error{done, besideDone} {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Error(err)
	}
}

// A neighbour that is written all the time doesn't keep a change from being
// noticed.
func TestWatchBesideABusyFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "routes.yaml")
	write(t, file, "one")
	ctx, cancel := context.WithCancel(t.Context())
	changed, done := make(chan string, 10), make(chan error, 1)
	go func() { done <- watch(ctx, file, nil, func(content []byte) { changed <- string(content) }) }()
	busy := make(chan struct{})
	go func() {
		defer close(busy)
		for tick := time.NewTicker(settle / 10); ctx.Err() == nil; <-tick.C {
			write(t, filepath.Join(dir, "log"), "x")
		}
	}()
	await(t, changed, "one")
	write(t, file+".new", "two")
	if err := os.Rename(file+".new", file); err != nil {
		t.Error(err)
	}
	await(t, changed, "two")
	cancel()
	<-busy
	if err := <-done; err != nil {
		t.Error(err)
	}
}
