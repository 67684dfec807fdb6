package feed

import "maps"

// ids finds the events in a ring by their ids. As long as the ring is small it
// looks at all of them: a table would be larger than they are. The zero value
// is for an empty ring.
type ids struct {
	places map[string]place // nil while the ring is small
}

// smallRing is the capacity up to which a ring has no table.
const smallRing = 8

// place is where the events with one id are.
type place struct {
	after Cursor // where to go on from; the zero Cursor: there's no telling
	n     int    // number of events in the ring with this id
}

// find returns where the events with this id are, if there are any.
func (x *ids) find(r *ring, id string) (p place) {
	if x.places != nil {
		return x.places[id]
	}
	for s := range r.events() {
		if s.ID == id {
			p.add(s)
		}
	}
	return p
}

// learn adds the event that was pushed last.
func (x *ids) learn(r *ring, s *slot) {
	switch {
	case x.places != nil:
		p := x.places[s.ID]
		s.again = p.n > 0
		p.add(s)
		x.places[s.ID] = p
	case len(r.slots) > smallRing:
		s.again = x.find(r, s.ID).n > 1
		x.build(r)
	default:
		s.again = x.find(r, s.ID).n > 1
	}
}

func (x *ids) build(r *ring) {
	x.places = make(map[string]place)
	for s := range r.events() {
		p := x.places[s.ID]
		p.add(s)
		x.places[s.ID] = p
	}
}

// add takes in the next event with the id.
func (p *place) add(s *slot) {
	if p.n == 0 && !s.again || s.state {
		p.after = s.after
	}
	p.n++
}

// forget takes out the event that was popped last.
func (x *ids) forget(s *slot) {
	if x.places == nil {
		return // where it was said of the others with its id that they are so again
	}
	p := x.places[s.ID]
	if p.n--; p.n == 0 {
		delete(x.places, s.ID)
		return
	}
	if p.after == s.after {
		p.after = Cursor{}
	}
	x.places[s.ID] = p
}

// shrink makes the table smaller, which maps don't by themselves, once the
// ring is.
func (x *ids) shrink(r *ring) {
	if x.places == nil {
		return
	}
	if len(r.slots) <= smallRing {
		x.places = nil
		return
	}
	places := make(map[string]place, len(x.places))
	maps.Copy(places, x.places)
	x.places = places
}
