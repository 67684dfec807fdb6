package jsondoc

import (
	"bytes"
	"strconv"
)

// A pointer is the index of a step, and stands for the JSON pointer (RFC 6901)
// of all steps that lead there from the document.
type pointer int

// A step is one token of a pointer.
type step struct {
	parent pointer
	size   int    // of the whole pointer, as it is written
	name   []byte // as it is written in JSON; nil for an element
	index  int
}

// member returns the pointer to a member. A name that is written in a string
// can be written in a pointer's string, but for "~" and "/".
func (p *patcher) member(of pointer, name []byte) pointer {
	size := p.steps[of].size + len("/") + len(name) + bytes.Count(name, []byte("~")) + bytes.Count(name, []byte("/"))
	p.steps = append(p.steps, step{parent: of, size: size, name: name})
	return pointer(len(p.steps) - 1)
}

// element returns the pointer to an element.
func (p *patcher) element(of pointer, index int) pointer {
	size := p.steps[of].size + len("/0")
	for i := index; i >= 10; i /= 10 {
		size++
	}
	p.steps = append(p.steps, step{parent: of, size: size, index: index})
	return pointer(len(p.steps) - 1)
}

// appendPointer writes a pointer as the inside of a JSON string.
func (p *patcher) appendPointer(out []byte, at pointer) []byte {
	if at == 0 {
		return out
	}
	s := p.steps[at]
	out = append(p.appendPointer(out, s.parent), '/')
	if s.name == nil {
		return strconv.AppendInt(out, int64(s.index), 10)
	}
	for _, c := range s.name {
		switch c {
		case '~':
			out = append(out, "~0"...)
		case '/':
			out = append(out, "~1"...)
		default:
			out = append(out, c)
		}
	}
	return out
}

// An opKind is an operation of RFC 6902, up to the first pointer.
type opKind string

const (
	opAdd     opKind = `{"op":"add","path":"`
	opRemove  opKind = `{"op":"remove","path":"`
	opReplace opKind = `{"op":"replace","path":"`
	opMove    opKind = `{"op":"move","from":"`
)

// What follows the first pointer, and what follows that.
const (
	toPath  = `","path":"`
	toValue = `","value":`
	endPath = `"}`
	endOp   = `}`
)

type op struct {
	kind  opKind
	from  pointer // opMove
	at    pointer
	value []byte // opAdd and opReplace
}

// cost returns how long an operation is when it is written, with the comma or
// bracket after it.
func (p *patcher) cost(o op) int {
	n := len(o.kind) + p.steps[o.at].size + len(",")
	switch o.kind {
	case opRemove:
		return n + len(endPath)
	case opMove:
		return n + p.steps[o.from].size + len(toPath) + len(endPath)
	default:
		return n + len(toValue) + len(o.value) + len(endOp)
	}
}

// emit adds an operation. It returns false if there is no room for it.
func (p *patcher) emit(o op) bool {
	size := p.size + p.cost(o)
	if size > p.room {
		return false
	}
	p.size = size
	p.ops = append(p.ops, o)
	return true
}

// write returns the patch, of which there is at least one operation.
func (p *patcher) write() []byte {
	out := make([]byte, 0, p.size)
	sep := byte('[')
	for _, o := range p.ops {
		out = append(append(out, sep), o.kind...)
		sep = ','
		if o.kind == opMove {
			out = append(p.appendPointer(out, o.from), toPath...)
		}
		out = p.appendPointer(out, o.at)
		if o.value == nil {
			out = append(out, endPath...)
			continue
		}
		out = append(append(append(out, toValue...), o.value...), endOp...)
	}
	return append(out, ']')
}
