package adaptertest

import (
	"fmt"
	"strconv"
	"strings"

	"sidestream/adapters"
)

// A vector is a place in partitions: the offset that is next in each. Those
// that it doesn't name have come later.
type vector struct {
	incarnation int
	behind      int // the partition of the event right before the place; -1: none
	next        []int
}

// of returns the offset that is next in partition i.
func (v vector) of(i int) int {
	if i < len(v.next) {
		return v.next[i]
	}
	return 0
}

// within reports whether one at w has all that one at v has.
func (v vector) within(w vector) bool {
	for i, next := range v.next {
		if next > w.of(i) {
			return false
		}
	}
	return true
}

// before reports whether v is before w, as [adapters.Capabilities.Partitioned]
// has it.
func (v vector) before(w vector) bool { return v.within(w) && !w.within(v) }

// At returns the position in the current incarnation at which the given
// offsets are next, behind an event of a partition, or, with -1 for it, behind
// none, as that of a Live notice.
func (p *Partitions) At(partition int, next ...int) adapters.Position {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.position(vector{p.incarnation, partition, next})
}

func (p *Partitions) position(v vector) adapters.Position {
	behind := "-"
	if v.behind >= 0 {
		behind = strconv.Itoa(v.behind)
	}
	next := make([]string, len(v.next))
	for i, n := range v.next {
		next[i] = strconv.Itoa(n)
	}
	return adapters.Position(fmt.Sprintf("%s.%d.%s:%s", p.Name, v.incarnation, behind, strings.Join(next, ",")))
}

// parse returns what a position is made of; ok is false if it is none of these
// partitions'.
func (p *Partitions) parse(at adapters.Position) (v vector, ok bool) {
	rest, _ := strings.CutPrefix(string(at), p.Name+".")
	place, offsets, _ := strings.Cut(rest, ":")
	incarnation, behind, _ := strings.Cut(place, ".")
	v.incarnation, _ = strconv.Atoi(incarnation)
	v.behind = -1
	if behind != "-" {
		v.behind, _ = strconv.Atoi(behind)
	}
	if offsets != "" {
		for s := range strings.SplitSeq(offsets, ",") {
			n, _ := strconv.Atoi(s)
			v.next = append(v.next, n)
			if n < 0 {
				return v, false
			}
		}
	}
	// What isn't a number, or one in other words, looks different again.
	ok = v.incarnation >= 0 && at == p.position(v) && (v.behind < 0 || v.of(v.behind) > 0)
	return v, ok
}

// compare implements [adapters.Capabilities.Compare].
func (p *Partitions) compare(a, b adapters.Position) (order int, ok bool) {
	v, ok1 := p.parse(a)
	w, ok2 := p.parse(b)
	switch {
	case !ok1 || !ok2 || v.incarnation != w.incarnation:
		return 0, false
	case v.within(w) && w.within(v):
		return 0, true
	case v.before(w):
		return -1, true
	case w.before(v):
		return 1, true
	}
	return 0, false
}

// before implements [adapters.Capabilities.Before].
func (p *Partitions) before(at adapters.Position) (adapters.Position, bool) {
	v, ok := p.parse(at)
	if !ok || v.behind < 0 {
		return "", false
	}
	v.next[v.behind]--
	v.behind = -1
	return p.position(v), true
}

// locate returns the place of a position, or that at which a Run without one
// starts. A place may be one of which events have expired.
func (p *Partitions) locate(after adapters.Position) (vector, error) {
	start := vector{p.incarnation, -1, p.ends()}
	if p.States || p.Oldest {
		start.next = p.oldest()
	}
	if after == "" {
		return start, nil
	}
	v, ok := p.parse(after)
	if ok && v.incarnation != p.incarnation {
		return v, p.lost(adapters.LostRecreated, -1, p.oldest())
	}
	for i, next := range v.next {
		ok = ok && i < len(p.logs) && next <= p.logs[i].end()
	}
	if !ok {
		return v, p.lost(adapters.LostUnknown, -1, p.oldest())
	}
	return v, nil
}

// lost says that a position is lost, and that one can go on where the given
// offsets are next.
func (p *Partitions) lost(reason adapters.LostReason, n int64, resume []int) error {
	return &adapters.PositionLostError{Reason: reason, Lost: n, Resume: p.position(vector{p.incarnation, -1, resume})}
}
