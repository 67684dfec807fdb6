package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// Where the fields of a batch are.
const (
	batchChecksumAt = 17
	attributesAt    = 21 // the checksum is of what is from here on
	lastDeltaAt     = 23
	baseTimestampAt = 27
	maxTimestampAt  = 35
	producerIDAt    = 43
	recordsAt       = 57
	batchHeader     = 61
	codecMask       = 0x07
	logAppendTime   = 0x08
	transactional   = 0x10
	control         = 0x20
	minHeader       = 2  // bytes of a header with an empty key and a null value
	headerFootprint = 40 // bytes of a Header in memory
	maxKnownNames   = 64
	maxKnownName    = 64 // bytes
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A batch reads the records of a batch of format 2.
type batch struct {
	attributes    int16
	first, last   int64
	baseTimestamp int64
	maxTimestamp  int64
	producer      int64
	count         int

	left   int   // records to come
	offset int64 // that the next record must have at least
	data   []byte
	names  map[string]string
	bound  int
}

// parse reads the header of the batch f and checks its checksum. bound is
// Options.MaxBytes.
func (b *batch) parse(f frame, bound int) error {
	h := f.bytes
	want := binary.BigEndian.Uint32(h[batchChecksumAt:])
	if got := crc32.Checksum(h[attributesAt:], castagnoli); got != want {
		return fmt.Errorf("the batch of offsets %d to %d has the checksum %08x, its header says %08x", f.first, f.last, got, want)
	}
	*b = batch{
		attributes:    int16(binary.BigEndian.Uint16(h[attributesAt:])),
		first:         f.first,
		last:          f.last,
		baseTimestamp: int64(binary.BigEndian.Uint64(h[baseTimestampAt:])),
		maxTimestamp:  int64(binary.BigEndian.Uint64(h[maxTimestampAt:])),
		producer:      int64(binary.BigEndian.Uint64(h[producerIDAt:])),
		count:         int(int32(binary.BigEndian.Uint32(h[recordsAt:]))),
		data:          h[batchHeader:],
		names:         b.names,
		bound:         bound,
	}
	if b.count < 0 {
		return fmt.Errorf("the batch at offset %d has %d records", b.first, b.count)
	}
	// Records have offsets of their own, so there can't be more of them.
	if int64(b.count) > b.last-b.first+1 {
		return fmt.Errorf("the batch of offsets %d to %d has %d records", b.first, b.last, b.count)
	}
	return nil
}

func (b *batch) is(attribute int16) bool { return b.attributes&attribute != 0 }

// open makes the records available to next, decompressed.
func (b *batch) open() error {
	b.left, b.offset = b.count, b.first
	if b.count == 0 { // emptied by compaction, or nothing but a header from the start
		b.data = nil
		return nil
	}
	data, err := decompress(codec(b.attributes&codecMask), b.data, b.bound)
	if err != nil {
		if errors.Is(err, errTooLarge) {
			return err
		}
		return fmt.Errorf("the batch of offsets %d to %d: %w", b.first, b.last, err)
	}
	b.data = data
	return nil
}

// next reads the next record at or behind from into rec, or returns io.EOF. If
// it returns errTooLarge, that record alone is passed over.
func (b *batch) next(from int64, rec *Record) error {
	for b.left > 0 {
		b.left--
		ok, err := b.record(from, rec)
		if ok || err != nil {
			return err
		}
	}
	if len(b.data) > 0 {
		return fmt.Errorf("the batch of offsets %d to %d has %d bytes behind its last record", b.first, b.last, len(b.data))
	}
	return io.EOF
}

// record reads the record that data begins with. It returns false if it is
// before from.
func (b *batch) record(from int64, rec *Record) (bool, error) {
	size, n := varint32(b.data)
	if n <= 0 || size < 0 || size > int64(len(b.data)-n) {
		return false, b.malformed("length")
	}
	r := b.data[n : n+int(size)]
	b.data = b.data[n+int(size):]

	if len(r) == 0 {
		return false, b.malformed("attributes")
	}
	r = r[1:] // attributes, of which none is in use
	sinceBase, n := varint(r)
	if n <= 0 {
		return false, b.malformed("timestamp")
	}
	r = r[n:]
	delta, n := varint32(r)
	if n <= 0 {
		return false, b.malformed("offset")
	}
	r = r[n:]
	if offset := b.first + delta; offset < b.offset || offset > b.last {
		return false, fmt.Errorf("a record at offset %d, where one of %d to %d must be", offset, b.offset, b.last)
	}
	rec.Offset = b.first + delta
	b.offset = rec.Offset + 1
	if rec.Offset < from {
		return false, nil
	}

	if b.is(logAppendTime) {
		rec.Time = timeOf(b.maxTimestamp)
	} else {
		rec.Time = timeOf(b.baseTimestamp + sinceBase)
	}
	var ok bool
	if rec.Key, r, ok = cut(r); !ok {
		return false, b.malformed("key")
	}
	if rec.Value, r, ok = cut(r); !ok {
		return false, b.malformed("value")
	}
	var err error
	if rec.Headers, err = b.headers(r); err != nil {
		return false, err
	}
	return true, nil
}

// headers reads the headers of a record, which are all that is left of it.
func (b *batch) headers(r []byte) ([]Header, error) {
	count, n := varint32(r)
	if n <= 0 || count < 0 || count > int64(len(r)-n)/minHeader {
		return nil, b.malformed("number of headers")
	}
	if r = r[n:]; count == 0 {
		if len(r) > 0 {
			return nil, b.malformed("end")
		}
		return nil, nil
	}
	if count > int64(b.bound)/headerFootprint {
		return nil, errTooLarge
	}
	list := make([]Header, count)
	for i := range list {
		var (
			key []byte
			ok  bool
		)
		if key, r, ok = cut(r); !ok || key == nil {
			return nil, b.malformed("header key")
		}
		list[i].Key = b.name(key)
		if list[i].Value, r, ok = cut(r); !ok {
			return nil, b.malformed("header value")
		}
	}
	if len(r) > 0 {
		return nil, b.malformed("end")
	}
	return list, nil
}

// name returns key as a string. The records of a topic have mostly the same
// few header keys, which are made but once.
func (b *batch) name(key []byte) string {
	if s, ok := b.names[string(key)]; ok {
		return s
	}
	s := string(key)
	if len(b.names) < maxKnownNames && len(s) <= maxKnownName {
		if b.names == nil {
			b.names = make(map[string]string)
		}
		b.names[s] = s
	}
	return s
}

func (b *batch) malformed(what string) error {
	return fmt.Errorf("record %d of %d in the batch of offsets %d to %d has a malformed %s",
		b.count-b.left, b.count, b.first, b.last, what)
}

// cut returns the bytes that r begins with, preceded by their length, and what
// is behind them. They are nil if they are null, and then only.
func cut(r []byte) (field, rest []byte, ok bool) {
	size, n := varint32(r)
	if n <= 0 || size < -1 || size > int64(len(r)-n) {
		return nil, nil, false
	}
	r = r[n:]
	if size == -1 {
		return nil, r, true
	}
	return r[:size:size], r[size:], true
}
