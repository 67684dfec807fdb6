package jsondoc

import (
	"bytes"
	"iter"
	"slices"
)

// A change is two documents that are to be compared. Most often they differ
// in a few places only, so what they have in common at either end is known
// first: it is read once, and never compared again.
type change struct {
	from, to   tape
	head, tail int // lengths of what the texts have in common; they may overlap
}

// compare reads two documents; ok is false if one of them can't be read. When
// all is done that refers to the result, it goes to release.
func (d *Differ) compare(from, to []byte) (c *change, ok bool) {
	if c, _ = d.idle.Get().(*change); c == nil {
		c = new(change)
	}
	c.head, c.tail = commonHead(from, to), commonTail(from, to)
	if c.from, ok = read(from, c.from.nodes); ok {
		ok = c.readTo(to)
	}
	return c, ok
}

func (d *Differ) release(c *change) {
	c.from.text, c.to.text = nil, nil
	d.idle.Put(c)
}

// readTo does what read does, with the help of from's tape.
func (c *change) readTo(text []byte) bool {
	if len(text) > MaxSize {
		return false
	}
	old := c.from.nodes
	r := reader{text: text, nodes: slices.Grow(c.to.nodes[:0], len(old)+len(old)/16)}
	defer func() { c.to = tape{text, r.nodes} }()
	// The last value that starts in the common head starts so in both, within
	// the same containers.
	if last := c.from.find(c.head) - 1; last >= 0 {
		r.nodes = append(r.nodes, old[:last]...)
		r.at = int(old[last].start)
		r.reopen(c.from.around(uint32(last)))
	}
	for {
		if r.at >= len(text)-c.tail {
			at := r.at + len(c.from.text) - len(text)
			if first := c.from.find(at); first < len(old) && int(old[first].start) == at {
				return c.takeRest(&r, first)
			}
		}
		if more, ok := r.value(); !more {
			return ok
		}
	}
}

// takeRest takes over from's tape from node first on, whose value starts what
// is left of both texts. If what is left isn't within containers of the same
// kinds then it can't be the end of both.
func (c *change) takeRest(r *reader, first int) bool {
	around := c.from.around(uint32(first))
	sameKind := func(a, b uint32) bool { return c.from.kind(a) == r.text[r.nodes[b].start] }
	if !slices.EqualFunc(around, r.open, sameKind) {
		return false
	}
	// Unsigned arithmetic wraps, so these may stand for negative numbers.
	ahead := uint32(len(r.text) - len(c.from.text))
	further := uint32(len(r.nodes) - first)
	for k, n := range around {
		self, old := &r.nodes[r.open[k]], c.from.nodes[n]
		self.end, self.next = old.end+ahead, old.next+further
	}
	for _, n := range c.from.nodes[first:] {
		r.nodes = append(r.nodes, node{n.start + ahead, n.end + ahead, n.next + further})
	}
	return true
}

// equal reports whether a value of from is equal to one of to.
func (c *change) equal(a, b uint32) bool {
	x, y := c.from.nodes[a], c.to.nodes[b]
	restX, restY := len(c.from.text)-int(x.end), len(c.to.text)-int(y.end)
	switch {
	case x.end-x.start != y.end-y.start:
		return false
	case x.start == y.start && int(x.start) <= c.head:
		return int(x.end) <= c.head
	case restX == restY && restX <= c.tail:
		return len(c.from.text)-int(x.start) <= c.tail
	}
	return bytes.Equal(c.from.value(a), c.to.value(b))
}

// block is how much is compared at once. It makes the comparison fast.
const block = 1024

func commonHead(a, b []byte) int {
	n := min(len(a), len(b))
	i := 0
	for i+block <= n && bytes.Equal(a[i:i+block], b[i:i+block]) {
		i += block
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

func commonTail(a, b []byte) int {
	n := min(len(a), len(b))
	a, b = a[len(a)-n:], b[len(b)-n:]
	i := n
	for i >= block && bytes.Equal(a[i-block:i], b[i-block:i]) {
		i -= block
	}
	for i > 0 && a[i-1] == b[i-1] {
		i--
	}
	return n - i
}

// A shared is a member of one of two objects, or of both. from or to is 0,
// which can't be in anything, where it is missing.
type shared struct {
	name     []byte
	from, to uint32
}

// members goes through two canonical objects side by side, in their order.
func (c *change) members(a, b uint32) iter.Seq[shared] {
	return func(yield func(shared) bool) {
		from, to := c.from.inside(a), c.to.inside(b)
		for from.more() || to.more() {
			var order int
			switch {
			case !to.more():
				order = -1
			case !from.more():
				order = 1
			default:
				order = bytes.Compare(from.name(), to.name())
			}
			var m shared
			if order <= 0 {
				m.name, m.from = from.name(), from.at
				from.advance()
			}
			if order >= 0 {
				m.name, m.to = to.name(), to.at
				to.advance()
			}
			if !yield(m) {
				return
			}
		}
	}
}
