package kafka

import (
	"crypto/sha256"
	"strings"

	"sidestream/adapters"
)

// before implements [adapters.Capabilities].Before. What it gives for a kept
// place is kept too, at little cost, since the order of ids asks for many.
func (t *places) before(pos adapters.Position) (adapters.Position, bool) {
	p, err := t.parse(pos)
	if err != nil || p.last.topic == none || p.lastPart().next == 0 {
		return "", false
	}
	p.stepBack()
	wire := p.appendTo(nil)
	text, isKept := strings.CutPrefix(string(pos), keptPrefix)
	if !isKept || positionText.EncodedLen(len(wire)) <= adapters.MaxPosition {
		return t.position(p), true
	}
	of, _ := positionText.DecodeString(text) // parse has done the same
	sum := sha256.Sum256(wire)
	d := digest(sum[:])
	t.kept.addBefore(d, digest(of))
	return adapters.Position(positionText.AppendEncode([]byte(keptPrefix), d[:])), true
}

// stepBack makes p the place right before the event that led to it.
func (p *place) stepBack() {
	p.lastPart().next--
	p.last = at{topic: none}
}

// lastPart returns the place in the partition that last names.
func (p *place) lastPart() *partPlace { return &p.topics[p.last.topic].parts[p.last.index] }
