package nats

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"sidestream/adapters"
	"sidestream/adapters/secret"
)

// hidden is part of every secret of these tests.
const hidden = "hunter2"

// write writes a file of a temporary directory and returns its path.
func write(tb testing.TB, path, content string) string {
	tb.Helper()
	if !filepath.IsAbs(path) {
		path = filepath.Join(tb.TempDir(), path)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// withUser returns the URL with what stands before its @.
func withUser(url, user string) string { return strings.Replace(url, "://", "://"+user+"@", 1) }

// connects checks that a source of the options reaches the server and hears
// what a client of its account says.
func connects(t *testing.T, url string, edit func(*Connection)) {
	t.Helper()
	_, s := subscribeTo(t, Adapter(), url, "a", func(o *Options) { edit(&o.Connection) })
	start(t, s, "", nil).awaitLive()
}

// refused checks that a source of the options fails, with a reason that
// contains text, and permanently if that is wanted.
func refused(t *testing.T, url, text string, permanent bool, edit func(*Connection)) {
	t.Helper()
	f, s := subscribeTo(t, Adapter(), url, "a", func(o *Options) { edit(&o.Connection) })
	err := start(t, s, "", nil).awaitReturn(soon)
	for adapters.Reason(err) == reasonNone { // not yet tried, on a machine that is busy
		err = start(t, open(t, f, nil), "", nil).awaitReturn(soon)
	}
	if !strings.Contains(adapters.Reason(err), text) || adapters.IsPermanent(err) != permanent {
		t.Errorf("got error %v, permanent %v; want %q, permanent %v", err, adapters.IsPermanent(err), text, permanent)
	}
	if strings.Contains(fmt.Sprint(err), hidden) {
		t.Errorf("got error %q, want it without the secret", err)
	}
}

func TestAuthUser(t *testing.T) {
	t.Parallel() // it waits most of the time
	srv := startServer(t, func(o *server.Options) { o.Username, o.Password = "u", hidden })
	text := func(user, password string) func(*Connection) {
		return func(o *Connection) { o.Auth.User, o.Auth.Password = secret.Text(user), secret.Text(password) }
	}
	none := func(*Connection) {}
	connects(t, srv.URL(), text("u", hidden))
	connects(t, withUser(srv.URL(), "u:"+hidden), none)
	connects(t, srv.URL(), func(o *Connection) {
		o.Auth.User = secret.Text("u")
		o.Auth.Password = secret.Value{File: write(t, "password", hidden+"\n")}
	})
	refused(t, srv.URL(), reasonRefused, true, none)
	refused(t, srv.URL(), reasonRefused, true, text("u", hidden+"!"))
	refused(t, withUser(srv.URL(), "u:"+hidden+"x"), reasonRefused, true, none)
}

func TestAuthToken(t *testing.T) {
	t.Parallel() // it waits most of the time
	srv := startServer(t, func(o *server.Options) { o.Authorization = hidden })
	connects(t, srv.URL(), func(o *Connection) { o.Auth.Token = secret.Text(hidden) })
	connects(t, withUser(srv.URL(), hidden), func(*Connection) {})
	refused(t, srv.URL(), reasonRefused, true, func(o *Connection) { o.Auth.Token = secret.Text(hidden + "!") })
}

// A user's key, as files hold it.
type userKey struct{ public, seed string }

func newUserKey(t *testing.T) userKey {
	t.Helper()
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := pair.Seed()
	if err != nil {
		t.Fatal(err)
	}
	return userKey{public, string(seed)}
}

func TestAuthNKey(t *testing.T) {
	t.Parallel() // it waits most of the time
	key, other := newUserKey(t), newUserKey(t)
	srv := startServer(t, func(o *server.Options) { o.Nkeys = []*server.NkeyUser{{Nkey: key.public}} })
	file := func(content string) func(*Connection) {
		return func(o *Connection) { o.Auth.NKey = write(t, "nkey", content) }
	}
	connects(t, srv.URL(), file(key.seed+"\n"))
	refused(t, srv.URL(), reasonRefused, false, file(other.seed)) // the file may be replaced
	refused(t, srv.URL(), secret.ReasonUnavailable, false, file("no seed, but "+hidden))
	refused(t, srv.URL(), secret.ReasonUnavailable, false, func(o *Connection) { o.Auth.NKey = "/nowhere/nkey" })

	plain := startServer(t)
	refused(t, plain.URL(), reasonRefused, false, file(key.seed))
}

// An operator's world: an account, and what its users are told by.
type operator struct {
	t        *testing.T
	account  nkeys.KeyPair
	accountP string
	options  func(*server.Options)
}

func newOperator(t *testing.T) *operator {
	t.Helper()
	op, err := nkeys.CreateOperator()
	if err != nil {
		t.Fatal(err)
	}
	opPublic, _ := op.PublicKey()
	account, err := nkeys.CreateAccount()
	if err != nil {
		t.Fatal(err)
	}
	accountPublic, _ := account.PublicKey()
	accountJWT, err := jwt.NewAccountClaims(accountPublic).Encode(op)
	if err != nil {
		t.Fatal(err)
	}
	opJWT, err := jwt.NewOperatorClaims(opPublic).Encode(op)
	if err != nil {
		t.Fatal(err)
	}
	claims, err := jwt.DecodeOperatorClaims(opJWT)
	if err != nil {
		t.Fatal(err)
	}
	return &operator{t: t, account: account, accountP: accountPublic, options: func(o *server.Options) {
		resolver := &server.MemAccResolver{}
		if err := resolver.Store(accountPublic, accountJWT); err != nil {
			t.Error(err)
		}
		o.TrustedOperators = []*jwt.OperatorClaims{claims}
		o.AccountResolver = resolver
		o.JetStream = false // it would need a system account
	}}
}

// user returns the JWT of a user, valid for a time.
func (op *operator) user(key userKey, valid time.Duration) string {
	op.t.Helper()
	claims := jwt.NewUserClaims(key.public)
	if valid != 0 {
		claims.Expires = time.Now().Add(valid).Unix()
	}
	token, err := claims.Encode(op.account)
	if err != nil {
		op.t.Fatal(err)
	}
	return token
}

// creds returns the content of a file of credentials.
func (op *operator) creds(token string, key userKey) string {
	op.t.Helper()
	content, err := jwt.FormatUserConfig(token, []byte(key.seed))
	if err != nil {
		op.t.Fatal(err)
	}
	return string(content)
}

func TestAuthJWT(t *testing.T) {
	t.Parallel() // it waits most of the time
	op := newOperator(t)
	srv := startServer(t, op.options)
	key := newUserKey(t)
	token := op.user(key, 0)
	both := func(token, seed secret.Value) func(*Connection) {
		return func(o *Connection) { o.Auth.JWT, o.Auth.Seed = token, seed }
	}
	connects(t, srv.URL(), both(secret.Text(token), secret.Text(key.seed)))
	connects(t, srv.URL(), both(secret.Value{File: write(t, "jwt", token)}, secret.Value{File: write(t, "seed", key.seed+"\n")}))
	refused(t, srv.URL(), reasonRefused, true, both(secret.Text(token), secret.Text(newUserKey(t).seed)))
	refused(t, srv.URL(), secret.ReasonUnavailable, false, both(secret.Text(token), secret.Value{File: write(t, "seed", hidden)}))
	refused(t, srv.URL(), reasonRefused, true, func(*Connection) {})
}

func TestAuthCreds(t *testing.T) {
	t.Parallel() // it waits most of the time
	op := newOperator(t)
	srv := startServer(t, op.options)
	key := newUserKey(t)
	file := func(content string) func(*Connection) {
		return func(o *Connection) { o.Auth.Creds = write(t, "user.creds", content) }
	}
	connects(t, srv.URL(), file(op.creds(op.user(key, 0), key)))
	refused(t, srv.URL(), secret.ReasonUnavailable, false, file("no credentials, but "+hidden))
	refused(t, srv.URL(), secret.ReasonUnavailable, false, func(o *Connection) { o.Auth.Creds = "/nowhere/user.creds" })
}

// TestAuthRotated: credentials that expire are read again from their file, and
// the run after the one that was cut off goes on with the new ones.
func TestAuthRotated(t *testing.T) {
	t.Parallel() // it waits most of the time
	op := newOperator(t)
	srv := startServer(t, op.options)
	key := newUserKey(t)
	path := write(t, "user.creds", op.creds(op.user(key, 4*time.Second), key))
	_, s := subscribeTo(t, Adapter(), srv.URL(), "a", func(o *Options) { o.Connection.Auth.Creds = path })
	r := start(t, s, "", nil)
	r.awaitLive()
	if err := r.awaitReturn(soon); err == nil || adapters.IsPermanent(err) {
		t.Errorf("when the credentials expired: got error %v, want a transient one", err)
	}
	err := start(t, s, "", nil).awaitReturn(soon)
	if err == nil || adapters.IsPermanent(err) {
		t.Errorf("with credentials that have expired: got error %v, want a transient one", err)
	}
	write(t, path, op.creds(op.user(key, time.Hour), key))
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	heard := errors.New("heard")
	for !errors.Is(err, heard) && ctx.Err() == nil { // an attempt with the old ones may be under way
		err = s.Run(ctx, "", func(adapters.Event) error { return heard })
	}
	if !errors.Is(err, heard) {
		t.Errorf("with the new credentials: got error %v, want a Live notice", err)
	}
}

// An authority signs certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	next int64
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, next: 1}
	a.cert, a.key = a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	})
	return a
}

