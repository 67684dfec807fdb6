package feed_test

import (
	"fmt"
	"time"

	"sidestream/proxy/feed"
)

// keyedModel is what a Keyed is to be: it remembers all that ever happened,
// and has a [model] for each key at hand.
type keyedModel struct {
	o       feed.KeyedOptions
	epoch   string
	all     []happening
	keys    map[string]*keyModel
	begin   int // index in all of the place where keys that aren't at hand begin; -1: before all
	expired int // the largest number that is no longer at hand
	lacking bool
	settled bool
	closed  bool
	changes int // of keys
}

// happening is an event or a mark, or, with no id, a gap: of one key or, with
// none, of all.
type happening struct {
	id   string
	key  string
	mark bool
}

// unknown is the key of a gap of which it is no longer known whose it was.
const unknown = "?"

func (h happening) isGap() bool   { return h.id == "" }
func (h happening) ofAll() bool   { return h.key == "" || h.key == unknown }
func (h happening) isEvent() bool { return !h.isGap() && !h.mark }

// keyModel is a key at hand.
type keyModel struct {
	*model
	readers int
	begin   int // keyedModel.begin when it was made
	newest  int // index in all of its newest event; -1: none
	gap     bool
	change  int
	changed time.Time
}

func newKeyedModel(o feed.KeyedOptions) *keyedModel {
	return &keyedModel{o: o, keys: map[string]*keyModel{}, begin: -1}
}

func (m *keyedModel) at(key string) *keyModel {
	k := m.keys[key]
	if k == nil {
		k = &keyModel{model: newModel(m.o.Log), begin: m.begin, newest: -1}
		k.lacking, k.closed = m.lacking, m.closed
		if m.settled {
			k.settle()
		}
		m.keys[key] = k
	}
	return k
}

func (m *keyedModel) append(key string, i item) {
	k := m.at(key)
	k.newest, k.gap = len(m.all), false
	m.all = append(m.all, happening{id: i.id, key: key})
	k.append(i)
	m.change(k)
}

func (m *keyedModel) change(k *keyModel) {
	m.changes++
	k.change, k.changed = m.changes, time.Now()
	m.giveUp()
}

func (m *keyedModel) appendGap(g feed.Gap) {
	m.begin = len(m.all)
	m.all = append(m.all, happening{})
	for _, k := range m.keys {
		k.append(item{gap: &g})
	}
	m.giveUp()
}

func (m *keyedModel) appendGapTo(key string, g feed.Gap) {
	k := m.at(key)
	m.all = append(m.all, happening{key: key})
	k.gap = true
	k.append(item{gap: &g})
	m.change(k)
}

func (m *keyedModel) restart(g feed.Gap) {
	m.begin = len(m.all)
	m.all = append(m.all, happening{})
	m.settled, m.lacking = false, false
	for _, k := range m.keys {
		k.beginAnew(g)
	}
	m.giveUp()
}

func (m *keyedModel) setMark(id string) { m.all = append(m.all, happening{id: id, mark: true}) }

func (m *keyedModel) settle() {
	for _, k := range m.keys {
		if !m.settled {
			k.settle()
		}
	}
	m.settled = true
}

func (m *keyedModel) release(key string) {
	k := m.keys[key]
	if k.readers--; k.readers == 0 && k.newest < 0 && !k.gap {
		delete(m.keys, key)
	}
	m.giveUp()
}

func (m *keyedModel) trim() {
	m.giveUp()
	for _, k := range m.keys {
		k.trim()
	}
}

// giveUp drops keys that nobody reads until the bounds are kept.
func (m *keyedModel) giveUp() {
	for {
		idle := m.stats()
		var oldest string
		for key, k := range m.keys {
			if k.readers == 0 && (oldest == "" || k.change < m.keys[oldest].change) {
				oldest = key
			}
		}
		k := m.keys[oldest]
		old := k != nil && m.o.Idle.Age > 0 && time.Since(k.changed) > m.o.Idle.Age
		fits := idle.IdleEvents <= m.o.Idle.Events && idle.IdleBytes <= m.o.Idle.Bytes && !old
		if k == nil || fits || k.change == m.changes {
			return
		}
		m.begin = max(m.begin, k.newest)
		if k.gap {
			m.begin = len(m.all)
			m.all = append(m.all, happening{key: unknown})
		}
		m.lacking = m.lacking || k.lacking || len(k.live) > 0 || k.given > 0
		m.expire(m.events(k.newest + 1))
		delete(m.keys, oldest)
	}
}

