package nats

import (
	"cmp"
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"sidestream/adapters"
)

// patience is how long a run waits for a connection before it says that there
// is none.
const patience = 2 * time.Second

// A link is the connection that several factories share, made again each time
// that it is lost.
//
// The client library could do that by itself. It would then keep its
// subscriptions and hide what was missed meanwhile, and hold its lock while it
// dials, so that nothing could be undone in that time. Here a connection that
// is lost is closed, all that was made on it is gone, and whoever ran over it
// begins anew.
type link struct {
	options *Connection
	dialer  *dialer

	stop   context.CancelFunc
	ended  chan struct{} // closed when nothing of the link is left
	wanted chan struct{} // holds a value if somebody waits for a connection

	mu      sync.Mutex
	current *connection   // guarded by mu; nil while there is none
	failure error         // guarded by mu; why there is none, if that is known
	changed chan struct{} // guarded by mu; closed and replaced when these are set
}

func newLink(o *Connection) *link {
	ctx, cancel := context.WithCancel(context.Background())
	l := &link{
		options: o,
		dialer:  newDialer(o),
		stop:    cancel,
		ended:   make(chan struct{}),
		wanted:  make(chan struct{}, 1),
		changed: make(chan struct{}),
	}
	go l.run(ctx)
	return l
}

// Close closes the connection and waits until it is.
func (l *link) Close() {
	l.stop()
	<-l.ended
}

// conn returns the connection once it is up. If impatient is set, it waits for
// a short while only, and then returns why there is none; otherwise it waits
// until ctx is done or it finds that waiting is of no use. Errors other than
// ctx's are classified.
func (l *link) conn(ctx context.Context, impatient bool) (*connection, error) {
	var enough <-chan time.Time
	if impatient {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		enough = timer.C
	}
	c, changed, failure := l.state()
	if c != nil {
		return c, nil
	}
	for l.want(); ; {
		select {
		case <-changed:
		case <-enough:
			return nil, cmp.Or(failure, adapters.Transient(reasonNone, nil))
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-l.ended:
			return nil, adapters.Transient(reasonNone, errFactoryClosed)
		}
		c, changed, failure = l.state()
		switch {
		case c != nil:
			return c, nil
		case adapters.IsPermanent(failure): // and new
			return nil, failure
		}
	}
}

// state returns the connection, if there is one that isn't lost, or why there is
// none, if that is known. The channel is closed when a connection is made or
// lost, and when an attempt has failed.
func (l *link) state() (c *connection, changed <-chan struct{}, failure error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c = l.current
	if c != nil && c.isLost() {
		c = nil // which run is about to find
	}
	return c, l.changed, l.failure
}

// want says that somebody waits for a connection.
func (l *link) want() {
	select {
	case l.wanted <- struct{}{}:
	default:
	}
}

// run makes connections, one after the other, until ctx is done.
func (l *link) run(ctx context.Context) {
	defer close(l.ended)
	backoff := l.options.Reconnect
	shortest, longest := time.Duration(backoff.Min), time.Duration(backoff.Max)
	for delay := shortest; ; delay = min(2*delay, longest) {
		c, err := l.dialer.dial(ctx)
		if ctx.Err() != nil && c == nil {
			return
		}
		l.become(c, err)
		if c != nil {
			up := time.Now()
			select {
			case <-c.lost:
			case <-ctx.Done():
			}
			l.become(nil, c.close())
			l.dialer.learn(c)
			if time.Since(up) > delay {
				delay = shortest
			}
		}
		if !l.rest(ctx, delay, adapters.IsPermanent(err)) {
			return
		}
	}
}

// rest waits between two rounds and reports whether there is to be another one.
// That is after a delay, or as soon as somebody asks for a connection, but not
// before the shortest delay is over. After a failure that won't pass by itself
// it is only if somebody asks.
func (l *link) rest(ctx context.Context, delay time.Duration, idle bool) bool {
	delay = delay/2 + rand.N(delay/2+1)
	least := min(delay, time.Duration(l.options.Reconnect.Min))
	if !adapters.Pause(ctx, least) {
		return false
	}
	var over <-chan time.Time
	if !idle {
		timer := time.NewTimer(delay - least)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-over:
		return true
	case <-l.wanted:
		return true
	case <-ctx.Done():
		return false
	}
}

// become tells those who wait that there is a connection, or why there is none.
func (l *link) become(c *connection, failure error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.current, l.failure = c, failure
	select {
	case <-l.wanted: // what was wanted so far was tried
	default:
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

// A way is how one source gets its connection.
type way struct {
	factory *factory

	// told says that the last run has found no connection, and said so. The
	// next one waits for as long as it takes: what it could say is known, and
	// it should go on the moment that the connection is back, rather than
	// when somebody tries it again.
	told atomic.Bool
}

// conn returns the connection once it is up. Errors are those of Run.
func (w *way) conn(ctx context.Context) (*connection, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l, err := w.factory.link() //nolint:contextcheck // the connection is shared, and outlasts the run
	if err != nil {
		return nil, adapters.Transient(reasonNone, err)
	}
	c, err := l.conn(ctx, !w.told.Load())
	w.told.Store(err != nil && !adapters.IsPermanent(err) && ctx.Err() == nil)
	return c, err
}
