package feed

import (
	"iter"
	"sort"
)

// ring is a queue of entries in one slice, which grows and shrinks with its
// use by powers of two. Entries are counted from 1 as they are pushed; the
// number of one is its index. Make an empty one with newRing.
type ring struct {
	slots      []slot
	first, end uint64 // indices of the oldest entry and of the next to come
}

type slot struct {
	Entry
	after Cursor // the place behind the entry
	state bool   // it carried State
	again bool   // when it was pushed, an event with the same id was in the ring
}

// minSlots is the capacity that is not shrunk any more: small enough for a
// stream that says little.
const minSlots = 4

func newRing() ring { return ring{first: 1, end: 1} }

func (r *ring) len() int { return int(r.end - r.first) }

// at returns the slot of the entry with index i, which must be in the ring.
// It is valid until the next push, pop or shrink.
func (r *ring) at(i uint64) *slot { return &r.slots[i&uint64(len(r.slots)-1)] }

// event returns the slot of the n-th event ever pushed, which must be in the
// ring.
func (r *ring) event(n uint64) *slot {
	i := sort.Search(r.len(), func(i int) bool { return r.at(r.first+uint64(i)).after.events >= n })
	return r.at(r.first + uint64(i))
}

// events yields the slots of events, in order.
func (r *ring) events() iter.Seq[*slot] {
	return func(yield func(*slot) bool) {
		for i := r.first; i != r.end; i++ {
			if s := r.at(i); s.Gap == nil && !yield(s) {
				return
			}
		}
	}
}

// push appends entry, the last of the number of events given, and returns its
// slot.
func (r *ring) push(entry Entry, events uint64) *slot {
	if r.len() == len(r.slots) {
		r.resize(max(1, 2*len(r.slots)))
	}
	r.end++
	s := r.at(r.end - 1)
	*s = slot{Entry: entry, after: Cursor{next: r.end, events: events}}
	return s
}

// pop removes the oldest entry and everything that refers to it.
func (r *ring) pop() slot {
	oldest := r.at(r.first)
	s := *oldest
	*oldest = slot{}
	r.first++
	return s
}

// shrink halves the capacity if no more than a quarter of it is in use, and
// reports whether it did.
func (r *ring) shrink() bool {
	if len(r.slots) <= minSlots || r.len() > len(r.slots)/4 {
		return false
	}
	r.resize(len(r.slots) / 2)
	return true
}

func (r *ring) resize(capacity int) {
	old := *r
	r.slots = make([]slot, capacity)
	for i := r.first; i != r.end; i++ {
		*r.at(i) = *old.at(i)
	}
}
