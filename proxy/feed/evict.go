package feed

import "time"

// Trim drops what is older than Options.Age.
func (l *Log) Trim() {
	if l.o.Age <= 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.evict(time.Now())
}

// evict drops the oldest entries until the bounds are kept.
func (l *Log) evict(now time.Time) {
	for l.ring.len() > 0 && l.excess(now) {
		s := l.ring.pop()
		l.blind = s.Gap != nil
		if s.Gap == nil {
			l.evicted++
			l.evictedID = s.ID
			l.bytes -= int64(len(s.Block))
			l.ids.forget(&s)
			if l.whole != nil {
				l.whole.evicted(s.ID)
			}
		}
		if l.ring.shrink() {
			l.ids.shrink(&l.ring)
		}
	}
	l.count()
}

// excess reports whether the oldest entry has to go.
func (l *Log) excess(now time.Time) bool {
	n, oldest := l.ring.len(), l.ring.at(l.ring.first)
	if oldest.after == l.newest.after { // the newest event: gaps only behind it
		return n-1 > l.o.Events
	}
	return n > l.o.Events || l.bytes > l.o.Bytes || l.o.Age > 0 && now.Sub(oldest.At) > l.o.Age
}
