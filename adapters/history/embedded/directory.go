//go:build !sidestream_noembed

package embedded

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/gofrs/flock"

	"sidestream/adapters"
)

// A directory is the store's, held by this process.
type directory struct {
	path string
	lock *flock.Flock
}

// What the directory has, besides nats-server's "jetstream".
const (
	lockFile  = "lock" // held by the process that runs; never removed
	probeFile = "probe"
	rescueDir = "rescue"
)

// probeBytes is how much room there must be for the server to run. It is what
// a stream's index and a batch of usual messages need.
const probeBytes = 1 << 20

// claim makes the directory if it isn't there and takes it for this process.
// Release it.
func claim(path string) (*directory, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, explain(reasonUnwritable, err)
	}
	d := &directory{path: path, lock: flock.New(filepath.Join(path, lockFile))}
	ok, err := d.lock.TryLock()
	if err != nil {
		return nil, explain(reasonUnwritable, err)
	}
	if !ok {
		return nil, adapters.Transient(reasonInUse, fmt.Errorf("%s is locked", d.lock.Path()))
	}
	err = d.check()
	if err == nil {
		err = d.probe()
	}
	if err != nil {
		d.release()
		return nil, err
	}
	return d, nil
}

// release gives the directory to who wants it next. The file of the lock stays:
// another process may already have it open.
func (d *directory) release() {
	_ = d.lock.Close() // it ends with the file's descriptor in any case
}

// check returns an error if the directory is no longer the one that is held:
// it was removed, or another one was put or mounted in its place. The server
// wouldn't notice, and would go on to write where nobody can read.
func (d *directory) check() error {
	held, err := d.lock.Stat()
	if err != nil {
		return explain(reasonGone, err)
	}
	there, err := os.Stat(d.lock.Path())
	if err != nil {
		return explain(reasonGone, err)
	}
	if !os.SameFile(held, there) {
		return adapters.Transient(reasonGone, fmt.Errorf("%s is another one now", d.path))
	}
	return nil
}

// probe returns why nothing can be stored in the directory.
func (d *directory) probe() error {
	path := filepath.Join(d.path, probeFile)
	err := writeProbe(path)
	if err = errors.Join(err, os.Remove(path)); err != nil {
		return explain(reasonUnwritable, err)
	}
	return nil
}

// writeProbe writes what can't be compressed, and forces it out, since some
// file systems look for room only then.
func writeProbe(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	data := make([]byte, probeBytes)
	_, _ = rand.Read(data) // it never fails
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// explain returns err with the reason that it stands for, or else reason. It
// leaves alone an error that has one.
func explain(reason string, err error) error {
	var known *adapters.UpstreamError
	switch {
	case errors.As(err, &known):
		return err
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		reason = reasonFull
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.ENOTDIR):
		reason = reasonUnwritable
	}
	return adapters.Transient(reason, err)
}
