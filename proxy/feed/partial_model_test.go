package feed_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// vector is a place in an upstream of several logs: how many of the records of
// each one has. Those that it doesn't name are new, and nothing is had of them.
type vector []int

func (v vector) of(p int) int {
	if p < len(v) {
		return v[p]
	}
	return 0
}

// within reports whether who is at w has all that one at v has.
func (v vector) within(w vector) bool {
	for p := range v {
		if v[p] > w.of(p) {
			return false
		}
	}
	return true
}

// waiting is the part of an id of a place that no event is right before.
const waiting = -1

// idOf returns the id of the place v, behind a record of log p or waiting.
func idOf(incarnation int, v vector, p int) string {
	return fmt.Sprintf("%d/%s:%d", incarnation, strings.Trim(strings.ReplaceAll(fmt.Sprint([]int(v)), " ", ","), "[]"), p)
}

// vectorOf takes an id apart.
func vectorOf(id string) (incarnation int, v vector, p int) {
	before, after, _ := strings.Cut(id, "/")
	logs, own, _ := strings.Cut(after, ":")
	fmt.Sscan(before, &incarnation)
	fmt.Sscan(own, &p)
	for s := range strings.SplitSeq(logs, ",") {
		var n int
		fmt.Sscan(s, &n)
		v = append(v, n)
	}
	return incarnation, v, p
}

// byVector is the order of ids made by idOf.
func byVector(a, b string) (int, bool) {
	incA, vA, pA := vectorOf(a)
	incB, vB, pB := vectorOf(b)
	before := func(v, w vector, p int) bool {
		return v.within(w) && (p == waiting && !w.within(v) || p != waiting && v.of(p) < w.of(p))
	}
	switch {
	case incA != incB:
		return 0, false
	case vA.within(vB) && vB.within(vA):
		return 0, true
	case before(vA, vB, pB):
		return -1, true
	case before(vB, vA, pA):
		return 1, true
	}
	return 0, false
}

// record is one of an upstream's.
type record struct {
	incarnation, log, number int // number from 0
}

// ofAll is the key of a gap of all keys.
const ofAll = ""

// passage is what a source has given to a feed: an event, or a gap.
type passage struct {
	record // of an event
	key    string
	gap    bool
	lost   []record // of a gap
	anew   bool     // the source has gone on elsewhere, behind this gap
}

// merge is an upstream of several logs, and the source that a feed is filled
// from, which merges them in an order of its own. It remembers all.
type merge struct {
	*rand.Rand
	incarnation int
	logs        map[int][][]string // by incarnation, the key of each record; "-" is for nobody
	at          vector
	own         int
	gone        []passage
	passed      map[record]bool // for which a gap or an event stood
	ids         []string        // of places
	selecting   bool
}

// newMerge returns a merge of some logs that begins somewhere in them.
func newMerge(r *rand.Rand, keys int) *merge {
	m := &merge{Rand: r, logs: map[int][][]string{}, passed: map[record]bool{}}
	m.create(0, keys)
	m.lose(0, m.elsewhere(0, false))
	return m
}

// create makes an incarnation of the upstream, with some records.
func (m *merge) create(incarnation, keys int) {
	m.logs[incarnation] = make([][]string, 1+m.IntN(4))
	for range m.IntN(10) {
		m.produce(incarnation, keys)
	}
}

// here returns the id of the place where the source is.
func (m *merge) here() string { return idOf(m.incarnation, m.at, m.own) }

// keyOf returns the key of r.
func (m *merge) keyOf(r record) string { return m.logs[r.incarnation][r.log][r.number] }

// produce adds records to the upstream, and at times a log.
func (m *merge) produce(incarnation, keys int) {
	logs := m.logs[incarnation]
	if len(logs) < 4 && m.IntN(300) == 0 {
		logs = append(logs, nil)
	}
	for range m.IntN(4) {
		key := "-"
		if n := m.IntN(keys + 1); n > 0 {
			key = string(rune('A' + n - 1))
		}
		p := m.IntN(len(logs))
		logs[p] = append(logs[p], key)
	}
	m.logs[incarnation] = logs
}

