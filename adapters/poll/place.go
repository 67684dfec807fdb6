package poll

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"math"
	"slices"

	"sidestream/adapters"
)

// maxCursor is the longest cursor, in bytes: it has to fit a position.
const maxCursor = 600

// A mark tells an item of a list from others by a hash of its key. The zero
// mark is none.
type mark [8]byte

func markOf(key string) (m mark) {
	sum := sha256.Sum256([]byte(key))
	copy(m[:], sum[:])
	return m
}

// A place is one between two items of a list: after the one with the mark,
// in what the API answers to the cursor.
type place struct {
	cursor string
	mark   mark

	// all says that the cursor itself is behind the mark, so that everything
	// that is answered follows, whether or not the marked item is in it.
	all bool
}

// The first byte of a position.
const (
	placeWithin = 1
	placeAll    = 2
)

// position returns the place as a position, which is good at other replicas
// and after a restart too.
func (p place) position() adapters.Position {
	kind := byte(placeWithin)
	if p.all {
		kind = placeAll
	}
	raw := append(append([]byte{kind}, p.mark[:]...), p.cursor...)
	return adapters.Position(base64.RawURLEncoding.EncodeToString(raw))
}

// parsePlace is the inverse of position.
func parsePlace(pos adapters.Position) (p place, ok bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(string(pos))
	if err != nil || len(raw) < 1+len(p.mark) || len(raw) > 1+len(p.mark)+maxCursor ||
		raw[0] != placeWithin && raw[0] != placeAll {
		return p, false
	}
	p.all = raw[0] == placeAll
	copy(p.mark[:], raw[1:])
	p.cursor = string(raw[1+len(p.mark):])
	return p, true
}

// memory remembers, of a bounded number of the newest items, in which order
// they came and what positions they were given.
type memory struct {
	most  int
	first int // the number of order[0]
	order []mark
	known map[mark]remembered
}

type remembered struct {
	number   int
	position adapters.Position
}

func newMemory(most int) memory { return memory{most: most, known: map[mark]remembered{}} }

// recall returns the position that an item was given before, or else pos.
func (m *memory) recall(of mark, pos adapters.Position) adapters.Position {
	if was := m.known[of].position; was != "" {
		return was
	}
	return pos
}

// add remembers an item as the newest, unless it is remembered already, and
// returns its position: the one that it was given before, or else pos. An empty
// one is none.
func (m *memory) add(of mark, pos adapters.Position) adapters.Position {
	if was, ok := m.known[of]; ok {
		if was.position == "" {
			m.known[of] = remembered{was.number, pos}
		}
		return m.recall(of, pos)
	}
	m.known[of] = remembered{m.first + len(m.order), pos}
	m.order = append(m.order, of)
	if len(m.order) > m.most {
		delete(m.known, m.order[0])
		m.order = m.order[1:] // append makes room
		m.first++
	}
	return pos
}

// grows reports whether any of the items, which come oldest first, follows all
// that is remembered.
func (m *memory) grows(items []listed) bool {
	end := place{all: true}
	if len(m.order) > 0 {
		end.mark = m.order[len(m.order)-1]
	}
	news, _ := m.news(end, items) // no place before them all is lost
	return len(news) > 0
}

// news returns those of the items, which come oldest first, that follow the
// place at, or false if there is no telling.
//
// Of a place that is remembered it knows what came before it. An API may list
// an item again, behind newer ones, once it was edited, and take others away;
// what is new is what was not delivered, other than the oldest, which are
// older than memory goes back. It comes in the order in which it came to be
// known, as the feed has it.
func (m *memory) news(at place, items []listed) ([]listed, bool) {
	here, known := m.known[at.mark]
	before := func(it listed) bool {
		was, old := m.known[it.mark]
		return it.mark == at.mark || known && old && was.number <= here.number
	}
	from := slices.IndexFunc(items, before)
	if from < 0 && !at.all && len(items) > 0 {
		return nil, false
	}
	news := slices.DeleteFunc(slices.Clone(items[from+1:]), before)
	number := func(it listed) int {
		if was, ok := m.known[it.mark]; ok {
			return was.number
		}
		return math.MaxInt
	}
	if known {
		slices.SortStableFunc(news, func(a, b listed) int { return cmp.Compare(number(a), number(b)) })
	}
	return news, true
}

// endsIn reports whether the newest that is remembered is among the items.
func (m *memory) endsIn(items []listed) bool {
	return len(m.order) > 0 && slices.ContainsFunc(items, func(it listed) bool { return it.mark == m.order[len(m.order)-1] })
}

// older returns how many of the news of the place at, in an answer of a
// certain order, are older than what is remembered, or may be. They must not
// come to stand behind it.
func (m *memory) older(at place, news []listed, of order) (n int) {
	_, known := m.known[at.mark]
	switch {
	case of == unrelated:
		return len(news)
	case of == contiguous && known:
		return 0
	}
	for i, it := range news {
		if _, old := m.known[it.mark]; old {
			n = i
		}
	}
	return n
}

// newest returns the one of the items that was remembered last, or the last.
func (m *memory) newest(items []listed) mark {
	of, number := items[len(items)-1].mark, -1
	for _, it := range items {
		if was, old := m.known[it.mark]; old && was.number > number {
			of, number = it.mark, was.number
		}
	}
	return of
}

func (m *memory) has(of mark) bool {
	_, ok := m.known[of]
	return ok
}

// extend remembers the items that follow all that are remembered: in the order
// of the list, whoever delivers them first.
func (m *memory) extend(items []listed) {
	from := 0
	for i, it := range items {
		if m.has(it.mark) {
			from = i + 1
		}
	}
	for _, it := range items[from:] {
		m.add(it.mark, "")
	}
}
