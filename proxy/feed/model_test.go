package feed_test

import (
	"cmp"
	"fmt"
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
	first  int      // items before it are evicted
	live   []string // keys, in the order of their newest events
	gone   []string // the same, of those that are gone
	given  int      // no live key given up has its event at or after this index
	buried int      // the same, of those that are gone
	state  bool
	closed bool

	mark    string
	markAt  int    // -1: nowhere
	base    string // the first mark
	baseAt  int    // first when it was made
	settled int    // where; -1: not
	restart int    // where the source began anew
	lacking bool   // state may have been lost before
}

// item is one entry of the model.
type item struct {
	id     string
	gap    *feed.Gap
	key    string
	state  bool
	gone   bool
	block  string
	latest string // the block that stands for the key
	size   int64  // of what is kept for the key
	at     time.Time
	first  int // model.first when it was appended
}

func newModel(o feed.Options) *model { return &model{o: o, markAt: -1, settled: -1} }

func isEvent(i item) bool { return i.gap == nil }

func (m *model) append(i item) {
	i.at, i.first = time.Now(), m.first
	m.items = append(m.items, i)
	if m.kept(i) {
		m.state = m.state || i.state
		same := func(k string) bool { return k == i.key }
		m.live, m.gone = slices.DeleteFunc(m.live, same), slices.DeleteFunc(m.gone, same)
		if i.gone {
			m.gone = append(m.gone, i.key)
		} else {
			m.live = append(m.live, i.key)
		}
		for len(m.live) > m.o.Keys || m.keyBytes(m.live) > m.o.KeyBytes && len(m.live) > 1 {
			m.live, m.given = m.live[1:], m.lastOf(m.live[0])+1
		}
		for len(m.gone) > m.o.Keys || m.keyBytes(m.gone) > m.o.KeyBytes {
			m.gone, m.buried = m.gone[1:], m.lastOf(m.gone[0])+1
		}
	}
	m.trim()
}

// keyBytes returns what is kept for keys.
func (m *model) keyBytes(keys []string) (n int64) {
	for _, k := range keys {
		n += m.items[m.lastOf(k)].size
	}
	return n
}

// kept reports whether i is the newest event of its key once it is appended.
func (m *model) kept(i item) bool { return isEvent(i) && (i.state || m.o.Latest) }

// lastOf returns the index of the last event that is kept for key.
func (m *model) lastOf(key string) int {
	return m.last(len(m.items), func(i item) bool { return m.kept(i) && i.key == key })
}

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
	newest := m.last(len(m.items), isEvent)
	for m.first < len(m.items) {
		n, size := m.size()
		old := m.o.Age > 0 && time.Since(m.items[m.first].at) > m.o.Age
		fits := n <= m.o.Events && size <= m.o.Bytes && !old
		if fits || m.first == newest && n-1 <= m.o.Events {
			return
		}
		m.first++
	}
}

// size returns the number of entries at hand, and that of their bytes.
func (m *model) size() (entries int, bytes int64) {
	for _, i := range m.items[m.first:] {
		bytes += int64(len(i.block))
	}
	return len(m.items) - m.first, bytes
}

// events returns the number of events among the items from i to j.
func (m *model) events(i, j int) (n int64) {
	for _, i := range m.items[i:j] {
		if isEvent(i) {
			n++
		}
	}
	return n
}

func (m *model) setMark(id string) {
	m.mark, m.markAt = id, len(m.items)
	if m.last(len(m.items), isEvent) < 0 && m.floor() == "" {
		m.base, m.baseAt = id, m.first
	}
}

func (m *model) settle() {
	kept := m.last(len(m.items), m.kept) >= m.restart
	if m.settled < 0 && !kept && m.events(m.restart, len(m.items)) == 0 {
		m.settled = len(m.items)
	}
}

func (m *model) beginAnew(g feed.Gap) {
	m.append(item{gap: &g})
	m.live, m.gone, m.given, m.buried = nil, nil, 0, 0
	m.state, m.settled, m.lacking, m.restart = false, -1, false, len(m.items)
}

// after returns the index behind the event with this id, or where it would be.
func (m *model) after(id string) (int, bool) {
	if at, known := m.named(id); known {
		return at, at >= 0
	}
	newest := m.last(len(m.items), isEvent)
	switch {
	case newest >= 0 && m.items[newest].id == id:
		return m.first, true
	case m.mark == id && m.markAt >= m.first:
		return m.markAt, true
	}
	return m.between(id, m.newest(), m.floor())
}

