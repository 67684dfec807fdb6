package adaptertest

import (
	"math/rand/v2"
	"slices"

	"sidestream/adapters"
)

// A merge is one Run of partitions, or one Replay.
type merge struct {
	partitions *Partitions
	run        int
	order      *rand.Rand
	after      adapters.Position
	replay     bool
	until      adapters.Position // of a Replay

	placed bool // what follows is set
	at, to vector
	live   bool // the Live notice was given

	// Of what begins with states: the offsets up to which only the newest
	// event of each key is delivered, and where those are.
	begun  []int
	newest map[string]offset
}

// merge returns a Run, which begins.
func (p *Partitions) merge(after adapters.Position) *merge {
	run, order := p.begin()
	return &merge{partitions: p, run: run, order: order, after: after}
}

// replay returns a Replay, which begins.
func (p *Partitions) replay(after, until adapters.Position) *merge {
	m := p.merge(after)
	m.replay, m.until = true, until
	return m
}

// next returns the next event or notice, or a channel that is closed when
// there may be one.
func (m *merge) next() (*adapters.Event, <-chan struct{}, error) {
	p := m.partitions
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.stalled:
		return nil, p.wait(), nil
	case p.failure != nil:
		return nil, nil, p.failure
	}
	if err := m.place(); err != nil {
		return nil, nil, err
	}
	ready := m.ready()
	switch {
	case len(ready) > 0:
		if i := m.choose(ready); slices.Contains(ready, i) {
			return m.take(i), nil, nil
		}
		return nil, p.wait(), nil
	case m.replay || p.ended:
		return nil, nil, errEnded
	case !m.live:
		m.live = true
		return &adapters.Event{Live: true, Position: p.position(vector{p.incarnation, -1, m.at.next})}, nil, nil
	default:
		return nil, p.wait(), nil
	}
}

// place finds where m is to begin and to end, and checks that the partitions
// still hold what lies between.
func (m *merge) place() (err error) {
	p := m.partitions
	if !m.placed {
		if m.at, err = p.locate(m.after); err != nil {
			return err
		}
		if m.replay {
			if m.to, err = p.locate(m.until); err != nil {
				return err
			}
			if m.until == "" {
				return p.lost(adapters.LostUnknown, -1, p.oldest())
			}
		}
		m.placed = true
		if p.States && m.after == "" {
			m.begun = make([]int, len(p.logs))
			for i := range p.logs {
				m.begun[i] = m.end(i)
			}
			m.newest = p.newestUpTo(m.begun)
		}
	}
	if m.at.incarnation != p.incarnation {
		return p.lost(adapters.LostRecreated, -1, p.oldest())
	}
	m.at.next = append(m.at.next, make([]int, len(p.logs)-len(m.at.next))...) // those that have come
	var expired int
	for i := range p.logs {
		expired += max(0, min(p.logs[i].expired, m.end(i))-m.at.next[i])
	}
	if expired == 0 {
		return nil
	}
	resume := p.oldest()
	for i := range resume {
		resume[i] = max(resume[i], m.at.next[i])
	}
	return p.lost(adapters.LostExpired, int64(expired), resume)
}

// end returns the offset up to which m delivers partition i for now.
func (m *merge) end(i int) int {
	if m.replay {
		return m.to.of(i)
	}
	return m.partitions.logs[i].end()
}

// ready returns the partitions of which there is an event to deliver.
func (m *merge) ready() (ready []int) {
	for i := range m.partitions.logs {
		end := m.end(i)
		for m.at.next[i] < end && m.leavesOut(i) {
			m.at.next[i]++
		}
		if m.at.next[i] < end {
			ready = append(ready, i)
		}
	}
	return ready
}

// leavesOut reports whether the next event of partition i is not to be
// delivered: it had been replaced when m began without a position, or takes
// away what the reader has not.
func (m *merge) leavesOut(i int) bool {
	n := m.at.next[i]
	if i >= len(m.begun) || n >= m.begun[i] {
		return false
	}
	e := m.partitions.logs[i].event(n)
	return m.newest[e.Key] != offset{i, n} || e.State.Gone
}

func (m *merge) choose(ready []int) int {
	if choose := m.partitions.Choose; choose != nil {
		return choose(m.run, slices.Clone(ready))
	}
	return ready[m.order.IntN(len(ready))]
}

// take returns the next event of partition i and moves m past it.
func (m *merge) take(i int) *adapters.Event {
	e := clone(m.partitions.logs[i].event(m.at.next[i]).Event)
	m.at.next[i]++
	e.Position = m.partitions.position(vector{m.at.incarnation, i, m.at.next})
	return &e
}
