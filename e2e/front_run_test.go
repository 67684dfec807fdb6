package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"
)

// A frontSetup is a way to set up a proxy between clients and Sidestream.
type frontSetup struct {
	name    string   // of its configuration in the document
	replace []string // pairs of what stands there and what the test wants
	kind    frontKind
	tls     bool // it takes HTTPS, with HTTP/2 and HTTP/1.1, and else HTTP/1.1
}

// A front is a proxy that runs between clients and Sidestream.
type front struct {
	*process
	frontSetup
	tb      testing.TB // with which it ends, whoever starts it again
	dir     string
	address string // host:port
	url     string // http:// or https://
	target  string // the URL of what is behind
	roots   *x509.CertPool
}

// startFront runs a proxy in front of the server at target.
func startFront(tb testing.TB, setup frontSetup, target string) *front {
	tb.Helper()
	f := &front{frontSetup: setup, tb: tb, dir: tb.TempDir(), target: target, roots: x509.NewCertPool()}
	f.address = net.JoinHostPort("127.0.0.1", strconv.Itoa(freePort(tb)))
	f.url = "http://" + f.address
	if f.tls {
		f.url = "https://" + f.address
		ca := newAuthority(tb)
		own := ca.issue(tb, time.Hour, "127.0.0.1")
		f.roots.AddCert(ca.cert)
		f.write(tb, "crt", own.cert)
		f.write(tb, "key", own.key)
		f.write(tb, "pem", own.cert+own.key)
	}
	f.start(tb)
	return f
}

// start runs the program, again if it was killed.
func (f *front) start(tb testing.TB) {
	tb.Helper()
	command := f.kind.configure(tb, f)
	f.process = launchGroup(f.tb, command[0], command[1:]...)
	wait(tb, f.name+" listening", func() (any, bool) {
		if !f.running() {
			tb.Fatalf("got the end of %s, want it running", f.name)
		}
		conn, err := net.Dial("tcp", f.address)
		if err != nil {
			return err, false
		}
		defer conn.Close()
		if f.tls { // which may not be set up yet
			err = tls.Client(conn, &tls.Config{RootCAs: f.roots, ServerName: "127.0.0.1"}).HandshakeContext(tb.Context())
		}
		return err, err == nil
	})
}

// crash kills the program, and returns when all of it is gone.
func (f *front) crash(tb testing.TB) {
	tb.Helper()
	f.kill()
	wait(tb, "nobody listening in place of "+f.name, func() (any, bool) {
		conn, err := net.Dial("tcp", f.address)
		if err != nil {
			return nil, true
		}
		_ = conn.Close()
		return "a connection", false
	})
}

// snippet returns the document's configuration for this proxy, or a part of
// it, with addresses and whatever the setup replaces.
func (f *front) snippet(tb testing.TB, part string, addresses ...string) string {
	tb.Helper()
	replace := addresses
	if part != " dynamic" {
		replace = append(f.replace[:len(f.replace):len(f.replace)], addresses...)
	}
	return snippet(tb, f.name+part, replace...)
}

func (f *front) write(tb testing.TB, name, text string) {
	tb.Helper()
	writeFile(tb, f.file(name), text)
}

func (f *front) read(tb testing.TB, name string) string {
	tb.Helper()
	text, err := os.ReadFile(f.file(name))
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// protocols are those that clients can speak with it.
func (f *front) protocols() []string {
	if f.tls {
		return []string{"HTTP/1.1", "HTTP/2.0"}
	}
	return []string{"HTTP/1.1"}
}

// transport returns a transport for a protocol that trusts the proxy, which
// ends with the test.
func (f *front) transport(tb testing.TB, protocol string) *http.Transport {
	tb.Helper()
	return transportTo(tb, protocol, f.roots)
}

// transportTo returns a transport for HTTP/1.1 or, over TLS, HTTP/2.0, which
// ends with the test.
func transportTo(tb testing.TB, protocol string, roots *x509.CertPool) *http.Transport {
	tb.Helper()
	var protocols http.Protocols
	protocols.SetHTTP1(protocol == "HTTP/1.1")
	protocols.SetHTTP2(protocol == "HTTP/2.0")
	transport := &http.Transport{Protocols: &protocols, DisableCompression: true, TLSClientConfig: &tls.Config{RootCAs: roots}}
	tb.Cleanup(transport.CloseIdleConnections)
	return transport
}

// client returns an EventSource of the proxy's path, as a browser is one: it
// takes compressed answers.
func (f *front) client(tb testing.TB, protocol, path string, id ...string) *client {
	tb.Helper()
	c := newClient(tb, f.url+path, id...)
	c.header.Set("Accept-Encoding", "gzip")
	c.transport = f.transport(tb, protocol)
	return c
}

// summary tells of a client's newest connections and events.
func (c *client) summary() string {
	conns, messages := c.conns(), c.messages()
	latest := c.latest()
	return fmt.Sprintf("%d connections, the newest with status %d, %s, %v, ended %v; %d events, messages %.300s",
		len(conns), latest.status, latest.protocol, latest.header, !latest.ended.IsZero(), len(c.events()), fmt.Sprint(messages))
}
