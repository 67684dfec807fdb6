package proxy

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long a file must stay quiet before it is read: editors and
// kubelets write in several steps.
const settle = 100 * time.Millisecond

// Watch calls changed, one call at a time, whenever the content of the file
// called name has changed, until ctx is done. It follows the directory, not
// the file, since editors replace files and a kubelet replaces a ConfigMap by
// renaming the symbolic link "..data" beside it.
func Watch(ctx context.Context, name string, changed func()) error {
	return watch(ctx, name, func() {}, changed)
}

// watch is Watch that says when nothing will be missed any more.
func watch(ctx context.Context, name string, started, changed func()) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	defer w.Close()
	if err := w.Add(filepath.Dir(name)); err != nil {
		return err
	}
	last, _ := os.ReadFile(name)
	started()
	quiet := time.NewTimer(0)
	defer quiet.Stop()
	for {
		select {
		case <-w.Events:
			quiet.Reset(settle)
		case err := <-w.Errors:
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return err
			}
			quiet.Reset(settle) // something was missed: look
		case <-quiet.C:
			// A file that is gone for a moment is being replaced.
			now, err := os.ReadFile(name)
			if err == nil && !bytes.Equal(now, last) {
				last = now
				changed()
			}
		case <-ctx.Done():
			return nil
		}
	}
}
