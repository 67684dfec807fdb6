package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A kafkaLogin is a way to connect to a secure cluster.
type kafkaLogin struct {
	name     string
	listener string
	options  string // of the route, beside brokers and topics
	reason   string // that clients are told of; "": it works
	lasting  bool   // and it won't pass by waiting
}

// secureWorld is a secure cluster with what logins need.
type secureWorld struct {
	*kafkaCluster
	passwordFile, wrongFile, tokenFile, deniedFile, otherCA string
	tokens                                                  string // URL of an authorization server
}

// What must never be seen, besides the password.
const (
	wrongPassword = "letmein-7401"
	clientSecret  = "hush-2286"
)

// sessionLifetime is how long the broker takes requests after a login by
// SASL_SSL.
const sessionLifetime = 1500 * time.Millisecond

// startSecureKafka starts a cluster that lets the user, by any mechanism or
// certificate, do everything, and others nothing.
func startSecureKafka(t *testing.T) *secureWorld {
	t.Helper()
	w := &secureWorld{kafkaCluster: startKafka(t, kafkaOptions{secure: true, config: []string{
		"authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
		"super.users=User:ANONYMOUS;User:" + kafkaUser,
		"listener.name.mtls.ssl.principal.mapping.rules=RULE:^CN=([^,]+).*$/$1/",
		fmt.Sprintf("listener.name.sasl_ssl.connections.max.reauth.ms=%d", sessionLifetime.Milliseconds()),
	}})}
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		writeFile(t, path, text)
		return path
	}
	w.passwordFile = file("password", kafkaPassword+"\n")
	w.wrongFile = file("wrong", wrongPassword+"\n")
	w.tokenFile = file("token", unsecuredToken(t, kafkaUser, time.Hour))
	w.deniedFile = file("denied", unsecuredToken(t, "nobody", time.Hour))
	w.otherCA = newKafkaCertificates(t).authority
	w.tokens = app(t, func(rw http.ResponseWriter, r *http.Request) {
		id, secret, _ := r.BasicAuth()
		if r.ParseForm() != nil || r.PostForm.Get("grant_type") != "client_credentials" || id != "gateway" || secret != clientSecret {
			http.Error(rw, `{"error":"invalid_client"}`, http.StatusUnauthorized)
			return
		}
		rw.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(rw).Encode(map[string]any{
			"access_token": unsecuredToken(t, kafkaUser, time.Minute), "token_type": "Bearer", "expires_in": 60,
		})
	})
	return w
}

// logins returns all ways in, and out.
func (w *secureWorld) logins() []kafkaLogin {
	ca := fmt.Sprintf("tls: {ca: %q}", w.certs.authority)
	sasl := func(mechanism, user, password string) string {
		return fmt.Sprintf("sasl: {mechanism: %s, user: %s, password: %s}", mechanism, user, password)
	}
	good, wrong := strconv.Quote(kafkaPassword), strconv.Quote(wrongPassword)
	bearer := func(what string) string { return "sasl: {mechanism: oauthbearer, " + what + "}" }
	oauth2 := func(secret string) string {
		return bearer(fmt.Sprintf("oauth2: {token_url: %q, client_id: gateway, client_secret: %q}", w.tokens+"/token", secret))
	}
	const (
		refused = "Kafka refused the credentials"
		noTLS   = "TLS handshake with Kafka failed"
	)
	return []kafkaLogin{
		{name: "plain", listener: saslTLSListener, options: ca + ", " + sasl("plain", kafkaUser, good)},
		{name: "plain-file", listener: saslTLSListener, options: ca + ", " + sasl("PLAIN", kafkaUser, fmt.Sprintf("{file: %q}", w.passwordFile))},
		{name: "scram-256", listener: saslTLSListener, options: ca + ", " + sasl("scram-sha-256", kafkaUser, good)},
		{name: "scram-512", listener: saslTLSListener, options: ca + ", " + sasl("scram-sha-512", kafkaUser, good)},
		{name: "token-file", listener: saslTLSListener, options: ca + ", " + bearer(fmt.Sprintf("token: {file: %q}", w.tokenFile))},
		{name: "oauth2", listener: saslTLSListener, options: ca + ", " + oauth2(clientSecret)},
		{name: "no-tls", listener: saslListener, options: sasl("scram-sha-256", kafkaUser, good)},
		{name: "tls", listener: tlsListener, options: ca},
		{name: "mutual", listener: mutualListener, options: fmt.Sprintf("tls: {ca: %q, cert: %q, key: %q}", w.certs.authority, w.certs.clientCert, w.certs.clientKey)},

		{name: "wrong-plain", listener: saslTLSListener, options: ca + ", " + sasl("plain", kafkaUser, wrong), reason: refused, lasting: true},
		{name: "wrong-256", listener: saslTLSListener, options: ca + ", " + sasl("scram-sha-256", kafkaUser, wrong), reason: refused, lasting: true},
		{name: "wrong-512", listener: saslTLSListener, options: ca + ", " + sasl("scram-sha-512", kafkaUser, wrong), reason: refused, lasting: true},
		{name: "wrong-file", listener: saslTLSListener, options: ca + ", " + sasl("plain", kafkaUser, fmt.Sprintf("{file: %q}", w.wrongFile)), reason: refused},
		{name: "unknown-user", listener: saslTLSListener, options: ca + ", " + sasl("scram-sha-512", "nobody", wrong), reason: refused, lasting: true},
		{name: "wrong-token", listener: saslTLSListener, options: ca + ", " + bearer(fmt.Sprintf("token: %q", wrongPassword)), reason: refused},
		{name: "wrong-client", listener: saslTLSListener, options: ca + ", " + oauth2(wrongPassword), reason: "token endpoint failed"},
		{name: "unknown-ca", listener: saslTLSListener, options: fmt.Sprintf("tls: {ca: %q}, ", w.otherCA) + sasl("plain", kafkaUser, good), reason: "certificate not trusted"},
		{name: "no-certificate", listener: mutualListener, options: ca, reason: noTLS},
		{name: "no-credentials", listener: saslTLSListener, options: ca, reason: "connection to Kafka lost"},
		{name: "needless", listener: plainListener, options: sasl("plain", kafkaUser, good), reason: "Kafka does not ask for credentials", lasting: true},
		{name: "plain-text", listener: tlsListener, options: "client_id: plain", reason: "Kafka wants TLS"},
		{name: "needless-tls", listener: plainListener, options: ca, reason: noTLS},
		{name: "denied", listener: saslTLSListener, options: ca + ", " + bearer(fmt.Sprintf("token: {file: %q}", w.deniedFile)), reason: "not permitted by Kafka", lasting: true},
	}
}

