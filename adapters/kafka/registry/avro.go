package registry

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// An avroDecoder makes JSON of Avro's binary encoding
// (https://avro.apache.org/docs/1.12.0/specification/#binary-encoding).
type avroDecoder struct {
	root   *avroType
	tagged bool
}

func (d *avroDecoder) decode(f frame, limit int) ([]byte, error) {
	if d.root.kind == avroBytes {
		// Confluent's serializers write bytes as they are, without a length,
		// if they are all that there is.
		if len(f.data) > limit {
			return nil, errTooLarge
		}
		return bounded(appendBytes(nil, f.data, d.root), limit)
	}
	r := avroReader{in: f.data, out: make([]byte, 0, firstGuess(len(f.data), limit)), limit: limit, tagged: d.tagged}
	if err := r.value(d.root); err != nil {
		return nil, err
	}
	if len(r.in) > 0 {
		return nil, errTrailing
	}
	return bounded(r.out, limit)
}

// firstGuess is how much memory the JSON of a payload gets to begin with.
func firstGuess(size, limit int) int { return min(4*size+64, limit) }

func bounded(text []byte, limit int) ([]byte, error) {
	if len(text) > limit {
		return nil, errTooLarge
	}
	return text, nil
}

// An avroReader reads one payload. Each value that it reads makes it write, so
// that the bound on what is written bounds its work too: values of nothing,
// such as nulls, may come in any number.
type avroReader struct {
	in     []byte // what is left of the payload
	out    []byte
	limit  int // of out; at most one value more is written
	depth  int
	tagged bool
}

var (
	errVarint  = errors.New("a number in it is longer than its type allows")
	errLength  = errors.New("a length in it is negative, or more than there is")
	errBlock   = errors.New("a block in it has an impossible number of items")
	errBoolean = errors.New("a boolean in it is neither true nor false")
	errBranch  = errors.New("it has a member of a union that the schema doesn't have")
	errSymbol  = errors.New("it has a symbol of an enum that the schema doesn't have")
	errTwice   = errors.New("a map in it has a key twice")
)

func (r *avroReader) value(t *avroType) error {
	if len(r.out) > r.limit {
		return errTooLarge
	}
	switch t.kind {
	case avroNull:
		r.out = append(r.out, "null"...)
		return nil
	case avroBoolean:
		return r.boolean()
	case avroInt, avroLong:
		n, err := r.long(t.kind)
		r.out = appendInteger(r.out, n, t.logical)
		return err
	case avroFloat:
		b, err := r.take(4)
		if err == nil {
			r.out = appendFloat(r.out, float64(math.Float32frombits(binary.LittleEndian.Uint32(b))), 32)
		}
		return err
	case avroDouble:
		b, err := r.take(8)
		if err == nil {
			r.out = appendFloat(r.out, math.Float64frombits(binary.LittleEndian.Uint64(b)), 64)
		}
		return err
	case avroString:
		return r.text()
	case avroBytes:
		b, err := r.bytes()
		if err == nil {
			r.out = appendBytes(r.out, b, t)
		}
		return err
	case avroFixed:
		b, err := r.take(t.size)
		if err == nil {
			r.out = appendBytes(r.out, b, t)
		}
		return err
	case avroEnum:
		n, err := r.index(len(t.symbols), errSymbol)
		if err == nil {
			r.out = append(r.out, t.symbols[n]...)
		}
		return err
	default:
		return r.nested(t)
	}
}

// nested reads a value that may hold others.
func (r *avroReader) nested(t *avroType) error {
	if r.depth == maxDepth {
		return errTooDeep
	}
	r.depth++
	defer func() { r.depth-- }()
	switch t.kind {
	case avroArray:
		return r.array(t.items)
	case avroMap:
		return r.mapping(t.items)
	case avroRecord:
		return r.record(t.fields)
	default:
		return r.union(t.members)
	}
}

func (r *avroReader) record(fields []avroField) error {
	r.out = append(r.out, '{')
	for i := range fields {
		if i > 0 {
			r.out = append(r.out, ',')
		}
		r.out = append(r.out, fields[i].key...)
		if err := r.value(fields[i].typ); err != nil {
			return err
		}
	}
	r.out = append(r.out, '}')
	return nil
}

