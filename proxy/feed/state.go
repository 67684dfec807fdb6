package feed

import (
	"sync"

	"sidestream/adapters"
)

// state is the full state of a key after an event that is only a change. It
// is encoded when somebody needs it.
type state struct {
	id   string
	once sync.Once
	from *adapters.State // nil once encoded
	to   []byte
}

// newState returns the state s under the id of the event that led to it, or
// an error if it can't be encoded.
func newState(id string, s *adapters.State) (*state, error) {
	if err := encodable(s.Type, s.Data); err != nil {
		return nil, err
	}
	return &state{id: id, from: s}, nil
}

// block returns the encoded state.
func (s *state) block() []byte {
	s.once.Do(func() {
		s.to, _ = encode(s.id, s.from.Type, s.from.Data) // newState has checked it
		s.from = nil
	})
	return s.to
}
