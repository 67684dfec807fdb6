package adaptertest

import (
	"strings"
	"testing"

	"sidestream/adapters"
)

type compareFunc = func(a, b adapters.Position) (order int, ok bool)

func compareFaults() []fault {
	return []fault{
		{"puts the later position first", Replayable, faultyCompare(func(_ *Log, next compareFunc, a, b adapters.Position) (int, bool) {
			order, ok := next(a, b)
			return -order, ok
		}), "compare"},
		{"compares positions as text", Stateful, faultyCompare(func(_ *Log, next compareFunc, a, b adapters.Position) (int, bool) {
			_, ok := next(a, b)
			return strings.Compare(string(a), string(b)), ok
		}), "compare"},
		{"takes two positions for the same place", Bucket, faultyCompare(func(_ *Log, next compareFunc, a, b adapters.Position) (int, bool) {
			_, ok := next(a, b)
			return 0, ok
		}), "compare"},
		{"takes one position for two places", Replayable, faultyCompare(func(_ *Log, next compareFunc, a, b adapters.Position) (int, bool) {
			order, ok := next(a, b)
			if order == 0 {
				order = 1
			}
			return order, ok
		}), "compare"},
		{"says that the first position is never behind", Replayable, faultyCompare(func(_ *Log, next compareFunc, a, b adapters.Position) (int, bool) {
			order, ok := next(a, b)
			return min(order, 0), ok
		}), "compare"},
		{"cannot compare its own positions", Stateful, faultyCompare(func(*Log, compareFunc, adapters.Position, adapters.Position) (int, bool) {
			return 0, false
		}), "compare"},
		{"finds an order in what is malformed", Replayable, faultyCompare(func(l *Log, next compareFunc, a, b adapters.Position) (int, bool) {
			_, _, ok1 := l.parse(a)
			_, _, ok2 := l.parse(b)
			if !ok1 && !strings.HasPrefix(string(a), "log") || !ok2 && !strings.HasPrefix(string(b), "log") {
				return strings.Compare(string(a), string(b)), true
			}
			return next(a, b)
		}), "compare"},
		{"finds an order in positions of several upstreams", Stateful, faultyCompare(func(l *Log, next compareFunc, a, b adapters.Position) (int, bool) {
			return next(adopt(l, a), adopt(l, b))
		}), "compare"},
		{"finds an order in positions of several incarnations", Bucket, faultyCompare(func(l *Log, next compareFunc, a, b adapters.Position) (int, bool) {
			i, _, ok1 := l.parse(a)
			j, n, ok2 := l.parse(b)
			if ok1 && ok2 && i != j {
				b = l.positionIn(i, n)
			}
			return next(a, b)
		}), "compare"},
		{"compares positions that it does not have", Positionless, func(_ testing.TB, u *Upstream, l *Log) {
			faultyCapabilities(u, func(c *adapters.Capabilities) { c.Compare = l.compare })
		}, "compare"},
	}
}

// faultyCompare replaces Compare.
func faultyCompare(compare func(l *Log, next compareFunc, a, b adapters.Position) (int, bool)) func(testing.TB, *Upstream, *Log) {
	return func(_ testing.TB, u *Upstream, l *Log) {
		faultyCapabilities(u, func(c *adapters.Capabilities) {
			next := c.Compare
			c.Compare = func(a, b adapters.Position) (int, bool) { return compare(l, next, a, b) }
		})
	}
}

// adopt makes a position of any log one of l.
func adopt(l *Log, p adapters.Position) adapters.Position {
	if name, rest, ok := strings.Cut(string(p), "."); ok && strings.HasPrefix(name, "log") {
		return adapters.Position(l.Name + "." + rest)
	}
	return p
}
