package record

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/klauspost/compress/snappy"
)

// unsnappy decompresses a block of snappy, or several in the framing of Java's
// client, for which see
// https://github.com/xerial/snappy-java#compatibility-notes. It is the only
// codec whose blocks say how large they will be, and can't lie about it by much.
func unsnappy(src []byte, bound int) ([]byte, error) {
	blocks := snappyBlocks{rest: src}
	if !blocks.header() {
		blocks = snappyBlocks{rest: src, bare: true}
	}
	size, err := blocks.size(bound)
	if err != nil {
		return nil, err
	}
	data := make([]byte, 0, size)
	for {
		block, err := blocks.next()
		if err != nil || block == nil {
			return data, err
		}
		n, _ := snappy.DecodedLen(block)
		if _, err := snappy.Decode(data[len(data):len(data)+n], block); err != nil {
			return nil, errors.New("malformed block")
		}
		data = data[:len(data)+n]
	}
}

// snappyBlocks goes through the blocks of a message.
type snappyBlocks struct {
	rest []byte
	bare bool // rest is one block, without framing
}

// The framing begins with this name, followed by two versions of four bytes
// each. Before each block is its length, in four bytes.
const (
	snappyMagic      = "\x82SNAPPY\x00"
	snappyHeaderSize = 16
)

// header gets by the header that rest begins with, if it does.
func (s *snappyBlocks) header() bool {
	if len(s.rest) < snappyHeaderSize || string(s.rest[:len(snappyMagic)]) != snappyMagic {
		return false
	}
	s.rest = s.rest[snappyHeaderSize:]
	return true
}

// next returns the next block, or nil if there is none.
func (s *snappyBlocks) next() ([]byte, error) {
	if s.bare {
		block := s.rest
		s.rest = nil
		if len(block) == 0 {
			return nil, nil
		}
		return block, nil
	}
	for s.header() { // streams may follow one another
	}
	if len(s.rest) == 0 {
		return nil, nil
	}
	if len(s.rest) < 4 {
		return nil, errors.New("unfinished length of a block")
	}
	n := int64(binary.BigEndian.Uint32(s.rest))
	if n == 0 || n > int64(len(s.rest)-4) {
		return nil, fmt.Errorf("a block of %d bytes, of which %d are there", n, len(s.rest)-4)
	}
	block := s.rest[4 : 4+n]
	s.rest = s.rest[4+n:]
	return block, nil
}

// maxSnappyRatio is above what a block can grow by: its densest element is one
// of 3 bytes that stands for 64.
const maxSnappyRatio = 22

// size returns the size of all blocks together, decompressed, without moving
// on. It is at most bound, and believable.
func (s snappyBlocks) size(bound int) (int, error) {
	total := 0
	for {
		block, err := s.next()
		if err != nil || block == nil {
			return total, err
		}
		n, err := snappy.DecodedLen(block)
		if err != nil {
			return 0, errors.New("malformed length of a block")
		}
		if n/maxSnappyRatio > len(block) {
			return 0, fmt.Errorf("a block of %d bytes claims to hold %d", len(block), n)
		}
		if n > bound-total {
			return 0, errTooLarge
		}
		total += n
	}
}
