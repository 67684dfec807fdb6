package tlsfiles_test

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"sidestream/adapters/tlsfiles"
	"sidestream/adapters/tlsfiles/tlstest"
)

// newSource returns a source with default options, except for what edit
// changes.
func newSource(edit func(*tlsfiles.Options)) *tlsfiles.Source {
	o := tlsfiles.Defaults()
	edit(&o)
	return tlsfiles.New("tls", o)
}

func config(tb testing.TB, s *tlsfiles.Source) *tls.Config {
	tb.Helper()
	c, err := s.Config()
	if err != nil {
		tb.Fatalf("Config: got %v, want no error", err)
	}
	return c
}

// certified returns who a configuration's client certificate is for.
func certified(tb testing.TB, c *tls.Config) string {
	tb.Helper()
	if len(c.Certificates) != 1 {
		tb.Fatalf("got %d certificates, want one", len(c.Certificates))
	}
	return c.Certificates[0].Leaf.Subject.CommonName
}

func TestConfigOfOptions(t *testing.T) {
	defaults := config(t, newSource(func(*tlsfiles.Options) {}))
	if defaults.MinVersion != tls.VersionTLS12 || defaults.ServerName != "" || defaults.InsecureSkipVerify || defaults.RootCAs != nil || defaults.Certificates != nil {
		t.Errorf("got %+v, want TLS 1.2 with the system's authorities and no certificate", defaults)
	}
	edited := config(t, newSource(func(o *tlsfiles.Options) {
		o.ServerName, o.InsecureSkipVerify, o.MinVersion = "legacy", true, "1.3"
	}))
	if edited.MinVersion != tls.VersionTLS13 || edited.ServerName != "legacy" || !edited.InsecureSkipVerify {
		t.Errorf("got %+v, want what was configured", edited)
	}
}

// TestConfigStays: callers tell by the pointer whether connections are to be
// made anew.
func TestConfigStays(t *testing.T) {
	none := newSource(func(*tlsfiles.Options) {})
	if first := config(t, none); config(t, none) != first {
		t.Error("without files: got another configuration, want the same")
	}
	a, b := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	ca := write(t, "ca.pem", a.PEM())
	s := newSource(func(o *tlsfiles.Options) { o.CA = ca })
	first := config(t, s)
	if !first.RootCAs.Equal(a.Pool()) {
		t.Error("got other authorities, want those of the file")
	}
	if config(t, s) != first {
		t.Error("unchanged: got another configuration, want the same")
	}
	write(t, ca, a.PEM())
	if config(t, s) != first {
		t.Error("written again: got another configuration, want the same")
	}
	write(t, ca, b.PEM())
	second := config(t, s)
	if second == first || !second.RootCAs.Equal(b.Pool()) {
		t.Error("changed: got the same authorities, want those of the file")
	}
	write(t, ca, a.PEM()+b.PEM())
	both := a.Pool()
	both.AppendCertsFromPEM([]byte(b.PEM()))
	if !config(t, s).RootCAs.Equal(both) {
		t.Error("bundle: got other authorities, want both")
	}
}

func TestLastGoodStands(t *testing.T) {
	a := tlstest.NewAuthority(t)
	dir := t.TempDir()
	ca, cert, key := filepath.Join(dir, "ca.crt"), filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	firstCert, firstKey := a.Issue(t, "one")
	write(t, ca, a.PEM())
	write(t, cert, firstCert)
	write(t, key, firstKey)
	s := newSource(func(o *tlsfiles.Options) { o.CA, o.Cert, o.Key = ca, cert, key })
	first := config(t, s)
	if got := certified(t, first); got != "one" {
		t.Errorf("got the certificate of %q, want that of one", got)
	}
	same := func(what string) {
		t.Helper()
		if config(t, s) != first {
			t.Errorf("%s: got another configuration, want the last good one", what)
		}
	}
	write(t, ca, hidden)
	same("no authority")
	if err := os.Remove(ca); err != nil {
		t.Fatal(err)
	}
	same("removed")
	write(t, ca, a.PEM())

	nextCert, nextKey := a.Issue(t, "two")
	write(t, cert, nextCert)
	same("a certificate without its key")
	write(t, key, nextKey)
	if got := certified(t, config(t, s)); got != "two" {
		t.Errorf("got the certificate of %q, want that of two", got)
	}
	write(t, cert, nextCert+a.PEM())
	if got := len(config(t, s).Certificates[0].Certificate); got != 2 {
		t.Errorf("got a chain of %d, want the certificate with its authority, for the same key", got)
	}
}

// Trouble tells that, and why, the last good configuration stands.
func TestTrouble(t *testing.T) {
	a := tlstest.NewAuthority(t)
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	s := newSource(func(o *tlsfiles.Options) { o.Cert, o.Key = cert, key })
	_, err := s.Config()
	fails(t, "from the start", err, "no such file")
	if err := s.Trouble(); err != nil {
		t.Errorf("from the start: got %v, want nothing beside Config's error", err)
	}
	firstCert, firstKey := a.Issue(t, "one")
	write(t, cert, firstCert)
	write(t, key, firstKey)
	none := func(what string) {
		t.Helper()
		config(t, s)
		if err := s.Trouble(); err != nil {
			t.Errorf("%s: got %v, want nothing", what, err)
		}
	}
	none("good")
	some := func(what string, parts ...string) {
		t.Helper()
		config(t, s)
		err := s.Trouble()
		for _, part := range parts {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: got %v, want %q in it", what, err, part)
			}
		}
	}
	nextCert, nextKey := a.Issue(t, "two")
	write(t, cert, nextCert)
	some("a certificate without its key", "tls.cert: ", "tls.key: ", "match")
	some("still", "match")
	write(t, key, nextKey)
	none("with its key")
	if err := os.Remove(cert); err != nil {
		t.Fatal(err)
	}
	some("removed", "tls.cert: ", "no such file")
	write(t, cert, nextCert)
	none("back")
}

