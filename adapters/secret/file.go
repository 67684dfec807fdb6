package secret

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"
)

// settled is how old a modification must be for the next one to show in the
// file's time. Clocks of file systems tick up to every two seconds (FAT).
const settled = 2 * time.Second

// A File is one whose content is read again when it has changed. It is safe
// for concurrent use. Of a nil File, the content is nil.
type File struct {
	option string // which names the file
	path   string
	limit  int64

	mu      sync.Mutex
	last    *reading // guarded by mu; nil before the first good one
	trouble error    // guarded by mu; why the latest attempt to read it failed, nil if it didn't
}

// A reading is what a file held once. It is used as a pointer, which fmt
// doesn't follow.
type reading struct {
	data []byte
	info fs.FileInfo // of the file; nil if it is to be read again anyway
}

// NewFile returns the file that the option names, or nil if path is empty. The
// option is a path too, for errors: "tls.ca". Good are contents of 1 to limit
// bytes: an empty file is most likely about to be written. It does no I/O.
func NewFile(option, path string, limit int64) *File {
	if path == "" {
		return nil
	}
	return &File{option: option, path: path, limit: limit}
}

// Content returns the last good content, which the caller must not change, or
// why there never was any. The error gives no reason for clients.
func (f *File) Content() ([]byte, error) {
	if f == nil {
		return nil, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.trouble = f.refresh(); f.trouble != nil && f.last == nil {
		return nil, fmt.Errorf("%s: %w", f.option, f.trouble)
	}
	return f.last.data, nil
}

// Trouble returns why the latest Content is that of an earlier time, or nil if
// it isn't. It does no I/O.
func (f *File) Trouble() error {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.trouble == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", f.option, f.trouble)
}

// refresh reads the file if it has changed. The caller holds f.mu.
func (f *File) refresh() error {
	info, err := os.Stat(f.path)
	if err != nil {
		return err
	}
	if f.last != nil && f.last.isOf(info) {
		return nil
	}
	if !info.Mode().IsRegular() { // opening a pipe could block for ever
		return &fs.PathError{Op: "read", Path: f.path, Err: errors.New("not a regular file")}
	}
	now := time.Now()
	data, err := readBounded(f.path, f.limit)
	if err != nil {
		return err
	}
	// info is of before the reading: a change since then shows next time.
	f.last = &reading{data: data}
	if now.Sub(info.ModTime()) > settled {
		f.last.info = info
	}
	return nil
}

// isOf reports whether a file with this info still holds what was read.
func (r *reading) isOf(info fs.FileInfo) bool {
	return r.info != nil && os.SameFile(info, r.info) && info.Size() == r.info.Size() && info.ModTime().Equal(r.info.ModTime())
}

// readBounded returns the content of a file, of 1 to limit bytes.
func readBounded(path string, limit int64) ([]byte, error) {
	r, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(data)) > limit:
		err = fmt.Errorf("it has more than %d bytes", limit)
	case len(data) == 0:
		err = errors.New("it is empty")
	}
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	return data, nil
}
