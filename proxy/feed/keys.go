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
// complete is false if events after c stand for nothing in the result and
// can't be read from next either: those of keys that had to be given up
// because of Options.Keys, and evicted entries that belong to no key.
func (l *Log) Latest(c Cursor, buf []Entry) (entries []Entry, next Cursor, complete bool) {
	entries, due, next, complete := l.latest(c, buf)
	for _, d := range due { // without holding mu
		entries[d.index].Block = d.state.block()
	}
	return entries, next, complete
}

// unencoded is an entry whose state takes the place of its block.
type unencoded struct {
	index int
	state *state
}

func (l *Log) latest(c Cursor, buf []Entry) (entries []Entry, due []unencoded, next Cursor, complete bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	next, complete = c, c.next >= l.keys.givenUp.next
	for k := range l.keys.after(c) {
		if k.state != nil {
			due = append(due, unencoded{len(buf), k.state})
		}
		buf, next = append(buf, k.entry), k.after
	}
	if next.next < l.ring.first {
		next, complete = l.oldest(), false
	}
	return buf, due, next, complete
}

// HasState reports whether an event with State was ever appended.
func (l *Log) HasState() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.hasState
}

// keys is the newest event of each key, for a bounded number of keys.
type keys struct {
	max     int
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
}

func newKeys(limit int) keys {
	return keys{max: limit, byKey: make(map[string]*list.Element), order: list.New()}
}

func (k *keys) len() int { return len(k.byKey) }

// set makes n the newest event of its key.
func (k *keys) set(n keyed) {
	e := k.byKey[n.key]
	if e == nil {
		e = k.room()
		k.byKey[n.key] = e
	}
	*e.Value.(*keyed) = n
	k.order.MoveToBack(e)
}

// room returns an element for one more key, that of the key that changed
// longest ago if there are enough of them.
func (k *keys) room() *list.Element {
	if len(k.byKey) < k.max {
		return k.order.PushBack(new(keyed))
	}
	e := k.order.Front()
	oldest := e.Value.(*keyed)
	delete(k.byKey, oldest.key)
	k.givenUp = oldest.after
	return e
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
