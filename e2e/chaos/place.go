package chaos

import "slices"

// A place is where a client is in each partition.
type place []mark

// A mark is where it is in one: behind at, or, if origin is not nil, where
// that says, once it is known.
type mark struct {
	at     uint64
	origin *origin
}

// An origin is where a client began in a partition when nobody told it, as one
// without an id, or behind a gap. The first record that it gets from there, on
// any connection, tells. From then on the same is owed to it from there.
type origin struct {
	partition int
	known     bool
	at        uint64
}

// begin returns a place of which nothing is known in so many partitions.
func begin(partitions int) (place, []*origin) {
	p, origins := make(place, partitions), make([]*origin, partitions)
	for i := range p {
		origins[i] = &origin{partition: i}
		p[i] = mark{origin: origins[i]}
	}
	return p, origins
}

// at returns the sequence that the client has had last in a partition. ok is
// false if that isn't known.
func (p place) at(partition int) (sequence uint64, ok bool) {
	if partition >= len(p) {
		return 0, false
	}
	m := p[partition]
	if m.origin != nil {
		return m.origin.at, m.origin.known
	}
	return m.at, true
}

// with returns a place that is elsewhere in one partition.
func (p place) with(partition int, sequence uint64) place {
	p = slices.Clone(p)
	p[partition] = mark{at: sequence}
	return p
}

// differs returns a partition in which two places are known to be different
// ones.
func (p place) differs(other place) (partition int, differ bool) {
	for i := range p {
		a, known := p.at(i)
		b, too := other.at(i)
		if known && too && a != b {
			return i, true
		}
	}
	return 0, false
}
