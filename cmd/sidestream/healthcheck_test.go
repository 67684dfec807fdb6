package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// serveHealth answers on ln as an admin listener does whose server is well, but
// drains. asked counts the questions.
func serveHealth(t *testing.T, ln net.Listener) (asked *atomic.Int64) {
	t.Helper()
	asked = new(atomic.Int64)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = w.Write([]byte("ok\n"))
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	server := &httptest.Server{Listener: ln, Config: &http.Server{Handler: mux}}
	server.Start()
	t.Cleanup(server.Close)
	return asked
}

func listenOn(t *testing.T, network, address string) net.Listener {
	t.Helper()
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

func runHealthcheck(t *testing.T, args ...string) error {
	t.Helper()
	root := newRoot()
	root.SetArgs(append([]string{"healthcheck"}, args...))
	return root.ExecuteContext(t.Context())
}

func TestHealthcheck(t *testing.T) {
	ln := listenOn(t, "tcp", "127.0.0.1:0")
	asked := serveHealth(t, ln)
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	// A proxy isn't asked, were there one.
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	for _, address := range []string{"127.0.0.1:" + port, ":" + port, "0.0.0.0:" + port, "localhost:" + port} {
		if err := runHealthcheck(t, "--admin", address); err != nil {
			t.Errorf("%s: got error %v, want none", address, err)
		}
	}
	if got := asked.Load(); got != 4 {
		t.Errorf("got %d requests, want 4", got)
	}

	t.Setenv("SIDESTREAM_ADMIN", "127.0.0.1:"+port)
	if err := runHealthcheck(t); err != nil {
		t.Errorf("by SIDESTREAM_ADMIN: got error %v, want none", err)
	}
	err = runHealthcheck(t, "--ready")
	if want := "/readyz at 127.0.0.1:" + port + ": the answer is 503 Service Unavailable, not 200"; err == nil || err.Error() != want {
		t.Errorf("not ready: got error %v, want %q", err, want)
	}
}

func TestHealthcheckUnixSocket(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "admin.sock")
	asked := serveHealth(t, listenOn(t, "unix", socket))
	if err := runHealthcheck(t, "--admin", "unix:"+socket); err != nil {
		t.Errorf("got error %v, want none", err)
	}
	if got := asked.Load(); got != 1 {
		t.Errorf("got %d requests, want 1", got)
	}
}

func TestHealthcheckFails(t *testing.T) {
	silent := listenOn(t, "tcp", "127.0.0.1:0") // its kernel accepts, and nobody answers
	defer silent.Close()
	gone := listenOn(t, "tcp", "127.0.0.1:0")
	_ = gone.Close()
	redirects := httptest.NewServer(http.RedirectHandler("http://127.0.0.1:1/", http.StatusFound))
	defer redirects.Close()
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--admin", gone.Addr().String()}, "connection refused"},
		{[]string{"--admin", silent.Addr().String(), "--timeout", "50ms"}, "/healthz at " + silent.Addr().String() + ": no answer within 50ms"},
		{[]string{"--admin", redirects.Listener.Addr().String()}, "the answer is 302 Found, not 200"},
		{[]string{"--admin", "unix:" + filepath.Join(t.TempDir(), "none.sock")}, "no such file"},
		{[]string{"--admin", "unix:"}, "names no socket"},
		{[]string{"--admin", "off"}, "the admin listener is off"},
		{[]string{"--admin", "9090"}, `--admin: "9090" is neither host:port nor unix:/path`},
		{[]string{"--admin", "localhost:"}, "is neither host:port"},
		{[]string{"--timeout", "0s"}, "--timeout: 0s is no time to wait"},
		{[]string{"--timeout", "soon"}, "--timeout"},
		{[]string{"now"}, "unknown command"},
	} {
		if err := runHealthcheck(t, tt.args...); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: got error %v, want one with %q", tt.args, err, tt.want)
		}
	}
}

func TestDialable(t *testing.T) {
	for addr, want := range map[string]string{
		":9090":                "tcp 127.0.0.1:9090",
		"0.0.0.0:9090":         "tcp 127.0.0.1:9090",
		"[::]:9090":            "tcp [::1]:9090",
		"10.0.0.7:9090":        "tcp 10.0.0.7:9090",
		"[fd00::7]:9090":       "tcp [fd00::7]:9090",
		"localhost:http":       "tcp localhost:http",
		"unix:/run/admin.sock": "unix /run/admin.sock",
		"unix:admin.sock":      "unix admin.sock",
	} {
		network, address, err := dialable(addr)
		if got := network + " " + address; got != want || err != nil {
			t.Errorf("%s: got %s, error %v; want %s", addr, got, err, want)
		}
	}
}
