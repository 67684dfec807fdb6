package pace

import (
	"math/rand/v2"
	"time"
)

// unreachableTurns is after how many turns in a row without an answer a host
// is taken to be down.
const unreachableTurns = 5

// The time from one probe of a host that is down to the next doubles from
// firstRetry to lastRetry. Each is shortened by up to a quarter, by chance, so
// that replicas don't come in step.
const (
	firstRetry = time.Second
	lastRetry  = 30 * time.Second
)

// A circuit knows whether a host is down. The zero value is a host that
// nothing is known of. The gate's mutex guards it.
type circuit struct {
	answered time.Time // when the host was last heard

	failures int       // in a row
	since    time.Time // when the first of those became known

	down  bool
	delay time.Duration // between probes
	retry time.Time     // when the next probe may be sent; zero unless down
	probe *Turn         // the one that is out
}

func (c *circuit) state() (since time.Time, down bool) {
	if !c.down {
		return time.Time{}, false
	}
	return c.since, true
}

// sent says that a turn was granted. If the host is down it is the probe.
func (c *circuit) sent(t *Turn) {
	if c.down {
		c.probe = t
		c.again(t.began) // if it is abandoned
	}
}

// unsent takes sent back.
func (c *circuit) unsent(t *Turn) {
	if c.probe == t {
		c.probe, c.retry = nil, t.began
	}
}

// report says what became of a turn.
func (c *circuit) report(t *Turn, r Result, now time.Time) {
	probe := c.probe == t
	if probe {
		c.probe = nil
	}
	switch {
	case r == Answered:
		*c = circuit{answered: now}
	case r == Abandoned || t.began.Before(c.answered):
		// Nothing is known, or nothing new: the host was heard after the
		// request had been sent.
	case probe:
		c.delay = min(2*c.delay, lastRetry)
		c.again(now)
	case !c.down:
		if c.failures++; c.failures == 1 {
			c.since = now
		}
		if c.failures == unreachableTurns {
			c.down, c.delay = true, firstRetry
			c.again(now)
		}
	}
}

// again sets when the next probe may be sent.
func (c *circuit) again(now time.Time) {
	c.retry = now.Add(c.delay - time.Duration(rand.Float64()*float64(c.delay)/4))
}