// sign completes and signs a certificate, by itself if there is no authority
// yet.
func (a *authority) sign(template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(a.next)
	a.next++
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

// pair returns certificate and key as PEM.
func (a *authority) pair(template *x509.Certificate) (cert, key string) {
	a.t.Helper()
	c, k := a.sign(template)
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		a.t.Fatal(err)
	}
	return encode("CERTIFICATE", c.Raw), encode("PRIVATE KEY", der)
}

func (a *authority) pem() string { return encode("CERTIFICATE", a.cert.Raw) }

func encode(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// serving returns the configuration of a server at 127.0.0.1.
func (a *authority) serving() *tls.Config {
	a.t.Helper()
	cert, key := a.pair(&x509.Certificate{
		Subject: pkix.Name{CommonName: "server"}, DNSNames: []string{"nats.test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		a.t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
}

func withTLS(config *tls.Config) func(*server.Options) {
	return func(o *server.Options) {
		o.TLS, o.TLSConfig, o.TLSTimeout = true, config, soon.Seconds()
	}
}

func TestAuthTLS(t *testing.T) {
	t.Parallel() // it waits most of the time
	a := newAuthority(t)
	srv := startServer(t, withTLS(a.serving()))
	secured := strings.Replace(srv.URL(), "nats://", "tls://", 1)
	ca := write(t, "ca.pem", a.pem())
	for _, url := range []string{srv.URL(), secured} {
		connects(t, url, func(o *Connection) { o.TLS.CA = ca })
		connects(t, url, func(o *Connection) { o.TLS.CA, o.TLS.ServerName = ca, "nats.test" })
		connects(t, url, func(o *Connection) { o.TLS.InsecureSkipVerify = true })
		refused(t, url, "certificate not trusted", false, func(*Connection) {})
		refused(t, url, "certificate not trusted", false, func(o *Connection) { o.TLS.CA, o.TLS.ServerName = ca, "other.test" })
		refused(t, url, "certificate not trusted", false, func(o *Connection) { o.TLS.CA = write(t, "other.pem", newAuthority(t).pem()) })
		refused(t, url, "TLS files not usable", false, func(o *Connection) { o.TLS.CA = "/nowhere/ca.pem" })
	}

	// What is to be secret isn't sent to a server without TLS.
	plain := startServer(t)
	refused(t, plain.URL(), reasonPlain, true, func(o *Connection) { o.TLS.CA = ca })
	refused(t, strings.Replace(plain.URL(), "nats://", "tls://", 1), reasonPlain, true, func(*Connection) {})
}

func TestAuthMutualTLS(t *testing.T) {
	t.Parallel() // it waits most of the time
	a := newAuthority(t)
	config := a.serving()
	config.ClientAuth = tls.RequireAndVerifyClientCert
	config.ClientCAs = x509.NewCertPool()
	config.ClientCAs.AddCert(a.cert)
	srv := startServer(t, withTLS(config))
	client := func(by *authority) (cert, key string) {
		return by.pair(&x509.Certificate{
			Subject: pkix.Name{CommonName: "client"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		})
	}
	ca := write(t, "ca.pem", a.pem())
	files := func(cert, key string) func(*Connection) {
		return func(o *Connection) {
			o.TLS.CA, o.TLS.Cert, o.TLS.Key = ca, write(t, "cert.pem", cert), write(t, "key.pem", key)
		}
	}
	connects(t, srv.URL(), files(client(a)))
	refused(t, srv.URL(), reasonTLS, false, files(client(newAuthority(t))))
	refused(t, srv.URL(), reasonTLS, false, func(o *Connection) { o.TLS.CA = ca })
}

func TestAuthTLSFirst(t *testing.T) {
	t.Parallel() // it waits most of the time
	a := newAuthority(t)
	srv := startServer(t, withTLS(a.serving()), func(o *server.Options) { o.TLSHandshakeFirst = true })
	ca := write(t, "ca.pem", a.pem())
	connects(t, srv.URL(), func(o *Connection) { o.TLS.CA, o.TLSFirst = ca, true })
	refused(t, srv.URL(), "", false, func(o *Connection) {
		o.TLS.CA, o.ConnectTimeout = ca, adapters.Duration(200*time.Millisecond)
	})
}

func TestAuthWebSocket(t *testing.T) {
	t.Parallel() // it waits most of the time
	a := newAuthority(t)
	webSocket := func(config *tls.Config) *testServer {
		return startServer(t, func(o *server.Options) {
			o.Username, o.Password = "u", hidden
			o.Websocket = server.WebsocketOpts{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoTLS: config == nil, TLSConfig: config}
		})
	}
	urlOf := func(srv *testServer) string { return srv.Server().WebsocketURL() }
	plain, secured := webSocket(nil), webSocket(a.serving())
	ca := write(t, "ca.pem", a.pem())
	connects(t, withUser(urlOf(plain), "u:"+hidden), func(*Connection) {})
	connects(t, withUser(urlOf(secured), "u:"+hidden), func(o *Connection) { o.TLS.CA = ca })
	refused(t, urlOf(plain), reasonRefused, true, func(*Connection) {})
	refused(t, urlOf(secured), "certificate not trusted", false, func(*Connection) {})
}

// TestAuthMasked: no way to print the options shows a secret.
func TestAuthMasked(t *testing.T) {
	o := defaults()
	o.Connection.URLs = urls("nats://u:"+hidden+"@h:1", "nats://"+hidden+"@h:1")
	o.Connection.Auth = Auth{
		User: secret.Text(hidden), Password: secret.Text(hidden), Token: secret.Text(hidden),
		JWT: secret.Text(hidden), Seed: secret.Text(hidden),
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		for _, value := range []any{o, &o, o.Connection, o.Connection.URLs} {
			if text := fmt.Sprintf(format, value); strings.Contains(text, hidden) {
				t.Errorf("%s of %T: got %q, want it without the secret", format, value, text)
			}
		}
	}
}
