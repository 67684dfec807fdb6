package feed

import "sync/atomic"

// size is how much a log holds.
type size struct {
	events int64 // entries, gaps included
	bytes  int64 // of their blocks, and of what is kept for keys
}

// sizes are the sum of the sizes of several logs.
type sizes struct{ events, bytes atomic.Int64 }

// change takes in that a log's size was one thing and is another.
func (s *sizes) change(from, to size) {
	s.events.Add(to.events - from.events)
	s.bytes.Add(to.bytes - from.bytes)
}

// count brings what is counted of the log up to date.
func (l *Log) count() {
	if l.whole == nil {
		return
	}
	now := size{events: int64(l.ring.len()), bytes: l.bytes + l.keys.bytes()}
	l.whole.all.change(l.counted, now)
	if l.idle {
		l.whole.idle.change(l.counted, now)
	}
	l.counted = now
}

// setIdle says whether the log counts toward what nobody reads.
func (l *Log) setIdle(idle bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case idle && !l.idle:
		l.whole.idle.change(size{}, l.counted)
	case !idle && l.idle:
		l.whole.idle.change(l.counted, size{})
	}
	l.idle = idle
}

// leave takes the log, which nobody reads, out of what it is one of many in.
// It returns the id of its newest event, if there was one, and whether a
// state may be lost with it.
func (l *Log) leave() (newest string, state bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.whole.all.change(l.counted, size{})
	if l.idle {
		l.whole.idle.change(l.counted, size{})
	}
	l.whole, l.base = nil, nil
	return l.newest.id, l.keys.len() > 0 || !l.keys.complete(Cursor{})
}
