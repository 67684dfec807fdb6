package nats

import (
	"context"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sidestream/adapters"
	"sidestream/adapters/shared"
)

// A Client is the use of JetStream that a part of the program makes which is
// no route: a durable history, which writes a stream and reads it.
type Client struct{ factory *factory }

// ClientOptions are those of a [Client]. They are the same as in [Options].
type ClientOptions struct {
	Connection Connection
	Domain     string
	APIPrefix  string

	// InProcess, if not nil, is a server in this process, which is connected
	// to in place of those in Connection.
	InProcess natsgo.InProcessConnProvider
}

// DefaultConnection returns how servers are reached when nothing is configured.
func DefaultConnection() Connection { return defaults().Connection }

// Check adds what is wrong with the options to c.
func (o *ClientOptions) Check(c *adapters.OptionErrors) {
	o.Connection.check(c)
	all := o.options()
	all.checkJetStream(c)
}

func (o *ClientOptions) options() *Options {
	all := defaults()
	all.Connection, all.Domain, all.APIPrefix = o.Connection, o.Domain, o.APIPrefix
	all.Connection.inProcess = o.InProcess
	return &all
}

// NewClient returns a client with options that the check has nothing against.
// Its connection is made when it is first used, and again whenever it is lost.
func NewClient(o ClientOptions) *Client {
	return &Client{&factory{options: o.options(), links: new(shared.Pool[*link])}}
}

// Close closes the connection and waits until it is. Sources of the client
// should have returned from Run.
func (c *Client) Close() error { return c.factory.Close() }

// A Session is the use of one connection. It is not made again: once it is
// lost, all that was made over it is gone.
type Session struct {
	jetstream.JetStream

	// Lost is closed when the connection is lost.
	Lost <-chan struct{}

	conn *connection
}

// Clustered reports whether the server is one of a cluster.
func (s *Session) Clustered() bool { return s.conn.ConnectedClusterName() != "" }

// MaxPayload returns how large a message may be, headers included.
func (s *Session) MaxPayload() int64 { return s.conn.MaxPayload() }

// Session returns a session over the connection, for which it waits for a
// short while. Errors are classified, as those of Run.
func (c *Client) Session(ctx context.Context) (*Session, error) {
	l, err := c.factory.link() //nolint:contextcheck // the connection outlasts the use that is made of it
	if err != nil {
		return nil, adapters.Transient(reasonNone, err)
	}
	conn, err := l.conn(ctx, true)
	if err != nil {
		return nil, err
	}
	u := upstream{factory: c.factory}
	js, err := u.jetStream(conn.Conn)
	if err != nil {
		return nil, adapters.Permanent(reasonBadRequest, err)
	}
	return &Session{JetStream: js, Lost: conn.lost, conn: conn}, nil
}

// Reader returns the source of a stream's messages on the given subjects, from
// those that come once it is run without a position. Like all sources of a
// client it is to be run only until the client is closed. Events have their
// headers, and "pending" in Meta: how many more there are at the moment.
func (c *Client) Reader(stream string, subjects []string, env adapters.Env) adapters.Source {
	o := *c.factory.options
	o.Stream, o.Start.word = stream, startNew
	env.Meta = true
	return &streamSource{
		upstream: upstream{factory: &factory{options: &o}, way: way{factory: c.factory}, env: env, stream: stream},
		filters:  subjects,
	}
}

// Classify returns err, which comes from the client library, as an
// [adapters.UpstreamError], with a reason that clients may see. It leaves alone
// what is one already, and a context's end by cancellation.
func Classify(err error) error { return classify(err) }

// PositionOf returns the position right after the message with the sequence
// seq, of a stream on files that was created then.
func PositionOf(stream string, created time.Time, seq uint64) adapters.Position {
	return place{id: identify(stream, created), seq: seq}.position()
}

// SequenceOf returns the sequence of the message that a position is right
// after.
func SequenceOf(p adapters.Position) (seq uint64, ok bool) {
	at, ok := parsePlace(p)
	return at.seq, ok
}

// At returns the position with another sequence, of the same stream.
func At(p adapters.Position, seq uint64) adapters.Position {
	at, _ := parsePlace(p)
	at.seq = seq
	return at.position()
}

// Compare is the order of positions; see [adapters.Capabilities].
func Compare(a, b adapters.Position) (order int, ok bool) { return comparePositions(a, b) }
