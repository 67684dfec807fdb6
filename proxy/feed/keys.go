package feed

import (
	"container/list"
	"iter"
)

// keys is the newest event of each key, for a bounded number of keys. Keys
// that are gone have bounds of their own, so that they push out none that
// live. A nil one is empty.
type keys struct {
	byKey map[string]*list.Element // of *kept, in live or gone; nil while there are few
	live  changes
	gone  changes
}

// fewKeys is the number of keys up to which they have no table, which would
// be larger than they are.
const fewKeys = 4

// changes are the newest events of some keys.
type changes struct {
	order   list.List // of *kept; the one that changed longest ago comes first
	bytes   int64     // of what is kept
	max     int       // keys
	most    int64     // bytes
	givenUp Cursor    // behind the last event that was given up
}

// kept is the newest event of a key.
type kept struct {
	key   string
	entry Entry
	state *state // to be sent in place of entry.Block, if not nil
	gone  bool   // it takes the key away
	after Cursor // the place behind the event
	size  int64  // in bytes, of all that is kept
}

func newKeys(o *Options) *keys {
	bounds := changes{max: o.Keys, most: o.KeyBytes}
	return &keys{live: bounds, gone: bounds}
}

// len returns the number of keys that live.
func (k *keys) len() int {
	if k == nil {
		return 0
	}
	return k.live.order.Len()
}

// bytes returns the size of all that is kept.
func (k *keys) bytes() int64 {
	if k == nil {
		return 0
	}
	return k.live.bytes + k.gone.bytes
}

// set makes n the newest event of its key, and gives up keys that there is no
// room for: those first that changed longest ago, but never the last one that
// lives.
func (k *keys) set(n kept) {
	n.size = int64(len(n.key) + len(n.entry.Block))
	if n.state != nil {
		n.size += int64(len(n.state.from.Data))
	}
	to, e := k.changes(n.gone), k.find(n.key)
	switch {
	case e == nil:
		e = k.learn(n.key, to.order.PushBack(new(kept)))
	case e.Value.(*kept).gone != n.gone:
		e = k.learn(n.key, to.order.PushBack(k.changes(!n.gone).take(e)))
	default:
		to.order.MoveToBack(e)
	}
	was := e.Value.(*kept)
	to.bytes += n.size - was.size
	*was = n
	for to.excess() && (n.gone || to.order.Len() > 1) {
		oldest := to.take(to.order.Front())
		to.givenUp = oldest.after
		delete(k.byKey, oldest.key)
	}
}

// find returns the element of key, or nil.
func (k *keys) find(key string) *list.Element {
	if k.byKey != nil {
		return k.byKey[key]
	}
	for _, s := range []*changes{&k.live, &k.gone} {
		for e := s.order.Front(); e != nil; e = e.Next() {
			if e.Value.(*kept).key == key {
				return e
			}
		}
	}
	return nil
}

// learn notes that e, which it returns, is the element of key.
func (k *keys) learn(key string, e *list.Element) *list.Element {
	if k.byKey == nil && k.live.order.Len()+k.gone.order.Len() > fewKeys {
		k.byKey = make(map[string]*list.Element)
		for _, s := range []*changes{&k.live, &k.gone} {
			for e := s.order.Front(); e != nil; e = e.Next() {
				k.byKey[e.Value.(*kept).key] = e
			}
		}
	}
	if k.byKey != nil {
		k.byKey[key] = e
	}
	return e
}

func (k *keys) changes(gone bool) *changes {
	if gone {
		return &k.gone
	}
	return &k.live
}

func (s *changes) excess() bool { return s.order.Len() > s.max || s.bytes > s.most }

// take removes e, of which then nothing is kept.
func (s *changes) take(e *list.Element) *kept {
	n := s.order.Remove(e).(*kept)
	s.bytes -= n.size
	n.size = 0
	return n
}

// complete reports whether nothing was given up of what after yields.
func (k *keys) complete(c Cursor) bool {
	switch {
	case k == nil:
		return true
	case c == Cursor{}:
		return k.live.givenUp == Cursor{}
	}
	return c.next >= k.live.givenUp.next && c.next >= k.gone.givenUp.next
}

// before reports whether something is kept that changed before c.
func (k *keys) before(c Cursor) bool {
	if k == nil {
		return false
	}
	oldest := k.live.order.Front()
	return oldest != nil && oldest.Value.(*kept).after.next <= c.next
}

// after yields what changed after c, in the order of the log: unless c is the
// zero Cursor, keys that are gone as well.
func (k *keys) after(c Cursor) iter.Seq[*kept] {
	return func(yield func(*kept) bool) {
		if k == nil {
			return
		}
		live, gone := k.live.after(c), k.gone.after(c)
		if c == (Cursor{}) {
			gone = nil
		}
		for live != nil || gone != nil {
			next := &live
			if live == nil || gone != nil && gone.Value.(*kept).after.next < live.Value.(*kept).after.next {
				next = &gone
			}
			if !yield((*next).Value.(*kept)) {
				return
			}
			*next = (*next).Next()
		}
	}
}

// after returns the first element that changed after c, or nil.
func (s *changes) after(c Cursor) (e *list.Element) {
	for p := s.order.Back(); p != nil && p.Value.(*kept).after.next > c.next; p = p.Prev() {
		e = p
	}
	return e
}
