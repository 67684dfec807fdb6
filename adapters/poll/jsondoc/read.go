package jsondoc

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
)

// A reader makes the tape of a JSON text without white space. It checks no
// more of the grammar than it takes to stay within the text and in step with
// it.
type reader struct {
	text  []byte
	at    int
	nodes []node
	open  []uint32 // the containers around at
	end   byte     // what closes the innermost of them, '}' or ']'
}

// read returns the tape of a text, its nodes in the array given; ok is false
// if it isn't well-formed, too long or nested too deeply.
func read(text []byte, nodes []node) (t tape, ok bool) {
	if len(text) > MaxSize {
		return t, false
	}
	// Every value but the first follows one of these.
	values := 1 + bytes.Count(text, []byte(",")) + bytes.Count(text, []byte("[")) + bytes.Count(text, []byte("{"))
	r := reader{text: text, nodes: slices.Grow(nodes[:0], min(values, len(text)/2+1))}
	for more := true; more; {
		if more, ok = r.value(); !ok {
			break
		}
	}
	return tape{text, r.nodes}, ok
}

// value reads on from the start of a value to that of the next; more is false
// if there is none.
func (r *reader) value() (more, ok bool) {
	text, i := r.text, r.at
	if i >= len(text) {
		return false, false
	}
	self := uint32(len(r.nodes))
	r.nodes = append(r.nodes, node{start: uint32(i), next: self + 1})
	switch c := text[i]; c {
	case '{', '[':
		if len(r.open) == MaxDepth {
			return false, false
		}
		r.open, r.end = append(r.open, self), c+2 // in ASCII brackets are two apart
		if i++; i == len(text) || text[i] != r.end {
			return r.next(i)
		}
	case '"':
		i = stringEnd(text, i+1)
	default:
		i = scalarEnd(text, i)
	}
	if i < 0 {
		return false, false
	}
	r.nodes[self].end = uint32(i)
	// What the value is in may end with it.
	for len(r.open) > 0 && i < len(text) && text[i] == r.end {
		i++
		r.close(uint32(i))
	}
	switch {
	case len(r.open) == 0:
		return false, i == len(text)
	case i == len(text) || text[i] != ',':
		return false, false
	}
	return r.next(i + 1)
}

// close ends the innermost container.
func (r *reader) close(end uint32) {
	top := len(r.open) - 1
	self := r.open[top]
	r.nodes[self].end, r.nodes[self].next = end, uint32(len(r.nodes))
	r.reopen(r.open[:top])
}

// reopen sets the containers around the next value.
func (r *reader) reopen(open []uint32) {
	if r.open, r.end = open, 0; len(open) > 0 {
		r.end = r.text[r.nodes[open[len(open)-1]].start] + 2
	}
}

// next goes to the start of the next value, past the name of a member that
// starts at i.
func (r *reader) next(i int) (more, ok bool) {
	if r.end == '}' {
		if i >= len(r.text) || r.text[i] != '"' {
			return false, false
		}
		if i = stringEnd(r.text, i+1); i < 0 || i >= len(r.text) || r.text[i] != ':' {
			return false, false
		}
		i++
	}
	r.at = i
	return true, true
}

// scalarEnd returns the end of the number or literal that starts at i, or -1.
func scalarEnd(text []byte, i int) int {
	start := i
	for i < len(text) && text[i] != ',' && text[i] != ']' && text[i] != '}' {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

// stringEnd returns the end of the string whose text starts at i, its quote
// included, or -1.
func stringEnd(text []byte, i int) int {
	for {
		for ; i+8 <= len(text); i += 8 {
			word := binary.LittleEndian.Uint64(text[i:])
			if hits := find(word, '"') | find(word, '\\'); hits != 0 {
				i += bits.TrailingZeros64(hits) / 8
				break
			}
		}
		for i < len(text) && text[i] != '"' && text[i] != '\\' {
			i++
		}
		switch {
		case i >= len(text):
			return -1
		case text[i] == '"':
			return i + 1
		}
		i += 2
	}
}

// find sets the high bit of the first byte of word that is c, and none below
// it.
func find(word uint64, c byte) uint64 {
	const ones = 0x0101010101010101
	x := word ^ ones*uint64(c)
	return (x - ones) &^ x & (ones << 7)
}
