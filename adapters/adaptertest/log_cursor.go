package adaptertest

import (
	"maps"
	"slices"

	"sidestream/adapters"
)

// A cursor is one Run's place in a log.
type cursor struct {
	log   *Log
	after adapters.Position

	placed      bool // what follows is set
	incarnation int
	number      int              // of the last event that was taken or left out
	pending     []adapters.Event // what is left of it to be delivered
	live        bool             // the Live notice was given

	// In a Bucket: the number of the last event when the cursor was placed,
	// and of each key's newest at that time.
	begun  int
	newest map[string]int
}

// next returns the next event or notice, or a channel that is closed when
// there may be one.
func (c *cursor) next() (*adapters.Event, <-chan struct{}, error) {
	l := c.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stalled {
		return nil, l.wait(), nil
	}
	if l.failure != nil {
		return nil, nil, l.failure
	}
	if len(c.pending) > 0 {
		return c.resume(), nil, nil
	}
	if err := c.place(); err != nil {
		return nil, nil, err
	}
	for c.number < l.end() && c.leavesOut(c.number+1) {
		c.number++
	}
	switch {
	case c.number < l.end():
		return c.take(), nil, nil
	case l.ended:
		return nil, nil, errEnded
	case !c.live:
		c.live = true
		notice := adapters.Event{Live: true}
		if l.Form != Positionless {
			notice.Position = l.position(c.number)
		}
		return &notice, nil, nil
	default:
		return nil, l.wait(), nil
	}
}

// place finds where c is to begin, and checks that the log still holds what
// comes after it.
func (c *cursor) place() error {
	l := c.log
	if !c.placed {
		n, err := l.locate(c.after)
		if err != nil {
			return err
		}
		c.placed, c.incarnation, c.number = true, l.incarnation, n
		c.begun, c.newest = l.end(), maps.Clone(l.newest)
	}
	switch {
	case l.Form == Stateful && c.incarnation != l.incarnation:
		c.incarnation, c.number = l.incarnation, 0
	case c.incarnation != l.incarnation:
		return l.lost(adapters.LostRecreated, -1)
	case l.misses(c.number):
		return l.lost(adapters.LostExpired, int64(l.expired-c.number))
	}
	if l.Form == Bucket {
		c.number = max(c.number, l.expired) // nothing is missed by it
	}
	return nil
}

// leavesOut reports whether a reader of a Bucket is not to be given event
// number n: it had been replaced when the reader came, or is gone since, or is
// of a key that was deleted before a reader came that had none of it.
func (c *cursor) leavesOut(n int) bool {
	l := c.log
	if l.Form != Bucket {
		return false
	}
	e := l.event(n)
	switch {
	case n <= l.compacted && l.newest[e.Key] != n:
		return true
	case n > c.begun:
		return false
	default:
		return c.newest[e.Key] != n || c.after == "" && e.State.Gone
	}
}

// take returns the event after c, of which there is at least one, and moves
// c past it.
func (c *cursor) take() *adapters.Event {
	l := c.log
	last := c.number
	c.number++
	if l.Form == Stateful {
		c.number = l.end()
	}
	e := clone(*l.event(c.number))
	switch {
	case e.Gap != nil:
		for c.number < l.end() && l.event(c.number+1).Gap != nil {
			c.number++
			e.Gap.Lost++
			e.Position = l.event(c.number).Position
		}
		return &e
	case l.Form == Stateful && (last == 0 || c.number != last+1):
		// The reader lacks what a change would change.
		e.Type, e.Data = e.State.Type, slices.Clone(e.State.Data)
		return &e
	}
	for _, step := range l.steps[c.number] {
		c.pending = append(c.pending, clone(step))
	}
	c.pending = append(c.pending, e)
	return c.resume()
}

// resume returns the next of the events that are pending.
func (c *cursor) resume() *adapters.Event {
	e := c.pending[0]
	c.pending = c.pending[1:]
	return &e
}
