//go:build unix

package proxy

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// overSocket is a client that connects to the socket at path.
func overSocket(path string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		},
		DisableKeepAlives: true,
	}}
}

// Several listeners are served at once, each as if it were alone.
func TestServeAtSockets(t *testing.T) {
	dir := t.TempDir()
	admin := filepath.Join(dir, "admin.sock")
	sockets := map[string]int{admin: http.StatusOK} // with what they answer
	var public []string
	for _, name := range []string{"a", "b", "c", "d"} {
		path := filepath.Join(dir, name+".sock")
		public, sockets[path] = append(public, "unix:"+path), http.StatusNotFound
	}
	config := &Config{Limits: defaultLimits()}
	if err := config.ListenAt(public, "unix:"+admin); err != nil {
		t.Fatal(err)
	}
	l, err := Listen(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	server := New(config, Settings{})
	go func() { done <- server.Run(ctx, l) }()
	for path, want := range sockets {
		resp, err := overSocket(path).Get("http://x/readyz")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: got status %d, want %d", filepath.Base(path), resp.StatusCode, want)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	for path := range sockets {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: got %v after the server has ended, want no file", filepath.Base(path), err)
		}
	}
}

// A socket that a process has left behind is replaced, one at which somebody
// listens isn't, and neither is another file.
func TestSocketIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "http.sock")
	first, err := listenSocket(t.Context(), path, 0)
	if err != nil {
		t.Fatal(err)
	}
	if ln, err := listenSocket(t.Context(), path, 0); err == nil || !strings.Contains(err.Error(), "another process listens there") {
		if err == nil {
			ln.Close()
		}
		t.Errorf("somebody listens: got error %v, want one that says so", err)
	}
	first.(*net.UnixListener).SetUnlinkOnClose(false) // as a process that is killed
	first.Close()
	second, err := listenSocket(t.Context(), path, 0)
	if err != nil {
		t.Fatalf("nobody listens: got error %v, want the socket replaced", err)
	}
	second.Close()

	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listenSocket(t.Context(), path, 0); err == nil || !strings.Contains(err.Error(), "is no socket") {
		t.Errorf("a file: got error %v, want one that says so", err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "precious" {
		t.Errorf("a file: got %q, %v afterwards, want it untouched", data, err)
	}
	if _, err := listenSocket(t.Context(), filepath.Join(path, "below.sock"), 0); err == nil {
		t.Error("below a file: got no error, want one")
	}
}

// A socket has exactly the mode that is configured, and the way there never
// goes over one that lets in more.
func TestSocketMode(t *testing.T) {
	umask := syscall.Umask(0)
	syscall.Umask(umask)
	for _, tt := range []struct{ mode, want fs.FileMode }{
		{0, 0o777 &^ fs.FileMode(umask)},
		{0o600, 0o600},
		{0o660, 0o660},
		{0o666, 0o666},
	} {
		path := filepath.Join(t.TempDir(), "http.sock")
		ln, err := listenSocket(t.Context(), path, FileMode(tt.mode))
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		ln.Close()
		if err != nil || info.Mode().Perm() != tt.want {
			t.Errorf("mode %o: got %v, %v, want %o", tt.mode, info.Mode(), err, tt.want)
		}
	}

	path := filepath.Join(t.TempDir(), "http.sock")
	lc := net.ListenConfig{Control: narrow(0o600)}
	ln, err := lc.Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("when it comes to be: got %v, %v, want 600", info.Mode(), err)
	}
}

// An application at a socket is what any other is to those who ask: their host
// is passed on, bodies go both ways, and connections can be upgraded.
func TestApplicationAtSocket(t *testing.T) {
	dir := t.TempDir()
	serveApp := func(name string) *http.Server {
		ln, err := net.Listen("unix", filepath.Join(dir, name+".sock"))
		if err != nil {
			t.Fatal(err)
		}
		app := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Upgrade") != "" {
				upgrade(w)
				return
			}
			body, _ := io.ReadAll(r.Body)
			_, _ = io.WriteString(w, strings.Join([]string{name, r.Method, r.Host, r.RequestURI, string(body)}, " "))
		})}
		go func() { _ = app.Serve(ln) }()
		t.Cleanup(func() { _ = app.Close() })
		return app
	}
	one := serveApp("one")
	serveApp("two")
	public := filepath.Join(dir, "http.sock")
	config := parseBare(t, `{listen: "unix:`+public+`", admin: "off", upstream: "unix:`+dir+`/one.sock", routes: [`+
		`{path: "/two/{rest...}", upstream: "unix:`+dir+`/two.sock", bare: {}}]}`)
	l, err := Listen(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	server := New(config, Settings{})
	go func() { done <- server.Run(ctx, l) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}()

	ask := func(url, body string) (int, string) {
		t.Helper()
		resp, err := overSocket(public).Post(url, "text/plain", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(text)
	}
	for url, want := range map[string]string{
		"http://app.example:8080/a//b?c=%zz": "one POST app.example:8080 /a//b?c=%zz hello",
		"http://app.example/two/x":           "two POST app.example /two/x hello",
	} {
		if code, got := ask(url, "hello"); code != http.StatusOK || got != want {
			t.Errorf("%s: got %d %q, want 200 %q", url, code, got, want)
		}
	}

	conn, err := net.Dial("unix", public)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const request = "GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for buf := make([]byte, 1024); !strings.HasSuffix(got.String(), "\r\n\r\n"); {
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatalf("got %q, %v, want an upgrade", got.String(), err)
		}
		got.Write(buf[:n])
	}
	if status(got.String()) != "101" {
		t.Fatalf("got %q, want status 101", got.String())
	}
	echo := make([]byte, 5)
	if _, err := io.WriteString(conn, "ahoy!"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, echo); err != nil || string(echo) != "ahoy!" {
		t.Errorf("got %q, %v over the upgraded connection, want ahoy!", echo, err)
	}

	_ = one.Close()
	if code, _ := ask("http://x/gone", ""); code != http.StatusBadGateway {
		t.Errorf("nobody listens: got status %d, want 502", code)
	}
}

// upgrade changes to a protocol in which everything comes back.
func upgrade(w http.ResponseWriter) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	_, _ = io.Copy(conn, buffered)
}
