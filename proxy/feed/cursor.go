package feed

import "io"

// A Cursor is a place between two entries of one [Log]. It is a plain value
// and may be copied. The zero value is the place before the first event ever,
// of a reader that has nothing yet; the log itself never returns it for a
// place. In another log than the one it came from, a cursor means nothing.
type Cursor struct {
	next   uint64 // index of the entry behind the place
	events uint64 // number of events ever appended before it
}

// orFirst returns c with its index, if it is the zero value.
func (c Cursor) orFirst() Cursor {
	c.next = max(c.next, 1)
	return c
}

// Live returns the place after the newest entry.
func (l *Log) Live() Cursor {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.live()
}

func (l *Log) live() Cursor { return Cursor{next: l.ring.end, events: l.total} }

// oldest returns the place before the oldest entry at hand.
func (l *Log) oldest() Cursor { return Cursor{next: l.ring.first, events: l.evicted} }

// Tail returns the place right before the newest n events at hand. With a
// negative n, or one larger than the number of events at hand, it is the
// place before all that is at hand; with 0 it is that of [Log.Live].
func (l *Log) Tail(n int) Cursor {
	l.Trim()
	l.mu.RLock()
	defer l.mu.RUnlock()
	switch {
	case n == 0:
		return l.live()
	case n < 0 || uint64(n) > l.total-l.evicted:
		return l.oldest()
	}
	after := l.ring.event(l.total - uint64(n) + 1).after
	return Cursor{next: after.next - 1, events: after.events - 1}
}

// Read fills buf, which must not be empty, with the entries after c, advances
// c behind them, and returns their number. It copies no payload.
//
// With nothing to read, n is 0 and changed is a channel that is closed as
// soon as there may be something: at the next Append, AppendGap, Close or
// Wake, and when Settle brings the first state.
//
// If entries after c are evicted, err is an [*OverrunError] and c stays as it
// is. Once the log is closed and everything after c is read, err is [io.EOF].
func (l *Log) Read(c *Cursor, buf []Entry) (n int, changed <-chan struct{}, err error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	at := c.orFirst()
	if at.next < l.ring.first {
		return 0, nil, &OverrunError{Lost: int64(l.evicted - at.events), Resume: l.oldest(), ResumeID: l.evictedID}
	}
	for n < len(buf) && at.next < l.ring.end {
		s := l.ring.at(at.next)
		buf[n], at = s.Entry, s.after
		n++
	}
	switch {
	case n > 0:
		*c = at
		return n, nil, nil
	case l.closed:
		return 0, nil, io.EOF
	default:
		return 0, l.changed(), nil
	}
}

// changed returns the channel that the next wake-up closes. The caller holds
// mu, so that no append comes between its look at the ring and this.
func (l *Log) changed() <-chan struct{} {
	for {
		if waiting := l.waiting.Load(); waiting != nil {
			return *waiting
		}
		waiting := make(chan struct{})
		if l.waiting.CompareAndSwap(nil, &waiting) {
			return waiting
		}
	}
}
