package main

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

// watch calls changed, one call at a time, whenever the content of the file
// called name is another than the last one, until ctx is done. It follows the
// directory, not the file, since editors replace files and a kubelet replaces
// a ConfigMap by renaming the symbolic link "..data" beside it.
func watch(ctx context.Context, name string, last []byte, changed func(content []byte)) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	defer w.Close()
	if err := w.Add(filepath.Dir(name)); err != nil {
		return err
	}
	quiet := time.NewTimer(0) // it may have changed since it was read
	defer quiet.Stop()
	var since time.Time // when the first event came that wasn't looked into
	for {
		select {
		case <-w.Events:
			if since.IsZero() {
				since = time.Now()
			}
			// Not for ever: a neighbour may be written all the time.
			quiet.Reset(min(settle, time.Until(since.Add(10*settle))))
		case err := <-w.Errors:
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return err
			}
			quiet.Reset(settle) // something was missed: look
		case <-quiet.C:
			since = time.Time{}
			// A file that is gone for a moment is being replaced.
			now, err := os.ReadFile(name)
			if err == nil && !bytes.Equal(now, last) {
				last = now
				changed(now)
			}
		case <-ctx.Done():
			return nil
		}
	}
}
