package proxy

import (
	"context"
	"crypto/tls"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sidestream/adapters/tlsfiles"
	"sidestream/adapters/tlsfiles/tlstest"
)

// secured is a table with a listener whose TLS has these options.
func secured(options string) string {
	return `{listen: {address: ":1", tls: {` + options + `}}, routes: [{path: /a, log: {name: r}}]}`
}

// browse gets the stream at /a by TLS over a connection of its own.
func (w *world) browse(config *tls.Config) (*http.Response, error) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://x/a", http.NoBody)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Accept", eventStreamType)
	client := secureClient(w.public, config)
	resp, err := client.Do(req)
	w.t.Cleanup(cancel)
	if err != nil {
		cancel()
		after(time.Minute) // a pipe holds nothing, so that a refusal may have to wait for a deadline
	}
	return resp, err
}

// presents checks who a new connection's certificate is for.
func (w *world) presents(files *certFiles, want string) {
	w.t.Helper()
	resp, err := w.browse(files.trusting())
	if err != nil {
		w.t.Errorf("got error %v, want the certificate of %s", err, want)
		return
	}
	if got := resp.TLS.PeerCertificates[0].Subject.CommonName; got != want {
		w.t.Errorf("got the certificate of %s, want that of %s", got, want)
	}
	resp.Body.Close()
	synctest.Wait()
}

func TestListenerWithTLS(t *testing.T) {
	files := newCertFiles(t)
	inWorld(t, secured(files.options()), func(w *world) {
		for protocol, config := range map[string]*tls.Config{
			"HTTP/2.0": files.trusting(),
			"HTTP/1.1": files.trusting("http/1.1"),
		} {
			client := &http.Client{Transport: &http.Transport{
				DialContext: w.public.dial, TLSClientConfig: config, DisableKeepAlives: true, ForceAttemptHTTP2: protocol == "HTTP/2.0",
			}}
			resp, err := client.Get("https://x/a")
			if err != nil {
				t.Errorf("%s: %v", protocol, err)
				continue
			}
			if resp.Proto != protocol || resp.StatusCode != http.StatusOK || resp.TLS.Version != tls.VersionTLS13 {
				t.Errorf("got %s, status %d, TLS %x, want %s, 200, TLS 1.3", resp.Proto, resp.StatusCode, resp.TLS.Version, protocol)
			}
			resp.Body.Close()
		}
		older := files.trusting()
		older.MaxVersion = tls.VersionTLS12
		if resp, err := w.browse(older); err != nil {
			t.Errorf("TLS 1.2: %v", err)
		} else {
			resp.Body.Close()
		}
		if c := w.wire("192.0.2.1:1", askStream); status(c.text()) != "400" {
			t.Errorf("without TLS: got %q, want status 400", c.text())
		}
	})
}

func TestMinimumVersion(t *testing.T) {
	files := newCertFiles(t)
	inWorld(t, secured(files.options()+`, min_version: "1.3"`), func(w *world) {
		older := files.trusting()
		older.MaxVersion = tls.VersionTLS12
		if _, err := w.browse(older); err == nil {
			t.Error("TLS 1.2: got an answer, want none")
		}
		w.presents(files, "one")
	})
}

// Who has no certificate of the right authority gets no connection, and nobody
// resumes a session that began under another one.
func TestClientCertificates(t *testing.T) {
	files := newCertFiles(t)
	files.put(t, "ca.crt", files.authority.PEM())
	inWorld(t, secured(files.options()+", client_ca: "+files.dir+"/ca.crt"), func(w *world) {
		if _, err := w.browse(files.trusting()); err == nil {
			t.Error("without a certificate: got an answer, want none")
		}
		with := func(a *tlstest.Authority) *tls.Config {
			cert, key := a.Issue(w.t, "browser")
			pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
			if err != nil {
				t.Fatal(err)
			}
			c := files.trusting()
			c.Certificates, c.ClientSessionCache = []tls.Certificate{pair}, tls.NewLRUClientSessionCache(1)
			return c
		}
		other := tlstest.NewAuthority(w.t)
		if _, err := w.browse(with(other)); err == nil {
			t.Error("with another authority's certificate: got an answer, want none")
		}
		known := with(files.authority)
		resp, err := w.browse(known)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		files.put(t, "ca.crt", other.PEM())
		if _, err := w.browse(known); err == nil {
			t.Error("with a certificate whose authority is no longer trusted: got an answer, want none")
		}
	})
}

