package kafka

import (
	"encoding/binary"
	"errors"
	"math"
)

// A place is written as these, numbers as unsigned varints of the fewest
// bytes:
//
//	wireFormat
//	flags           flagMinute, or 0
//	topics          their count
//	last topic + 1  0: none
//	last index      unless there is none
//	minute          if flagged
//
// and for each topic
//
//	name, id        4 bytes each, big endian
//	n<<1 | sparse   n: the count of its partitions
//	next            n times, of the partitions 0 to n-1
//
// or, if sparse, in place of the last
//
//	gap, next       n times; gap: the partitions between this one and the one before it
//
// Sparse is used only where it must be, so that a place is written in one way.
const (
	wireFormat = 1
	flagMinute = 1
	sparseBit  = 1
)

// maxMinute keeps the time that a minute stands for within what [time.Time]
// can show.
const maxMinute = 1 << 36

// errMalformed says that a text was never the position of a place.
var errMalformed = errors.New("is no position of a Kafka source")

// appendTo appends the place as it is written.
func (p *place) appendTo(b []byte) []byte {
	var flags byte
	if p.minute != 0 {
		flags |= flagMinute
	}
	b = append(b, wireFormat, flags)
	b = binary.AppendUvarint(b, uint64(len(p.topics)))
	b = binary.AppendUvarint(b, uint64(p.last.topic+1))
	if p.last.topic != none {
		b = binary.AppendUvarint(b, uint64(p.last.index))
	}
	if p.minute != 0 {
		b = binary.AppendUvarint(b, uint64(p.minute))
	}
	for i := range p.topics {
		b = p.topics[i].appendTo(b)
	}
	return b
}

func (t *topicPlace) appendTo(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, t.name)
	b = binary.BigEndian.AppendUint32(b, t.id)
	n := len(t.parts)
	head := uint64(n) << 1
	if n == 0 || int(t.parts[n-1].partition) == n-1 { // sorted, so that it is 0 to n-1
		b = binary.AppendUvarint(b, head)
		for _, p := range t.parts {
			b = binary.AppendUvarint(b, uint64(p.next))
		}
		return b
	}
	b = binary.AppendUvarint(b, head|sparseBit)
	expected := int32(0)
	for _, p := range t.parts {
		b = binary.AppendUvarint(b, uint64(p.partition-expected))
		b = binary.AppendUvarint(b, uint64(p.next))
		expected = p.partition + 1
	}
	return b
}

// decodePlace is the inverse of appendTo. It takes nothing that appendTo
// doesn't write, and nothing beyond the bounds of a place; its error is
// errMalformed.
func decodePlace(b []byte) (*place, error) {
	d := &wireDecoder{rest: b}
	p := d.place()
	if d.bad || len(d.rest) > 0 {
		return nil, errMalformed
	}
	return p, nil
}

// A wireDecoder reads a place. What it returns once it is bad means nothing.
type wireDecoder struct {
	rest  []byte
	parts int // how many partitions there have been
	bad   bool
}

func (d *wireDecoder) place() *place {
	p := newPlace()
	if d.byte() != wireFormat {
		d.bad = true
	}
	flags := d.byte()
	n := d.number(maxTopics)
	p.last.topic = int(d.number(n)) - 1
	if p.last.topic != none {
		p.last.index = int(d.number(maxPartitions))
	}
	switch flags {
	case 0:
	case flagMinute:
		p.minute = int64(d.number(maxMinute))
		d.bad = d.bad || p.minute == 0
	default:
		d.bad = true
	}
	for !d.bad && uint64(len(p.topics)) < n {
		t := d.topic()
		if k := len(p.topics); k > 0 && t.name <= p.topics[k-1].name {
			d.bad = true
		}
		p.topics = append(p.topics, t)
	}
	if !d.bad && p.last.topic != none && p.last.index >= len(p.topics[p.last.topic].parts) {
		d.bad = true
	}
	return p
}

func (d *wireDecoder) topic() topicPlace {
	t := topicPlace{name: d.hash(), id: d.hash()}
	head := d.number(maxPartitions<<1 | sparseBit)
	n, sparse := int(head>>1), head&sparseBit != 0
	d.parts += n
	// A partition takes a byte at least, so that no more memory is asked for
	// than a small multiple of what was sent.
	if d.bad || d.parts > maxPartitions || n > len(d.rest) {
		d.bad = true
		return t
	}
	if n == 0 {
		d.bad = sparse
		return t
	}
	t.parts = make([]partPlace, n)
	partition := int64(-1)
	for i := range t.parts {
		partition++
		if sparse {
			partition += int64(d.number(math.MaxInt32))
		}
		if partition > math.MaxInt32 {
			d.bad = true
		}
		t.parts[i] = partPlace{int32(partition), int64(d.number(math.MaxInt64))}
		if d.bad {
			return t
		}
	}
	if sparse && partition == int64(n-1) {
		d.bad = true
	}
	return t
}

func (d *wireDecoder) byte() byte {
	if len(d.rest) == 0 {
		d.bad = true
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *wireDecoder) hash() uint32 {
	if len(d.rest) < 4 {
		d.bad = true
		return 0
	}
	h := binary.BigEndian.Uint32(d.rest)
	d.rest = d.rest[4:]
	return h
}

// number reads a varint that is at most most, and 0 once the decoder is bad.
func (d *wireDecoder) number(most uint64) uint64 {
	v, n := binary.Uvarint(d.rest)
	if d.bad || n <= 0 || v > most || n > 1 && d.rest[n-1] == 0 { // the last: it could be shorter
		d.bad = true
		return 0
	}
	d.rest = d.rest[n:]
	return v
}
