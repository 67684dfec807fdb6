package feed

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"sidestream/adapters"
	"sidestream/proxy/eventstream"
)

// Defaults of [Options].
const (
	DefaultEvents = 1024
	DefaultBytes  = 8 << 20
	DefaultKeys   = 10000

	DefaultKeyBytes = 64 << 20
)

// ErrClosed is returned when something is appended to a closed log.
var ErrClosed = errors.New("feed is closed")

// Options bound a [Log]. The zero value is usable.
type Options struct {
	// Events is the number of entries that are kept at most, gaps included.
	// 0 or less means DefaultEvents.
	Events int

	// Bytes is how many bytes of encoded events are kept at most. 0 or less
	// means DefaultBytes.
	Bytes int64

	// Age is how long after they were appended entries are kept at most. It
	// is applied when something is appended, by [Log.Tail], [Log.After],
	// [Log.Expired] and [Log.Stats], and by [Log.Trim]; [Log.Read] gives what
	// is still there. 0 or less means no limit.
	Age time.Duration

	// Keys is the number of keys whose newest event is kept at most. 0 or
	// less means DefaultKeys.
	Keys int

	// KeyBytes is how many bytes are kept at most for the newest events of
	// keys, in addition to Bytes; that of the newest key always is. 0 or less
	// means DefaultKeyBytes.
	KeyBytes int64

	// Latest keeps the newest event of each key also if events carry no
	// State.
	Latest bool
}

// A Log is the bounded, ordered log of a stream's events. Make one with
// [New].
type Log struct {
	o     Options
	epoch string

	// waiting is closed by the next wake-up. It is nil while nobody waits.
	waiting atomic.Pointer[chan struct{}]

	// mu guards what follows. It is held to copy and move headers, never to
	// encode.
	mu      sync.RWMutex
	ring    ring
	bytes   int64            // of the blocks in ring
	ids     map[string]place // of the events in ring
	evicted uint64           // number of events that were in ring and no longer are
	total   uint64           // number of events ever appended; written by the appender alone

	evictedID string   // of the newest of the evicted events
	lastGap   Cursor   // the place behind the newest gap
	newest    struct { // the newest event ever appended
		id    string
		after Cursor
	}
	mark struct { // the newest mark
		id    string
		after Cursor
	}
	keys     keys
	hasState bool // an event carried State
	closed   bool
}

// place is where the events with one id are.
type place struct {
	after Cursor // where to go on from; the zero Cursor: there's no telling
	n     int    // number of events in the ring with this id
}

// New returns an empty log.
func New(o Options) *Log {
	if o.Events <= 0 {
		o.Events = DefaultEvents
	}
	if o.Bytes <= 0 {
		o.Bytes = DefaultBytes
	}
	if o.Keys <= 0 {
		o.Keys = DefaultKeys
	}
	if o.KeyBytes <= 0 {
		o.KeyBytes = DefaultKeyBytes
	}
	return &Log{
		o:     o,
		epoch: strings.ToLower(rand.Text()[:8]), // base32: 40 bits
		ids:   make(map[string]place),
		keys:  newKeys(o),
	}
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
		id = l.number(l.total + 1)
	}
	block, err := encode(id, e.Type, e.Data)
	var s *state
	if err == nil && e.State != nil && !e.Whole() {
		s, err = newState(id, e.State)
	}
	if err != nil {
		err = fmt.Errorf("encode event: %w", err)
	}
	if err := l.add(e, Entry{ID: id, Block: block}, s, err); err != nil {
		return err
	}
	l.Wake()
	return nil
}

// add appends an encoded event, unless the log is closed or invalid says that
// it can't be appended.
func (l *Log) add(e *adapters.Event, entry Entry, s *state, invalid error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return ErrClosed
	case invalid != nil:
		return invalid
	}
	entry.At = time.Now()
	l.total++
	l.bytes += int64(len(entry.Block))
	after := l.ring.push(entry, l.total)

	p, known := l.ids[entry.ID]
	if !known || e.State != nil {
		p.after = after
	}
	p.n++
	l.ids[entry.ID] = p
	l.newest.id, l.newest.after = entry.ID, after

	if e.State != nil || l.o.Latest {
		l.hasState = l.hasState || e.State != nil
		l.keys.set(keyed{key: e.Key, entry: entry, state: s, after: after})
	}
	l.evict(entry.At)
	return nil
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
	if l.closed {
		return ErrClosed
	}
	now := time.Now()
	l.lastGap = l.ring.push(Entry{Gap: g, At: now}, l.total)
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
}

// Wake wakes all waiting readers: the channel that [Log.Read] gave them is
// closed, although there may be nothing to read.
func (l *Log) Wake() {
	if waiting := l.waiting.Swap(nil); waiting != nil {
		close(*waiting)
	}
}

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
		if s.Gap == nil {
			l.evicted++
			l.evictedID = s.ID
			l.bytes -= int64(len(s.Block))
			l.forget(s.ID, s.after)
		}
		if l.ring.shrink() { // maps don't, by themselves
			ids := make(map[string]place, len(l.ids))
			maps.Copy(ids, l.ids)
			l.ids = ids
		}
	}
}

// excess reports whether the oldest entry has to go.
func (l *Log) excess(now time.Time) bool {
	n, oldest := l.ring.len(), l.ring.at(l.ring.first)
	if oldest.after == l.newest.after { // the newest event: gaps only behind it
		return n-1 > l.o.Events
	}
	return n > l.o.Events || l.bytes > l.o.Bytes || l.o.Age > 0 && now.Sub(oldest.At) > l.o.Age
}

// forget takes the event with this id that ends at after out of the ids.
func (l *Log) forget(id string, after Cursor) {
	p := l.ids[id]
	if p.n--; p.n == 0 {
		delete(l.ids, id)
		return
	}
	if p.after == after {
		p.after = Cursor{}
	}
	l.ids[id] = p
}

// Stats are a log's figures of the moment.
type Stats struct {
	Events int   // events in the log, gaps not counted
	Bytes  int64 // size of their blocks
	Keys   int   // keys whose newest event is kept
}

// Stats returns what the log holds.
func (l *Log) Stats() Stats {
	l.Trim()
	l.mu.RLock()
	defer l.mu.RUnlock()
	return Stats{Events: int(l.total - l.evicted), Bytes: l.bytes, Keys: l.keys.len()}
}

// number returns the id that the log gives to its n-th event.
func (l *Log) number(n uint64) string {
	var b [32]byte
	id := append(append(b[:0], l.epoch...), '-')
	return string(strconv.AppendUint(id, n, 10))
}

// Encode returns e as a block, as [Log.Append] would make it of an event with
// a position, in memory of its own.
func Encode(e *adapters.Event) ([]byte, error) {
	return encode(string(e.Position), e.Type, e.Data)
}

func encode(id, typ string, data []byte) ([]byte, error) {
	// Room for "id: ", "event: " and line ends, and for "data: " on each line.
	size := len(id) + len(typ) + len(data) + 24 + len("data: ")*bytes.Count(data, []byte{'\n'})
	block, err := eventstream.AppendEvent(make([]byte, 0, size), &eventstream.Event{ID: id, Type: typ, Data: data})
	return slices.Clip(block), err
}

// encodable returns the error that encode would return for typ and data.
func encodable(typ string, data []byte) error {
	switch {
	case !eventstream.ValidType(typ):
		return eventstream.ErrType
	case !utf8.Valid(data):
		return eventstream.ErrData
	}
	return nil
}
