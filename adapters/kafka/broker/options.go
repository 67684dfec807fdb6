package broker

import (
	"context"
	"time"

	"sidestream/adapters/secret"
	"sidestream/adapters/tlsfiles"
)

// Options say how brokers are reached. They are validated by whoever fills
// them in.
type Options struct {
	Brokers  []string // "host:port" of those to begin with, at least one; an IPv6 address stands in brackets
	ClientID string   // what brokers know the client by, in their logs and quotas; at most 32767 bytes

	TLS  *tlsfiles.Source // nil: connections without TLS
	SASL SASL             // the zero value: connections without authentication

	ConnectTimeout time.Duration // for a connection to be made: name, TCP, TLS, versions and SASL together
	RequestTimeout time.Duration // for an answer to come, beyond what its request lets the broker wait
	MaxResponse    int           // the most that an answer has, in bytes

	Idle        int           // connections kept for reuse, in all; 0: none
	IdleTimeout time.Duration // how long one is kept
}

// SASL is how the client proves who it is. Credentials are read for each
// connection, and again when a session is renewed.
type SASL struct {
	Mechanism Mechanism

	// User and Password are for plain and scram.
	User, Password *secret.Reader

	// Replaceable says that User or Password may change, because it is read
	// from a file: a refusal may then pass, and isn't permanent.
	Replaceable bool

	// Token returns a bearer token, for oauthbearer, whose refusal may
	// always pass. An [adapters.UpstreamError] is passed on as it is.
	Token func(context.Context) (string, error)

	// Extensions go with the token (RFC 7628, section 3.1). Keys are of
	// letters only, and not "auth".
	Extensions map[string]string
}

// Mechanism is a mechanism of SASL. The zero value is none.
type Mechanism string

// The mechanisms.
const (
	Plain       Mechanism = "plain"
	ScramSHA256 Mechanism = "scram-sha-256"
	ScramSHA512 Mechanism = "scram-sha-512"
	OAuthBearer Mechanism = "oauthbearer"
)

// Values implements [adapters.Choice].
func (Mechanism) Values() []string {
	return []string{string(Plain), string(ScramSHA256), string(ScramSHA512), string(OAuthBearer)}
}