// again is what the log says of a failure that may pass.
const again = "source failed; it will be run again"

// Who has the right credentials reads; of everything else a client is told in
// plain words, the log says more, and neither says a secret. Clients don't
// learn addresses.
func TestKafkaLogins(t *testing.T) {
	t.Parallel()
	w := startSecureKafka(t)
	topic := w.createTopic(t, topicOptions{})
	w.send(t, topic, keyed("a", "hello"))
	var routes strings.Builder
	logins := w.logins()
	for _, l := range logins {
		fmt.Fprintf(&routes, "  - {path: /%s, kafka: {brokers: [%q], topics: [%s], start: earliest, %s}}\n", l.name, w.addresses(l.listener)[0], topic, l.options)
	}
	s := serve(t, kafkaTable(w.brokers, routes.String()))
	for _, l := range logins {
		t.Run(l.name, func(t *testing.T) {
			c := follow(t, s.url+"/"+l.name)
			if l.reason == "" {
				c.awaitMessage(t, "hello")
				return
			}
			wait(t, "the reason", func() (any, bool) { return c.events(), c.has("stream.stale") })
			told := c.events()[0].Data
			var stale struct{ Reason string }
			if err := json.Unmarshal([]byte(told), &stale); err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(stale.Reason, l.reason) {
				t.Errorf("got reason %q, want %q", stale.Reason, l.reason)
			}
			if strings.Contains(told, "127.0.0.1") || strings.Contains(told, topic) {
				t.Errorf("got %s, want no address and no topic in it", told)
			}
			message := again
			if l.lasting {
				message = "source failed for good"
			}
			wait(t, "it in the log", func() (any, bool) {
				lines := s.failures("/"+l.name, message)
				return lines, len(lines) > 0 && strings.Contains(lines[0], stale.Reason)
			})
			if !l.lasting {
				code, body, err := fetch(s.admin + "/streams?route=/" + l.name)
				if code != 200 || err != nil || !strings.Contains(body, fmt.Sprintf(`"reason":%q`, stale.Reason)) || strings.Contains(body, "127.0.0.1") {
					t.Errorf("/streams: got %d %s %v, want the reason %q, and no address", code, body, err, stale.Reason)
				}
			}
		})
	}
	code, ready, err := fetch(s.admin + "/readyz")
	if code != http.StatusOK || err != nil {
		t.Errorf("/readyz: got %d %v, want 200: clients are better off where they are told", code, err)
	}
	for _, secret := range []string{kafkaPassword, wrongPassword, clientSecret, unsecuredToken(t, kafkaUser, time.Hour)[:20]} {
		if strings.Contains(ready, secret) {
			t.Errorf("got /readyz with %q in it, want no secret", secret)
		}
		if at := strings.Index(s.output.String(), secret); at >= 0 {
			t.Errorf("got a log with %q in it, want no secret: %.300s", secret, s.output.String()[max(0, at-150):])
		}
	}
	t.Run("session", func(t *testing.T) { w.checkSession(t, s, topic) })
	t.Run("rotation", func(t *testing.T) { w.checkRotation(t, s, topic) })
}

