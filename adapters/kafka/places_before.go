package kafka

import "sidestream/adapters"

// before implements [adapters.Capabilities].Before.
func (t *places) before(pos adapters.Position) (adapters.Position, bool) {
	p, err := t.parse(pos)
	if err != nil || p.last.topic == none || p.lastPart().next == 0 {
		return "", false
	}
	p.lastPart().next--
	p.last = at{topic: none}
	return t.position(p), true
}

// lastPart returns the place in the partition that last names.
func (p *place) lastPart() *partPlace { return &p.topics[p.last.topic].parts[p.last.index] }
