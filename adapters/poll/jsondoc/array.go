package jsondoc

// A span is the elements of two arrays that lie between those which the arrays
// have in common at either end.
type span struct {
	from, to []uint32
	start    int // index of the first of them
}

// span returns what two arrays don't have in common at their ends.
func (p *patcher) span(from, to []uint32) span {
	start, most := 0, min(len(from), len(to))
	for start < most && p.equal(from[start], to[start]) {
		start++
	}
	end := 0
	for end < most-start && p.equal(from[len(from)-1-end], to[len(to)-1-end]) {
		end++
	}
	return span{from[start : len(from)-end], to[start : len(to)-end], start}
}

// array patches two arrays that are not equal: by key if there is one and it
// does its work, else by what they have in common.
func (p *patcher) array(a, b uint32, at pointer, list rules) bool {
	from, to := p.from.elements(a), p.to.elements(b)
	s := p.span(from, to)
	if r := list.match(); r != nil {
		partner, problem := p.partners(r.key, from, s)
		if problem == "" {
			return p.keyed(s, partner, at, list)
		}
		p.note(r, problem)
	}
	return p.unkeyed(s, at, list)
}

// unkeyed patches an array from left to right. What is left of to's element j
// is as in to already, so that j is the index of every operation.
func (p *patcher) unkeyed(s span, at pointer, list rules) bool {
	i, j := 0, 0
	for _, kept := range append(p.common(s.from, s.to), pair{len(s.from), len(s.to)}) {
		if !p.run(s.from[i:kept.from], s.to[j:kept.to], s.start+j, at, list) {
			return false
		}
		i, j = kept.from+1, kept.to+1
	}
	return true
}

// run replaces a run of elements by another, at index j of the array.
func (p *patcher) run(from, to []uint32, j int, at pointer, list rules) bool {
	pairs := min(len(from), len(to))
	for k := range pairs {
		if p.equal(from[k], to[k]) {
			continue // possible where the two were too much to be aligned
		}
		if !p.value(from[k], to[k], p.element(at, j+k), list.at(j+k)) {
			return false
		}
	}
	j += pairs
	for range from[pairs:] {
		if !p.emit(op{kind: opRemove, at: p.element(at, j)}) {
			return false
		}
	}
	for k, n := range to[pairs:] {
		if !p.emit(op{kind: opAdd, at: p.element(at, j+k), value: p.to.value(n)}) {
			return false
		}
	}
	return true
}

// partners returns, for each element of the span in to, the index in the span
// of the one in from that has the same key, or -1; or the problem that the
// keys of one of the arrays have. from is the whole array.
func (p *patcher) partners(key string, from []uint32, s span) (partner []int, problem string) {
	known := p.differ.newTable(len(from) + len(s.to))
	for i, n := range from {
		k, problem := keyOf(&p.from, n, key)
		if problem != "" {
			return nil, problem
		}
		if known.number(k) != i {
			return nil, ProblemDuplicate
		}
	}
	// Outside of the span to has the elements that from has.
	partner = make([]int, len(s.to))
	taken := make([]bool, len(from)+len(s.to))
	for j, n := range s.to {
		k, problem := keyOf(&p.to, n, key)
		if problem != "" {
			return nil, problem
		}
		i := known.number(k)
		outside := i < s.start || i >= s.start+len(s.from) && i < len(from)
		if taken[i] || outside {
			return nil, ProblemDuplicate
		}
		taken[i] = true
		if partner[j] = i - s.start; i >= len(from) {
			partner[j] = -1
		}
	}
	return partner, ""
}

// keyOf returns an element's key as it is written, so that 1 and "1" are two,
// or the problem with it.
func keyOf(t *tape, n uint32, key string) (value []byte, problem string) {
	if t.kind(n) != '{' {
		return nil, ProblemNoObject
	}
	k, ok := t.member(n, key)
	if !ok {
		return nil, ProblemMissing
	}
	switch t.kind(k) {
	case '{', '[', 't', 'f', 'n':
		return nil, ProblemNoKey
	}
	return t.value(k), ""
}

// keyed patches an array whose elements are matched by key.
func (p *patcher) keyed(s span, partner []int, at pointer, list rules) bool {
	kept := make([]bool, len(s.from))
	for _, i := range partner {
		if i >= 0 {
			kept[i] = true
		}
	}
	for i := len(kept) - 1; i >= 0; i-- { // so that the indices before it stay
		if !kept[i] && !p.emit(op{kind: opRemove, at: p.element(at, s.start+i)}) {
			return false
		}
	}
	if !p.arrange(s, kept, partner, at) {
		return false
	}
	for j, i := range partner {
		if i < 0 || p.equal(s.from[i], s.to[j]) {
			continue
		}
		if at := p.element(at, s.start+j); !p.value(s.from[i], s.to[j], at, list.at(s.start+j)) {
			return false
		}
	}
	return true
}

// arrange adds the new elements and moves the kept ones into to's order.
//
// The longest run of elements that already are in that order stays. Every
// other one is put right behind its predecessor, which is in its place by
// then: behind the last one that stays and all that was put there. Elements
// that are still to be moved are where they were between those that stay.
func (p *patcher) arrange(s span, kept []bool, partner []int, at pointer) bool {
	stays := increasing(partner, len(kept))
	// Place 0 is the front of the span and place i+1 that of element i, each
	// with what was put behind it.
	places := newCounts(len(kept) + 1)
	for i, k := range kept {
		if k {
			places.add(i+1, 1)
		}
	}
	last := 0
	for j, i := range partner {
		if i >= 0 && stays[i] {
			last = i + 1
			continue
		}
		o := op{kind: opAdd, value: p.to.value(s.to[j])}
		if i >= 0 {
			o = op{kind: opMove, from: p.element(at, s.start+places.sum(i))}
			places.add(i+1, -1) // RFC 6902, section 4.4: removed first, then added
		}
		o.at = p.element(at, s.start+places.sum(last))
		places.add(last, 1)
		if !p.emit(o) {
			return false
		}
	}
	return true
}
