package record

import (
	"errors"
	"fmt"
)

// A TooLargeError says that what it names was passed over, since it would take
// more than [Options.MaxBytes].
type TooLargeError struct {
	// First and Last are the offsets of the batch. Of a compressed set of
	// messages in an old format only the last is known: First is then the
	// place that the reader was at, as of Reader.Offset.
	First, Last int64

	// Records is the number of records passed over, with those before the
	// offset that was asked for, or 0 if it is unknown.
	Records int
}

// Error says which offsets were passed over.
func (e *TooLargeError) Error() string {
	if e.Records == 0 {
		return fmt.Sprintf("the records at offsets %d to %d are larger than the bound on a batch", e.First, e.Last)
	}
	return fmt.Sprintf("the %d records at offsets %d to %d are larger than the bound on a batch", e.Records, e.First, e.Last)
}

// A CorruptError says that a set can't be read any further.
type CorruptError struct {
	// Offset is the place from which on nothing could be read, which is what
	// [Reader.Offset] says.
	Offset int64

	// Err says what is wrong.
	Err error
}

// Error says where the set is corrupt, and how.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("corrupt records at offset %d: %v", e.Offset, e.Err)
}

// Unwrap returns e.Err.
func (e *CorruptError) Unwrap() error { return e.Err }

// errTooLarge is what is passed on inside the package, where the offsets of a
// batch aren't known.
var errTooLarge = errors.New("larger than the bound on a batch")

func isTooLarge(err error) bool {
	var large *TooLargeError
	return errors.As(err, &large)
}
