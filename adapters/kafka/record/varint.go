package record

import (
	"encoding/binary"
	"math"
)

// varint returns the zig-zag number that b begins with and its length, which is
// not positive if b ends within it or if it doesn't fit in 64 bits.
func varint(b []byte) (v int64, n int) {
	if len(b) > 0 && b[0] < 0x80 {
		return int64(b[0]>>1) ^ -int64(b[0]&1), 1
	}
	return binary.Varint(b)
}

// varint32 is varint for numbers that fit in 32 bits, and in the five bytes
// that such a one takes at most.
func varint32(b []byte) (v int64, n int) {
	v, n = varint(b)
	if n > 5 || v < math.MinInt32 || v > math.MaxInt32 {
		return 0, -1
	}
	return v, n
}
