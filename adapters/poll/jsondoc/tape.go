package jsondoc

import "sort"

// A node is one value of a document. Node 0 is the document itself.
type node struct {
	start, end uint32 // extent in the text
	next       uint32 // the first node that is neither this one nor inside it
}

// A tape is a document and its values, in the order of the text. A member's
// name has no node: it lies before the value, see [cursor.name].
type tape struct {
	text  []byte
	nodes []node
}

// kind returns the first byte of a value, which tells what it is.
func (t *tape) kind(n uint32) byte { return t.text[t.nodes[n].start] }

// value returns the text of a value.
func (t *tape) value(n uint32) []byte { return t.text[t.nodes[n].start:t.nodes[n].end] }

// find returns the first node that starts at an offset or after it.
func (t *tape) find(offset int) int {
	return sort.Search(len(t.nodes), func(n int) bool { return int(t.nodes[n].start) >= offset })
}

// around returns the containers that a node is in, from the outermost on.
func (t *tape) around(n uint32) []uint32 {
	var list []uint32
	for c := uint32(0); c != n; {
		if t.nodes[c].next <= n {
			c = t.nodes[c].next
			continue
		}
		list = append(list, c)
		c++
	}
	return list
}

// elements returns the nodes of an array's elements.
func (t *tape) elements(n uint32) []uint32 {
	var list []uint32
	for c := t.inside(n); c.more(); c.advance() {
		list = append(list, c.at)
	}
	return list
}

// A cursor goes through the values in one object or array.
type cursor struct {
	tape     *tape
	at, stop uint32
	nameAt   uint32
}

func (t *tape) inside(n uint32) cursor {
	self := t.nodes[n]
	return cursor{tape: t, at: n + 1, stop: self.next, nameAt: self.start + 1}
}

func (c *cursor) more() bool { return c.at < c.stop }

func (c *cursor) advance() {
	self := c.tape.nodes[c.at]
	c.at, c.nameAt = self.next, self.end+1
}

// name returns the member's name as it is written, without the quotes. In
// canonical form names are equal if and only if they are written equally.
func (c *cursor) name() []byte {
	return c.tape.text[c.nameAt+1 : c.tape.nodes[c.at].start-2]
}

// member returns the value of the member with the given name, as it is
// written; ok is false if there is none.
func (t *tape) member(n uint32, name string) (value uint32, ok bool) {
	for c := t.inside(n); c.more(); c.advance() {
		if string(c.name()) == name {
			return c.at, true
		}
	}
	return 0, false
}
