package broker_test

import (
	"crypto/tls"
	"io"
	"net"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"sidestream/adapters/kafka/broker"
	"sidestream/adapters/tlsfiles"
	"sidestream/adapters/tlsfiles/tlstest"
)

// withTLS has a client use TLS with these files.
func withTLS(edit func(*tlsfiles.Options)) func(*broker.Options) {
	return func(o *broker.Options) {
		files := tlsfiles.Defaults()
		edit(&files)
		o.TLS = tlsfiles.New("tls", files)
	}
}

func TestTLS(t *testing.T) {
	authority, other := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	cert, key := authority.Issue(t, "kafka.test")
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	open := fake(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{pair}}))
	closed := fake(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: authority.Pool()}))
	old := fake(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{pair}, MaxVersion: tls.VersionTLS12}))
	plain := serve(t, func(conn net.Conn) { conn.Read(make([]byte, 1)) }) // takes a client's first words for a frame that is too long
	talking := serve(t, func(conn net.Conn) {
		io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
		io.Copy(io.Discard, conn)
	})

	ca, otherCA := write(t, "ca", authority.PEM()), write(t, "other", other.PEM())
	mine, myKey := authority.Issue(t, "app")
	theirs, theirKey := other.Issue(t, "app")
	for _, tc := range []struct {
		name   string
		server string
		edit   func(*tlsfiles.Options)
		reason string // "" for no error
		part   string
	}{
		{"trusted by its address", open.ListenAddrs()[0], func(o *tlsfiles.Options) { o.CA = ca }, "", ""},
		{"trusted by its name", open.ListenAddrs()[0], func(o *tlsfiles.Options) { o.CA, o.ServerName = ca, "kafka.test" }, "", ""},
		{"not verified", open.ListenAddrs()[0], func(o *tlsfiles.Options) { o.InsecureSkipVerify = true }, "", ""},
		{"another authority", open.ListenAddrs()[0], func(o *tlsfiles.Options) { o.CA = otherCA }, "certificate not trusted", "unknown authority"},
		{"the system's authorities", open.ListenAddrs()[0], func(*tlsfiles.Options) {}, "certificate not trusted", ""},
		{"another name", open.ListenAddrs()[0], func(o *tlsfiles.Options) { o.CA, o.ServerName = ca, "other.test" }, "certificate not trusted", "other.test"},
		{"a client certificate", closed.ListenAddrs()[0], func(o *tlsfiles.Options) {
			o.CA, o.Cert, o.Key = ca, write(t, "cert", mine), write(t, "key", myKey)
		}, "", ""},
		{"no client certificate", closed.ListenAddrs()[0], func(o *tlsfiles.Options) { o.CA = ca }, "TLS handshake with Kafka failed", "certificate required"},
		{"another's client certificate", closed.ListenAddrs()[0], func(o *tlsfiles.Options) {
			o.CA, o.Cert, o.Key = ca, write(t, "cert", theirs), write(t, "key", theirKey)
		}, "TLS handshake with Kafka failed", "unknown certificate authority"},
		{"too old", old.ListenAddrs()[0], func(o *tlsfiles.Options) { o.CA, o.MinVersion = ca, "1.3" }, "TLS handshake with Kafka failed", "protocol version"},
		{"no files", open.ListenAddrs()[0], func(o *tlsfiles.Options) { o.CA = "/does/not/exist" }, "upstream TLS files not usable", "tls.ca"},
		{"a port without TLS", plain, func(o *tlsfiles.Options) { o.CA = ca }, "TLS handshake with Kafka failed", ""},
		{"a port that speaks something else", talking, func(o *tlsfiles.Options) { o.CA = ca }, "TLS handshake with Kafka failed", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newCluster(t, []string{tc.server}, withTLS(tc.edit))
			_, err := c.Metadata(t.Context(), nil)
			if tc.reason != "" {
				fails(t, "Metadata", err, tc.reason, false, tc.server, tc.part)
			} else if err != nil {
				t.Errorf("got %v, want no error", err)
			}
		})
	}
	_, err = newCluster(t, open.ListenAddrs(), nil).Metadata(t.Context(), nil)
	fails(t, "without TLS", err, "connection to Kafka lost", false, "EOF (it may want TLS)")
}

// TestTLSFilesAreReadAnew replaces a file between two connections.
func TestTLSFilesAreReadAnew(t *testing.T) {
	authority, other := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	cert, key := authority.Issue(t, "kafka.test")
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	k := fake(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{pair}}))
	ca := write(t, "ca", other.PEM())
	c := newCluster(t, k.ListenAddrs(), withTLS(func(o *tlsfiles.Options) { o.CA = ca }))
	_, err = c.Metadata(t.Context(), nil)
	fails(t, "Metadata", err, "certificate not trusted", false)
	write(t, ca, authority.PEM())
	if _, err := c.Metadata(t.Context(), nil); err != nil {
		t.Errorf("got %v, want no error", err)
	}
}
