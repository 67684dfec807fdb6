package feed

import (
	"bytes"
	"fmt"
	"slices"
	"unicode/utf8"

	"sidestream/adapters"
	"sidestream/proxy/eventstream"
)

// Encode returns e as a block, as [Log.Append] would make it of an event with
// a position, in memory of its own.
func Encode(e *adapters.Event) ([]byte, error) {
	return encode(string(e.Position), e.Type, e.Data)
}

// encoded is an event that is ready to be appended.
type encoded struct {
	entry Entry
	key   string
	state *state // to be sent in place of the block to those who start, if not nil

	stateful bool // it carried State
	gone     bool // it takes its key away
}

// set makes n, which has to be new, of e under the given id. It returns an
// error if e or its State can't be encoded.
func (n *encoded) set(id string, e *adapters.Event) (err error) {
	n.entry.ID, n.key = id, e.Key
	n.entry.Block, err = encode(id, e.Type, e.Data)
	if e.State != nil {
		n.stateful, n.gone = true, e.State.Gone
		if err == nil && !n.gone && !e.Whole() {
			n.state, err = newState(id, e.State)
		}
	}
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	return nil
}

func encode(id, typ string, data []byte) ([]byte, error) {
	// Room for "id: ", "event: " and line ends, and for "data: " on each line.
	size := len(id) + len(typ) + len(data) + 24 + len("data: ")*bytes.Count(data, []byte{'\n'})
	block, err := eventstream.AppendEvent(make([]byte, 0, size), &eventstream.Event{ID: id, Type: typ, Data: data})
	return slices.Clip(block), err
}

// encodable returns the error that encode would return for typ and data.
func encodable(typ string, data []byte) error {
	switch {
	case !eventstream.ValidType(typ):
		return eventstream.ErrType
	case !utf8.Valid(data):
		return eventstream.ErrData
	}
	return nil
}
