package adaptertest

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"sidestream/adapters"
)

// position returns the position right after event number n.
func (l *Log) position(n int) adapters.Position { return l.positionIn(l.incarnation, n) }

func (l *Log) positionIn(incarnation, n int) adapters.Position {
	return adapters.Position(fmt.Sprintf("%s.%d.%d", l.Name, incarnation, n))
}

// parse returns what position p is made of; ok is false if it is none of
// this log's.
func (l *Log) parse(p adapters.Position) (incarnation, number int, ok bool) {
	rest, _ := strings.CutPrefix(string(p), l.Name+".")
	first, second, _ := strings.Cut(rest, ".")
	incarnation, err1 := strconv.Atoi(first)
	number, err2 := strconv.Atoi(second)
	ok = err1 == nil && err2 == nil && number >= 0 && p == l.positionIn(incarnation, number)
	return incarnation, number, ok
}

// compare implements [adapters.Capabilities.Compare].
func (l *Log) compare(a, b adapters.Position) (order int, ok bool) {
	i, m, ok1 := l.parse(a)
	j, n, ok2 := l.parse(b)
	if !ok1 || !ok2 || i != j {
		return 0, false
	}
	return cmp.Compare(m, n), true
}

// locate returns the number of the event that position after follows. A
// stateful log takes any position but its newest for one before its state.
func (l *Log) locate(after adapters.Position) (int, error) {
	switch {
	case l.Form == Stateful && after == l.position(l.end()):
		return l.end(), nil
	case l.Form == Stateful:
		return 0, nil
	case l.Form == Bucket && after == "":
		return l.expired, nil
	case after == "":
		return l.end(), nil
	case l.Form == Positionless:
		return 0, l.lost(adapters.LostUnknown, -1)
	}
	incarnation, n, ok := l.parse(after)
	switch {
	case !ok:
		return 0, l.lost(adapters.LostUnknown, -1)
	case incarnation != l.incarnation:
		return 0, l.lost(adapters.LostRecreated, -1)
	case n > l.end():
		return 0, l.lost(adapters.LostUnknown, -1)
	}
	return n, nil
}

// misses reports whether a reader that was last given event number n has
// missed one that has expired and that nothing makes up for.
func (l *Log) misses(n int) bool {
	switch l.Form {
	case Stateful:
		return false
	case Bucket:
		for _, newest := range l.newest {
			if n < newest && newest <= l.expired {
				return true
			}
		}
		return false
	default:
		return n < l.expired
	}
}

func (l *Log) lost(reason adapters.LostReason, n int64) error {
	lost := &adapters.PositionLostError{Reason: reason, Lost: n}
	if l.replays() {
		lost.Resume = l.position(l.expired)
	}
	return lost
}
