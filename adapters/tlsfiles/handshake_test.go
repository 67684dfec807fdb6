package tlsfiles_test

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"sidestream/adapters/tlsfiles"
	"sidestream/adapters/tlsfiles/tlstest"
)

// handshake makes a connection and returns the client's error, or else the
// server's, and if there is none, the name in the client's certificate.
func handshake(tb testing.TB, client, server *tls.Config) (name string, err error) {
	tb.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		tb.Fatal(err)
	}
	defer listener.Close()
	accepted := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			defer conn.Close()
			peer := conn.(*tls.Conn)
			if err = peer.HandshakeContext(tb.Context()); err == nil {
				for _, cert := range peer.ConnectionState().PeerCertificates {
					name = cert.Subject.CommonName
				}
			}
		}
		accepted <- err
	}()
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	conn, err := tls.DialWithDialer(dialer, "tcp", listener.Addr().String(), client)
	if err == nil {
		defer conn.Close()
	}
	if refused := <-accepted; err == nil { // with TLS 1.3 a client is through before it is refused
		err = refused
	}
	return name, err
}

func TestHandshake(t *testing.T) {
	a, other := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	serverCert, serverKey := a.Issue(t, "legacy")
	pair, err := tls.X509KeyPair([]byte(serverCert), []byte(serverKey))
	if err != nil {
		t.Fatal(err)
	}
	cert, key := a.Issue(t, "app")
	ca, otherCA := write(t, "ca.pem", a.PEM()), write(t, "other.pem", other.PEM())
	certPath, keyPath := write(t, "tls.crt", cert), write(t, "tls.key", key)
	for _, tc := range []struct {
		name string
		edit func(*tlsfiles.Options)
		old  bool   // the server speaks no more than TLS 1.2
		peer string // who the server sees
		part string // of the error, "" for none
	}{
		{"trusted", func(o *tlsfiles.Options) { o.CA, o.ServerName = ca, "legacy" }, false, "", ""},
		{"client certificate", func(o *tlsfiles.Options) {
			o.CA, o.ServerName, o.Cert, o.Key = ca, "legacy", certPath, keyPath
		}, false, "app", ""},
		{"the host in the address", func(o *tlsfiles.Options) { o.CA = ca }, false, "", ""},
		{"another name", func(o *tlsfiles.Options) { o.CA, o.ServerName = ca, "other" }, false, "", "legacy, not other"},
		{"the system's authorities", func(o *tlsfiles.Options) { o.ServerName = "legacy" }, false, "", "unknown authority"},
		{"another authority", func(o *tlsfiles.Options) { o.CA, o.ServerName = otherCA, "legacy" }, false, "", "unknown authority"},
		{"not verified", func(o *tlsfiles.Options) { o.InsecureSkipVerify = true }, false, "", ""},
		{"old enough", func(o *tlsfiles.Options) { o.CA, o.ServerName = ca, "legacy" }, true, "", ""},
		{"too old", func(o *tlsfiles.Options) { o.CA, o.ServerName, o.MinVersion = ca, "legacy", "1.3" }, true, "", "version"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server := &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: a.Pool()}
			if tc.old {
				server.MaxVersion = tls.VersionTLS12
			}
			peer, err := handshake(t, config(t, newSource(tc.edit)), server)
			switch {
			case tc.part == "" && err != nil:
				t.Errorf("got %v, want no error", err)
			case tc.part != "" && (err == nil || !strings.Contains(err.Error(), tc.part)):
				t.Errorf("got %v, want an error with %q", err, tc.part)
			case peer != tc.peer:
				t.Errorf("got the peer %q, want %q", peer, tc.peer)
			}
		})
	}
}
