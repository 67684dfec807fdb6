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

	if after, _ := mapping.Join(c.id); !after.Valid() {
		c.lose()
		return ""
	}
	for from := c.id; ; {
		joined, err, why := c.replayFrom(ctx, from)
		if joined || why != "" {
			return why
		}
		var lost *adapters.PositionLostError
		switch {
		case errors.As(err, &lost):
			c.announce(&feed.Gap{Reason: lost.Reason, Requested: c.requested, Resumed: string(lost.Resume), Lost: lost.Lost})
			if lost.Resume == "" || string(lost.Resume) == from {
				c.cursor = c.feed.Tail(-1)
				return ""
			}
			from = string(lost.Resume)
		case err == nil, adapters.IsPermanent(err):
			// The stream's own run learns the same, and ends the feed.
			c.cursor = c.feed.Live()
			return ""
		default:
			c.log.Warn().Err(err).Msg("replay failed")
			return leftReplay
		}
	}
}

// replayFrom runs the source once. joined says that the client has reached
// the feed; err is how the run ended if it ended before.
func (c *client) replayFrom(ctx context.Context, id string) (joined bool, err error, why departure) { //nolint:revive,staticcheck // the error is the run's, not this function's
	run := c.catchUp(ctx, id)
	defer run.stop()
	for {
		var item catchupItem
		var more bool
		select {
		case item, more = <-run.items:
		default:
			if c.out.flush() != nil {
				return false, nil, c.out.reason()
			}
			if item, more, why = c.wait(ctx, nil, run.items); why != "" {
				return false, nil, why
			}
		}
		if !more {
			return false, <-run.result, ""
		}
		at := item.live
		if at == "" {
			c.write([]feed.Entry{item.entry})
			at = item.entry.ID
		}
		if c.out.err != nil {
			return false, nil, c.out.reason()
		}
		if cursor, ok := c.feed.After(at); ok && at != "" {
			c.cursor = cursor
			return true, nil, ""
		}
	}
}
