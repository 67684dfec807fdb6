package tlsfiles_test

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sidestream/adapters"
	"sidestream/adapters/tlsfiles"
	"sidestream/adapters/tlsfiles/tlstest"
	"sidestream/proxy/strictyaml"
)

func TestDecodeServer(t *testing.T) {
	for yaml, want := range map[string]tlsfiles.ServerOptions{
		"{}":                      {MinVersion: "1.2"},
		"tls: {min_version: 1.3}": {MinVersion: "1.3"},
		"tls: {cert: /tls/tls.crt, key: /tls/tls.key, client_ca: /tls/ca.crt}": {
			Cert: "/tls/tls.crt", Key: "/tls/tls.key", ClientCA: "/tls/ca.crt", MinVersion: "1.2",
		},
	} {
		d, err := strictyaml.Parse("routes.yaml", []byte(yaml), strictyaml.References{})
		if err != nil {
			t.Fatal(err)
		}
		into := struct {
			TLS tlsfiles.ServerOptions `yaml:"tls"`
		}{tlsfiles.ServerDefaults()}
		d.Decode(d.Root, "", &into)
		if got := into.TLS; got != want || d.Err() != nil {
			t.Errorf("%s: got %+v, %v, want %+v", yaml, got, d.Err(), want)
		}
	}
}

func TestCheckServer(t *testing.T) {
	type options = tlsfiles.ServerOptions
	const alone = "it has no effect without a certificate of the listener, listen.tls.cert and listen.tls.key"
	for _, tc := range []struct {
		edit    func(*options)
		enabled bool
		want    string // "" for no error
	}{
		{func(*options) {}, false, ""},
		{func(o *options) { o.MinVersion = "1.3" }, false, ""},
		{func(o *options) { o.Cert, o.Key, o.ClientCA = "/none", "/none", "/none" }, true, ""},
		{func(o *options) { o.Cert = "a" }, true, "listen.tls.cert: it needs its private key as listen.tls.key"},
		{func(o *options) { o.Key = "a" }, true, "listen.tls.key: it needs its certificate as listen.tls.cert"},
		{func(o *options) { o.ClientCA = "a" }, true, "listen.tls.client_ca: " + alone},
		{func(o *options) { o.MinVersion = "1.1" }, false, `listen.tls.min_version: "1.1" is not known; valid: 1.2, 1.3`},
		{func(o *options) { o.MinVersion = "" }, false, `listen.tls.min_version: "" is not known; valid: 1.2, 1.3`},
		{func(o *options) { o.ClientCA, o.Key = "a", "b" }, true, "listen.tls.key: it needs its certificate as listen.tls.cert\n" +
			"listen.tls.client_ca: " + alone},
	} {
		o := tlsfiles.ServerDefaults()
		tc.edit(&o)
		var c adapters.OptionErrors
		o.Check(&c, "listen.tls")
		got := ""
		if err := c.Err(); err != nil {
			got = err.Error()
		}
		if strings.TrimSpace(got) != tc.want || o.Enabled() != tc.enabled {
			t.Errorf("%+v: got %q, enabled: %v, want %q, %v", o, got, o.Enabled(), tc.want, tc.enabled)
		}
	}
}

func TestServerConfigOfOptions(t *testing.T) {
	a, clients := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	cert, key := a.Issue(t, "one")
	o := tlsfiles.ServerDefaults()
	o.Cert, o.Key = write(t, "tls.crt", cert), write(t, "tls.key", key)
	plain := config(t, tlsfiles.NewServer("listen.tls", o))
	if plain.MinVersion != tls.VersionTLS12 || plain.ClientAuth != tls.NoClientCert || plain.ClientCAs != nil || certified(t, plain) != "one" {
		t.Errorf("got version %x, client certificates %v and %v, want 1.2 and none", plain.MinVersion, plain.ClientAuth, plain.ClientCAs)
	}
	if want := []string{"h2", "http/1.1"}; !slices.Equal(plain.NextProtos, want) {
		t.Errorf("got protocols %v, want %v", plain.NextProtos, want)
	}
	o.ClientCA, o.MinVersion = write(t, "ca.pem", clients.PEM()), "1.3"
	mutual := config(t, tlsfiles.NewServer("listen.tls", o))
	if mutual.MinVersion != tls.VersionTLS13 || mutual.ClientAuth != tls.RequireAndVerifyClientCert || !mutual.ClientCAs.Equal(clients.Pool()) {
		t.Errorf("got version %x and client certificates %v, want 1.3 and those of the file, required", mutual.MinVersion, mutual.ClientAuth)
	}
}