// next takes the next record of some log, if there is any.
func (m *merge) next() (r record, ok bool) {
	logs := m.logs[m.incarnation]
	var ready []int
	for p := range logs {
		if m.at.of(p) < len(logs[p]) {
			ready = append(ready, p)
		}
	}
	if len(ready) == 0 {
		return r, false
	}
	p := ready[m.IntN(len(ready))]
	r = record{m.incarnation, p, m.at.of(p)}
	m.at = append(slices.Clone(m.at), make(vector, len(logs)-len(m.at))...)
	m.at[p]++
	m.own = p
	m.passed[r] = true
	return r, true
}

// lose moves the source on to the place v of an incarnation, and returns the
// records that it passes over, some of which it may have delivered before.
func (m *merge) lose(incarnation int, v vector) (lost []record) {
	pass := func(incarnation, p, from, to int) {
		for n := from; n < to; n++ {
			lost = append(lost, record{incarnation, p, n})
		}
	}
	if incarnation != m.incarnation {
		for p, log := range m.logs[m.incarnation] {
			pass(m.incarnation, p, m.at.of(p), len(log))
		}
		m.at = nil
	}
	for p := range m.logs[incarnation] {
		pass(incarnation, p, m.at.of(p), v.of(p))
	}
	for _, r := range lost {
		m.passed[r] = true
	}
	m.incarnation, m.at, m.own = incarnation, v, waiting
	return lost
}

// elsewhere returns some place of an incarnation, or of the one where the
// source is some place ahead of that.
func (m *merge) elsewhere(incarnation int, ahead bool) vector {
	logs := m.logs[incarnation]
	v := make(vector, len(logs))
	for p, log := range logs {
		if ahead {
			v[p] = m.at.of(p)
		}
		v[p] += m.IntN(len(log) - v[p] + 1)
	}
	return v
}

// client returns the id of some client: a place where the source was, or one
// to which another merge of the logs leads from there.
func (m *merge) client() string {
	if len(m.ids) == 0 || m.IntN(50) == 0 {
		return idOf(m.incarnation, make(vector, 1), waiting)
	}
	id := m.ids[len(m.ids)-1-m.IntN(min(len(m.ids), 60))]
	incarnation, v, own := vectorOf(id)
	logs := m.logs[incarnation]
	for range m.IntN(8) {
		p := m.IntN(len(logs))
		for len(v) <= p {
			v = append(v, 0)
		}
		if v[p] < len(logs[p]) {
			v[p]++
			own = p
		}
	}
	if m.IntN(5) == 0 {
		own = waiting
	}
	return idOf(incarnation, v, own)
}

// judge says what is wrong with bringing the client that has id to a place
// from which what is read of key are the items of got, or "" if nothing is.
func (m *merge) judge(id, key string, got []passage) string {
	incarnation, has, _ := vectorOf(id)
	lacks := func(r record) bool { return r.incarnation == incarnation && has.of(r.log) <= r.number }

	read, anew := map[record]bool{}, false
	for _, g := range got {
		for _, r := range g.lost {
			read[r] = true
		}
		if anew = anew || g.anew; g.gap {
			continue
		}
		if !anew && (!lacks(g.record) || read[g.record]) {
			return fmt.Sprintf("repeats %v", g.record)
		}
		read[g.record] = true
	}
	if !anew && (incarnation != m.incarnation || !has.within(m.at)) {
		return "will repeat what comes behind " + m.here()
	}
	for r := range m.passed {
		toCome := r.incarnation == m.incarnation && m.at.of(r.log) <= r.number
		if m.keyOf(r) == key && lacks(r) && !read[r] && !toCome {
			return fmt.Sprintf("misses %v", r)
		}
	}
	return ""
}