func (m *keyedModel) expire(n int) { m.expired = max(m.expired, n) }

func (m *keyedModel) stats() (s feed.KeyedStats) {
	for _, k := range m.keys {
		events, bytes := k.size()
		bytes += k.keyBytes(k.live) + k.keyBytes(k.gone)
		s.Keys, s.Events, s.Bytes = s.Keys+1, s.Events+events, s.Bytes+bytes
		if k.readers == 0 {
			s.IdleKeys, s.IdleEvents, s.IdleBytes = s.IdleKeys+1, s.IdleEvents+events, s.IdleBytes+bytes
		}
		for _, i := range k.items[:k.first] {
			if n, ok := m.number(i.id); ok {
				m.expire(n)
			}
		}
	}
	return s
}

// events returns the number of events in all before index end.
func (m *keyedModel) events(end int) (n int) {
	for _, h := range m.all[:end] {
		if h.isEvent() {
			n++
		}
	}
	return n
}

func (m *keyedModel) id(n int) string { return fmt.Sprintf("%s-%d", m.epoch, n) }

func (m *keyedModel) number(id string) (n int, ok bool) {
	_, err := fmt.Sscanf(id, m.epoch+"-%d", &n)
	return n, err == nil && m.epoch != ""
}

// compare is the order of ids that the Keyed is to have.
func (m *keyedModel) compare(a, b string) (int, bool) {
	if m.o.Log.Compare != nil {
		return m.o.Log.Compare(a, b)
	}
	i, okA := m.number(a)
	j, okB := m.number(b)
	return i - j, okA && okB
}

// place returns the id of the place at which keys begin: right behind an
// event, or else at the first id behind a gap.
func (m *keyedModel) place(at int) string {
	isGap := at < 0 || m.all[at].isGap()
	switch {
	case m.o.Log.Compare != nil && !isGap:
		return m.all[at].id
	case m.o.Log.Compare != nil:
		before := m.newest(max(0, at))
		for _, h := range m.all[at+1:] {
			if order, ok := m.compare(h.id, before); !h.isGap() && (!ok || order > 0) {
				return h.id
			}
		}
		return ""
	case isGap:
		return m.id(m.events(at+1) + 1)
	}
	return m.id(m.events(at + 1))
}

// newest returns the newest id before index end.
func (m *keyedModel) newest(end int) (id string) {
	for _, h := range m.all[:end] {
		if !h.isGap() {
			id = h.id
		}
	}
	return id
}

// after returns the index among the items of key behind that with this id, or
// where it would be.
func (m *keyedModel) after(key, id string) (int, bool) {
	k := m.keys[key]
	if k == nil || id == "" {
		return 0, false
	}
	if at, known := k.named(id); known {
		return at, at >= 0
	}
	newest := m.newest(len(m.all))
	if id == newest && m.exact() {
		return max(k.first, k.last(len(k.items), isEvent)+1), true
	}
	k.base, k.o.Compare = m.place(k.begin), m.compare
	return k.between(id, newest, k.floor())
}

// exact reports whether the newest id is that of the newest place: whether it
// is another than before the last gap.
func (m *keyedModel) exact() bool {
	exact, id := false, ""
	for _, h := range m.all {
		switch {
		case !h.isGap():
			exact, id = exact || h.id != id, h.id
		case h.ofAll():
			exact = false
		}
	}
	return exact
}

// missed returns how many events of key, and how many gaps, a reader that has
// id has yet to be given, as far as is known for sure.
func (m *keyedModel) missed(key, id string) (events, gaps int) {
	have := -1
	for i, h := range m.all {
		if order, ok := m.compare(h.id, id); ok && order <= 0 || h.id == id {
			have = i
		}
	}
	for _, h := range m.all[have+1:] {
		switch {
		case h.isGap() && (h.key == "" || h.key == key):
			gaps++
		case h.isEvent() && h.key == key:
			events++
		}
	}
	return events, gaps
}
