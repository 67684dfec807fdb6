package nats

import (
	"fmt"
	"net/url"
	"strconv"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"sidestream/adapters"
	"sidestream/adapters/secret"
	"sidestream/adapters/tlsfiles"
)

// Options are what a route may configure under its key "nats".
//
// What is read is one of three kinds: the messages of Subject as they are
// published (core NATS), those that a JetStream Stream has stored, or the
// entries of a key-value Bucket.
type Options struct {
	// Connection is how the servers are reached. Routes for which all of it
	// is equal share one connection.
	Connection Connection `yaml:",inline"`

	// Domain is the JetStream domain that has the stream or bucket. Empty
	// means that of the server.
	Domain string `yaml:"domain"`

	// APIPrefix is the prefix of the JetStream API's subjects, where another
	// account exports it. Empty means "$JS.API".
	APIPrefix string `yaml:"api_prefix"`

	// Subject is one subject or several, none of which may match what
	// another one does. Without Stream it is what to subscribe to; with
	// Stream it selects among the stream's messages, and none means all.
	//
	// "*" stands for one token and a last ">" for one or more. "{name}" is
	// a token made of the route's variable, or a part of one, and "{name...}"
	// as the last token stands for all segments of the variable: their
	// slashes become dots.
	Subject []string `yaml:"subject"`

	// Queue is the queue group to subscribe in (core only): of its members,
	// in other routes and programs too, only one gets each message. Empty
	// means that everything is received.
	Queue string `yaml:"queue"`

	// Stream is the name of the JetStream stream to read.
	Stream string `yaml:"stream"`

	// Start says where in a stream to begin when a first client comes,
	// without a position. Those who come while it is there begin with what
	// comes then, or with what history.replay, latest or since give them.
	Start Start `yaml:"start"`

	// Bucket is the name of the key-value bucket to read.
	Bucket string `yaml:"bucket"`

	// Keys select among the bucket's keys, as Subject does among subjects.
	// None of them may match what another one does.
	Keys []string `yaml:"keys"`

	// UpdatesOnly begins with the next change, in place of the entries that
	// are there.
	UpdatesOnly bool `yaml:"updates_only"`

	// IgnoreDeletes leaves out that a key was deleted or purged.
	IgnoreDeletes bool `yaml:"ignore_deletes"`

	// History begins with all revisions that the bucket holds of each key,
	// in place of the newest.
	History bool `yaml:"history"`

	// Pending is what may wait for one source of Subject to be taken (core
	// only). What comes when it is full is dropped, and clients are told how
	// many messages were. A message is taken when nothing waits, whatever its
	// size.
	Pending Bound `yaml:"pending"`

	// Prefetch is how much of a stream or bucket a source asks for before it
	// is needed.
	Prefetch Bound `yaml:"prefetch"`
}

// Connection is how the servers are reached.
type Connection struct {
	// URLs are those of the servers, one or several of a cluster:
	// nats://host:port, tls://, ws:// or wss://. Before the host may stand
	// user:password@ or token@. They are tried in random order, and after
	// them the other servers of the cluster that they have told of.
	URLs []URL `yaml:"urls"`

	// Name is what the server shows of the connection.
	Name string `yaml:"name"`

	Auth Auth `yaml:"auth"`

	// TLS is how connections are secured. If any of it is set, servers that
	// have no TLS are refused.
	TLS tlsfiles.Options `yaml:"tls"`

	// TLSFirst does the TLS handshake before the server says anything, as
	// servers with handshake_first want it.
	TLSFirst bool `yaml:"tls_first"`

	// InboxPrefix starts the subjects of answers, which the user has to be
	// allowed to subscribe to.
	InboxPrefix string `yaml:"inbox_prefix"`

	// ConnectTimeout bounds the time in which a server must have accepted
	// the connection, from 100ms to 5m.
	ConnectTimeout adapters.Duration `yaml:"connect_timeout"`

	// PingInterval is how often the server is asked whether it is there,
	// from 100ms to 1h. A connection is given up after two pings without an
	// answer, when the third is due.
	PingInterval adapters.Duration `yaml:"ping_interval"`

	// Reconnect is how long to wait before all servers are tried once more.
	// They are tried for ever.
	Reconnect Backoff `yaml:"reconnect"`

	inProcess natsgo.InProcessConnProvider // see [ClientOptions]
}

