package adapters

import (
	"context"
	"errors"
)

// Sample returns what s emits to a new client until it has delivered what there
// is, but at most most events. It is for explanations.
func Sample(ctx context.Context, s Source, most int) ([]Event, error) {
	var events []Event
	err := s.Run(ctx, "", func(e Event) error {
		switch {
		case e.Live, len(events) == most:
			return errSampled
		case e.Gap == nil:
			events = append(events, e)
		}
		return nil
	})
	if errors.Is(err, errSampled) {
		err = nil
	}
	return events, err
}

var errSampled = errors.New("enough was seen")
