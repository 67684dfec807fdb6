package proxy

import (
	"context"
	"errors"

	"sidestream/adapters"
	"sidestream/proxy/feed"
	"sidestream/proxy/mapping"
)

// replay brings the client from the id that it has to its stream's feed by a
// private run of the source. It returns "" when the client is in the feed,
// with neither an event missing nor one repeated.
func (c *client) replay(ctx context.Context) departure {
	catchups := &c.endpoint.server.catchups
	if !catchups.take() {
		return leftNoRoom
	}
	defer catchups.give()

	if after, _ := mapping.Join(c.id); after == "" || !after.Valid() {
		c.lose()
		return ""
	}
	for from := c.id; ; {
		why, end := c.replayFrom(ctx, from)
		var lost *adapters.PositionLostError
		switch {
		case why != "" || errors.Is(end, errJoined):
			return why
		case ctx.Err() != nil:
			return leftGone
		case errors.As(end, &lost):
			c.announce(&feed.Gap{Reason: lost.Reason, Requested: c.id, Resumed: string(lost.Resume), Lost: c.endpoint.share(lost.Lost)})
			if c.can.Stateful {
				c.requested = ""
				c.await()
				return ""
			}
			if lost.Resume == "" || string(lost.Resume) == from {
				c.cursor = c.feed.Tail(-1)
				return ""
			}
			from = string(lost.Resume)
		case end == nil:
			return c.end() // for good, and the client has all of it
		case c.denied(end):
			return c.end()
		case adapters.IsPermanent(end):
			c.log.Warn().Err(end).Msg("replay is not possible")
			c.requested = c.id
			c.lose()
			return ""
		default:
			return c.unreplayed(end)
		}
	}
}

// replayState brings a client to its stream's feed by a private run of the
// source from where new ones begin: the feed has given up what it had of the
// client's key.
func (c *client) replayState(ctx context.Context) departure {
	c.lacking = false
	catchups := &c.endpoint.server.catchups
	if !catchups.take() {
		return leftNoRoom
	}
	defer catchups.give()
	why, end := c.replayFrom(ctx, "")
	switch {
	case why != "" || errors.Is(end, errJoined):
		return why
	case ctx.Err() != nil:
		return leftGone
	case end == nil:
		return c.end()
	}
	return c.unreplayed(end)
}

// unreplayed has a client try again whose replay has failed with err. If the
// source is stale it is told so, since it may come back many times before it
// gets to where that is said.
func (c *client) unreplayed(err error) departure {
	c.endpoint.sampled.Warn().Err(err).Msg("replay failed")
	c.tell(sourceStale)
	return leftReplay
}

// share returns how many events one client has lost if a stream has lost n.
// Of those for the clients of one key there is no telling.
func (p *endpoint) share(n int64) int64 {
	if p.matcher != nil && n > 0 {
		return -1
	}
	return n
}

// errJoined is how a replay ends that has reached the feed.
var errJoined = errors.New("joined the feed")

// replayFrom runs the source until the client leaves or the run has ended: with
// errJoined, or as Run says.
func (c *client) replayFrom(ctx context.Context, id string) (why departure, end error) {
	if c.can.Partitioned {
		return c.approach(ctx, id)
	}
	after, skip := mapping.Join(id)
	return c.follow(ctx, leg{after: after, skip: skip}, c.take)
}

// follow gives the client what a private run delivers, until the client leaves,
// take says that it has joined the feed, or the run has ended as Run says.
func (c *client) follow(ctx context.Context, l leg, take func(catchupItem) (joined bool)) (why departure, end error) {
	run := c.catchUp(ctx, l)
	defer run.stop()
	var at catchupItem // where the run waits for more, if it does: the feed may yet come there
	for {
		if c.out.flush() != nil {
			return c.out.reason(), nil
		}
		var changed <-chan struct{}
		if at.live {
			cursor := c.feed.Live()
			_, changed, _ = c.feed.Read(&cursor, nil) // before the look, so that nothing is missed
			if take(at) {
				return "", errJoined
			}
		}
		item, more, why := c.wait(ctx, changed, run.items)
		if item.isNothing() && more {
			continue
		}
		for n := 0; more && why == ""; n++ {
			if take(item) {
				return "", errJoined
			}
			at = item
			if n == batchSize || len(run.items) == 0 {
				break
			}
			item, more = <-run.items
		}
		switch {
		case why != "":
			return why, nil
		case !more:
			return "", <-run.result
		}
	}
}

// take writes what a private run has delivered, and reports whether that has
// brought the client into the feed.
func (c *client) take(item catchupItem) (joined bool) {
	at := c.deliver(item)
	if at == "" {
		return false // a gap
	}
	cursor, joined := c.feed.After(at)
	if !joined && item.live && c.endpoint.order != nil && !c.endpoint.mapping.Splits() {
		// Nothing is to come up to there, and the feed may not be as far. (The
		// ids of parts of a message don't say whether it is behind a place.)
		if cursor, joined = c.feed.Beyond(at); joined {
			c.beyond = at
		}
	}
	if joined {
		c.cursor = cursor
	}
	return joined
}

// deliver writes what a private run has delivered, if it is more than a place,
// and returns the id of the place that it leads to, "" for a gap.
func (c *client) deliver(item catchupItem) (at string) {
	if item.at != "" {
		return item.at
	}
	c.write([]feed.Entry{item.entry})
	return item.entry.ID
}
