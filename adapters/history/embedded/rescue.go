//go:build !sidestream_noembed

package embedded

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// streamsOf returns where nats-server has the streams of clients without an
// account: a directory for each.
func streamsOf(dir string) string { return filepath.Join(dir, "jetstream", "$G", "streams") }

// A rescue holds the streams' files by second names while the server starts.
//
// It is there because nats-server removes a stream, with all of its files, if
// it can't open it at the start for whatever reason: too many open files, a
// block that the disk can't read, no room for a new one (addStream's stop of a
// stream whose store fails). Files that have another name survive that, at no
// cost.
//
// The index of a stream isn't rescued: the server makes it anew from the
// messages.
type rescue struct{ path string }

func rescueOf(dir string) rescue { return rescue{filepath.Join(dir, rescueDir)} }

// fill makes the second names of all files of the streams.
func (r rescue) fill(streams string) error {
	tmp := r.path + ".tmp"
	if err := errors.Join(os.RemoveAll(r.path), os.RemoveAll(tmp), os.Mkdir(tmp, 0o700)); err != nil {
		return err
	}
	if _, err := os.Stat(streams); errors.Is(err, fs.ErrNotExist) {
		return os.Rename(tmp, r.path) // no streams yet
	}
	err := filepath.WalkDir(streams, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(streams, path)
		if err != nil || rel == "." {
			return err
		}
		switch to := filepath.Join(tmp, rel); {
		case beingRemoved(rel):
			return skip(entry)
		case entry.IsDir():
			return os.Mkdir(to, 0o700)
		case entry.Type().IsRegular() && filepath.Ext(rel) != ".db" && filepath.Ext(rel) != ".tmp":
			return os.Link(path, to)
		}
		return nil
	})
	if err != nil {
		return errors.Join(err, os.RemoveAll(tmp))
	}
	return os.Rename(tmp, r.path)
}

// missing returns the streams of the rescue that have lost a file.
func (r rescue) missing(streams string) ([]string, error) {
	entries, err := os.ReadDir(r.path)
	if err != nil {
		return nil, ignoreMissing(err)
	}
	var names []string
	for _, entry := range entries {
		if _, err := os.Stat(filepath.Join(streams, entry.Name(), metaFile)); errors.Is(err, fs.ErrNotExist) {
			names = append(names, entry.Name())
		} else if err != nil {
			return nil, err
		}
	}
	return names, nil
}

// restore puts back what was lost in a start that failed, or that the process
// didn't survive.
func (r rescue) restore(streams string) error {
	entries, err := os.ReadDir(r.path)
	if err != nil {
		return ignoreMissing(err)
	}
	for _, entry := range entries {
		from, to := filepath.Join(r.path, entry.Name()), filepath.Join(streams, entry.Name())
		whole, err := has(to, from)
		if err != nil {
			return err
		}
		if whole {
			continue
		}
		if err := os.RemoveAll(to); err != nil {
			return err
		}
		if err := move(from, to); err != nil {
			return err
		}
	}
	return r.drop()
}

// move moves a stream back to where it was, though a server that has stopped
// may still be removing the directories above, which it takes for empty.
func move(from, to string) error {
	var err error
	for range 10 {
		err = errors.Join(os.MkdirAll(filepath.Dir(to), 0o700), os.Rename(from, to))
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return err
}

// drop ends the rescue. What is left of it after a crash is no longer one.
func (r rescue) drop() error {
	tmp := r.path + ".tmp"
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	if err := os.Rename(r.path, tmp); err != nil {
		return ignoreMissing(err)
	}
	return os.RemoveAll(tmp)
}

// has reports whether the directory has all files that other has.
func has(dir, other string) (bool, error) {
	whole := true
	err := filepath.WalkDir(other, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(other, path)
		if err != nil {
			return err
		}
		if _, err = os.Lstat(filepath.Join(dir, rel)); errors.Is(err, fs.ErrNotExist) {
			whole = false
			return filepath.SkipAll
		}
		return err
	})
	return whole, err
}

// beingRemoved reports whether the path, of a stream or below, is that of a
// stream that is deleted: nats-server renames it so at first.
func beingRemoved(rel string) bool { return strings.HasPrefix(rel, ".") }

func skip(entry fs.DirEntry) error {
	if entry.IsDir() {
		return fs.SkipDir
	}
	return nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
