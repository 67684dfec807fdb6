package nats

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"slices"
	"sync"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"sidestream/adapters"
	"sidestream/adapters/tlsfiles"
)

// maxLearnt bounds the servers that are remembered in addition to those that
// are configured.
const maxLearnt = 64

// maxPings is how many pings may go without an answer.
const maxPings = 2

// A dialer makes connections. It is used by one goroutine at a time.
type dialer struct {
	options     *Connection
	credentials *credentials
	tls         *tlsfiles.Source

	configured []endpoint
	learnt     []endpoint // from the last connection that was lost
}

// An endpoint is where to connect to.
type endpoint struct {
	url URL

	// tlsName is the name that its certificate has to be for, if that is not
	// the URL's host: a server that is known by its address only is one of
	// those that have the name of the one that told of it.
	tlsName string
}

// newDialer returns a dialer for options that the check has nothing against.
func newDialer(o *Connection) *dialer {
	d := &dialer{
		options:     o,
		credentials: newCredentials(&o.Auth),
		tls:         tlsfiles.New("tls", o.TLS),
	}
	for _, u := range o.URLs {
		d.configured = append(d.configured, endpoint{url: u})
	}
	return d
}

// dial tries all servers once until one takes the connection: first those that
// are configured, then those that were learnt, of which some may be gone for
// good, each in random order. Its error is classified: permanent if it is for
// each of them.
func (d *dialer) dial(ctx context.Context) (*connection, error) {
	shuffle(d.configured)
	shuffle(d.learnt)
	var failure error
	for _, s := range slices.Concat(d.configured, d.learnt) {
		c, err := d.connect(ctx, s)
		if err == nil {
			return c, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if failure == nil || adapters.IsPermanent(failure) {
			failure = d.failed(s, err)
		}
	}
	return nil, failure
}

func shuffle(list []endpoint) {
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}

// failed returns err as a link's failure, which says which server it was. A
// refusal of what was read from a file may pass: the file is being replaced.
func (d *dialer) failed(s endpoint, err error) error {
	var u *adapters.UpstreamError
	if !errors.As(classify(err), &u) {
		return err
	}
	permanent := u.Permanent && !(d.credentials.inFiles() || d.options.TLS.Cert != "")
	return &adapters.UpstreamError{Reason: u.Reason, Permanent: permanent, Err: fmt.Errorf("connect to %s: %w", s.url.url.Host, err)}
}

// connect connects to one server, within the connection's timeout.
func (d *dialer) connect(ctx context.Context, s endpoint) (*connection, error) {
	o, err := d.prepare(s)
	if err != nil {
		return nil, err
	}
	c := &connection{endpoint: s, lost: make(chan struct{})}
	o.ClosedCB = func(*natsgo.Conn) { close(c.lost) }
	o.AsyncErrorCB = func(_ *natsgo.Conn, _ *natsgo.Subscription, err error) { c.tell(err) }

	ctx, c.release = context.WithCancel(ctx)
	socket := &socket{ctx: ctx}
	o.CustomDialer = socket
	timer := time.AfterFunc(o.Timeout, c.release)
	c.Conn, err = o.Connect()
	late := !timer.Stop()
	if late && c.Conn != nil {
		_ = c.close() // it was closed for being late
	}
	switch {
	case err == nil && !late:
		return c, nil
	case late:
		err = os.ErrDeadlineExceeded
	case errors.Is(err, natsgo.ErrNoServers) && socket.failure() != nil:
		err = socket.failure() // "connection refused", which the library leaves out
	}
	c.release()
	return nil, err
}

// prepare returns the client library's options for a connection to s, with
// credentials as they are now.
func (d *dialer) prepare(s endpoint) (*natsgo.Options, error) {
	o := natsgo.GetDefaultOptions()
	o.Url = s.url.url.String() // with what is secret
	o.Name = d.options.Name
	o.InboxPrefix = d.options.InboxPrefix
	o.Timeout = time.Duration(d.options.ConnectTimeout)
	o.PingInterval = time.Duration(d.options.PingInterval)
	o.MaxPingsOut = maxPings
	o.AllowReconnect = false // that is the link's work
	o.SkipHostLookup = true  // the socket's, who can be interrupted
	o.InProcessServer = d.options.inProcess
	o.NoEcho = true // requests to JetStream are no events of a route that listens to its API

	// Nothing is written but subscriptions, requests and pings. What can't be
	// written in this time won't be.
	o.FlusherTimeout = o.Timeout
	o.ReconnectOnFlusherError = true

	if d.secure(s) {
		config, err := d.tls.Config()
		if err != nil {
			return nil, err
		}
		o.Secure, o.TLSHandshakeFirst = true, d.options.TLSFirst
		o.TLSConfig = config.Clone()
		if o.TLSConfig.ServerName == "" {
			o.TLSConfig.ServerName = s.tlsName
		}
	}
	if err := d.credentials.apply(&o); err != nil {
		return nil, err
	}
	return &o, nil
}

// secure reports whether a connection to s must have TLS. If not, the server
// may still ask for it.
func (d *dialer) secure(s endpoint) bool {
	return d.options.TLS != tlsfiles.Defaults() || d.options.TLSFirst || s.url.secure()
}

// learn remembers the servers that c, a connection that was lost, has heard of.
func (d *dialer) learn(c *connection) {
	d.learnt = nil
	from := c.endpoint
	for _, text := range c.DiscoveredServers() {
		u, err := url.Parse(text)
		known := func(other endpoint) bool { return other.url.url.Host == u.Host }
		if err != nil || len(d.learnt) == maxLearnt || slices.ContainsFunc(d.configured, known) {
			continue
		}
		other := endpoint{url: from.url.at(u.Host), tlsName: from.tlsName}
		if name := from.url.url.Hostname(); other.tlsName == "" && isAddress(u.Hostname()) && !isAddress(name) {
			other.tlsName = name
		}
		d.learnt = append(d.learnt, other)
	}
}

func isAddress(host string) bool { return net.ParseIP(host) != nil }

// A socket makes the TCP connection for the client library, whose dialer has
// no context, and closes it when ctx is done.
type socket struct {
	ctx context.Context //nolint:containedctx // it stands for the one that the library's interface lacks

	mu  sync.Mutex
	err error // guarded by mu
}

// Dial implements [natsgo.CustomDialer].
func (s *socket) Dial(network, address string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(s.ctx, network, address)
	s.mu.Lock()
	s.err = err
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	context.AfterFunc(s.ctx, func() { _ = conn.Close() }) // it may be closed already
	return conn, nil
}

// failure returns why there was no connection.
func (s *socket) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}
