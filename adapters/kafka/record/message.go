package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// Where the fields of a message of format 0 or 1 are.
const (
	messageChecksumAt   = 12
	messageAttributesAt = 17 // the checksum is of what is from the magic on
	messageTimestampAt  = 18 // format 1 only
	messageHeader0      = 26 // with the lengths of key and value
	messageHeader1      = 34
)

// A message is one of format 0 or 1.
type message struct {
	attributes int8
	timestamp  int64
	key, value []byte
}

// parse reads the message f and checks its checksum.
func (m *message) parse(f frame) error {
	b := f.bytes
	want := binary.BigEndian.Uint32(b[messageChecksumAt:])
	if got := crc32.ChecksumIEEE(b[magicAt:]); got != want {
		return fmt.Errorf("the message at offset %d has the checksum %08x, its header says %08x", f.last, got, want)
	}
	*m = message{attributes: int8(b[messageAttributesAt]), timestamp: noTimestamp}
	rest := b[messageTimestampAt:]
	if f.magic == 1 {
		m.timestamp = int64(binary.BigEndian.Uint64(rest))
		rest = rest[8:]
	}
	var ok bool
	if m.key, rest, ok = cut32(rest); !ok {
		return fmt.Errorf("the message at offset %d has a malformed key", f.last)
	}
	if m.value, rest, ok = cut32(rest); !ok || len(rest) > 0 {
		return fmt.Errorf("the message at offset %d has a malformed value", f.last)
	}
	return nil
}

func (m *message) codec() codec { return codec(m.attributes & codecMask) }

// messages reads the messages inside a compressed one, the wrapper.
type messages struct {
	magic  int8  // the wrapper's
	base   int64 // what to add to the offsets of the messages
	after  int64 // the least offset that the next message may have
	last   int64 // the wrapper's offset, which is that of the last message
	stored int64 // the wrapper's timestamp, if it is that of all messages
	append bool  // whether it is
	data   []byte
}

// open makes the messages in the wrapper w, whose frame is f, available to
// next, decompressed. Their offsets must be at least after.
func (s *messages) open(f frame, w *message, after int64, bound int) error {
	if w.value == nil {
		return fmt.Errorf("the compressed message at offset %d has a null value", f.last)
	}
	c := w.codec()
	switch {
	case c == zstdCodec:
		return fmt.Errorf("the message at offset %d is compressed with zstd, which needs format 2", f.last)
	case c == lz4Codec && f.magic == 0:
		c = lz4CodecFormat0
	}
	data, err := decompress(c, w.value, bound)
	if err != nil {
		if errors.Is(err, errTooLarge) {
			return err
		}
		return fmt.Errorf("the compressed message at offset %d: %w", f.last, err)
	}
	*s = messages{
		magic:  f.magic,
		after:  after,
		last:   f.last,
		stored: w.timestamp,
		append: w.attributes&logAppendTime != 0,
		data:   data,
	}
	if f.magic == 0 { // the messages have the offsets they are stored with
		return nil
	}
	// Since format 1, brokers leave the messages alone, which have offsets
	// from 0 on, and tell by the wrapper's the last message's.
	if s.base, err = s.lastInner(); err != nil {
		return err
	}
	if s.base > f.last {
		return fmt.Errorf("the compressed message at offset %d has one at offset %d inside", f.last, s.base)
	}
	s.base = f.last - s.base
	return nil
}

// lastInner returns the offset that the last message has, relative to the
// first one before compaction.
func (s *messages) lastInner() (int64, error) {
	last := int64(-1)
	for data := s.data; len(data) > 0; {
		f, err := nextFrame(data, last+1)
		if err != nil {
			return 0, s.malformed(err)
		}
		last, data = f.last, data[len(f.bytes):]
	}
	if last < 0 {
		return 0, s.malformed(io.EOF)
	}
	return last, nil
}

// next reads the next message at or behind from into rec, or returns io.EOF.
func (s *messages) next(from int64, rec *Record) error {
	for len(s.data) > 0 {
		f, err := nextFrame(s.data, 0)
		if err != nil {
			return s.malformed(err)
		}
		if f.magic > 1 {
			return s.malformed(fmt.Errorf("a batch of format %d", f.magic))
		}
		offset := s.base + f.last // at most s.last in format 1, and no overflow then
		if offset < s.after || offset > s.last {
			return fmt.Errorf("a message at offset %d, where one of %d to %d must be", offset, s.after, s.last)
		}
		var m message
		if err := m.parse(f); err != nil {
			return s.malformed(err)
		}
		if m.codec() != 0 {
			return s.malformed(errors.New("a compressed message"))
		}
		s.data, s.after = s.data[len(f.bytes):], offset+1
		if offset < from {
			continue
		}
		if s.append && f.magic == 1 {
			m.timestamp = s.stored
		}
		*rec = Record{Offset: offset, Time: timeOf(m.timestamp), Key: m.key, Value: m.value}
		return nil
	}
	return io.EOF
}

func (s *messages) malformed(err error) error {
	if errors.Is(err, io.EOF) {
		err = errors.New("no whole message")
	}
	return fmt.Errorf("inside the compressed message at offset %d: %w", s.last, err)
}

// cut32 is cut for fields whose length has 32 bits.
func cut32(r []byte) (field, rest []byte, ok bool) {
	if len(r) < 4 {
		return nil, nil, false
	}
	size := int64(int32(binary.BigEndian.Uint32(r)))
	r = r[4:]
	if size < -1 || size > int64(len(r)) {
		return nil, nil, false
	}
	if size == -1 {
		return nil, r, true
	}
	return r[:size:size], r[size:], true
}