func (r *avroReader) union(members []avroField) error {
	n, err := r.index(len(members), errBranch)
	if err != nil {
		return err
	}
	m := &members[n]
	if !r.tagged || m.typ.kind == avroNull {
		return r.value(m.typ)
	}
	r.out = append(r.out, '{')
	r.out = append(r.out, m.key...)
	if err := r.value(m.typ); err != nil {
		return err
	}
	r.out = append(r.out, '}')
	return nil
}

func (r *avroReader) array(items *avroType) error {
	r.out = append(r.out, '[')
	first := true
	err := r.blocks(func() error {
		if !first {
			r.out = append(r.out, ',')
		}
		first = false
		return r.value(items)
	})
	r.out = append(r.out, ']')
	return err
}

func (r *avroReader) mapping(values *avroType) error {
	r.out = append(r.out, '{')
	var seen keys
	first := true
	err := r.blocks(func() error {
		if !first {
			r.out = append(r.out, ',')
		}
		first = false
		key, err := r.bytes()
		if err != nil {
			return err
		}
		if !seen.add(key) {
			return errTwice
		}
		if r.out, err = appendQuoted(r.out, key); err != nil {
			return err
		}
		r.out = append(r.out, ':')
		return r.value(values)
	})
	r.out = append(r.out, '}')
	return err
}

// blocks reads the items of an array or a map, which come in blocks until one
// has none. A block may tell its size in bytes, which isn't needed.
func (r *avroReader) blocks(item func() error) error {
	for {
		n, err := r.long(avroLong)
		if err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
		if n < 0 {
			if n == math.MinInt64 {
				return errBlock
			}
			n = -n
			if _, err := r.long(avroLong); err != nil {
				return err
			}
		}
		for ; n > 0; n-- {
			if err := item(); err != nil {
				return err
			}
		}
	}
}

func (r *avroReader) boolean() error {
	b, err := r.take(1)
	switch {
	case err != nil:
		return err
	case b[0] == 0:
		r.out = append(r.out, "false"...)
	case b[0] == 1:
		r.out = append(r.out, "true"...)
	default:
		return errBoolean
	}
	return nil
}

func (r *avroReader) text() error {
	b, err := r.bytes()
	if err == nil {
		r.out, err = appendQuoted(r.out, b)
	}
	return err
}

func (r *avroReader) bytes() ([]byte, error) {
	n, err := r.long(avroLong)
	if err != nil {
		return nil, err
	}
	if n < 0 || n > int64(len(r.in)) {
		return nil, errLength
	}
	return r.take(int(n))
}

// index reads an int from 0 to below n.
func (r *avroReader) index(n int, otherwise error) (int, error) {
	i, err := r.long(avroInt)
	switch {
	case err != nil:
		return 0, err
	case i < 0 || i >= int64(n):
		return 0, fmt.Errorf("%w: number %d", otherwise, i)
	}
	return int(i), nil
}

func (r *avroReader) take(n int) ([]byte, error) {
	if n > len(r.in) {
		return nil, errEnds
	}
	b := r.in[:n]
	r.in = r.in[n:]
	return b, nil
}

// maxIntSize is the most bytes that an int may have. (Those of a long are
// counted by encoding/binary.)
const maxIntSize = 5

// long reads a variable-length zigzag number.
func (r *avroReader) long(kind avroKind) (int64, error) {
	n, size := binary.Varint(r.in)
	switch {
	case size == 0:
		return 0, errEnds
	case size < 0, kind == avroInt && (size > maxIntSize || int64(int32(n)) != n):
		return 0, errVarint
	}
	r.in = r.in[size:]
	return n, nil
}

// keys are those of one map. The zero value is empty.
type keys struct {
	few  [][]byte            // as long as there are few
	many map[string]struct{} // nil before there are many
}

const fewKeys = 16

// add reports whether key is new.
func (k *keys) add(key []byte) bool {
	if k.many == nil {
		for _, other := range k.few {
			if bytes.Equal(other, key) {
				return false
			}
		}
		if k.few = append(k.few, key); len(k.few) > fewKeys {
			k.many = make(map[string]struct{}, 2*len(k.few))
			for _, other := range k.few {
				k.many[string(other)] = struct{}{}
			}
		}
		return true
	}
	before := len(k.many)
	k.many[string(key)] = struct{}{}
	return len(k.many) > before
}
