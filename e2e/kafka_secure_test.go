package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"sidestream/adapters/tlsfiles/tlstest"
)

// The names of the listeners that a secure cluster has besides.
const (
	saslListener    = "SASL_PLAINTEXT"
	saslTLSListener = "SASL_SSL"
	tlsListener     = "SSL"
	mutualListener  = "MTLS" // wants a client's certificate
)

var secureListeners = []struct{ name, protocol string }{
	{saslListener, "SASL_PLAINTEXT"},
	{saslTLSListener, "SASL_SSL"},
	{tlsListener, "SSL"},
	{mutualListener, "SSL"},
}

// Who is let in by SASL, by any mechanism. By OAUTHBEARER it is everybody with
// an [unsecuredToken].
const (
	kafkaUser     = "app"
	kafkaPassword = "pa:ss#word" // what a configuration has to quote
)

// kafkaCertificates are the files that a secure cluster and its clients use.
type kafkaCertificates struct {
	authority             string // that both sides' certificates are of
	clientCert, clientKey string
	serverStore           string // key and certificate in one file, as Kafka wants them
	clientStore           string
}

func newKafkaCertificates(tb testing.TB) *kafkaCertificates {
	tb.Helper()
	dir, authority := tb.TempDir(), tlstest.NewAuthority(tb)
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		writeFile(tb, path, text)
		return path
	}
	serverCert, serverKey := authority.Issue(tb, "localhost")
	clientCert, clientKey := authority.Issue(tb, kafkaUser)
	return &kafkaCertificates{
		authority:   file("ca.pem", authority.PEM()),
		clientCert:  file("client.pem", clientCert),
		clientKey:   file("client.key", clientKey),
		serverStore: file("server-store.pem", serverKey+serverCert),
		clientStore: file("client-store.pem", clientKey+clientCert),
	}
}

// secureConfig returns the properties of the secure listeners.
func secureConfig(certs *kafkaCertificates) []string {
	lines := []string{
		"sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
		"ssl.keystore.type=PEM",
		"ssl.keystore.location=" + certs.serverStore,
		"ssl.truststore.type=PEM",
		"ssl.truststore.location=" + certs.authority,
		"listener.name.mtls.ssl.client.auth=required",
	}
	for _, prefix := range []string{"listener.name.sasl_plaintext.", "listener.name.sasl_ssl."} {
		lines = append(lines,
			fmt.Sprintf("%splain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_%s=%q;",
				prefix, kafkaUser, kafkaPassword),
			prefix+"scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;",
			prefix+"scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;",
			prefix+"oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;",
		)
	}
	return lines
}

// scramUsers returns the options of formatting with which SCRAM knows the
// user.
func scramUsers() (options []string) {
	for _, mechanism := range []string{"SCRAM-SHA-256", "SCRAM-SHA-512"} {
		options = append(options, "--add-scram", fmt.Sprintf("%s=[name=%s,password=%s]", mechanism, kafkaUser, kafkaPassword))
	}
	return options
}

// unsecuredToken returns a JSON Web Token without a signature, which is what
// Kafka takes by OAUTHBEARER unless it is told who issues them.
func unsecuredToken(tb testing.TB, subject string, lifetime time.Duration) string {
	tb.Helper()
	now := time.Now()
	claims, err := json.Marshal(map[string]any{"sub": subject, "iat": now.Unix(), "exp": now.Add(lifetime).Unix()})
	if err != nil {
		tb.Fatal(err)
	}
	part := base64.RawURLEncoding.EncodeToString
	return part([]byte(`{"alg":"none"}`)) + "." + part(claims) + "."
}

// javaLogin returns the properties with which Kafka's own client logs in as
// the user by a mechanism, or uses TLS without one ("").
func (c *kafkaCertificates) javaLogin(listener, mechanism string) map[string]string {
	properties := map[string]string{
		"security.protocol":       listener,
		"ssl.truststore.type":     "PEM",
		"ssl.truststore.location": c.authority,
	}
	if listener == mutualListener {
		properties["security.protocol"] = "SSL"
		properties["ssl.keystore.type"] = "PEM"
		properties["ssl.keystore.location"] = c.clientStore
	}
	switch mechanism {
	case "":
	case "PLAIN":
		properties["sasl.jaas.config"] = fmt.Sprintf(
			"org.apache.kafka.common.security.plain.PlainLoginModule required username=%q password=%q;", kafkaUser, kafkaPassword)
	case "OAUTHBEARER":
		properties["sasl.jaas.config"] = fmt.Sprintf(
			"org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=%q;", kafkaUser)
	default:
		properties["sasl.jaas.config"] = fmt.Sprintf(
			"org.apache.kafka.common.security.scram.ScramLoginModule required username=%q password=%q;", kafkaUser, kafkaPassword)
	}
	if mechanism != "" {
		properties["sasl.mechanism"] = mechanism
	}
	return properties
}

// kcatLogin is javaLogin as arguments of kcat. SCRAM is of no use: Debian 12's
// librdkafka (2.0.2) doesn't get through it with a Kafka of today.
func (c *kafkaCertificates) kcatLogin(listener, mechanism string) []string {
	args := []string{"-X", "security.protocol=" + listener, "-X", "ssl.ca.location=" + c.authority}
	if listener == mutualListener {
		args[1] = "security.protocol=SSL"
		args = append(args, "-X", "ssl.certificate.location="+c.clientCert, "-X", "ssl.key.location="+c.clientKey)
	}
	switch mechanism {
	case "":
		return args
	case "OAUTHBEARER":
		args = append(args, "-X", "enable.sasl.oauthbearer.unsecure.jwt=true", "-X", "sasl.oauthbearer.config=principal="+kafkaUser)
	default:
		args = append(args, "-X", "sasl.username="+kafkaUser, "-X", "sasl.password="+kafkaPassword)
	}
	return append(args, "-X", "sasl.mechanism="+mechanism)
}
