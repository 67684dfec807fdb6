package broker_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sidestream/adapters"
	"sidestream/adapters/kafka/broker"
	"sidestream/adapters/secret"
)

// withSASL has a client present a user and a password.
func withSASL(m broker.Mechanism, user, password secret.Value) func(*broker.Options) {
	return func(o *broker.Options) {
		o.SASL = broker.SASL{
			Mechanism:   m,
			User:        secret.NewReader("sasl.user", user),
			Password:    secret.NewReader("sasl.password", password),
			Replaceable: user.File != "" || password.File != "",
		}
	}
}

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

// secured starts a fake cluster that knows one user for each mechanism.
func secured(tb testing.TB, o ...kfake.Opt) *kfake.Cluster {
	tb.Helper()
	return fake(tb, append(o, kfake.EnableSASL(), kfake.SeedTopics(1, "orders"),
		kfake.Superuser("PLAIN", "p", hidden), kfake.Superuser("SCRAM-SHA-256", "s,=256", hidden), kfake.Superuser("SCRAM-SHA-512", "s512", hidden))...)
}

func TestSASL(t *testing.T) {
	k := secured(t)
	for _, tc := range []struct {
		mechanism      broker.Mechanism
		user, password string
		want           bool
	}{
		{broker.Plain, "p", hidden, true},
		{broker.Plain, "p", "x" + hidden, false},
		{broker.Plain, "nobody", hidden, false},
		{broker.ScramSHA256, "s,=256", hidden, true},
		{broker.ScramSHA256, "s,=256", "x" + hidden, false},
		{broker.ScramSHA256, "s512", hidden, false},
		{broker.ScramSHA512, "s512", hidden, true},
		{broker.ScramSHA512, "s512", "x" + hidden, false},
	} {
		c := newCluster(t, k.ListenAddrs(), withSASL(tc.mechanism, secret.Text(tc.user), secret.Text(tc.password)))
		_, err := c.Metadata(t.Context(), []string{"orders"})
		switch {
		case tc.want && err != nil:
			t.Errorf("%s as %s: got %v, want no error", tc.mechanism, tc.user, err)
		case !tc.want: // this server refuses by closing the connection
			fails(t, string(tc.mechanism)+" as "+tc.user, err, "Kafka closed the connection during authentication", false)
		}
	}
}

// TestRefusedCredentials has servers that say so, and tells credentials that may
// be replaced from those that won't.
func TestRefusedCredentials(t *testing.T) {
	file := secret.Value{File: write(t, "password", hidden)}
	token := func(context.Context) (string, error) { return hidden, nil }
	for _, tc := range []struct {
		name      string
		edit      func(*broker.Options)
		code      *kerr.Error
		reason    string
		permanent bool
	}{
		{"text", withSASL(broker.Plain, secret.Text("p"), secret.Text(hidden)), kerr.SaslAuthenticationFailed, "Kafka refused the credentials", true},
		{"file", withSASL(broker.Plain, secret.Text("p"), file), kerr.SaslAuthenticationFailed, "Kafka refused the credentials", false},
		{"SCRAM", withSASL(broker.ScramSHA512, secret.Text("p"), secret.Text(hidden)), kerr.SaslAuthenticationFailed, "Kafka refused the credentials", true},
		{"token", func(o *broker.Options) { o.SASL = broker.SASL{Mechanism: broker.OAuthBearer, Token: token} }, kerr.SaslAuthenticationFailed, "Kafka refused the credentials", false},
		{"busy", withSASL(broker.Plain, secret.Text("p"), secret.Text(hidden)), kerr.RequestTimedOut, "Kafka is unavailable for the moment", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			address := serve(t, func(conn net.Conn) {
				talk(conn, func(r kmsg.Request) kmsg.Response {
					response := r.ResponseKind()
					if a, ok := response.(*kmsg.SASLAuthenticateResponse); ok {
						a.ErrorCode, a.ErrorMessage = tc.code.Code, kmsg.StringPtr("you said "+hidden)
					}
					return response
				})
			})
			_, err := newCluster(t, []string{address}, tc.edit).Connect(t.Context(), node(t, address))
			fails(t, "Connect", err, tc.reason, tc.permanent, address)
		})
	}
}

func TestWrongMechanism(t *testing.T) {
	k := secured(t)
	edit := func(o *broker.Options) {
		o.SASL = broker.SASL{Mechanism: broker.OAuthBearer, Token: func(context.Context) (string, error) { return hidden, nil }}
	}
	_, err := newCluster(t, k.ListenAddrs(), edit).Metadata(t.Context(), nil)
	fails(t, "Metadata", err, "Kafka does not take this SASL mechanism", true, `OAUTHBEARER`, `it takes ["PLAIN" "SCRAM-SHA-256" "SCRAM-SHA-512"]`)
}

