package proxy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"
)

// knock bounds the time in which whoever listens at a socket takes a
// connection.
const knock = 2 * time.Second

// listenSocket listens at a Unix-domain socket with this path, in place of one
// that a process has left behind. mode is that of its file; 0 is what the umask
// leaves. The file goes away when the listener is closed.
func listenSocket(ctx context.Context, path string, mode FileMode) (net.Listener, error) {
	if err := clearSocket(ctx, path); err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	if mode != 0 {
		lc.Control = narrow(mode) // below it gets the bits that the umask takes
	}
	ln, err := lc.Listen(ctx, "unix", path)
	if err != nil || mode == 0 {
		return ln, err
	}
	if err := os.Chmod(path, fs.FileMode(mode)); err != nil {
		_ = ln.Close()
		return nil, err
	}
	return ln, nil
}

// clearSocket removes the socket at path if there is one where nobody listens,
// and returns why there can't be another one, or nil.
func clearSocket(ctx context.Context, path string) error {
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is there, and is no socket; remove it, or choose another path", path)
	}
	ctx, cancel := context.WithTimeout(ctx, knock)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		_ = conn.Close()
		return fmt.Errorf("%s: another process listens there", path)
	case errors.Is(err, syscall.ECONNREFUSED):
		return os.Remove(path)
	default: // it may be another user's, or have no room
		return fmt.Errorf("%s is there, and there is no telling whether a process listens: %w", path, err)
	}
}
