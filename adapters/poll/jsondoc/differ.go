package jsondoc

import (
	"bytes"
	"hash/maphash"
	"maps"
	"slices"
	"strconv"
	"sync"

	"sidestream/adapters"
)

// defaultCells bounds the alignment of one array to about 10 ms and 4 MiB.
const defaultCells = 1 << 20

// Options say how two documents are compared.
//
// They name places by JSON pointer (RFC 6901), in which a token "*" stands for
// any one member or element. A pointer to an element counts from 0, in the
// newer document.
type Options struct {
	// ArrayKeys has, for an array, the name of the member that identifies
	// its elements: {"/items": "id", "/groups/*/members": "name"}. Its value
	// is a string or a number, and no two elements have the same. "" is the
	// whole document. Where several pointers match, the one stands that names
	// first what the other leaves open.
	ArrayKeys map[string]string

	// Ignore has pointers to what doesn't count as a change: neither another
	// value there, nor that there is one or none. "" is passed over, since
	// nothing would be a change.
	Ignore []string

	// MaxCells bounds the work of aligning the arrays without a key of one
	// document, in comparisons on top of one for each element; every one may
	// take 4 bytes of memory. Arrays that take more than is left have their
	// elements compared by position. 0 or less: 1048576.
	MaxCells int
}

// A Differ says what changed between two documents. It is immutable and safe
// for concurrent use.
type Differ struct {
	keys   *rule
	ignore *rule
	cells  int
	seed   maphash.Seed
	idle   sync.Pool // of *change, for the memory of their tapes
}

// New returns a Differ. Its errors are of type [adapters.OptionError], for
// "array_keys.<pointer>" and "ignore[<index>]": malformed pointers, and empty
// names of keys.
func New(o Options) (*Differ, error) {
	d := &Differ{keys: new(rule), ignore: new(rule), cells: o.MaxCells, seed: maphash.MakeSeed()}
	if d.cells <= 0 {
		d.cells = defaultCells
	}
	var errs adapters.OptionErrors
	for _, pointer := range slices.Sorted(maps.Keys(o.ArrayKeys)) {
		path, key := "array_keys."+pointer, o.ArrayKeys[pointer]
		r, err := d.keys.add(pointer)
		if err == nil {
			r.key, err = written(key)
		}
		errs.Refuse(err != nil, path, "%w", err)
		errs.Refuse(key == "", path, "the name of the member that identifies an element is empty")
	}
	for i, pointer := range o.Ignore {
		if pointer != "" {
			_, err := d.ignore.add(pointer)
			errs.Refuse(err != nil, "ignore["+strconv.Itoa(i)+"]", "%w", err)
		}
	}
	if err := errs.Err(); err != nil {
		return nil, err
	}
	return d, nil
}

// Same reports whether two canonical documents are equal but for what is
// ignored.
func (d *Differ) Same(from, to []byte) bool {
	if bytes.Equal(from, to) {
		return true
	}
	if d.ignore.any == nil && d.ignore.names == nil {
		return false
	}
	c, ok := d.compare(from, to)
	defer d.release(c)
	return ok && c.same(0, 0, rules{d.ignore})
}

// same reports whether two values are equal but for what the rules match.
func (c *change) same(a, b uint32, list rules) bool {
	if list.match() != nil || c.equal(a, b) {
		return true
	}
	if len(list) == 0 || c.from.kind(a) != c.to.kind(b) {
		return false
	}
	switch c.from.kind(a) {
	case '{':
		for m := range c.members(a, b) {
			if !c.sameChild(m, list.under(m.name)) {
				return false
			}
		}
		return true
	case '[':
		x, y := c.from.elements(a), c.to.elements(b)
		for i := range max(len(x), len(y)) {
			var m shared
			if i < len(x) {
				m.from = x[i]
			}
			if i < len(y) {
				m.to = y[i]
			}
			if !c.sameChild(m, list.at(i)) {
				return false
			}
		}
		return true
	default:
		return false
	}
}

func (c *change) sameChild(m shared, list rules) bool {
	if m.from == 0 || m.to == 0 {
		return list.match() != nil
	}
	return c.same(m.from, m.to, list)
}
