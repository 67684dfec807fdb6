package feed

import (
	"container/list"
	"iter"
	"sync"

	"sidestream/adapters"
)

// Latest returns the newest event of each key among those appended after c,
// in log order and appended to buf, and the place to read on from: right
// behind the last of them. With the zero Cursor this is the stream's current
// state, which a client is given before it reads on.
//
// For an event with State, what is returned is the state, under the event's
// id; it is encoded when it is first asked for, and only once. For any other
// it is the event's own block. Events without State are kept only with
// Options.Latest.
//
// complete is false if something after c may be missing from what the reader
// is given: events of keys that had to be given up because of Options.Keys or
// Options.KeyBytes, evicted entries that belong to no key, and, unless c is the
// zero Cursor, gaps.
//
// ok is false, and next is c, if there is no state yet to start from, or none
// to go on from: the first events of a change that isn't complete yet are
// evicted. There is one as soon as the next event with State is appended. With
// Options.Latest ok is always true.
func (l *Log) Latest(c Cursor, buf []Entry) (entries []Entry, next Cursor, complete, ok bool) {
	entries, due, next, complete, ok := l.latest(c, buf)
	for _, d := range due { // without holding mu
		entries[d.index].Block = d.state.block()
	}
	return entries, next, complete, ok
}

// unencoded is an entry whose state takes the place of its block.
type unencoded struct {
	index int
	state *state
}

func (l *Log) latest(c Cursor, buf []Entry) (entries []Entry, due []unencoded, next Cursor, complete, ok bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	entries = buf
	next, complete = c, c.next >= l.keys.givenUp.next && (c == Cursor{} || c.next >= l.lastGap.next)
	for k := range l.keys.after(c) {
		if k.state != nil {
			due = append(due, unencoded{len(entries), k.state})
		}
		entries, next = append(entries, k.entry), k.after
	}
	// What follows the newest State is a change that isn't complete.
	cut := next.events < l.evicted
	if !l.o.Latest && (cut || !l.hasState) {
		return buf, nil, c, false, false
	}
	if next.next < l.ring.first {
		next, complete = l.oldest(), false
	}
	return entries, due, next, complete, true
}

// keys is the newest event of each key, for a bounded number of keys.
type keys struct {
	max     int
	most    int64                    // bytes
	bytes   int64                    // of what is kept
	byKey   map[string]*list.Element // of *keyed
	order   *list.List               // the one that changed longest ago comes first
	givenUp Cursor                   // behind the last event that was given up
}

// keyed is the newest event of a key.
type keyed struct {
	key   string
	entry Entry
	state *state // to be sent in place of entry.Block, if not nil
	after Cursor // the place behind the event
	size  int64  // in bytes, of all that is kept
}

func newKeys(o Options) keys {
	return keys{max: o.Keys, most: o.KeyBytes, byKey: make(map[string]*list.Element), order: list.New()}
}

func (k *keys) len() int { return len(k.byKey) }

// set makes n the newest event of its key, and gives up keys that there is no
// room for: those first that changed longest ago, but never the last one.
func (k *keys) set(n keyed) {
	n.size = int64(len(n.key) + len(n.entry.Block))
	if n.state != nil {
		n.size += int64(len(n.state.from.Data))
	}
	e := k.byKey[n.key]
	if e == nil {
		e = k.order.PushBack(new(keyed))
		k.byKey[n.key] = e
	}
	kept := e.Value.(*keyed)
	k.bytes += n.size - kept.size
	*kept = n
	k.order.MoveToBack(e)
	for len(k.byKey) > k.max || k.bytes > k.most && len(k.byKey) > 1 {
		oldest := k.order.Remove(k.order.Front()).(*keyed)
		delete(k.byKey, oldest.key)
		k.bytes -= oldest.size
		k.givenUp = oldest.after
	}
}

// after yields what changed after c, in the order of the log.
func (k *keys) after(c Cursor) iter.Seq[*keyed] {
	return func(yield func(*keyed) bool) {
		var e *list.Element
		for p := k.order.Back(); p != nil && p.Value.(*keyed).after.next > c.next; p = p.Prev() {
			e = p
		}
		for ; e != nil && yield(e.Value.(*keyed)); e = e.Next() {
		}
	}
}

// state is the full state of a key after an event that is only a change. It
// is encoded when somebody needs it.
type state struct {
	id   string
	once sync.Once
	from *adapters.State // nil once encoded
	to   []byte
}

// newState returns the state s under the id of the event that led to it, or
// an error if it can't be encoded.
func newState(id string, s *adapters.State) (*state, error) {
	if err := encodable(s.Type, s.Data); err != nil {
		return nil, err
	}
	return &state{id: id, from: s}, nil
}

// block returns the encoded state.
func (s *state) block() []byte {
	s.once.Do(func() {
		s.to, _ = encode(s.id, s.from.Type, s.from.Data) // newState has checked it
		s.from = nil
	})
	return s.to
}