// Files that change are seen by the next connection, and leave those alone that
// are there. What can't be used is told once and changes nothing.
func TestCertificateReplaced(t *testing.T) {
	const trouble = "the TLS files can't be used"
	files := newCertFiles(t)
	inWorld(t, secured(files.options()), func(w *world) {
		resp, err := w.browse(files.trusting())
		if err != nil {
			t.Fatal(err)
		}
		client := &connection{w: w, resp: resp, done: make(chan struct{})}
		go client.read()
		told := func(what string, want int) {
			t.Helper()
			synctest.Wait()
			if got := strings.Count(w.log.String(), what); got != want {
				t.Errorf("got %q %d times in the log, want %d:\n%s", what, got, want, w.log)
			}
		}

		files.issue(w.t, "two")
		w.presents(files, "two")
		told("new TLS files are in use", 1)

		cert, _ := files.authority.Issue(w.t, "three")
		files.put(w.t, "tls.crt", cert)
		w.presents(files, "two")
		w.presents(files, "two")
		told(trouble, 1)
		told("private key does not match public key", 1)
		if err := os.Remove(filepath.Join(files.dir, "tls.key")); err != nil {
			t.Fatal(err)
		}
		w.presents(files, "two")
		told(trouble, 2)
		told("no such file", 1)

		// Whether somebody connects or not.
		files.issue(w.t, "four")
		after(tidyInterval)
		told("new TLS files are in use", 2)
		files.put(w.t, "tls.key", "nonsense")
		after(tidyInterval)
		told(trouble, 3)
		after(10 * tidyInterval)
		told(trouble, 3)
		w.presents(files, "four")

		w.publish("r", "still there")
		client.wants("r.0.1 still there")
		if client.ended() {
			t.Error("got the end of a stream that began before, want it to go on")
		}
		client.drop()
	})
}

// What can't be used from the start is an error, before anything is served.
func TestListenWithoutCertificate(t *testing.T) {
	files := newCertFiles(t)
	for name, want := range map[string]string{
		"none.crt": "listen[0].tls.cert: ",
		"tls.key":  "listen[0].tls.cert: " + files.dir + "/tls.key, listen[0].tls.key: ",
	} {
		tls := tlsfiles.ServerOptions{Cert: files.dir + "/" + name, Key: files.dir + "/tls.key"}
		config := &Config{Admin: "off", Listen: []Binding{{Address: "127.0.0.1:0", TLS: &tls}}}
		l, err := Listen(t.Context(), config)
		if err == nil || !strings.HasPrefix(err.Error(), "listen at 127.0.0.1:0: "+want) {
			l.close()
			t.Errorf("%s: got error %v, want one about %s", name, err, want)
		}
	}
}

// A reload says what it can't change.
func TestReloadOfListeners(t *testing.T) {
	const warning = "take effect when the program is started again"
	files := newCertFiles(t)
	table := secured(files.options())
	inWorld(t, table, func(w *world) {
		for _, tt := range []struct {
			old, text string
			want      bool
		}{
			{"", "", false},
			{":1", ":2", true},
			{"tls.crt", "other.crt", true},
			{"{address", "{proxy_protocol: [10.0.0.0/8], address", true},
			{"{listen", "{limits: {connections_per_address: 5}, listen", true},
			{"{listen", "{limits: {http2_streams: 5}, listen", true},
			{"{listen", "{limits: {clients: 5}, listen", false},
		} {
			w.forget()
			w.server.install(w.parse(table))
			w.server.Reload(w.parse(strings.Replace(table, tt.old, tt.text, 1)))
			if got := strings.Contains(w.log.String(), warning); got != tt.want {
				t.Errorf("%q: got the warning: %v, want %v", tt.text, got, tt.want)
			}
		}
	})
}
