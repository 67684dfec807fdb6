package feed

import (
	"fmt"
	"io"
	"sort"
	"strconv"
	"strings"
)

// A Cursor is a place between two entries of one [Log]. It is a plain value
// and may be copied. The zero value is the place before the first event ever.
// In another log than the one it came from, it means nothing.
type Cursor struct {
	next   uint64 // index of the entry behind the place
	events uint64 // number of events ever appended before it
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
	before := l.total - uint64(n)
	i := sort.Search(l.ring.len(), func(i int) bool {
		return l.ring.at(l.ring.first+uint64(i)).after.events > before
	})
	return Cursor{next: l.ring.first + uint64(i), events: before}
}

// After returns the place right after the event with this id, and whether
// there is one. It knows the events at hand, as the package comment says, the
// newest event ever, even if that was evicted, and the newest [Log.Mark] for
// as long as nothing behind it is.
func (l *Log) After(id string) (Cursor, bool) {
	l.Trim()
	l.mu.RLock()
	defer l.mu.RUnlock()
	if p, ok := l.ids[id]; ok {
		return p.after, p.after != Cursor{}
	}
	switch id {
	case "":
	case l.newest.id:
		if l.newest.after.next < l.ring.first {
			return l.oldest(), true // only gaps lie between
		}
		return l.newest.after, true
	case l.mark.id:
		return l.mark.after, l.mark.after.next >= l.ring.first
	}
	return Cursor{}, false
}

// Marked returns the id that a [Log.Mark] gave to the place c, or "" if none
// did.
func (l *Log) Marked(c Cursor) string {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.mark.after != c {
		return ""
	}
	return l.mark.id
}

// Expired returns what a reader has lost that has the event with this id and
// nothing after it, if the id is a number that this log gave to an event which
// it no longer holds; nil otherwise. Lost may be 0, if the oldest event at
// hand is the very next.
func (l *Log) Expired(id string) *OverrunError {
	l.Trim()
	digits, ok := strings.CutPrefix(id, l.epoch+"-")
	if !ok {
		return nil
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || n == 0 || id != l.number(n) {
		return nil
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if n > l.evicted {
		return nil
	}
	return &OverrunError{Lost: int64(l.evicted - n), Resume: l.oldest(), ResumeID: l.evictedID}
}

// Read fills buf, which must not be empty, with the entries after c, advances
// c behind them, and returns their number. It copies no payload.
//
// With nothing to read, n is 0 and changed is a channel that is closed as
// soon as there may be something: at the next Append, AppendGap, Close or
// Wake.
//
// If entries after c are evicted, err is an [*OverrunError] and c stays as it
// is. Once the log is closed and everything after c is read, err is [io.EOF].
func (l *Log) Read(c *Cursor, buf []Entry) (n int, changed <-chan struct{}, err error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if c.next < l.ring.first {
		return 0, nil, &OverrunError{Lost: int64(l.evicted - c.events), Resume: l.oldest(), ResumeID: l.evictedID}
	}
	for n < len(buf) && c.next < l.ring.end {
		s := l.ring.at(c.next)
		buf[n], *c = s.Entry, s.after
		n++
	}
	switch {
	case n > 0:
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

// An OverrunError says that a cursor's place is no longer in the log.
type OverrunError struct {
	// Lost is the exact number of events between the cursor and Resume. Gaps
	// are not counted: it is 0 if nothing but gaps was evicted.
	Lost int64

	// Resume is the place before the oldest entry that was at hand.
	Resume Cursor

	// ResumeID is the id of the event right before Resume, which is evicted.
	ResumeID string
}

func (e *OverrunError) Error() string {
	return fmt.Sprintf("reader was overrun: %d events lost", e.Lost)
}