// Auth is how the client proves who it is. One kind only: user and password,
// token, nkey, creds, or jwt and seed. Files are read anew for each
// connection.
type Auth struct {
	User     secret.Value `yaml:"user"`     // with a password
	Password secret.Value `yaml:"password"` // of the user
	Token    secret.Value `yaml:"token"`    // in place of a user
	NKey     string       `yaml:"nkey"`     // file with the seed of an NKey
	Creds    string       `yaml:"creds"`    // file with a user's JWT and seed, as nsc writes it (".creds")
	JWT      secret.Value `yaml:"jwt"`      // of a user
	Seed     secret.Value `yaml:"seed"`     // of the NKey that the JWT is for
}

// Backoff is a delay that doubles from Min to Max. It is random: from half of
// it to the whole.
type Backoff struct {
	Min adapters.Duration `yaml:"min"` // from 10ms
	Max adapters.Duration `yaml:"max"` // up to 1h
}

// Bound is a number of messages and of their bytes; the one that is reached
// first holds.
type Bound struct {
	Messages int           `yaml:"messages"` // how many of them
	Bytes    adapters.Size `yaml:"bytes"`    // of payloads, headers and subjects
}

// Start says where in a stream to begin. In YAML it is a word, or a mapping
// with one of Sequence and Time. The zero value is "new", or, if clients of
// the route are to start with the newest event of each key,
// "last_per_subject".
type Start struct {
	Sequence Sequence  `yaml:"sequence"` // begin with this sequence, from 1
	Time     time.Time `yaml:"time"`     // begin with the first message of this time (RFC 3339) or later

	word string
}

// A Sequence is the number of a message in a stream, from 1. 0 is none.
type Sequence uint64

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *Sequence) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 10, 64)
	if err != nil || n == 0 {
		return fmt.Errorf("%q is no sequence; a stream's first is 1", text)
	}
	*s = Sequence(n)
	return nil
}

// Scalar implements [adapters.Shorthand]: a number.
func (Sequence) Scalar() any { return uint64(0) }

// The words of a [Start].
const (
	startNew            = "new"              // what comes from then on
	startAll            = "all"              // all that the stream holds
	startLast           = "last"             // the newest message, and what comes after it
	startLastPerSubject = "last_per_subject" // the newest message of each subject, and what comes then
)

// Values implements [adapters.Choice].
func (Start) Values() []string {
	return []string{startNew, startAll, startLast, startLastPerSubject}
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *Start) UnmarshalText(text []byte) error {
	*s = Start{word: string(text)}
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (s Start) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s Start) String() string {
	switch {
	case s.word != "":
		return s.word
	case s.Sequence != 0:
		return "sequence"
	case !s.Time.IsZero():
		return "time"
	default:
		return startNew
	}
}

// defaultURL is where a server listens unless it is told otherwise.
func defaultURL() URL { return URL{&url.URL{Scheme: schemeNATS, Host: "127.0.0.1:4222"}} }

// everyKey selects all keys of a bucket.
const everyKey = ">"

func defaults() Options {
	return Options{
		Connection: Connection{
			URLs:           []URL{defaultURL()},
			Name:           "sidestream",
			TLS:            tlsfiles.Defaults(),
			InboxPrefix:    "_INBOX",
			ConnectTimeout: adapters.Duration(5 * time.Second),
			PingInterval:   adapters.Duration(6 * time.Second),
			Reconnect:      Backoff{Min: adapters.Duration(100 * time.Millisecond), Max: adapters.Duration(5 * time.Second)},
		},
		Keys:     []string{everyKey},
		Pending:  Bound{Messages: 65536, Bytes: 64 << 20},
		Prefetch: Bound{Messages: 500, Bytes: 8 << 20},
	}
}
