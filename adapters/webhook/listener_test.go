package webhook

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/tlsfiles/tlstest"
	"sidestream/adapters/webhook/verify"
)

// A sender that doesn't come to an end is cut off, and so is one who goes on
// with a body that is refused anyway.
func TestSlowSender(t *testing.T) {
	const timeout = 100 * time.Millisecond
	f := open(t, func(o *Options) {
		o.Timeout, o.ContentTypes = adapters.Duration(timeout), []string{"text/plain"}
	})
	var s sink
	server := httptest.NewServer(handler(f, s.receive))
	defer server.Close()
	for contentType, want := range map[string]int{"text/plain": http.StatusRequestTimeout, "image/png": http.StatusUnsupportedMediaType} {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
		must(t, err)
		defer conn.Close()
		must(t, conn.SetDeadline(time.Now().Add(5*time.Second)))
		fmt.Fprintf(conn, "POST /in HTTP/1.1\r\nHost: a\r\nContent-Type: %s\r\nContent-Length: 1000\r\n\r\n", contentType)
		dripping, stop := context.WithCancel(t.Context())
		var dripped sync.WaitGroup
		dripped.Go(func() { drip(dripping, conn) })
		from := bufio.NewReader(conn)
		answer, err := http.ReadResponse(from, nil)
		must(t, err)
		if answer.StatusCode != want || !answer.Close {
			t.Errorf("%s: got status %d, to be closed: %v; want %d, and the end of the connection", contentType, answer.StatusCode, answer.Close, want)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		if _, err := from.ReadByte(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: got error %v from the connection, want it closed by the server", contentType, err)
		}
		stop()
		dripped.Wait()
	}
	if len(s.got()) > 0 {
		t.Errorf("got %d events, want none", len(s.got()))
	}
}

// drip writes a byte now and then.
func drip(ctx context.Context, w io.Writer) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if _, err := io.WriteString(w, "x"); err != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// The deadline is that of a body: it doesn't cut off a request that waits to be
// delivered, nor the next one on its connection.
func TestTimeoutIsTheBodys(t *testing.T) {
	const timeout = 100 * time.Millisecond
	f := open(t, func(o *Options) { o.Timeout = adapters.Duration(timeout) })
	server := httptest.NewServer(handler(f, func(ctx context.Context, _ adapters.Vars, _ []adapters.Event) error {
		select {
		case <-time.After(3 * timeout): // more than the body may take
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}))
	defer server.Close()
	client := server.Client()
	for range 2 {
		answer, err := client.Post(server.URL+"/in", "text/plain", strings.NewReader("1"))
		if err != nil {
			t.Fatalf("got error %v, want an answer", err)
		}
		if got := text(answer); answer.StatusCode != http.StatusNoContent {
			t.Errorf("got status %d (%s), want 204", answer.StatusCode, got)
		}
		answer.Body.Close()
	}
}

// A listener's certificates are those of its files as they are, and it lets
// nobody in without one where it has authorities for clients.
func TestTLS(t *testing.T) {
	var (
		dir       = t.TempDir()
		server    = tlstest.NewAuthority(t)
		clients   = tlstest.NewAuthority(t)
		file      = func(name string) string { return filepath.Join(dir, name) }
		write     = func(name, text string) { must(t, os.WriteFile(file(name), []byte(text), 0o600)) }
		writePair = func(a *tlstest.Authority, name string) {
			cert, key := a.Issue(t, name)
			write("cert.pem", cert)
			write("key.pem", key)
		}
	)
	f := open(t, func(o *Options) {
		o.Listen = Listen{Address: ":0", TLS: TLS{Cert: file("cert.pem"), Key: file("key.pem"), ClientCA: file("ca.pem"), MinVersion: "1.3"}}
		o.Verify = verify.Options{MTLS: &verify.MTLS{Names: []string{"sender"}}}
	})
	ingest := f.Ingest()
	if _, err := ingest.TLS(); err == nil || !strings.Contains(err.Error(), "listen.tls.cert") {
		t.Errorf("got error %v without files, want one that names the option", err)
	}
	writePair(server, "first")
	write("ca.pem", clients.PEM())
	first, err := ingest.TLS()
	must(t, err)
	if again, err := ingest.TLS(); err != nil || again != first {
		t.Errorf("got another configuration (%v) for the same files, want the same", err)
	}

	var s sink
	listening := httptest.NewUnstartedServer(handler(f, s.receive))
	listening.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return ingest.TLS() }}
	listening.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes are to fail
	listening.StartTLS()
	defer listening.Close()
	// send returns the answer's status, or 0, and the name of the server.
	send := func(certificates ...tls.Certificate) (status int, name string, err error) {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: server.Pool(), Certificates: certificates}, ForceAttemptHTTP2: true}
		defer transport.CloseIdleConnections()
		answer, err := (&http.Client{Transport: transport}).Post(listening.URL+"/in", "text/plain", strings.NewReader("1"))
		if err != nil {
			return 0, "", err
		}
		defer answer.Body.Close()
		if answer.ProtoMajor != 2 {
			t.Errorf("got HTTP/%d, want HTTP/2", answer.ProtoMajor)
		}
		return answer.StatusCode, answer.TLS.PeerCertificates[0].Subject.CommonName, nil
	}
	pair := func(a *tlstest.Authority, name string) tls.Certificate {
		cert, key := a.Issue(t, name)
		pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
		must(t, err)
		return pair
	}
	if status, name, err := send(pair(clients, "sender")); status != http.StatusNoContent || name != "first" {
		t.Errorf("got status %d from %q (%v), want 204", status, name, err)
	}
	if status, _, err := send(pair(clients, "somebody")); status != http.StatusForbidden {
		t.Errorf("got status %d (%v) for another's certificate, want 403", status, err)
	}
	if _, _, err := send(); err == nil {
		t.Error("got in without a certificate, want no connection")
	}
	if _, _, err := send(pair(server, "sender")); err == nil {
		t.Error("got in with a certificate of another authority, want no connection")
	}

	write("key.pem", "half written")
	if status, name, err := send(pair(clients, "sender")); status != http.StatusNoContent || name != "first" {
		t.Errorf("with broken files: got status %d from %q (%v), want the last good certificate", status, name, err)
	}
	writePair(server, "second")
	if status, name, err := send(pair(clients, "sender")); status != http.StatusNoContent || name != "second" {
		t.Errorf("with new files: got status %d from %q (%v), want the new certificate", status, name, err)
	}
	if got := len(s.got()); got != 3 {
		t.Errorf("got %d events, want 3", got)
	}
	config, err := ingest.TLS()
	must(t, err)
	if config.MinVersion != tls.VersionTLS13 {
		t.Errorf("got version %x, want 1.3", config.MinVersion)
	}
}

