package record

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// unzstd decompresses frames of zstd.
//
// All of it is decoded at once, not as a stream: what was decoded is the
// window then, and no room is made for the one that a frame claims to need.
func unzstd(src []byte, bound int) ([]byte, error) {
	size, err := zstdSizeOf(src)
	if err != nil {
		return nil, err
	}
	if size.least > int64(bound) {
		return nil, errTooLarge
	}
	decoder, err := size.decoder(bound)
	if err != nil {
		return nil, err
	}
	// With room for one block more than the bound, a block for which there
	// isn't enough room begins behind the bound.
	buf := newScratch(bound + maxZstdBlock)
	buf.reserve(int(min(size.most, int64(bound+maxZstdBlock))))
	data, err := decoder.DecodeAll(src, buf.data)
	if len(data) > bound || size.most > int64(bound) && errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		buf.drop()
		return nil, errTooLarge
	}
	if err != nil {
		buf.drop()
		return nil, err
	}
	buf.data = data
	return buf.take(), nil
}

const maxZstdBlock = 128 << 10

// zstdDecoder returns the decoder for all that has a known bound, which serves
// as many at once as there are processors and lets others wait. It has no
// goroutine.
var zstdDecoder = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecodeAllCapLimit(true))
})

// zstdSize is what can be told of the decompressed size of frames without
// decompressing them. It is not what they claim but what their blocks can hold.
type zstdSize struct {
	least, most int64
	window      uint64 // the largest that is claimed
}

// decoder returns the decoder for frames of this size.
//
// The limit on what DecodeAll may fill is no limit on its memory: it notices
// only once it has made its buffer larger that a block was too large. A limit
// on memory stops it in time, but refuses windows above it too, so it is set
// only where it is needed and does no harm.
func (s zstdSize) decoder(bound int) (*zstd.Decoder, error) {
	if s.most <= int64(bound) || s.window > uint64(bound) {
		return zstdDecoder()
	}
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxMemory(uint64(bound)))
}

// zstdSizeOf goes through the blocks of the frames in src. The format is that
// of RFC 8878, section 3.1.1.
func zstdSizeOf(src []byte) (zstdSize, error) {
	var size zstdSize
	for len(src) > 0 {
		var h zstd.Header
		if err := h.Decode(src); err != nil {
			return zstdSize{}, err
		}
		src = src[h.HeaderSize:]
		if h.Skippable {
			if int64(h.SkippableSize) > int64(len(src)) {
				return zstdSize{}, io.ErrUnexpectedEOF
			}
			src = src[h.SkippableSize:]
			continue
		}
		least, most, rest, err := zstdBlocks(src)
		if err != nil {
			return zstdSize{}, err
		}
		src = rest
		if h.HasCheckSum {
			const checksum = 4
			if len(src) < checksum {
				return zstdSize{}, io.ErrUnexpectedEOF
			}
			src = src[checksum:]
		}
		if h.HasFCS { // or else the decoder refuses the frame
			claimed := int64(min(h.FrameContentSize, math.MaxInt64))
			least, most = max(least, min(claimed, most)), min(claimed, most)
		}
		size.least += least
		size.most += most
		size.window = max(size.window, h.WindowSize)
	}
	return size, nil
}

// zstdBlocks goes through the blocks that src begins with, up to the last one
// of their frame. It returns what they hold at least and at most, and what is
// behind them.
func zstdBlocks(src []byte) (least, most int64, rest []byte, err error) {
	const (
		header     = 3
		raw        = 0
		repeated   = 1 // one byte
		compressed = 2
	)
	for last := false; !last; {
		if len(src) < header {
			return 0, 0, nil, io.ErrUnexpectedEOF
		}
		b := binary.LittleEndian.Uint32([]byte{src[0], src[1], src[2], 0})
		src = src[header:]
		last = b&1 != 0
		size := int(b >> 3)
		switch b >> 1 & 3 {
		case raw:
			least += int64(size)
			most += int64(size)
		case repeated:
			least += int64(size)
			most += int64(size)
			size = 1
		case compressed:
			most += maxZstdBlock
		default:
			return 0, 0, nil, errors.New("reserved type of a block")
		}
		if size > len(src) {
			return 0, 0, nil, io.ErrUnexpectedEOF
		}
		src = src[size:]
	}
	return least, most, src, nil
}
