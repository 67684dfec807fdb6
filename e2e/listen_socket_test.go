package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// Sockets on both sides: clients, the application, its polls and the admin
// pages, all without a port.
func TestSockets(t *testing.T) {
	dir := t.TempDir()
	public, admin, behind := filepath.Join(dir, "http.sock"), filepath.Join(dir, "admin.sock"), filepath.Join(dir, "app.sock")
	var version atomic.Int64
	atSocket(t, behind, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/doc.json" {
			_, _ = fmt.Fprintf(w, `{"v": %d}`, version.Load())
			return
		}
		_, _ = fmt.Fprint(w, r.Host, " ", r.RequestURI)
	})
	config := filepath.Join(dir, "routes.yaml")
	writeFile(t, config, fmt.Sprintf(`
listen: {address: "unix:%s", mode: "0600"}
admin: unix:%s
upstream: unix:%s
drain: {window: 100ms, timeout: 1s}
routes: [{path: /doc.json, poll: {every: 20ms}}]
`, public, admin, behind))
	start := func() *process {
		t.Helper()
		p := launch(t, os.Getenv(binaryVar), "serve", "--config", config)
		wait(t, "sidestream ready", func() (any, bool) {
			code, _ := curl(t, "--unix-socket", admin, "-o", "/dev/null", "-w", "%{http_code}", "http://x/readyz")
			return code + p.output.tail(1000), code == "200"
		})
		return p
	}
	p := start()
	if got, _ := curl(t, "--unix-socket", public, "http://app.example:81/a?b"); got != "app.example:81 /a?b" {
		t.Errorf("got %q, want the application's answer, with the host that was asked", got)
	}
	if info, err := os.Stat(public); err != nil || info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("got %v, %v, want a socket of mode 600", info.Mode(), err)
	}
	stream := launch(t, "curl", "-sSN", "--unix-socket", public, "-H", "Accept: text/event-stream", "http://x/doc.json")
	for v := range int64(3) {
		version.Store(v)
		want := fmt.Sprintf(`data: {"v":%d}`, v)
		wait(t, want, func() (any, bool) { return stream.output.String(), strings.Contains(stream.output.String(), want) })
	}

	_, stderr, code := run(t, "serve", "--config", config)
	if code != 1 || !strings.Contains(stderr, public+": another process listens there") {
		t.Errorf("a second one: got code %d and %q, want 1 and that the socket is taken", code, stderr)
	}
	p.kill()
	if _, err := os.Lstat(public); err != nil {
		t.Fatalf("got %v, want the socket that a killed process leaves behind", err)
	}
	p = start()
	if got, _ := curl(t, "--unix-socket", public, "http://x/doc.json"); got != `{"v": 2}` {
		t.Errorf("got %q from the next one, want the document", got)
	}
	p.signal(t, syscall.SIGTERM)
	if code := p.exitCode(t); code != 0 {
		t.Errorf("got code %d, want 0", code)
	}
	for _, path := range []string{public, admin} {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: got %v after the end, want no file", filepath.Base(path), err)
		}
	}

	// By flags, in place of the table's.
	other := filepath.Join(dir, "other.sock")
	launch(t, os.Getenv(binaryVar), "serve", "--config", config, "--listen", "unix:"+other, "--admin", "off")
	wait(t, "an answer at the flag's socket", func() (any, bool) {
		got, _ := curl(t, "--unix-socket", other, "http://x/doc.json")
		return got, got == `{"v": 2}`
	})
	if _, err := os.Lstat(public); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want no file for the table's socket", err)
	}
}
