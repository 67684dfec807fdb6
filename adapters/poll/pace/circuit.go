package pace

import (
	"math/rand/v2"
	"slices"
	"time"
)

// unreachableCallers is how many callers have to fail, with no answer to
// anybody in between, until a host is taken to be down. One whose requests
// never got an answer counts only as long as the host has not answered anybody
// either: it may be the request.
const unreachableCallers = 5

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

	failed [unreachableCallers]*Caller // those who failed since, the first n
	n      int
	since  time.Time // when the first of those became known

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
		t.caller.answered = true
	case r == Abandoned || t.began.Before(c.answered):
		// Nothing is known, or nothing new: the host was heard after the
		// request had been sent.
	case probe:
		c.delay = min(2*c.delay, lastRetry)
		c.again(now)
	case !c.down && c.counts(t.caller):
		if c.failed[c.n] = t.caller; c.n == 0 {
			c.since = now
		}
		if c.n++; c.n == unreachableCallers {
			c.down, c.delay = true, firstRetry
			c.again(now)
		}
	}
}

// counts reports whether a caller's failure says something new of the host.
func (c *circuit) counts(caller *Caller) bool {
	return (caller.answered || c.answered.IsZero()) && !slices.Contains(c.failed[:c.n], caller)
}

// again sets when the next probe may be sent.
func (c *circuit) again(now time.Time) {
	c.retry = now.Add(c.delay - time.Duration(rand.Float64()*float64(c.delay)/4))
}
