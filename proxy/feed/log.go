package feed

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"sidestream/adapters"
)

// ErrClosed is returned when something is appended to a closed log.
var ErrClosed = errors.New("feed is closed")

// A Log is the bounded, ordered log of a stream's events. Make one with
// [New], or get one from a [Keyed], which then alone may fill and close it.
type Log struct {
	o     *Options
	epoch epoch

	// waiting is closed by the next wake-up. It is nil while nobody waits.
	waiting atomic.Pointer[chan struct{}]

	// mu guards what follows. It is held to copy and move headers, never to
	// encode.
	mu      sync.RWMutex
	ring    ring
	bytes   int64  // of the blocks in ring
	ids     ids    // of the events in ring
	evicted uint64 // number of events that were in ring and no longer are
	total   uint64 // number of events ever appended; written by the appender alone

	evictedID string   // of the newest of the evicted events
	blind     bool     // a gap was evicted after it
	base      *floor   // the place before the first event ever; nil: unknown
	lastGap   Cursor   // the place behind the newest gap
	newest    struct { // the newest event ever appended
		id    string
		after Cursor
	}
	mark struct { // the newest mark
		id    string
		after Cursor
	}
	keys      *keys    // nil until an event is kept for its key
	stateAt   Cursor   // the newest place up to which everything is in a state
	hasState  bool     // an event carried State
	restarted struct { // when the source last began anew
		total uint64 // of events before that
		id    string // of the newest place before that
	}
	selected selection
	settled  bool // or else the source has said that there is none
	lacking  bool // state may have been lost before the log began
	closed   bool

	whole   *whole // what the log is one of many in; nil: nothing
	idle    bool   // it counts toward what nobody reads
	counted size   // what of it is counted in whole
}

// New returns an empty log.
func New(o Options) *Log {
	o = o.withDefaults()
	l := new(Log)
	l.init(&o)
	l.epoch = newEpoch()
	return l
}

func (l *Log) init(o *Options) {
	l.o = o
	l.ring = newRing()
	l.stateAt = l.live()
	l.selected.begun = o.Selects
}

// Append encodes e and appends it. Its id is e.Position, or, if that is
// empty, "<epoch>-<number>", where the first event of the log is number 1.
//
// If e or its State can't be encoded, nothing is appended and the error wraps
// that of [eventstream.AppendEvent]. After Close the error is [ErrClosed].
//
// The log keeps e.State until it is encoded, and nothing else of e but its
// strings. A notice ([adapters.Event].Live) is not an event and not for the
// log.
func (l *Log) Append(e *adapters.Event) error {
	id := string(e.Position)
	if id == "" {
		id = l.epoch.id(l.total + 1)
	}
	var n encoded
	invalid := n.set(id, e)
	if err := l.addUnless(invalid, &n); err != nil {
		return err
	}
	l.Wake()
	return nil
}

// addUnless appends an encoded event, unless the log is closed or invalid
// says that it can't be appended.
func (l *Log) addUnless(invalid error, n *encoded) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return ErrClosed
	case invalid != nil:
		return invalid
	}
	l.add(n)
	return nil
}

// add appends an encoded event, and returns when that was. mu is held.
func (l *Log) add(n *encoded) (at time.Time) {
	n.entry.At = time.Now()
	l.total++
	l.bytes += int64(len(n.entry.Block))
	s := l.ring.push(n.entry, l.total)
	s.state = n.stateful
	l.ids.learn(&l.ring, s)
	l.newest.id, l.newest.after = n.entry.ID, s.after

	if n.stateful || l.o.Latest {
		l.hasState = l.hasState || n.stateful
		l.stateAt = s.after
		if l.keys == nil {
			l.keys = newKeys(l.o)
		}
		l.keys.set(kept{key: n.key, entry: n.entry, state: n.state, gone: n.gone, after: s.after})
	}
	if l.whole != nil {
		l.whole.appended(n.entry.ID)
	}
	l.evict(n.entry.At)
	return n.entry.At
}

// AppendGap appends a notice that events are missing at this place. A gap has
// no id, and counts toward Options.Events. After Close the error is
// [ErrClosed].
func (l *Log) AppendGap(g Gap) error {
	if err := l.addGap(&g); err != nil {
		return err
	}
	l.Wake()
	return nil
}

func (l *Log) addGap(g *Gap) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gap(g)
}

// gap is addGap with mu held.
func (l *Log) gap(g *Gap) error {
	if l.closed {
		return ErrClosed
	}
	now := time.Now()
	l.lastGap = l.ring.push(Entry{Gap: g, At: now}, l.total).after
	l.evict(now)
	return nil
}

// Close ends the log: nothing more can be appended, and readers get [io.EOF]
// once they have read what is left. Closing it again does nothing.
func (l *Log) Close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.Wake()
}

// Mark gives the place after the newest entry another name: until the next
// Mark, [Log.After] finds it under id too. It is for positions of the source
// at which no event of the log ends. An empty id does nothing.
func (l *Log) Mark(id string) {
	if id == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mark.id, l.mark.after = id, l.live()
	l.selected.end(id)
	if l.total == 0 && l.floor() == "" {
		l.base, l.blind = &floor{id: id}, false
	}
}

// Settle says that the source has delivered all that there is. If no event
// carried State up to here, or since [Log.Restart], then having none is a
// state too, which [Log.Latest] gives. It does nothing in the middle of a
// change.
func (l *Log) Settle() {
	if l.settle() {
		l.Wake()
	}
}

// settle reports whether that is news.
func (l *Log) settle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.settled || l.keys != nil || l.total > l.stateAt.events {
		return false // after an event, it's for State to say
	}
	l.settled = true
	l.stateAt = l.live()
	return true
}

// Wake wakes all waiting readers: the channel that [Log.Read] gave them is
// closed, although there may be nothing to read.
func (l *Log) Wake() {
	if waiting := l.waiting.Swap(nil); waiting != nil {
		close(*waiting)
	}
}

// Stats are a log's figures of the moment.
type Stats struct {
	Events int   // events in the log, gaps not counted
	Bytes  int64 // size of their blocks
	Keys   int   // keys whose newest event is kept, those that are gone not counted
}

// Stats returns what the log holds.
func (l *Log) Stats() Stats {
	l.Trim()
	l.mu.RLock()
	defer l.mu.RUnlock()
	return Stats{Events: int(l.total - l.evicted), Bytes: l.bytes, Keys: l.keys.len()}
}
