package jsondoc

import (
	"bytes"
	"slices"
)

// maxNotes is how many notes one patch may come with.
const maxNotes = 8

// The problems that keep an array from being compared by its key.
const (
	ProblemMissing   = "missing"            // an element lacks the member
	ProblemDuplicate = "duplicate"          // two elements of one document have the same key
	ProblemNoObject  = "not an object"      // an element has no members at all
	ProblemNoKey     = "not text or number" // the member can't be a key
)

// A Note tells of an array that had to do without its key.
type Note struct {
	Pointer string // as configured in [Options.ArrayKeys]
	Problem string
}

// Patch returns an RFC 6902 patch that turns from into to, both canonical, and
// is written without white space. What is ignored is no exception: the patch is
// exact. Equal documents have an empty patch.
//
// ok is false if the patch would be longer than limit bytes, in which case
// work stops early; or if from or to is no document at all.
//
// Members are taken in their order. In an array with a key, elements that are
// gone are removed first, then new ones are added and others moved, as few as
// can be; then those that changed are patched. In another array, elements are
// aligned by longest common subsequence, and those left over between two that
// stand are patched in pairs.
//
// notes, at most 8 and each of them once, tell of arrays that could not be
// compared by their key in either document, and so were treated like another.
func (d *Differ) Patch(from, to []byte, limit int) (patch []byte, notes []Note, ok bool) {
	if bytes.Equal(from, to) {
		return []byte("[]"), nil, limit >= len("[]")
	}
	c, ok := d.compare(from, to)
	defer d.release(c)
	if !ok {
		return nil, nil, false
	}
	p := patcher{change: c, differ: d, size: len("["), room: limit, cells: d.cells, steps: make([]step, 1)}
	if !p.value(0, 0, 0, rules{d.keys}) {
		return nil, p.notes, false
	}
	return p.write(), p.notes, true
}

// A patcher collects the operations of one patch.
//
// Nothing is written before the end, so that operations can be dropped again
// at no cost; size says what they would take.
type patcher struct {
	*change
	differ *Differ
	steps  []step // the first is the document
	ops    []op
	notes  []Note
	size   int // of the operations, each with a comma or bracket after it
	room   int // what size may not exceed
	cells  int // what work is left for aligning arrays; see Options.MaxCells
}

// value patches two values that are not equal. It returns false if there is
// no room for that.
func (p *patcher) value(a, b uint32, at pointer, list rules) bool {
	whole := op{kind: opReplace, at: at, value: p.to.value(b)}
	kind := p.from.kind(a)
	if kind != p.to.kind(b) || kind != '{' && kind != '[' {
		return p.emit(whole)
	}
	ops, steps, size, room := len(p.ops), len(p.steps), p.size, p.room
	p.room = min(room, size+p.cost(whole))
	var ok bool
	if kind == '{' {
		ok = p.object(a, b, at, list)
	} else {
		ok = p.array(a, b, at, list)
	}
	p.room = room
	if ok {
		return true
	}
	p.ops, p.steps, p.size = p.ops[:ops], p.steps[:steps], size
	return p.emit(whole)
}

func (p *patcher) object(a, b uint32, at pointer, list rules) bool {
	for m := range p.members(a, b) {
		ok := true
		switch {
		case m.to == 0:
			ok = p.emit(op{kind: opRemove, at: p.member(at, m.name)})
		case m.from == 0:
			ok = p.emit(op{kind: opAdd, at: p.member(at, m.name), value: p.to.value(m.to)})
		case !p.equal(m.from, m.to):
			ok = p.value(m.from, m.to, p.member(at, m.name), list.under(m.name))
		}
		if !ok {
			return false
		}
	}
	return true
}

// note records why an array had to do without its key.
func (p *patcher) note(r *rule, problem string) {
	n := Note{Pointer: r.pointer, Problem: problem}
	if len(p.notes) < maxNotes && !slices.Contains(p.notes, n) {
		p.notes = append(p.notes, n)
	}
}
