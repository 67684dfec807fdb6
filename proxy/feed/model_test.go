package feed_test

import (
	"math/rand/v2"
	"slices"
	"time"

	"sidestream/adapters"
	"sidestream/proxy/feed"
)

// model is what a log is to be, as naive as can be: it forgets nothing and
// looks everything up by going through all of it.
type model struct {
	o      feed.Options
	items  []item
	first  int // items before it are evicted
	keys   []string
	given  int // no key given up has its event at or after this index
	state  bool
	closed bool
}

// item is one entry of the model.
type item struct {
	id     string
	gap    *feed.Gap
	key    string
	state  bool
	block  string
	latest string // the block that stands for the key
	size   int64  // of what is kept for the key
	at     time.Time
	first  int // model.first when it was appended
}

func (m *model) append(i item) {
	i.at, i.first = time.Now(), m.first
	m.items = append(m.items, i)
	if m.kept(i) {
		m.state = m.state || i.state
		m.keys = append(slices.DeleteFunc(m.keys, func(k string) bool { return k == i.key }), i.key)
		for len(m.keys) > m.o.Keys || m.keyBytes() > m.o.KeyBytes && len(m.keys) > 1 {
			at := m.last(len(m.items), func(i item) bool { return m.kept(i) && i.key == m.keys[0] })
			m.keys, m.given = m.keys[1:], at+1
		}
	}
	m.trim()
}

// keyBytes returns what is kept for all keys.
func (m *model) keyBytes() (n int64) {
	for _, k := range m.keys {
		n += m.items[m.last(len(m.items), func(i item) bool { return m.kept(i) && i.key == k })].size
	}
	return n
}

// kept reports whether i is the newest event of its key once it is appended.
func (m *model) kept(i item) bool { return i.gap == nil && (i.state || m.o.Latest) }

// last returns the index of the last item before end that is so, or -1.
func (m *model) last(end int, is func(item) bool) int {
	for i := end - 1; i >= 0; i-- {
		if is(m.items[i]) {
			return i
		}
	}
	return -1
}

func (m *model) trim() {
	newest := m.last(len(m.items), func(i item) bool { return i.gap == nil })
	for m.first < len(m.items) {
		n, size := len(m.items)-m.first, int64(0)
		for _, i := range m.items[m.first:] {
			size += int64(len(i.block))
		}
		old := m.o.Age > 0 && time.Since(m.items[m.first].at) > m.o.Age
		fits := n <= m.o.Events && size <= m.o.Bytes && !old
		if fits || m.first == newest && n-1 <= m.o.Events {
			return
		}
		m.first++
	}
}

// events returns the number of events among the items from i to j.
func (m *model) events(i, j int) (n int64) {
	for _, i := range m.items[i:j] {
		if i.gap == nil {
			n++
		}
	}
	return n
}

// after returns the index behind the event with this id.
func (m *model) after(id string) (int, bool) {
	same := func(i item) bool { return i.gap == nil && i.id == id }
	at := m.last(len(m.items), same)
	if at < 0 {
		return 0, false
	}
	if at < m.first {
		newest := m.last(len(m.items), func(i item) bool { return i.gap == nil })
		return at + 1, at == newest
	}
	if m.items[at].state {
		return at + 1, true
	}
	// Back to the first of those that were always at hand together.
	for {
		earlier := m.last(at, same)
		if earlier < 0 || earlier < m.items[at].first {
			return at + 1, at >= m.first
		}
		at = earlier
	}
}

// latest returns the indices of the newest event of each key at or after i,
// and what else Latest says.
func (m *model) latest(i int) (at []int, next int, complete, ok bool) {
	gap := m.last(len(m.items), func(i item) bool { return i.gap != nil })
	next, complete = i, i >= m.given && (i == 0 || gap < i)
	for _, k := range m.keys {
		last := m.last(len(m.items), func(i item) bool { return m.kept(i) && i.key == k })
		if last >= i {
			at, next = append(at, last), last+1
		}
	}
	switch {
	case !m.o.Latest && (!m.state || m.events(next, max(next, m.first)) > 0):
		return nil, i, false, false
	case next < m.first:
		return at, m.first, false, true
	}
	return at, next, complete, true
}

// tail returns the index before the newest n events at hand.
func (m *model) tail(n int) int {
	switch {
	case n == 0:
		return len(m.items)
	case n < 0 || int64(n) > m.events(m.first, len(m.items)):
		return m.first
	}
	i := len(m.items)
	for range n {
		i = m.last(i, func(i item) bool { return i.gap == nil })
	}
	return i
}

// randomOptions returns small bounds, so that each of them is met often.
func randomOptions(r *rand.Rand) feed.Options {
	o := feed.Options{
		Events: 1 + r.IntN(40),
		Bytes:  1 << 20,
		Keys:   1 + r.IntN(12),

		KeyBytes: 1 + r.Int64N(600),
		Latest:   r.IntN(2) == 0,
	}
	if r.IntN(3) == 0 {
		o.Bytes = int64(1 + r.IntN(1500))
	}
	if r.IntN(3) == 0 {
		o.Age = 10 * time.Second
	}
	return o
}

// randomEvent returns an event whose id, if it has one, is from a small set,
// and always comes either with state or without it, as from a real source.
func randomEvent(r *rand.Rand) adapters.Event {
	e := adapters.Event{
		Type: []string{"", "t"}[r.IntN(2)],
		Data: make([]byte, r.IntN(60)),
		Key:  string(rune('a' + r.IntN(15))),
	}
	for i := range e.Data {
		e.Data[i] = "abc\n"[r.IntN(4)]
	}
	switch id := r.IntN(20); r.IntN(4) {
	case 0:
		e.Position = adapters.Position("plain" + string(rune('a'+id)))
	case 1:
		e.Position = adapters.Position("state" + string(rune('a'+id)))
		e.State = &adapters.State{Type: "full", Data: append([]byte("full "), e.Data...)}
	case 2:
		e = adapters.NewState("", e.Type, e.Data)
	}
	return e
}