// TestServerLastGoodStands changes a listener's files one after the other.
func TestServerLastGoodStands(t *testing.T) {
	a, b := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	dir := t.TempDir()
	o := tlsfiles.ServerOptions{
		Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key"), ClientCA: filepath.Join(dir, "ca.crt"), MinVersion: "1.2",
	}
	put := func(name string) (cert, key string) {
		cert, key = a.Issue(t, name)
		write(t, o.Cert, cert)
		write(t, o.Key, key)
		return cert, key
	}
	put("one")
	write(t, o.ClientCA, a.PEM())
	s := tlsfiles.NewServer("listen.tls", o)
	first := config(t, s)
	same := func(what string) {
		t.Helper()
		if config(t, s) != first {
			t.Errorf("%s: got another configuration, want the last good one", what)
		}
	}
	same("unchanged")
	write(t, o.Key, "half written")
	same("a broken key")
	write(t, o.ClientCA, hidden)
	same("no authority, and a broken key")
	put("two")
	same("no authority")
	if err := os.Remove(o.ClientCA); err != nil {
		t.Fatal(err)
	}
	same("removed")
	write(t, o.ClientCA, b.PEM())
	second := config(t, s)
	if got := certified(t, second); got != "two" || !second.ClientCAs.Equal(b.Pool()) {
		t.Errorf("got the certificate of %q, want that of two, and the authorities of the file", got)
	}
}

// TestServerUnusable: a listener's errors are for logs, and have no reason for
// the clients of an upstream.
func TestServerUnusable(t *testing.T) {
	cert, key := tlstest.NewAuthority(t).Issue(t, "a")
	for what, tc := range map[string]struct {
		cert, key, ca string // "" for no file
		parts         []string
	}{
		"no certificate":  {"", key, cert, []string{"listen.tls.cert: ", "no such file"}},
		"no key":          {cert, "", cert, []string{"listen.tls.key: ", "no such file"}},
		"no authority":    {cert, key, "", []string{"listen.tls.client_ca: ", "no such file"}},
		"key of nothing":  {cert, hidden, cert, []string{"listen.tls.cert: ", "listen.tls.key: "}},
		"nothing in a CA": {cert, key, hidden, []string{"listen.tls.client_ca: ", "no certificate in PEM form"}},
	} {
		dir := t.TempDir()
		file := func(name, content string) string {
			path := filepath.Join(dir, name)
			if content != "" {
				write(t, path, content)
			}
			return path
		}
		o := tlsfiles.ServerOptions{Cert: file("cert", tc.cert), Key: file("key", tc.key), ClientCA: file("ca", tc.ca), MinVersion: "1.2"}
		s := tlsfiles.NewServer("listen.tls", o)
		for range 2 {
			c, err := s.Config()
			if c != nil || err == nil {
				t.Fatalf("%s: got %v, %v, want an error", what, c, err)
			}
			for _, part := range tc.parts {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%s: got error %q, want it to hold %q", what, err, part)
				}
			}
			if text := err.Error(); strings.Contains(text, hidden) || strings.Contains(text, "upstream") || adapters.Reason(err) != "upstream failed" {
				t.Errorf("%s: got error %q, reason %q, want nothing of the files, and of no upstream", what, text, adapters.Reason(err))
			}
		}
	}
}

func TestServerHandshake(t *testing.T) {
	server, clients := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	cert, key := server.Issue(t, "listener")
	ca := write(t, "ca.pem", clients.PEM())
	o := tlsfiles.ServerOptions{Cert: write(t, "tls.crt", cert), Key: write(t, "tls.key", key), MinVersion: "1.3"}
	issued := func(a *tlstest.Authority) []tls.Certificate {
		cert, key := a.Issue(t, "sender")
		pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
		if err != nil {
			t.Fatal(err)
		}
		return []tls.Certificate{pair}
	}
	for _, tc := range []struct {
		name         string
		ca           string
		certificates []tls.Certificate
		newest       uint16 // that the client speaks
		ok           bool
		peer         string
	}{
		{"nobody asks", "", nil, tls.VersionTLS13, true, ""},
		{"too old", "", nil, tls.VersionTLS12, false, ""},
		{"trusted", ca, issued(clients), tls.VersionTLS13, true, "sender"},
		{"none", ca, nil, tls.VersionTLS13, false, ""},
		{"a stranger's", ca, issued(server), tls.VersionTLS13, false, ""},
	} {
		o.ClientCA = tc.ca
		client := &tls.Config{RootCAs: server.Pool(), ServerName: "listener", Certificates: tc.certificates, MaxVersion: tc.newest}
		peer, err := handshake(t, client, config(t, tlsfiles.NewServer("listen.tls", o)))
		if (err == nil) != tc.ok || peer != tc.peer {
			t.Errorf("%s: got the peer %q, %v, want %q, no error: %v", tc.name, peer, err, tc.peer, tc.ok)
		}
	}
}