// named returns the index behind the event with this id, or -1 if there's no
// telling, and whether one is at hand.
func (m *model) named(id string) (int, bool) {
	same := func(i item) bool { return isEvent(i) && i.id == id }
	at := m.last(len(m.items), same)
	if at < m.first {
		return 0, false
	}
	if m.items[at].state {
		return at + 1, true
	}
	// Back to the first of those that were always at hand together.
	for {
		earlier := m.last(at, same)
		if earlier < 0 || earlier < m.items[at].first {
			break
		}
		at = earlier
	}
	if at < m.first {
		return -1, true
	}
	return at + 1, true
}

// newest returns the id of the newest event or mark.
func (m *model) newest() string {
	newest := m.last(len(m.items), isEvent)
	if m.markAt > newest {
		return m.mark
	}
	if newest < 0 {
		return ""
	}
	return m.items[newest].id
}

// floor returns the id of the place before the oldest event at hand.
func (m *model) floor() string {
	switch {
	case m.first > 0 && isEvent(m.items[m.first-1]):
		return m.items[m.first-1].id
	case m.first == m.baseAt:
		return m.base
	}
	return ""
}

// between returns the index behind the last event at or before id, if it is
// one from floor to newest.
func (m *model) between(id, newest, floor string) (int, bool) {
	if m.o.Compare == nil {
		return 0, false
	}
	upTo := func(a, b string) bool {
		order, ok := m.o.Compare(a, b)
		return ok && order <= 0
	}
	if !upTo(id, newest) {
		return 0, false
	}
	if at := m.last(len(m.items), func(i item) bool { return isEvent(i) && upTo(i.id, id) }); at >= m.first {
		return at + 1, true
	}
	return m.first, upTo(floor, id)
}

// beyond is after, for ids behind all others as well.
func (m *model) beyond(id string) (int, bool) {
	if at, ok := m.after(id); ok || m.o.Compare == nil {
		return at, ok
	}
	order, ok := m.o.Compare(id, m.newest())
	return len(m.items), ok && order > 0
}

// latest returns the indices of the newest event of each key at or after i,
// and what else Latest says; start if the cursor is the zero one.
func (m *model) latest(i int, start bool) (at []int, next int, complete, ok bool) {
	gap := m.last(len(m.items), func(i item) bool { return i.gap != nil })
	next = max(i, m.settled, m.restart, m.last(len(m.items), m.kept)+1)
	if start {
		older := slices.ContainsFunc(m.live, func(k string) bool { return m.lastOf(k) < gap })
		complete = m.given == 0 && !m.lacking && (m.state || gap >= next || !older)
	} else {
		complete = i >= m.given && i >= m.buried && gap < i
	}
	for _, k := range append(slices.Clone(m.live), m.gone...) {
		if last := m.lastOf(k); last >= i && !(start && m.items[last].gone) {
			at = append(at, last)
		}
	}
	slices.Sort(at)
	switch {
	case !m.o.Latest && (!m.state && m.settled < 0 || m.events(next, max(next, m.first)) > 0):
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
		i = m.last(i, isEvent)
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
	if r.IntN(2) == 0 {
		o.Compare = order
	}
	return o
}

// order compares ids such as "1/2", the second place of the first
// incarnation.
func order(a, b string) (int, bool) {
	epochA, a, okA := cutID(a)
	epochB, b, okB := cutID(b)
	return cmp.Compare(a, b), okA && okB && epochA == epochB
}

func cutID(id string) (epoch int, place string, ok bool) {
	var n int
	_, err := fmt.Sscanf(id, "%d/%d", &epoch, &n)
	return epoch, fmt.Sprintf("%06d", n), err == nil
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
	switch id := r.IntN(20); r.IntN(5) {
	case 0:
		e.Position = adapters.Position("plain" + string(rune('a'+id)))
	case 1:
		e.Position = adapters.Position("state" + string(rune('a'+id)))
		e.State = &adapters.State{Type: "full", Data: append([]byte("full "), e.Data...)}
	case 2:
		key := e.Key
		e = adapters.NewState("", e.Type, e.Data)
		e.Key = key
	case 3:
		e.State = &adapters.State{Gone: true}
	}
	return e
}
