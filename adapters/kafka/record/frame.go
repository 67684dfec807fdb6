package record

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// End returns the offset behind the last whole batch of set, where to fetch
// from next, or from if there is none, or none that reaches as far. It reads
// headers only: what is behind one that makes no sense doesn't count, while a
// wrong checksum goes unnoticed. Its result is what [Reader.Offset] comes to,
// if nothing is corrupt.
func End(set []byte, from int64) int64 {
	end := from
	for after := int64(0); ; {
		f, err := nextFrame(set, after)
		if err != nil {
			return end
		}
		set = set[len(f.bytes):]
		after = f.last + 1
		end = max(end, after)
	}
}

// A frame is what a set is made of: a batch of records, or one message of the
// formats before, which may be a compressed set of messages itself.
type frame struct {
	magic int8

	// first is the offset that a batch begins at, whether or not its first
	// record is still there. Messages don't say; it is their only offset, last.
	first int64

	// last is the last offset that belongs to the frame.
	last int64

	// bytes is all of the frame.
	bytes []byte
}

// Every frame begins with an offset, the length of what follows that length,
// four bytes that differ, and the number of its format.
const (
	lengthAt     = 8
	bodyAt       = 12
	magicAt      = 16
	formatHeader = 17 // bytes that must be there to tell the format
)

// nextFrame returns the frame that set begins with, all of whose offsets must
// be at least after: io.EOF if there is none, or an unfinished one. It doesn't
// check checksums.
func nextFrame(set []byte, after int64) (frame, error) {
	if len(set) < formatHeader {
		return frame{}, io.EOF
	}
	f := frame{
		first: int64(binary.BigEndian.Uint64(set)),
		magic: int8(set[magicAt]),
	}
	length := int64(int32(binary.BigEndian.Uint32(set[lengthAt:])))
	least := messageHeader0
	switch f.magic {
	case 0:
	case 1:
		least = messageHeader1
	case 2:
		least = batchHeader
	default:
		return frame{}, fmt.Errorf("a batch of format %d, which is none of 0 to 2", f.magic)
	}
	if length+bodyAt < int64(least) {
		return frame{}, fmt.Errorf("a batch of format %d has a length of %d bytes, less than its header", f.magic, length)
	}
	if length+bodyAt > int64(len(set)) {
		return frame{}, io.EOF
	}
	f.bytes = set[:bodyAt+length]
	f.last = f.first
	if f.first < after {
		return frame{}, fmt.Errorf("offset %d, where one of at least %d must follow", f.first, after)
	}
	if f.magic == 2 {
		delta := int32(binary.BigEndian.Uint32(set[lastDeltaAt:]))
		if delta < 0 {
			return frame{}, fmt.Errorf("the batch at offset %d ends %d before it", f.first, -int64(delta))
		}
		if f.first > math.MaxInt64-1-int64(delta) {
			return frame{}, fmt.Errorf("the batch at offset %d of %d offsets ends behind the last possible one", f.first, int64(delta)+1)
		}
		f.last += int64(delta)
	}
	if f.last == math.MaxInt64 {
		return frame{}, fmt.Errorf("offset %d, which nothing can follow", f.last)
	}
	return f, nil
}
