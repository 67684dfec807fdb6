//go:build !sidestream_noembed

package embedded

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go"
)

// A disk can be filled, and have room again.
type disk struct {
	dir  string
	fill func() error
	room func() error
}

// When the disk is full nothing is acknowledged, nothing that was is lost, and
// when there is room again the server comes back by itself.
func TestDiskFull(t *testing.T) {
	t.Run("limit of a file's size", func(t *testing.T) { testDiskFull(t, limitedFiles(t)) })
	if inNamespace(t, "^TestDiskFull$/^file_system$") {
		t.Run("file system", func(t *testing.T) { testDiskFull(t, smallDisk(t)) })
	}
}

func testDiskFull(t *testing.T, d disk) {
	t.Helper()
	o := options(t)
	o.Dir = filepath.Join(d.dir, "history")
	s := open(t, o)
	awaitReason(t, s, "")
	js := connect(t, s)
	createStream(t, js)
	publish(t, js, 100)
	if err := d.fill(); err != nil {
		t.Fatal(err)
	}
	seq := uint64(100)
	for {
		ack, err := js.Publish(t.Context(), "h.a", message(seq+1))
		if err != nil {
			break
		}
		if seq++; ack.Sequence != seq {
			t.Fatalf("got sequence %d, want %d", ack.Sequence, seq)
		}
	}
	awaitReason(t, s, reasonFull)
	if err := s.Trouble(); !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EFBIG) {
		t.Errorf("got %v, want the system's own error", err)
	}
	if err := d.room(); err != nil {
		t.Fatal(err)
	}
	awaitReason(t, s, "")
	awaitConnected(t, js.Conn())
	wantMessages(t, js, seq)
	publish(t, js, 100)
	wantMessages(t, js, seq+100)
}

func TestReadOnly(t *testing.T) {
	if !inNamespace(t, "^TestReadOnly$") {
		return // it has run there
	}
	d := smallDisk(t)
	o := options(t)
	o.Dir = filepath.Join(d.dir, "history")
	remount := func(flags uintptr) {
		if err := syscall.Mount("", d.dir, "", syscall.MS_REMOUNT|flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	remount(syscall.MS_RDONLY)
	s := open(t, o)
	awaitReason(t, s, reasonUnwritable)
	remount(0)
	awaitReason(t, s, "")
}

// There is no port, nor any other socket.
func TestNoSockets(t *testing.T) {
	before := sockets(t)
	s := open(t, options(t))
	awaitReason(t, s, "")
	createStream(t, connect(t, s))
	if got := sockets(t); got != before {
		t.Errorf("got %d sockets, want %d as before", got, before)
	}
}

func sockets(t *testing.T) int {
	t.Helper()
	paths, err := filepath.Glob("/proc/self/fd/*")
	if err != nil || len(paths) == 0 {
		t.Fatalf("got %d descriptors and %v, want some", len(paths), err)
	}
	var n int
	for _, path := range paths {
		if to, err := os.Readlink(path); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

// limitedFiles is a disk on which no file grows beyond some size when it is
// full.
func limitedFiles(t *testing.T) disk {
	t.Helper()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	d := disk{
		dir: t.TempDir(),
		fill: func() error {
			return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 256 << 10, Max: before.Max})
		},
		room: func() error { return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before) },
	}
	t.Cleanup(func() {
		if err := d.room(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// smallDisk is a file system of a few megabytes, in the namespace of
// [inNamespace].
func smallDisk(t *testing.T) disk {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Fatalf("mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	ballast := filepath.Join(dir, "ballast")
	return disk{
		dir:  dir,
		fill: func() error { return os.WriteFile(ballast, make([]byte, 7<<20), 0o600) },
		room: func() error { return os.Remove(ballast) },
	}
}

// namespaceVariable says that the process has namespaces of its own.
const namespaceVariable = "SIDESTREAM_EMBEDDED_TEST_NAMESPACE"

// inNamespace reports whether the process may mount file systems that nobody
// else sees. If not, it runs the test in one that may, unless the kernel
// refuses to make such.
func inNamespace(t *testing.T, pattern string) bool {
	t.Helper()
	if os.Getenv(namespaceVariable) != "" {
		return true
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run="+pattern, "-test.v")
	child.Env = append(os.Environ(), namespaceVariable+"=1")
	child.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := child.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		t.Errorf("in a namespace of its own: %v\n%s", err, out)
	case err != nil:
		t.Logf("no namespaces here: %v", err)
	}
	return false
}

func awaitConnected(t *testing.T, conn *nats.Conn) {
	t.Helper()
	changed := conn.StatusChanged(nats.CONNECTED)
	if conn.Status() != nats.CONNECTED {
		<-changed
	}
}
