package feed

import (
	"time"

	"sidestream/adapters"
)

// An Entry is one element of the log as a reader sees it: an event or a gap.
// It is immutable, and shared by all readers.
type Entry struct {
	ID    string    // the SSE id; empty for a gap
	Block []byte    // the encoded event, never to be modified; nil for a gap
	Gap   *Gap      // not nil: a notice that events are missing at this place
	At    time.Time // when it was appended
}

// A Gap says that events are missing from a stream.
type Gap struct {
	// Reason is why.
	Reason adapters.LostReason

	// Requested is the id that was to be resumed after, and Resumed the one
	// that is gone on from instead. Each is empty if there is none.
	Requested, Resumed string

	// Lost is the number of events that are missing, or negative if unknown.
	Lost int64
}