// checkSession checks that a stream outlives the session that its login opens,
// on the connection that it has (KIP-368), and that nobody hears of it.
func (w *secureWorld) checkSession(t *testing.T, s *sidestream, topic string) {
	t.Helper()
	routes := []string{"/plain", "/scram-256", "/scram-512", "/token-file", "/oauth2"}
	clients := map[string]*client{}
	for _, r := range routes {
		clients[r] = follow(t, s.url+r)
		s.awaitSource(t, r, "fresh")
	}
	next := 0
	relay := func() {
		t.Helper()
		next++
		w.send(t, topic, keyed("a", strconv.Itoa(next)))
		for _, c := range clients {
			c.awaitMessage(t, strconv.Itoa(next))
		}
	}
	relay()
	at := w.addresses(saslTLSListener)[0]
	first := connectionsTo(t, at)
	for began := time.Now(); time.Since(began) < 2*sessionLifetime; {
		relay()
	}
	kept := slices.DeleteFunc(connectionsTo(t, at), func(port int) bool { return !slices.Contains(first, port) })
	if len(kept) < len(routes) {
		t.Errorf("got %d connections of %d that outlived their sessions, want those of %d streams", len(kept), len(first), len(routes))
	}
	for r, c := range clients {
		if c.has("stream.stale") || c.has("stream.gap") || len(c.conns()) != 1 {
			t.Errorf("%s: got %v on %d connections, want nothing but records on one", r, c.events(), len(c.conns()))
		}
	}
}

// checkRotation checks that a password that is replaced, at the broker and in
// its file, is taken from there without a restart.
func (w *secureWorld) checkRotation(t *testing.T, s *sidestream, topic string) {
	t.Helper()
	c := follow(t, s.url+"/plain-file")
	s.awaitSource(t, "/plain-file", "fresh")
	n := w.node(1)
	properties, err := os.ReadFile(n.args[0])
	if err != nil {
		t.Fatal(err)
	}
	const rotated = "rotated-5512"
	n.kill()
	writeFile(t, n.args[0], strings.ReplaceAll(string(properties), strconv.Quote(kafkaPassword), strconv.Quote(rotated)))
	known := len(s.failures("/plain-file", again))
	n.start(t)
	n.awaitStarted(t)
	wait(t, "the old password to be refused", func() (any, bool) {
		lines := s.failures("/plain-file", again)
		return lines, len(lines) > known && strings.Contains(lines[len(lines)-1], "Kafka refused the credentials")
	})
	replaceFile(t, w.passwordFile, rotated+"\n")
	s.awaitSource(t, "/plain-file", "fresh")
	w.send(t, topic, keyed("a", "after the rotation"))
	c.awaitMessage(t, "after the rotation")
	if c.has("stream.gap") || len(c.conns()) != 1 {
		t.Errorf("got %v on %d connections, want no gap, and one", c.events(), len(c.conns()))
	}
	if strings.Contains(s.output.String(), rotated) {
		t.Error("got a log with the new password in it, want no secret")
	}
}

// failures returns the errors of a route's source that were logged with this
// message.
func (s *sidestream) failures(route, message string) (list []string) {
	for _, fields := range s.logged(message) {
		if fields["route"] == route {
			list = append(list, fmt.Sprint(fields["error"]))
		}
	}
	return list
}

// connectionsTo returns the local ports of the connections that somebody has
// to an address of this machine (proc_net_tcp(5)).
func connectionsTo(tb testing.TB, address string) (ports []int) {
	tb.Helper()
	const established = "01"
	_, text, _ := strings.Cut(address, ":")
	port, err := strconv.Atoi(text)
	if err != nil {
		tb.Fatal(err)
	}
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		if len(fields) < 4 || fields[3] != established || !strings.HasSuffix(fields[2], fmt.Sprintf(":%04X", port)) {
			continue
		}
		_, local, _ := strings.Cut(fields[1], ":")
		n, err := strconv.ParseInt(local, 16, 32)
		if err != nil {
			tb.Fatal(err)
		}
		ports = append(ports, int(n))
	}
	return ports
}
