package httpclient

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"
)

// Bounds of files, in bytes.
const (
	maxValue = 64 << 10
	maxPEM   = 1 << 20
)

// settled is how old a modification must be for the next one to show in the
// file's time. Clocks of file systems tick up to every two seconds (FAT).
const settled = 2 * time.Second

// A file is one whose content is read again when it has changed. It is safe
// for concurrent use.
type file struct {
	option string // which names the file
	path   string
	limit  int64

	mu   sync.Mutex
	data []byte      // guarded by mu; the last good content, nil before the first
	info fs.FileInfo // guarded by mu; what data was read from, nil if it is to be read anyway
}

// newFile returns the file that an option names, or nil if it names none.
func newFile(option, path string, limit int64) *file {
	if path == "" {
		return nil
	}
	return &file{option: option, path: path, limit: limit}
}

// content returns the last good content. The caller must not change it.
func (f *file) content() ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.refresh(); err != nil && f.data == nil {
		return nil, fmt.Errorf("%s: %w", f.option, err)
	}
	return f.data, nil
}

// refresh reads the file if it has changed. The caller holds f.mu.
func (f *file) refresh() error {
	info, err := os.Stat(f.path)
	if err != nil {
		return err
	}
	if f.info != nil && os.SameFile(info, f.info) && info.Size() == f.info.Size() && info.ModTime().Equal(f.info.ModTime()) {
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
	f.data, f.info = data, nil
	if now.Sub(info.ModTime()) > settled {
		f.info = info
	}
	return nil
}

// readBounded returns the content of a file, of 1 to limit bytes. An empty
// file is most likely about to be written.
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

// trimLineEnd returns s without one line end at its end.
func trimLineEnd(s string) string {
	return strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r")
}
