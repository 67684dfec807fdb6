package broker

import (
	"context"
	"time"
)

// A Conn is a connection to one broker. It carries one request at a time, and
// is used by one goroutine at a time.
//
// A request that fails, or whose context is done before its answer has come,
// leaves the connection unusable: all later ones fail. There is one exception:
// if a connection that [Cluster.Connect] has taken from the idle ones turns out
// to be lost at its first request, that request is sent once more over a new
// connection to the same broker, which takes its place.
type Conn struct {
	cluster *Cluster
	link    *link
	idle    bool // the link was idle, and has not been used since
}

// Release gives the connection back: for reuse, or to be closed if it is
// unusable. It is called exactly once, when no request is under way.
func (c *Conn) Release() { c.cluster.pool.put(c.link) }

// do does one exchange.
func (c *Conn) do(ctx context.Context, x exchange) error {
	timeout := c.cluster.dialer.options.RequestTimeout + x.form().wait
	idle := c.idle
	c.idle = false
	err := c.attempt(ctx, x, timeout)
	if err == nil || !idle || !isLost(err) || ctx.Err() != nil {
		return err
	}
	l, err := c.cluster.dialer.dial(ctx, c.link.address)
	if err != nil {
		return err
	}
	c.link.close()
	c.link = l
	return c.attempt(ctx, x, timeout)
}

// attempt does one exchange over the link that there is, in a session that
// won't end before.
func (c *Conn) attempt(ctx context.Context, x exchange, timeout time.Duration) error {
	if c.link.session.due() && !c.link.broken {
		if err := c.link.authenticate(ctx, c.cluster.dialer.options.ConnectTimeout); err != nil {
			if ctx.Err() != nil {
				return err
			}
			return within("renew the session with "+c.link.address, err)
		}
	}
	return c.link.do(ctx, x, timeout)
}
