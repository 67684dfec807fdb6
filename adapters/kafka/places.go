package kafka

import (
	"encoding/base64"
	"errors"
	"strings"

	"sidestream/adapters"
)

// places turns places into positions and back. A position is its place,
// encoded; where that would be longer than [adapters.MaxPosition], it is a
// digest of the place, which is then kept, as long as there is room. It is safe
// for concurrent use.
type places struct{ kept *keptPlaces }

// newPlaces returns places that keep up to room bytes of them, and one even if
// it is larger.
func newPlaces(room adapters.Size) *places { return &places{newKeptPlaces(int64(room))} }

// keptPrefix begins the positions of places that are kept. It is no letter of
// the others.
const keptPrefix = "."

// positionText is how bytes are written in positions.
var positionText = base64.RawURLEncoding.Strict()

// errForgotten says that a position stood for a place that was kept, but isn't
// any more, or not here.
var errForgotten = errors.New("stands for a place that is no longer kept")

// An encoder makes positions of places. It is best used for places that follow
// one another, as a Run comes to them. It belongs to one goroutine.
type encoder struct {
	wire, text []byte // for use by position
	series     series // of the last places that were kept
}

// encoder returns one that keeps what it must in t.
func (t *places) encoder() *encoder { return &encoder{series: series{kept: t.kept}} }

// position returns the position of a place: the same one for the same place.
func (t *places) position(p *place) adapters.Position { return t.encoder().position(p) }

// position returns the position of a place: the same one for the same place,
// whichever encoder makes it.
func (e *encoder) position(p *place) adapters.Position {
	e.wire = p.appendTo(e.wire[:0])
	if positionText.EncodedLen(len(e.wire)) <= adapters.MaxPosition {
		e.text = positionText.AppendEncode(e.text[:0], e.wire)
		return adapters.Position(e.text)
	}
	d := e.series.keep(p, e.wire)
	e.text = positionText.AppendEncode(append(e.text[:0], keptPrefix...), d[:])
	return adapters.Position(e.text)
}

// parse returns the place of a position, which is the caller's own. Its error
// is errMalformed or errForgotten.
func (t *places) parse(pos adapters.Position) (*place, error) {
	if !pos.Valid() { // line breaks, which base64 passes over, included
		return nil, errMalformed
	}
	text, isKept := strings.CutPrefix(string(pos), keptPrefix)
	wire, err := positionText.DecodeString(text)
	switch {
	case err != nil, isKept && len(wire) != len(digest{}):
		return nil, errMalformed
	case isKept:
		return t.kept.recall(digest(wire))
	default:
		return decodePlace(wire)
	}
}

// compare implements [adapters.Capabilities].Compare.
func (t *places) compare(a, b adapters.Position) (int, bool) {
	p, err := t.parse(a)
	if err != nil {
		return 0, false
	}
	q, err := t.parse(b)
	if err != nil {
		return 0, false
	}
	return order(p, q)
}
