package kafka

import (
	"crypto/sha256"
	"slices"
)

// A series keeps places that follow one another, by stretches. It belongs to
// one goroutine.
type series struct {
	kept *keptPlaces

	stretch *stretch // the current one; nil before the first place
	length  int      // of its steps
	reached *place   // where they lead
	steps   []step   // for use by keep
}

// keep keeps a place, which is encoded as wire, and returns what stands for it.
// It uses nothing of either later.
func (s *series) keep(p *place, wire []byte) digest {
	sum := sha256.Sum256(wire)
	d := digest(sum[:])
	if s.stretch == nil || !s.stepTo(p) {
		s.stretch = &stretch{first: slices.Clone(wire), size: int64(len(wire)) + stretchSize}
		s.reached = p.clone()
		s.length, s.steps = 0, s.steps[:0]
	}
	s.length += len(s.steps)
	s.kept.add(d, s.stretch, s.steps, p)
	return d
}

// stepTo makes s.steps those that lead to p, and p the place that is reached.
// It reports whether they are fit to be kept: p has the partitions that the
// stretch began with, and the steps take no more than the first place does. If
// not, s is to begin a new stretch.
func (s *series) stepTo(p *place) bool {
	if len(p.topics) != len(s.reached.topics) {
		return false
	}
	s.steps = s.steps[:0]
	room := len(s.stretch.first)/stepSize - s.length
	for i := range p.topics {
		from, to := &s.reached.topics[i], &p.topics[i]
		if from.name != to.name || from.id != to.id || len(from.parts) != len(to.parts) {
			return false
		}
		for j, part := range to.parts {
			switch {
			case part == from.parts[j]:
				continue
			case part.partition != from.parts[j].partition, len(s.steps) == room:
				return false
			}
			from.parts[j] = part
			s.steps = append(s.steps, step{int32(i), int32(j), part.next})
		}
	}
	return true
}
