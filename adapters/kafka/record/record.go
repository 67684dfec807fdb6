package record

import "time"

// A Record is one record of a partition. Its slices belong to the caller, who
// may change them and append to them: they overlap with those of no other
// record.
type Record struct {
	Offset int64

	// Time is when the record was made or, if the topic is configured so,
	// when the broker stored it, in UTC and whole milliseconds. It is zero
	// if the record has none, as those of format 0 never have.
	Time time.Time

	Key     []byte // nil: null
	Value   []byte // nil: null, a tombstone
	Headers []Header
}

// A Header is one of the headers of a record. Keys may occur more than once.
type Header struct {
	Key   string
	Value []byte // nil: null
}

// timeOf returns the time that is ms milliseconds after 1970 began, or zero if
// ms is what Kafka writes for none.
func timeOf(ms int64) time.Time {
	if ms == noTimestamp {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

const noTimestamp = -1
