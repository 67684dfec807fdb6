package feed

// ring is a queue of entries in one slice, which grows and shrinks with its
// use by powers of two. An entry's index is how many entries were ever pushed
// before it. The zero value is empty.
type ring struct {
	slots      []slot
	first, end uint64 // indices of the oldest entry and of the next to come
}

type slot struct {
	Entry
	after Cursor // the place behind the entry
}

// minSlots is the capacity that is not shrunk any more: small enough for a
// stream that says little.
const minSlots = 16

func (r *ring) len() int { return int(r.end - r.first) }

// at returns the slot of the entry with index i, which must be in the ring.
// It is valid until the next push, pop or shrink.
func (r *ring) at(i uint64) *slot { return &r.slots[i&uint64(len(r.slots)-1)] }

// push appends entry, the last of the number of events given, and returns the
// place behind it.
func (r *ring) push(entry Entry, events uint64) Cursor {
	if r.len() == len(r.slots) {
		r.resize(max(minSlots, 2*len(r.slots)))
	}
	after := Cursor{next: r.end + 1, events: events}
	r.end++
	*r.at(r.end - 1) = slot{Entry: entry, after: after}
	return after
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
