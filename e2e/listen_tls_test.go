package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sidestream/proxy/eventstream"
)

// curl runs it to its end and returns what it has printed, and its exit code.
func curl(t *testing.T, args ...string) (stdout string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "curl", append([]string{"-sS"}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatalf("curl: %v (setup.sh installs what the tests need)", err)
	}
	t.Logf("curl %q: code %d %s", args, cmd.ProcessState.ExitCode(), errs.String())
	return out.String(), cmd.ProcessState.ExitCode()
}

// mounted are files of TLS as Kubernetes mounts a secret: links into ..data,
// which is a link to a directory, and is replaced.
type mounted struct {
	dir     string
	version int
}

func mount(t *testing.T, files map[string]string) *mounted {
	t.Helper()
	m := &mounted{dir: t.TempDir()}
	m.replace(t, files)
	for name := range files {
		if err := os.Symlink(filepath.Join("..data", name), m.path(name)); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func (m *mounted) path(name string) string { return filepath.Join(m.dir, name) }

func (m *mounted) replace(t *testing.T, files map[string]string) {
	t.Helper()
	m.version++
	version := fmt.Sprintf("..v%d", m.version)
	for name, content := range files {
		writeFile(t, filepath.Join(m.dir, version, name), content)
	}
	next := m.path("..data.next")
	if err := os.Symlink(version, next); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, m.path("..data")); err != nil {
		t.Fatal(err)
	}
}

func (c issued) files() map[string]string {
	return map[string]string{"tls.crt": c.cert, "tls.key": c.key}
}

// trust is the configuration of a client that trusts an authority.
func (a *authority) trust() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &tls.Config{RootCAs: pool}
}

// R12: by TLS it is HTTP/2 for who can speak it, and HTTP/1.1 otherwise; not
// below the version that is configured. Without TLS, who knows that HTTP/2 is
// spoken gets that. What is over a limit is answered, whatever is spoken.
func TestListenTLS(t *testing.T) {
	n := startNginx(t)
	n.put(t, "/doc.json", `{"v": 1}`)
	ca := newAuthority(t)
	files := mount(t, ca.issue(t, time.Hour, "127.0.0.1").files())
	files.replace(t, ca.issue(t, time.Hour, "127.0.0.1").files()) // before anybody looks
	writeFile(t, files.path("ca.crt"), ca.pem)
	secure, plain := fmt.Sprintf("127.0.0.1:%d", freePort(t)), fmt.Sprintf("127.0.0.1:%d", freePort(t))
	serveAt(t, "https://"+secure, fmt.Sprintf(`
listen:
  - {address: "%s", tls: {cert: %[3]s/tls.crt, key: %[3]s/tls.key, min_version: "1.3"}}
  - %[2]s
limits: {header_bytes: 8KiB}
upstream: %[4]s
routes: [{path: /doc.json, poll: {}}]
`, secure, plain, files.dir, n.url))

	trusting := []string{"--cacert", files.path("ca.crt"), "-o", "/dev/null", "-w", "%{http_version} %{http_code}"}
	var many []string
	for i := range 16 { // HTTP/1.1 gets 4KiB more than the limit
		many = append(many, "-H", fmt.Sprintf("X-%d: %s", i, strings.Repeat("v", 1000)))
	}
	for _, tt := range []struct {
		name string
		args []string
		want string
		code int
	}{
		{"HTTP/2", []string{"https://" + secure + "/doc.json"}, "2 200", 0},
		{"HTTP/1.1", []string{"--http1.1", "https://" + secure + "/doc.json"}, "1.1 200", 0},
		{"HTTP/2 without TLS", []string{"--http2-prior-knowledge", "http://" + plain + "/doc.json"}, "2 200", 0},
		{"HTTP/1.1 without TLS", []string{"http://" + plain + "/doc.json"}, "1.1 200", 0},
		{"an older TLS", []string{"--tls-max", "1.2", "https://" + secure + "/doc.json"}, "0 000", 35},
		{"no TLS at all", []string{"http://" + secure + "/doc.json"}, "1 400", 0},
		{"too many headers by HTTP/2", slices.Concat(many, []string{"https://" + secure + "/doc.json"}), "2 431", 0},
		{"too many headers by HTTP/1.1", slices.Concat(many, []string{"--http1.1", "https://" + secure + "/doc.json"}), "1.1 431", 0},
		{"too many headers without TLS", slices.Concat(many, []string{"http://" + plain + "/doc.json"}), "1.1 431", 0},
	} {
		got, code := curl(t, slices.Concat(trusting, tt.args)...)
		if got != tt.want || code != tt.code {
			t.Errorf("%s: got %q and code %d, want %q and %d", tt.name, got, code, tt.want, tt.code)
		}
	}
	for _, version := range []string{"--http2", "--http1.1"} {
		p := launch(t, "curl", "-sSN", version, "--cacert", files.path("ca.crt"), "-H", "Accept: text/event-stream", "https://"+secure+"/doc.json")
		wait(t, "the document by curl "+version, func() (any, bool) {
			return p.output.String(), strings.Contains(p.output.String(), `data: {"v":1}`)
		})
	}
}

