package proxy

import (
	"context"
	"time"

	"sidestream/adapters"
	"sidestream/proxy/mapping"
)

// How long a private run of a partitioned source goes on by itself although the
// shared one has caught up too, and how long its client then waits for that to
// have all that the client has.
const (
	aheadTime = time.Second
	overtake  = 2 * time.Second
)

// approach brings the client from the id that it has to the feed of a source
// with partitions. Private runs come by places of their own, since each
// delivers the partitions in another order. So the client is brought to a place
// that the feed has passed, by a replay of what lies between.
//
// That takes a place which has all that the client has. As long as the feed is
// at none, because it begins earlier or another replica was faster, the client
// gets what a private run delivers to it.
func (c *client) approach(ctx context.Context, id string) (why departure, end error) {
	at, parts := mapping.Join(id)
	if before, ok := c.can.Before(at); ok && parts > 0 { // otherwise it is for a Run to say what becomes of it
		if why, end = c.follow(ctx, leg{after: before, until: at, skip: parts}, c.pass); why != "" || end != nil {
			return why, end
		}
	}
	for {
		if !c.covered(at) {
			if why, end = c.goAhead(ctx, &at); end != errJoined { //nolint:errorlint // it is never wrapped
				return why, end
			}
			continue
		}
		to := c.passed()
		if to != at {
			if why, end = c.follow(ctx, leg{after: at, until: to}, c.pass); why != "" || end != nil {
				return why, end
			}
		}
		if cursor, ok := c.feed.After(string(to)); ok {
			c.cursor = cursor
			return "", errJoined
		}
		if to == at { // the feed has given up what it had, and delivered nothing since
			if why = c.pause(ctx); why != "" {
				return why, nil
			}
		}
		at = to // which the feed has forgotten meanwhile
	}
}

// passed returns the newest position that the feed has passed, or "" if there
// is none.
func (s *seat) passed() adapters.Position {
	at, parts := mapping.Join(s.feed.Newest())
	if parts > 0 { // it is in the middle of a message
		at, _ = s.can.Before(at)
	}
	return at
}

// covered reports whether the feed has passed a place that has all that one at
// at has.
func (s *seat) covered(at adapters.Position) bool {
	passed := s.passed()
	if s.can.Selects && !s.settled.Load() { // until then no place is one to go on from
		return false
	}
	if passed == "" || at == "" {
		return passed != ""
	}
	order, ok := s.can.Compare(at, passed)
	return ok && order <= 0
}

// pass takes an item of a run that has an end.
func (c *client) pass(item catchupItem) (joined bool) {
	c.deliver(item)
	return false
}

// goAhead gives the client what a private run delivers after at, which it moves
// on. The end is errJoined when the feed should have passed a place that has it
// all.
func (c *client) goAhead(ctx context.Context, at *adapters.Position) (why departure, end error) {
	began := time.Now()
	why, end = c.follow(ctx, leg{after: *at}, func(item catchupItem) bool {
		reached, parts := mapping.Join(c.deliver(item))
		if reached == "" || parts > 0 {
			return false
		}
		*at = reached
		return c.covered(reached) || c.settled.Load() && time.Since(began) > aheadTime
	})
	if end != errJoined { //nolint:errorlint // it is never wrapped
		return why, end
	}
	_ = c.out.flush() // an error stays, and is found when waiting or by the next
	for until := time.Now().Add(overtake); !c.covered(*at) && time.Now().Before(until); {
		if why = c.pause(ctx); why != "" {
			return why, nil
		}
	}
	return "", errJoined
}

// pause waits for the feed a little. Nobody is told of what it passes for other
// keys than the client's.
func (c *client) pause(ctx context.Context) departure {
	soon := make(chan struct{})
	timer := time.AfterFunc(10*time.Millisecond, func() { close(soon) })
	defer timer.Stop()
	_, _, why := c.wait(ctx, soon, nil)
	return why
}
