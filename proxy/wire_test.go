package proxy

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"sidestream/adapters/tlsfiles/tlstest"
)

// A wire is a connection to the public listener, of which everything that comes
// is kept.
type wire struct {
	net.Conn
	done chan struct{} // closed when the server has closed it

	mu  sync.Mutex
	got bytes.Buffer
}

// from is the server's end of a connection from an address.
type from struct {
	net.Conn
	addr net.Addr
}

func (c from) RemoteAddr() net.Addr { return c.addr }

// dialFrom connects to the public listener from an address, such as
// 192.0.2.1:4711; any other text is a socket's.
func (w *world) dialFrom(address string) net.Conn {
	w.t.Helper()
	var addr net.Addr = &net.UnixAddr{Net: "unix", Name: address}
	if at, err := netip.ParseAddrPort(address); err == nil {
		addr = net.TCPAddrFromAddrPort(at)
	}
	client, server := net.Pipe()
	conn, err := w.public.connect(w.t.Context(), client, from{server, addr})
	if err != nil {
		w.t.Fatal(err)
	}
	return conn
}

// forget empties the log.
func (w *world) forget() {
	synctest.Wait()
	w.log.Reset()
}

// wire connects from an address, says what is given, and reads.
func (w *world) wire(address, says string) *wire {
	w.t.Helper()
	return read(w.dialFrom(address), says)
}

// read says what is given on conn and reads whatever comes.
func read(conn net.Conn, says string) *wire {
	c := &wire{Conn: conn, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		if t, ok := conn.(*tls.Conn); ok && t.Handshake() != nil { // who waits for it doesn't count as waiting in the bubble
			_ = conn.Close()
			return
		}
		go func() { _, _ = io.WriteString(conn, says) }()
		_, _ = io.Copy(writerFunc(func(p []byte) (int, error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.got.Write(p)
		}), conn)
		_ = conn.Close()
	}()
	synctest.Wait()
	return c
}

func (c *wire) text() string {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.got.String()
}

// closed reports whether the server has closed the connection.
func (c *wire) closed() bool {
	synctest.Wait()
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

func (c *wire) hangUp() {
	_ = c.Close()
	<-c.done
	synctest.Wait()
}

// askStream is a request for the stream at /a.
const askStream = "GET /a HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n"

// status returns that of an answer in HTTP/1.1, such as "200"; "" for none.
func status(answer string) string {
	_, rest, _ := strings.Cut(answer, " ")
	code, _, _ := strings.Cut(rest, " ")
	return code
}

// certFiles are those of a listener.
type certFiles struct {
	dir       string
	authority *tlstest.Authority
}

// newCertFiles returns files with a certificate for the name "one", which is
// good for the first hour of a world.
func newCertFiles(t *testing.T) *certFiles {
	t.Helper()
	f := &certFiles{dir: t.TempDir()}
	synctest.Test(t, func(t *testing.T) {
		f.authority = tlstest.NewAuthority(t)
		f.issue(t, "one")
	})
	return f
}

// issue replaces the certificate by one for a name.
func (f *certFiles) issue(tb testing.TB, name string) {
	tb.Helper()
	cert, key := f.authority.Issue(tb, name)
	f.put(tb, "tls.crt", cert)
	f.put(tb, "tls.key", key)
}

func (f *certFiles) put(tb testing.TB, name, content string) {
	tb.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), []byte(content), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// options are those of tls for the files, without braces.
func (f *certFiles) options() string {
	return "cert: " + f.dir + "/tls.crt, key: " + f.dir + "/tls.key"
}

// trusting is the configuration of a client that takes any name.
func (f *certFiles) trusting(protocols ...string) *tls.Config {
	return &tls.Config{RootCAs: f.authority.Pool(), ServerName: "127.0.0.1", NextProtos: protocols}
}