// TestNoSASL has a server that doesn't ask for credentials, and one that does
// where the client has none.
func TestNoSASL(t *testing.T) {
	address := serve(t, func(conn net.Conn) {
		talk(conn, func(r kmsg.Request) kmsg.Response {
			response := r.ResponseKind().(*kmsg.SASLHandshakeResponse)
			response.ErrorCode = kerr.IllegalSaslState.Code
			return response
		})
	})
	edit := withSASL(broker.Plain, secret.Text("p"), secret.Text(hidden))
	_, err := newCluster(t, []string{address}, edit).Connect(t.Context(), node(t, address))
	fails(t, "Connect", err, "Kafka does not ask for credentials", true)

	k := secured(t)
	_, err = newCluster(t, k.ListenAddrs(), nil).Metadata(t.Context(), nil)
	fails(t, "Metadata", err, "connection to Kafka lost", false, "EOF (it may want SASL)")
}

// TestCredentialsAreReadAnew changes a file between two connections.
func TestCredentialsAreReadAnew(t *testing.T) {
	k := secured(t)
	password := secret.Value{File: filepath.Join(t.TempDir(), "password")}
	c := newCluster(t, k.ListenAddrs(), withSASL(broker.Plain, secret.Text("p"), password))
	_, err := c.Metadata(t.Context(), nil)
	fails(t, "without the file", err, secret.ReasonUnavailable, false, "sasl.password: ", password.File)
	write(t, password.File, "x"+hidden)
	_, err = c.Metadata(t.Context(), nil)
	fails(t, "with another password", err, "Kafka closed the connection during authentication", false)
	write(t, password.File, hidden)
	if _, err := c.Metadata(t.Context(), nil); err != nil {
		t.Errorf("with the right one: got %v, want no error", err)
	}
}

func TestUnusableCredentials(t *testing.T) {
	k := secured(t)
	for what, edit := range map[string]func(*broker.Options){
		"NUL":      withSASL(broker.Plain, secret.Text("p"), secret.Text(hidden+"\x00")),
		"SASLprep": withSASL(broker.ScramSHA256, secret.Text("p"), secret.Text(hidden+"\u06dd")),
		"no token": func(o *broker.Options) {
			o.SASL = broker.SASL{Mechanism: broker.OAuthBearer, Token: func(context.Context) (string, error) { return "", nil }}
		},
		"a token of two lines": func(o *broker.Options) {
			o.SASL = broker.SASL{Mechanism: broker.OAuthBearer, Token: func(context.Context) (string, error) { return hidden + "\x01", nil }}
		},
	} {
		_, err := newCluster(t, k.ListenAddrs(), edit).Metadata(t.Context(), nil)
		fails(t, what, err, secret.ReasonUnavailable, !strings.Contains(what, "token"))
	}
}

// An authenticator answers what a client sends for a mechanism, or refuses with
// ok being false.
type authenticator func(response string) (challenge string, ok bool)

// bearing starts a server that does as an authenticator says with each
// connection.
func bearing(tb testing.TB, next func() authenticator) (address string) {
	tb.Helper()
	return serve(tb, func(conn net.Conn) {
		authenticate := next()
		talk(conn, func(r kmsg.Request) kmsg.Response {
			switch r := r.(type) {
			case *kmsg.SASLAuthenticateRequest:
				response := r.ResponseKind().(*kmsg.SASLAuthenticateResponse)
				challenge, ok := authenticate(string(r.SASLAuthBytes))
				response.SASLAuthBytes = []byte(challenge)
				if !ok {
					response.ErrorCode = kerr.SaslAuthenticationFailed.Code
				}
				return response
			case *kmsg.MetadataRequest:
				return metadata(tb, conn.LocalAddr().String())
			default:
				return r.ResponseKind()
			}
		})
	})
}