func TestTLSUnusable(t *testing.T) {
	dir := t.TempDir()
	cert, key := tlstest.NewAuthority(t).Issue(t, "a")
	for name, test := range map[string]struct{ cert, key, ca, says string }{
		"key of nothing": {cert, "x", "", "listen.tls.key"},
		"no CA in it":    {cert, key, "x", "listen.tls.client_ca"},
	} {
		o := TLS{Cert: filepath.Join(dir, name+".cert"), Key: filepath.Join(dir, name+".key"), MinVersion: "1.2"}
		must(t, os.WriteFile(o.Cert, []byte(test.cert), 0o600))
		must(t, os.WriteFile(o.Key, []byte(test.key), 0o600))
		if test.ca != "" {
			o.ClientCA = filepath.Join(dir, name+".ca")
			must(t, os.WriteFile(o.ClientCA, []byte(test.ca), 0o600))
		}
		s := newServerTLS("listen.tls", o)
		for range 2 {
			if _, err := s.config(); err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "PRIVATE") {
				t.Errorf("%s: got error %v, want one that names %s", name, err, test.says)
			}
		}
	}
	o := TLS{Cert: filepath.Join(dir, "c"), Key: filepath.Join(dir, "k"), MinVersion: "1.2"}
	must(t, os.WriteFile(o.Cert, []byte(cert), 0o600))
	must(t, os.WriteFile(o.Key, []byte(key), 0o600))
	config, err := newServerTLS("listen.tls", o).config()
	must(t, err)
	if config.MinVersion != tls.VersionTLS12 || config.ClientAuth != tls.NoClientCert {
		t.Errorf("got version %x and client certificates %v, want 1.2 and none", config.MinVersion, config.ClientAuth)
	}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
