package jsondoc

// Merge returns an RFC 7396 merge patch that turns from into to, both
// canonical, and is written without white space. Equal documents have the
// patch {}.
//
// In a merge patch null removes a member, so it can't set one to null. ok is
// false where that would be needed, also inside an object that is new; where
// from or to isn't an object; and if the patch would be longer than limit
// bytes. Arrays are replaced as a whole, with what they hold, null included.
func (d *Differ) Merge(from, to []byte, limit int) (patch []byte, ok bool) {
	c, ok := d.compare(from, to)
	defer d.release(c)
	m := merger{change: c, room: limit}
	if !ok || m.from.kind(0) != '{' || m.to.kind(0) != '{' || !m.object(0, 0) {
		return nil, false
	}
	return m.out, true
}

type merger struct {
	*change
	out  []byte
	room int // what out may not exceed in the end
}

// object writes what turns one object into another. It returns false if there
// is no room or no way.
func (m *merger) object(a, b uint32) bool {
	m.out = append(m.out, '{')
	for s := range m.members(a, b) {
		both := s.from != 0 && s.to != 0
		if both && m.equal(s.from, s.to) {
			continue
		}
		if m.out[len(m.out)-1] != '{' {
			m.out = append(m.out, ',')
		}
		m.out = append(append(append(m.out, '"'), s.name...), '"', ':')
		value := []byte("null")
		switch {
		case both && m.from.kind(s.from) == '{' && m.to.kind(s.to) == '{':
			if !m.object(s.from, s.to) {
				return false
			}
			continue
		case s.to != 0:
			if !mergeable(&m.to, s.to) {
				return false
			}
			value = m.to.value(s.to)
		}
		if len(m.out)+len(value) > m.room {
			return false
		}
		m.out = append(m.out, value...)
	}
	m.out = append(m.out, '}')
	return len(m.out) <= m.room
}

// mergeable reports whether a value can be set: whether it is not null and no
// object in it has a member that is. What is in an array is left alone (RFC
// 7396, section 2).
func mergeable(t *tape, n uint32) bool {
	switch t.kind(n) {
	case 'n':
		return false
	case '{':
		for c := t.inside(n); c.more(); c.advance() {
			if !mergeable(t, c.at) {
				return false
			}
		}
	}
	return true
}
