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
	"sidestream/adapters/tlsfiles"
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

// A listener is secured as its options say: by TLS, and for nobody without a
// certificate where it has authorities for clients.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	server, clients := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	cert, key := server.Issue(t, "listener")
	f := open(t, func(o *Options) {
		o.Listen = Listen{Address: ":0", TLS: tlsfiles.ServerOptions{
			Cert: filepath.Join(dir, "cert.pem"), Key: file("key.pem", key), ClientCA: file("ca.pem", clients.PEM()), MinVersion: "1.3",
		}}
		o.Verify = verify.Options{MTLS: &verify.MTLS{Names: []string{"sender"}}}
	})
	ingest := f.Ingest()
	if _, err := ingest.TLS(); err == nil || !strings.Contains(err.Error(), "listen.tls.cert") {
		t.Errorf("got error %v without a file, want one that names the option", err)
	}
	file("cert.pem", cert)

	var s sink
	listening := httptest.NewUnstartedServer(handler(f, s.receive))
	listening.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return ingest.TLS() }}
	listening.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes are to fail
	listening.StartTLS()
	defer listening.Close()
	// send returns the answer's status.
	send := func(certificates ...tls.Certificate) (status int, err error) {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: server.Pool(), Certificates: certificates}, ForceAttemptHTTP2: true}
		defer transport.CloseIdleConnections()
		answer, err := (&http.Client{Transport: transport}).Post(listening.URL+"/in", "text/plain", strings.NewReader("1"))
		if err != nil {
			return 0, err
		}
		defer answer.Body.Close()
		if answer.ProtoMajor != 2 {
			t.Errorf("got HTTP/%d, want HTTP/2", answer.ProtoMajor)
		}
		return answer.StatusCode, nil
	}
	pair := func(name string) tls.Certificate {
		cert, key := clients.Issue(t, name)
		pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
		must(t, err)
		return pair
	}
	if status, err := send(pair("sender")); status != http.StatusNoContent {
		t.Errorf("got status %d (%v), want 204", status, err)
	}
	if status, err := send(pair("somebody")); status != http.StatusForbidden {
		t.Errorf("got status %d (%v) for another's certificate, want 403", status, err)
	}
	if _, err := send(); err == nil {
		t.Error("got in without a certificate, want no connection")
	}
	if got := len(s.got()); got != 1 {
		t.Errorf("got %d events, want 1", got)
	}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
