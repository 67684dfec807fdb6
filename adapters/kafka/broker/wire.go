package broker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/segmentio/kafka-go"
)

// An encoder appends the fields of a request. In a flexible version (KIP-482)
// lengths are varints and structures end with tagged fields; otherwise lengths
// are of fixed size. The error is the first that happened.
type encoder struct {
	b        []byte
	flexible bool
	err      error
}

func (e *encoder) bool(v bool) {
	if v {
		e.int8(1)
	} else {
		e.int8(0)
	}
}

func (e *encoder) int8(v int8)   { e.b = append(e.b, byte(v)) }
func (e *encoder) int16(v int16) { e.b = binary.BigEndian.AppendUint16(e.b, uint16(v)) }
func (e *encoder) int32(v int32) { e.b = binary.BigEndian.AppendUint32(e.b, uint32(v)) }
func (e *encoder) int64(v int64) { e.b = binary.BigEndian.AppendUint64(e.b, uint64(v)) }
func (e *encoder) id(v TopicID)  { e.b = append(e.b, v[:]...) }
func (e *encoder) uvarint(v int) { e.b = binary.AppendUvarint(e.b, uint64(v)) }

func (e *encoder) string(s string) {
	switch {
	case len(s) > math.MaxInt16:
		e.err = fmt.Errorf("a text of %d bytes is too long for a request", len(s))
		return
	case e.flexible:
		e.uvarint(len(s) + 1) // 0 is null
	default:
		e.int16(int16(len(s)))
	}
	e.b = append(e.b, s...)
}

func (e *encoder) bytes(b []byte) {
	if e.flexible {
		e.uvarint(len(b) + 1)
	} else {
		e.int32(int32(len(b)))
	}
	e.b = append(e.b, b...)
}

// count begins an array of n elements.
func (e *encoder) count(n int) {
	if e.flexible {
		e.uvarint(n + 1)
	} else {
		e.int32(int32(n))
	}
}

// tags ends a structure, without tagged fields.
func (e *encoder) tags() {
	if e.flexible {
		e.uvarint(0)
	}
}

var errMalformed = errors.New("the answer is not as the protocol has it")

// A decoder reads the fields of an answer, in the encoding that [encoder]
// writes. It never allocates more than what it is asked to read, which is
// inside the answer. The error is the first that happened; from then on,
// everything is zero.
type decoder struct {
	b        []byte // what is left
	flexible bool
	throttle int32 // ms for which the broker won't read the next request
	err      error
}

// take returns the next n bytes, with no capacity beyond them, or nil if there
// are less.
func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.fail()
		return nil
	}
	b := d.b[:n:n]
	d.b = d.b[n:]
	return b
}

func (d *decoder) fail() {
	if d.err == nil {
		d.err = errMalformed
	}
	d.b = nil
}

func (d *decoder) int16() int16 {
	if b := d.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (d *decoder) int32() int32 {
	if b := d.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (d *decoder) int64() int64 {
	if b := d.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (d *decoder) id() (id TopicID) {
	copy(id[:], d.take(len(id)))
	return id
}

// code returns the error that an error code stands for, a [kafka.Error], or
// nil.
func (d *decoder) code() error {
	if code := d.int16(); code != 0 {
		return kafka.Error(code)
	}
	return nil
}

// uvarint returns a length or a number of at most 32 bits.
func (d *decoder) uvarint() int {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || v > math.MaxInt32 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return int(v)
}

// length returns the length of what follows, or -1 if it is null. size is that
// of a length in versions that aren't flexible: 2 or 4 bytes.
func (d *decoder) length(size int) int {
	var n int
	switch {
	case d.flexible:
		n = d.uvarint() - 1
	case size == 2:
		n = int(d.int16())
	default:
		n = int(d.int32())
	}
	if d.err != nil || n < -1 {
		d.fail()
		return -1
	}
	return n
}

// string returns a text; null is the empty one.
func (d *decoder) string() string { return string(d.text()) }

// text returns a text in the answer's own memory, or nil for null.
func (d *decoder) text() []byte { return d.block(d.length(2)) }

// bytes returns bytes in the answer's own memory, or nil for null.
func (d *decoder) bytes() []byte { return d.block(d.length(4)) }

func (d *decoder) block(n int) []byte {
	if n < 0 {
		return nil
	}
	return d.take(n)
}

// count returns how many elements an array has, of at least size bytes each:
// no more than there can be in what is left.
func (d *decoder) count(size int) int {
	n := max(d.length(4), 0)
	if n > len(d.b)/size {
		d.fail()
		return 0
	}
	return n
}

// skip passes over n bytes, which hold what isn't of interest.
func (d *decoder) skip(n int) { d.take(n) }

// skipInt32s passes over an array.
func (d *decoder) skipInt32s() { d.skip(4 * d.count(4)) }

// tags ends a structure, and passes over its tagged fields.
func (d *decoder) tags() {
	if !d.flexible {
		return
	}
	for n := d.uvarint(); n > 0 && d.err == nil; n-- {
		d.uvarint() // which field it is
		d.skip(d.uvarint())
	}
}