func TestUnusable(t *testing.T) {
	a := tlstest.NewAuthority(t)
	cert, key := a.Issue(t, "one")
	_, otherKey := a.Issue(t, "two")
	dir := t.TempDir()
	file := func(name, content string) string { return write(t, filepath.Join(dir, name), content) }
	certPath, keyPath := file("cert", cert), file("key", key)
	for _, tc := range []struct {
		edit  func(*tlsfiles.Options)
		parts []string
	}{
		{func(o *tlsfiles.Options) { o.CA = file("bad-ca", hidden) }, []string{"tls.ca: ", "bad-ca", "no certificate"}},
		{func(o *tlsfiles.Options) { o.CA = keyPath }, []string{"tls.ca: ", keyPath, "no certificate"}},
		{func(o *tlsfiles.Options) { o.CA = filepath.Join(dir, "none") }, []string{"tls.ca: ", "none", "no such file"}},
		{func(o *tlsfiles.Options) { o.CA = file("big", strings.Repeat(hidden, 1<<20)) }, []string{"tls.ca: ", "more than 1048576 bytes"}},
		{func(o *tlsfiles.Options) { o.Cert, o.Key = filepath.Join(dir, "none"), keyPath }, []string{"tls.cert: ", "none", "no such file"}},
		{func(o *tlsfiles.Options) { o.Cert, o.Key = certPath, filepath.Join(dir, "none") }, []string{"tls.key: ", "none", "no such file"}},
		{func(o *tlsfiles.Options) { o.Cert, o.Key = file("bad-cert", hidden), keyPath }, []string{"tls.cert: ", "bad-cert"}},
		{func(o *tlsfiles.Options) { o.Cert, o.Key = keyPath, keyPath }, []string{"tls.cert: ", keyPath, "tls: failed"}},
		{func(o *tlsfiles.Options) {
			o.Cert, o.Key = file("bad-der", tlstest.PEM("CERTIFICATE", []byte(hidden))), keyPath
		}, []string{"bad-der", "x509: malformed"}},
		{func(o *tlsfiles.Options) { o.Cert, o.Key = certPath, file("bad-key", hidden) }, []string{"tls.key: ", "bad-key"}},
		{func(o *tlsfiles.Options) { o.Cert, o.Key = certPath, file("other-key", otherKey) }, []string{"tls.cert: ", "other-key", "match"}},
	} {
		s := newSource(tc.edit)
		for _, what := range []string{"first", "again"} {
			c, err := s.Config()
			fails(t, what, err, tc.parts...)
			if c != nil {
				t.Errorf("%s: got a configuration with an error, want none", what)
			}
		}
	}
}

func TestUnusableUntilMended(t *testing.T) {
	a := tlstest.NewAuthority(t)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	s := newSource(func(o *tlsfiles.Options) { o.CA = ca })
	_, err := s.Config()
	fails(t, "not there", err, "no such file")
	write(t, ca, hidden)
	_, err = s.Config()
	fails(t, "there", err, "no certificate")
	write(t, ca, a.PEM())
	if !config(t, s).RootCAs.Equal(a.Pool()) {
		t.Error("mended: got other authorities, want those of the file")
	}
}

// TestConcurrentConfig rotates a certificate and its key while others ask for
// configurations: they never get an older one after a newer.
func TestConcurrentConfig(t *testing.T) {
	const versions = 20
	a := tlstest.NewAuthority(t)
	dir := t.TempDir()
	certPath, keyPath := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	put := func(path, content string) {
		if err := os.Rename(write(t, path+".next", content), path); err != nil {
			t.Error(err)
		}
	}
	issue := func(n int) {
		cert, key := a.Issue(t, strconv.Itoa(n))
		put(certPath, cert)
		put(keyPath, key)
	}
	issue(0)
	s := newSource(func(o *tlsfiles.Options) { o.Cert, o.Key = certPath, keyPath })
	first := config(t, s) // before there are halves of changes
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			seen, version := first, 0
			for version < versions && !t.Failed() {
				c, err := s.Config()
				if err != nil {
					t.Errorf("got %v, want no error", err)
					return
				}
				n, err := strconv.Atoi(c.Certificates[0].Leaf.Subject.CommonName)
				switch {
				case err != nil:
					t.Error(err)
				case n < version:
					t.Errorf("got version %d after %d, want none older", n, version)
				case (c == seen) != (n == version):
					t.Errorf("got version %d after %d with the same pointer: %v", n, version, c == seen)
				}
				seen, version = c, n
			}
		})
	}
	for n := 1; n <= versions; n++ {
		issue(n)
	}
	callers.Wait()
}
