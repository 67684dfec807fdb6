package adapters

import (
	"cmp"
	"context"
	"errors"
	"fmt"
)

// Sample returns what s emits to a new client until it has delivered what there
// is, but at most most events. It is for explanations. An error may come with
// events.
func Sample(ctx context.Context, s Source, most int) ([]Event, error) {
	var events []Event
	var missing error
	err := s.Run(ctx, "", func(e Event) error {
		switch {
		case e.Live, len(events) == most:
			return errSampled
		case e.Gap != nil:
			missing = cmp.Or(missing, fmt.Errorf("some of it can't be delivered (%s), for a reason that the log tells", e.Gap.Reason))
		default:
			events = append(events, e)
		}
		return nil
	})
	if errors.Is(err, errSampled) {
		err = missing
	}
	return events, err
}

var errSampled = errors.New("enough was seen")