func TestOAuthBearer(t *testing.T) {
	const want = "n,,\x01auth=Bearer token-1\x01logicalCluster=lkc-1\x01poolId=pool-1\x01\x01"
	address := bearing(t, func() authenticator {
		refused := false
		return func(got string) (string, bool) {
			switch {
			case got == want:
				return "", true
			case refused && got == "\x01":
				return "", false
			case refused:
				t.Errorf("got %q, want the end", got)
			}
			refused = true
			return `{"status":"invalid_token","scope":"hunter2"}`, true
		}
	})
	use := func(token func(context.Context) (string, error)) error {
		c := newCluster(t, []string{address}, func(o *broker.Options) {
			o.SASL = broker.SASL{Mechanism: broker.OAuthBearer, Token: token, Extensions: map[string]string{"poolId": "pool-1", "logicalCluster": "lkc-1"}}
		})
		_, err := c.Metadata(t.Context(), nil)
		return err
	}
	if err := use(func(context.Context) (string, error) { return "token-1", nil }); err != nil {
		t.Errorf("got %v, want no error", err)
	}
	err := use(func(context.Context) (string, error) { return "token-2", nil })
	fails(t, "another token", err, "Kafka refused the credentials", false)
	err = use(func(context.Context) (string, error) {
		return "", adapters.Transient("token endpoint failed", errors.New("it answered 503"))
	})
	fails(t, "no token", err, "token endpoint failed", false, "it answered 503")
	err = use(func(context.Context) (string, error) { return "", errors.New("none") })
	fails(t, "no token", err, secret.ReasonUnavailable, false, "none")
	err = use(func(ctx context.Context) (string, error) {
		if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > 10*time.Second {
			t.Errorf("got the deadline %v, want it within 10s", deadline)
		}
		return "token-1", nil
	})
	if err != nil {
		t.Errorf("got %v, want no error", err)
	}
}

// TestRefusalIsFinal has a server that refuses a token, and then acts as if
// nothing had happened.
func TestRefusalIsFinal(t *testing.T) {
	address := bearing(t, func() authenticator {
		challenge := `{"status":"invalid_token"}`
		return func(string) (string, bool) {
			said := challenge
			challenge = ""
			return said, true
		}
	})
	c := newCluster(t, []string{address}, func(o *broker.Options) {
		o.SASL = broker.SASL{Mechanism: broker.OAuthBearer, Token: func(context.Context) (string, error) { return hidden, nil }}
	})
	_, err := c.Connect(t.Context(), node(t, address))
	fails(t, "Connect", err, "Kafka refused the credentials", false, "(invalid_token)")
}

// TestImpostor has servers that don't know the password but take whatever the
// client sends, or want to have it work without end.
func TestImpostor(t *testing.T) {
	salt := base64.StdEncoding.EncodeToString([]byte("0123456789abcdef"))
	for _, tc := range []struct {
		name, iterations, final string
		reason                  string
		permanent               bool
	}{
		{"another signature", "4096", "v=" + salt, "Kafka did not prove that it knows the password", false},
		{"no signature", "4096", "", "Kafka did not prove that it knows the password", false},
		{"a refusal of its own", "4096", "e=other-error", "Kafka refused the credentials", true},
		{"too little work", "1", "v=" + salt, "Kafka did not prove that it knows the password", false},
		{"too much work", "2000000000", "v=" + salt, "Kafka did not prove that it knows the password", false},
		{"more than a number", "99999999999999999999", "v=" + salt, "Kafka did not prove that it knows the password", false},
		{"no number", "many", "v=" + salt, "Kafka did not prove that it knows the password", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			address := bearing(t, func() authenticator {
				return func(message string) (string, bool) {
					if _, nonce, first := strings.Cut(message, "n=app,r="); first {
						return fmt.Sprintf("r=%sx,s=%s,i=%s", nonce, salt, tc.iterations), true
					}
					return tc.final, true
				}
			})
			start := time.Now()
			c := newCluster(t, []string{address}, withSASL(broker.ScramSHA256, secret.Text("app"), secret.Text(hidden)))
			_, err := c.Connect(t.Context(), node(t, address))
			fails(t, "Connect", err, tc.reason, tc.permanent)
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("got it after %v, want it sooner", took)
			}
		})
	}
}

// TestSessionIsRenewed has sessions that end (KIP-368), on a server that keeps
// count.
func TestSessionIsRenewed(t *testing.T) {
	k := secured(t, kfake.BrokerConfigs(map[string]string{"connections.max.reauth.ms": "200"}))
	var handshakes atomic.Int64
	k.ControlKey(kmsg.SASLHandshake.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		handshakes.Add(1)
		return nil, nil, false
	})
	password := write(t, "password", hidden)
	c := newCluster(t, k.ListenAddrs(), withSASL(broker.Plain, secret.Text("p"), secret.Value{File: password}))
	conn := connect(t, c, k.ListenAddrs()[0])
	ask := func() error {
		_, err := conn.TopicConfig(t.Context(), "orders", "cleanup.policy")
		return err
	}
	eventually(t, "a session that has been renewed twice", func() bool {
		if err := ask(); err != nil {
			t.Fatalf("got %v, want no error", err)
		}
		return handshakes.Load() == 3
	})
	write(t, password, "x"+hidden)
	var err error
	eventually(t, "a session that can't be renewed", func() bool {
		err = ask()
		return err != nil
	})
	fails(t, "a request after it", err, "Kafka closed the connection during authentication", false, "renew the session with")
}
