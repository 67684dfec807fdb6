package feed

import (
	"fmt"
	"sort"
)

// After returns the place right after the event with this id, and whether
// there is one. It knows the events at hand, as the package comment says, the
// newest event ever, even if that was evicted, and the newest [Log.Mark] for
// as long as nothing behind it is.
//
// With Options.Compare it also knows every other id that is neither before
// the log's floor, which the package comment explains, nor behind its newest
// event or mark: the place is right after the last event that is at or before
// the id, and before a gap that follows. With Options.Partial there is one only
// if no other event comes between that one and the first that is behind the id.
func (l *Log) After(id string) (Cursor, bool) {
	l.Trim()
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.after(id)
}

// Beyond is After for a reader that may have come further than the log, by
// another way: behind the newest event and mark, as far as Options.Compare
// tells, the place is that of [Log.Live]. Of what the reader then reads, it
// has to skip what is not behind id. With Options.Partial that can't be told
// from what it lacks, so that Beyond is no more than After.
func (l *Log) Beyond(id string) (Cursor, bool) {
	l.Trim()
	l.mu.RLock()
	defer l.mu.RUnlock()
	if c, ok := l.after(id); ok {
		return c, true
	}
	if order, ok := l.compare(id, l.newestID()); ok && order > 0 && !l.o.Partial {
		return l.live(), true
	}
	return Cursor{}, false
}

// Newest returns the id of the newest place that is known: that of the newest
// event or [Log.Mark], those of all keys if the log is one of a [Keyed]. It is
// "" as long as there was neither.
func (l *Log) Newest() string {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.newestID()
}

func (l *Log) after(id string) (Cursor, bool) {
	if id == "" || l.hides(id) {
		return Cursor{}, false
	}
	if p := l.ids.find(&l.ring, id); p.n > 0 {
		return p.after, p.after != Cursor{}
	}
	switch {
	case l.whole != nil:
		if l.whole.isNewest(id) {
			return l.behind(l.total), true
		}
	case id == l.newest.id:
		return l.behind(l.total), true
	case id == l.mark.id && l.mark.after.next >= l.ring.first:
		return l.mark.after, true
	}
	return l.between(id)
}

// between returns the place of an id that belongs to none of the events at
// hand, by the order of ids.
func (l *Log) between(id string) (Cursor, bool) {
	if order, ok := l.compare(id, l.newestID()); !ok || order > 0 {
		return Cursor{}, false
	}
	// When the source has begun anew, ids begin anew, too. One that was there
	// before has its place before that: who has it may lack all that followed.
	first, last := max(l.evicted, l.restarted.total), l.total
	if order, ok := l.compare(id, l.restarted.id); ok && order <= 0 {
		if first > l.restarted.total {
			return Cursor{}, false
		}
		first, last = l.evicted, l.restarted.total
	}
	// Ids that have no order to this one are of another incarnation of the
	// upstream, or strays: the search takes them for earlier ones, and the
	// place is not right behind one of them, but before. If ids are only partly
	// ordered, such an event may be one that the reader has although it lacks
	// one before it, or the other way round, so that there is no place.
	n := sort.Search(int(last-first), func(i int) bool {
		order, ok := l.compare(l.ring.event(first+uint64(i)+1).ID, id)
		return ok && order > 0
	})
	for i := l.behind(first+uint64(n)).next - 1; i >= l.ring.first; i-- {
		s := l.ring.at(i)
		if order, ok := l.compare(s.ID, id); ok && order <= 0 {
			return s.after, true
		}
		if l.o.Partial {
			return Cursor{}, false
		}
	}
	if order, ok := l.compare(l.floor(), id); !ok || order > 0 {
		return Cursor{}, false
	}
	return l.oldest(), true
}

// compare returns the order of two ids. The empty one, that of a gap and of
// what isn't known, has none.
func (l *Log) compare(a, b string) (order int, ok bool) {
	if l.o.Compare == nil || a == "" || b == "" {
		return 0, false
	}
	return l.o.Compare(a, b)
}

// newestID returns the id of the newest place that is known, or "".
func (l *Log) newestID() string {
	switch {
	case l.whole != nil:
		return l.whole.newestID()
	case l.mark.after.next >= l.newest.after.next && l.mark.id != "":
		return l.mark.id
	default:
		return l.newest.id
	}
}

// behind returns the place right behind the n-th event, or the oldest one if
// that event is evicted and with it at most gaps behind it.
func (l *Log) behind(n uint64) Cursor {
	if n == l.evicted {
		return l.oldest()
	}
	return l.ring.event(n).after
}

// floor returns the id of the place before the oldest event at hand, or "" if
// it has none or gaps that followed it are evicted.
func (l *Log) floor() string {
	switch {
	case l.blind:
		return ""
	case l.evicted > 0:
		return l.evictedID
	case l.whole != nil:
		return l.whole.floorID(l.base)
	case l.base != nil:
		return l.base.id
	}
	return ""
}

// floor is a place before which nothing is known.
type floor struct {
	id string // "" as long as it isn't known, or has none
	n  uint64 // number of events up to it, among those of all keys
}

// Marked returns the id that a [Log.Mark] gave to the place c, or "" if none
// did.
func (l *Log) Marked(c Cursor) string {
	l.mu.RLock()
	defer l.mu.RUnlock()
	c = c.orFirst()
	switch {
	case l.whole != nil && c == l.live():
		return l.whole.newestID()
	case l.mark.after == c:
		return l.mark.id
	}
	return ""
}

// Expired returns what a reader has lost that has the event with this id and
// nothing after it, if the id is a number that this log gave to an event which
// it no longer holds; nil otherwise. Lost may be 0, if the oldest event at
// hand is the very next. It is for a log by itself: that of a [Keyed] gives no
// numbers of its own.
func (l *Log) Expired(id string) *OverrunError {
	l.Trim()
	n, ok := l.epoch.number(id)
	if !ok {
		return nil
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if n > l.evicted {
		return nil
	}
	return &OverrunError{Lost: int64(l.evicted - n), Resume: l.oldest(), ResumeID: l.evictedID}
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
