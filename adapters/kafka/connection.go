package kafka

import (
	"strings"

	"sidestream/adapters"
	"sidestream/adapters/httpclient"
	"sidestream/adapters/secret"
	"sidestream/adapters/tlsfiles"
)

// Connection is how the brokers are reached.
type Connection struct {
	// Brokers are those to begin with, one or several of a cluster, each
	// host:port; others are learnt from them. The port is 9092 if there is
	// none. One text may hold several, with commas between them.
	Brokers []string `yaml:"brokers"`

	// ClientID is what the brokers show of the connection in their logs and
	// count for its quotas: letters, digits, dots, - and _.
	ClientID string `yaml:"client_id"`

	// Rack is where this program runs, as brokers say it of themselves
	// (broker.rack): a replica in the same rack is read from, where the
	// cluster offers that (replica.selector.class).
	Rack string `yaml:"rack"`

	TLS  TLS  `yaml:"tls"`
	SASL SASL `yaml:"sasl"`

	// ConnectTimeout bounds the time in which a broker must have accepted a
	// connection, TLS and credentials included, from 100ms to 5m.
	ConnectTimeout adapters.Duration `yaml:"connect_timeout"`

	// RequestTimeout bounds the time in which a broker must have answered a
	// request, beyond what it was asked to wait (fetch.max_wait), from 100ms to
	// 5m.
	RequestTimeout adapters.Duration `yaml:"request_timeout"`

	// Idle bounds the connections that are kept for later.
	Idle Idle `yaml:"idle"`
}

// Idle bounds the connections that are kept while nobody uses them.
type Idle struct {
	Connections int               `yaml:"connections"` // how many of them, from 0 to 10000
	Timeout     adapters.Duration `yaml:"timeout"`     // how long each, from 1s to 1h
}

// TLS is how connections are secured. They are if Enabled is set, or anything
// else here.
type TLS struct {
	Enabled bool `yaml:"enabled"` // also with nothing else set: trust the system's authorities

	Files tlsfiles.Options `yaml:",inline"`
}

// on reports whether connections are secured.
func (o *TLS) on() bool { return o.Enabled || o.Files != tlsfiles.Defaults() }

// SASL is how the client proves who it is: by User and Password, with
// oauthbearer by a Token or by what OAuth2 gets. Files are read anew for each
// connection. The zero value is no proof, apart from the certificate of TLS.
type SASL struct {
	// Mechanism is one that the brokers have enabled
	// (sasl.enabled.mechanisms). It may be written in upper case, as they do.
	// Empty means none.
	Mechanism Mechanism `yaml:"mechanism"`

	User     secret.Value `yaml:"user"`     // for plain and scram
	Password secret.Value `yaml:"password"` // for plain and scram

	Token  secret.Value `yaml:"token"`  // for oauthbearer
	OAuth2 Tokens       `yaml:"oauth2"` // for oauthbearer: where to get tokens

	// Extensions are sent along with the token, by names of letters alone
	// (RFC 7628, section 3.1), such as logicalCluster. At most 32.
	Extensions map[string]string `yaml:"extensions"`
}

// Tokens are got from an authorization server.
type Tokens struct {
	OAuth2 httpclient.OAuth2 `yaml:",inline"`

	// TLS is how its https URL is secured, which has nothing of the brokers'.
	// It takes no server_name.
	TLS tlsfiles.Options `yaml:"tls"`

	// Proxy is what it is asked through. The zero value is what the environment
	// says.
	Proxy httpclient.Proxy `yaml:"proxy"`
}

// Mechanism is one of SASL. The zero value is none.
type Mechanism string

const (
	mechanismPlain       Mechanism = "plain"         // user and password as they are (RFC 4616); for connections with TLS
	mechanismSCRAM256    Mechanism = "scram-sha-256" // user and password, which isn't sent (RFC 5802)
	mechanismSCRAM512    Mechanism = "scram-sha-512" // the same with a longer hash
	mechanismOAuthBearer Mechanism = "oauthbearer"   // a token (RFC 7628)
)

// Values implements [adapters.Choice].
func (Mechanism) Values() []string {
	return []string{string(mechanismPlain), string(mechanismSCRAM256), string(mechanismSCRAM512), string(mechanismOAuthBearer)}
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (m *Mechanism) UnmarshalText(text []byte) error {
	*m = Mechanism(strings.ToLower(string(text)))
	return nil
}
