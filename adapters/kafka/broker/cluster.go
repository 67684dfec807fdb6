package broker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go/protocol"

	"sidestream/adapters"
)

// maxLearnt bounds the brokers that are remembered in addition to those that
// are configured. Each of them knows of all.
const maxLearnt = 16

// A Cluster is what brokers are reached through. It is safe for concurrent use.
type Cluster struct {
	dialer dialer
	pool   pool

	mu     sync.Mutex
	learnt []string // guarded by mu; addresses out of the last answer
}

// New returns a cluster. It does no I/O.
func New(o Options) *Cluster {
	return &Cluster{
		dialer: dialer{options: o},
		pool:   pool{size: o.Idle, timeout: o.IdleTimeout},
	}
}

// Close closes the idle connections, and waits until nothing is left of them.
// Connections that are in use are closed when they are released. Later calls of
// Metadata and Connect fail.
func (c *Cluster) Close() { c.pool.close() }

// Connect returns a connection to a broker, idle or new. The caller releases
// it. An error is an [adapters.UpstreamError], or ctx's.
func (c *Cluster) Connect(ctx context.Context, n Node) (*Conn, error) {
	conn, err := c.connect(ctx, n.address())
	if failed, ok := errors.AsType[*adapters.UpstreamError](err); ok && !slices.Contains(c.dialer.options.Brokers, n.address()) {
		// Nobody has configured that address, so it is to be said where it is from.
		cause := fmt.Errorf("broker %d, which the cluster says is at %s (its advertised.listeners): %w", n.ID, n.address(), failed.Err)
		return nil, &adapters.UpstreamError{Reason: failed.Reason, Permanent: failed.Permanent, Err: cause}
	}
	return conn, err
}

func (c *Cluster) connect(ctx context.Context, address string) (*Conn, error) {
	if c.pool.isClosed() {
		return nil, adapters.Transient(reasonLost, errClosed)
	}
	if l := c.pool.take(address); l != nil {
		return &Conn{cluster: c, link: l, idle: true}, nil
	}
	l, err := c.dialer.dial(ctx, address)
	if err != nil {
		return nil, err
	}
	return &Conn{cluster: c, link: l}, nil
}

var errClosed = errors.New("the connections have been closed for good")

// Metadata returns what the cluster knows of topics, each of which is in the
// answer. It creates none. No topics means none, and not all.
//
// It asks one broker after the other until one answers, each within its share
// of ctx's time, in random order: those that are configured, and those of the
// last answer. An error is an
// [adapters.UpstreamError], permanent if it is for each of them, or ctx's.
func (c *Cluster) Metadata(ctx context.Context, topics []string) (*Metadata, error) {
	candidates := c.candidates()
	var failures []error
	for i, address := range candidates {
		m, err := c.ask(ctx, address, topics, len(candidates)-i)
		if err == nil {
			c.learn(m)
			return m, nil
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%v: %w", protocol.Metadata, ctx.Err())
		}
		failures = append(failures, err)
	}
	return nil, together(failures)
}

// candidates returns the addresses of brokers in the order in which they are to
// be asked, which is random: one that is cut off from the others, and doesn't
// know better, is not asked again and again.
func (c *Cluster) candidates() []string {
	c.mu.Lock()
	list := slices.Concat(c.dialer.options.Brokers, c.learnt)
	c.mu.Unlock()
	slices.Sort(list)
	list = slices.Compact(list)
	shuffle(list)
	return list
}

func shuffle(list []string) {
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}

// ask asks one broker, of as many as are left to ask.
func (c *Cluster) ask(ctx context.Context, address string, topics []string, left int) (*Metadata, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(left))
		defer cancel()
	}
	conn, err := c.connect(ctx, address)
	if err != nil {
		return nil, classify(err) // ctx may be done, which only means that the share is
	}
	defer conn.Release()
	x := &metadataExchange{topics: topics}
	if err := conn.do(ctx, x); err != nil {
		return nil, classify(err)
	}
	if len(x.answer.Brokers) == 0 { // it has only just started
		return nil, adapters.Transient(reasonUnavailable, fmt.Errorf("%s knows of no brokers", address))
	}
	return &x.answer, nil
}

// learn remembers the brokers that an answer tells of.
func (c *Cluster) learn(m *Metadata) {
	var list []string
	for n := range maps.Values(m.Brokers) {
		list = append(list, n.address())
	}
	shuffle(list)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.learnt = list[:min(len(list), maxLearnt)]
}

// together returns the failure of several brokers, of which there is at least
// one: with the reason of the first that could be reached, and permanent if
// they all are.
func together(failures []error) error {
	all := &adapters.UpstreamError{Reason: reasonNone, Permanent: true}
	for _, err := range failures {
		all.Permanent = all.Permanent && adapters.IsPermanent(err)
		if all.Reason == reasonNone && !isUnreachable(err) {
			all.Reason = adapters.Reason(err)
		}
	}
	for _, err := range failures {
		err = strip(err, all.Reason)
		if all.Err == nil {
			all.Err = err
		} else {
			all.Err = fmt.Errorf("%w; %w", all.Err, err)
		}
	}
	return all
}

// strip returns err without its reason if that has been given.
func strip(err error, given string) error {
	var u *adapters.UpstreamError
	if errors.As(err, &u) && u.Err != nil && (u.Reason == given || isUnreachable(err)) {
		return u.Err
	}
	return err
}