// Who has no certificate of the authority that is configured gets no answer.
func TestListenClientCertificates(t *testing.T) {
	n := startNginx(t)
	n.put(t, "/doc.json", `{"v": 1}`)
	ca, others := newAuthority(t), newAuthority(t)
	files := mount(t, ca.issue(t, time.Hour, "127.0.0.1").files())
	for name, content := range map[string]string{"ca.crt": ca.pem, "others.crt": others.pem} {
		writeFile(t, files.path(name), content)
	}
	for name, by := range map[string]*authority{"known": ca, "stranger": others} {
		c := by.issue(t, time.Hour)
		writeFile(t, files.path(name+".crt"), c.cert)
		writeFile(t, files.path(name+".key"), c.key)
	}
	address := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	serveAt(t, "https://"+address, fmt.Sprintf(`
listen: {address: "%s", tls: {cert: %[2]s/tls.crt, key: %[2]s/tls.key, client_ca: %[2]s/ca.crt}}
upstream: %s
`, address, files.dir, n.url))
	for _, version := range []string{"--http2", "--http1.1"} {
		for who, want := range map[string]string{"": "", "known": `{"v": 1}`, "stranger": ""} {
			args := []string{version, "--cacert", files.path("ca.crt"), "https://" + address + "/doc.json"}
			if who != "" {
				args = append(args, "--cert", files.path(who+".crt"), "--key", files.path(who+".key"))
			}
			got, code := curl(t, args...)
			if got != want || (code == 0) != (want != "") {
				t.Errorf("%s, certificate %q: got %q and code %d, want %q", version, who, got, code, want)
			}
		}
	}
}

// A certificate that is replaced is that of new connections from then on.
// Streams that are open live on, and nobody has to come back.
func TestListenCertificateReplaced(t *testing.T) {
	n := startNginx(t)
	n.put(t, "/doc.json", `{"v": 0}`)
	ca := newAuthority(t)
	first, second := ca.issue(t, time.Hour, "127.0.0.1"), ca.issue(t, time.Hour, "127.0.0.1")
	files := mount(t, first.files())
	address := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	s := serveAt(t, "https://"+address, fmt.Sprintf(`
listen: {address: "%s", tls: {cert: %[2]s/tls.crt, key: %[2]s/tls.key}}
upstream: %s
routes: [{path: /doc.json, live_marker: false, poll: {every: 20ms}}]
`, address, files.dir, n.url))

	presented := func() issued {
		t.Helper()
		conn, err := tls.Dial("tcp", address, ca.trust())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return issued{cert: pemOf("CERTIFICATE", conn.ConnectionState().PeerCertificates[0].Raw)}
	}
	var streams []*eventstream.Decoder
	for _, h2 := range []bool{true, false} {
		transport := &http.Transport{TLSClientConfig: ca.trust(), ForceAttemptHTTP2: h2}
		if !h2 {
			transport.TLSClientConfig.NextProtos = []string{"http/1.1"}
		}
		t.Cleanup(transport.CloseIdleConnections)
		req := request(t, http.MethodGet, s.url+"/doc.json")
		req.Header.Set("Accept", "text/event-stream")
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		if (resp.ProtoMajor == 2) != h2 {
			t.Errorf("got a stream by %s, want HTTP/2: %v", resp.Proto, h2)
		}
		streams = append(streams, eventstream.NewDecoder(resp.Body, nil))
	}
	hear := func(v int) {
		t.Helper()
		n.put(t, "/doc.json", fmt.Sprintf(`{"v": %d}`, v))
		want := fmt.Sprintf(`{"v":%d}`, v)
		for _, stream := range streams {
			e, err := stream.Next()
			for ; err == nil && string(e.Data) != want; e, err = stream.Next() { // an earlier one
			}
			if err != nil {
				t.Fatalf("got %v, want the event %s", err, want)
			}
		}
	}
	hear(1)
	if presented().cert != first.cert {
		t.Error("got another certificate, want the first")
	}
	files.replace(t, second.files())
	if presented().cert != second.cert {
		t.Error("got another certificate after it was replaced, want the second")
	}
	hear(2)
	files.replace(t, map[string]string{"tls.crt": first.cert, "tls.key": second.key})
	if presented().cert != second.cert {
		t.Error("got another certificate after one without its key, want the last good one")
	}
	s.awaitLog(t, "the TLS files can't be used; those before stay in use", 1)
	hear(3)
	if got := len(s.logged("client connected")); got != len(streams) {
		t.Errorf("got %d clients that came, want %d, each once", got, len(streams))
	}
}

// A certificate that isn't there at the start is an error that says so.
func TestListenWithoutCertificate(t *testing.T) {
	config := filepath.Join(t.TempDir(), "routes.yaml")
	writeFile(t, config, `{listen: {address: "127.0.0.1:0", tls: {cert: /none/tls.crt, key: /none/tls.key}}, upstream: "http://127.0.0.1:1"}`)
	_, stderr, code := run(t, "serve", "--config", config, "--admin", "off")
	if want := "listen[0].tls.cert: stat /none/tls.crt: no such file"; code != 1 || !strings.Contains(stderr, want) {
		t.Errorf("got code %d and %q, want 1 and %q", code, stderr, want)
	}
	if _, stderr, code := run(t, "validate", config); code != 0 {
		t.Errorf("validate: got code %d and %q, want 0: a table may be checked elsewhere", code, stderr)
	}
}

// subjectKey returns the DER form of a certificate's public key.
func subjectKey(t *testing.T, c issued) []byte {
	t.Helper()
	block, _ := pem.Decode([]byte(c.cert))
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return leaf.RawSubjectPublicKeyInfo
}

// atSocket starts an application in Go at a socket.
func atSocket(t *testing.T, path string, h http.HandlerFunc) {
	t.Helper()
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(ln)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
	})
}
