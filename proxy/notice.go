package proxy

import "sidestream/proxy/feed"

// announce tells this client alone of a gap.
func (c *client) announce(g *feed.Gap) {
	c.endpoint.metrics.gap(g.Reason)
	c.scratch = appendGap(c.scratch[:0], c.id, g)
	c.out.write(c.scratch)
}

// end lets the client go: with the last event if the source has ended, or
// its credentials are refused, so that it stays away; until later if the
// source has failed, since somebody may mend that.
func (c *client) end() departure {
	end, why := c.endpoint.End, leftEnded
	switch now := c.condition.Load(); now.state {
	case sourceFailed:
		c.tell(sourceFailed)
		return leftFailed
	case sourceDenied:
		c.scratch = appendControl(c.scratch[:0], end.ID, end.Event, deniedData{now.denied.Status, "denied"})
		why = leftDenied
	default:
		c.scratch = appendText(c.scratch[:0], end.ID, end.Event, end.Data)
	}
	c.out.write(c.scratch)
	return why
}

// tell lets the client know that the source has become fresh or stale, or has
// failed, if it doesn't know.
func (c *client) tell(state sourceState) {
	now := c.condition.Load()
	if now.state != state || c.told == state {
		return
	}
	c.told = state
	typ := typeFresh
	if state != sourceFresh {
		typ = typeStale
	}
	c.scratch = appendControl(c.scratch[:0], c.id, typ, conditionData{now.since.UTC(), now.reason})
	c.out.write(c.scratch)
}

// markLive notes that the client has received all there was, and tells it so
// if the route says to.
func (c *client) markLive() {
	if c.caughtUp || c.waiting || !c.settled.Load() {
		return // in the last case nobody knows yet
	}
	c.caughtUp = true
	marker := c.endpoint.LiveMarker
	if marker == LiveMarkerOff || marker == LiveMarkerAuto && !c.can.Stateful && !c.endpoint.Latest {
		return
	}
	if c.id == "" {
		c.id = c.feed.Marked(c.cursor) // so that it can come back to here
	}
	var d liveData
	if age, ok := c.age(); ok && c.can.Stateful {
		d.Age = inSeconds(age)
	}
	c.scratch = appendControl(c.scratch[:0], c.id, typeLive, d)
	c.out.write(c.scratch)
}
