package record

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/bits"
)

// mendLZ4 returns a reader of the frame src with the checksum of its descriptor
// made right. Kafka's clients and brokers computed it wrongly in messages of
// format 0, over the magic number too, and read it in the same way to this day:
// see https://issues.apache.org/jira/browse/KAFKA-3160. Since nobody checks it,
// neither is it checked here.
func mendLZ4(src []byte) io.Reader {
	const (
		descriptorAt   = 4 // behind the magic number
		hasContentSize = 0x08
	)
	if len(src) <= descriptorAt {
		return bytes.NewReader(src)
	}
	sumAt := descriptorAt + 2
	if src[descriptorAt]&hasContentSize != 0 {
		sumAt += 8
	}
	if len(src) <= sumAt {
		return bytes.NewReader(src)
	}
	header := bytes.Clone(src[:sumAt+1])
	header[sumAt] = byte(xxh32(header[descriptorAt:sumAt]) >> 8)
	return io.MultiReader(bytes.NewReader(header), bytes.NewReader(src[sumAt+1:]))
}

// xxh32 returns the XXH32 of b with seed 0, if b is shorter than the 16 bytes
// from which on there is more to it. See
// https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md.
func xxh32(b []byte) uint32 {
	const (
		prime1 uint32 = 0x9E3779B1
		prime2 uint32 = 0x85EBCA77
		prime3 uint32 = 0xC2B2AE3D
		prime4 uint32 = 0x27D4EB2F
		prime5 uint32 = 0x165667B1
	)
	h := prime5 + uint32(len(b))
	for ; len(b) >= 4; b = b[4:] {
		h += binary.LittleEndian.Uint32(b) * prime3
		h = bits.RotateLeft32(h, 17) * prime4
	}
	for _, c := range b {
		h += uint32(c) * prime5
		h = bits.RotateLeft32(h, 11) * prime1
	}
	h = (h ^ h>>15) * prime2
	h = (h ^ h>>13) * prime3
	return h ^ h>>16
}
