package adaptertest

import (
	"context"
	"slices"
	"testing"

	"sidestream/adapters"
)

func mergeFaults() []partitionFault {
	events := new(Partitions)
	order := func(change func(p *topic, v, w vector) (int, bool)) func(testing.TB, *Upstream, *topic) {
		return func(_ testing.TB, u *Upstream, p *topic) {
			faultyCapabilities(u, func(c *adapters.Capabilities) {
				next := c.Compare
				c.Compare = func(a, b adapters.Position) (int, bool) {
					v, ok1 := p.parse(a)
					w, ok2 := p.parse(b)
					if order, ok := change(p, v, w); ok && ok1 && ok2 && v.incarnation == w.incarnation {
						return order, true
					}
					return next(a, b)
				}
			})
		}
	}
	sum := func(v vector) (n int) {
		for _, next := range v.next {
			n += next
		}
		return n
	}
	before := func(change func(p *topic, at, before adapters.Position, ok bool) (adapters.Position, bool)) func(testing.TB, *Upstream, *topic) {
		return func(_ testing.TB, u *Upstream, p *topic) {
			faultyCapabilities(u, func(c *adapters.Capabilities) {
				next := c.Before
				c.Before = func(at adapters.Position) (adapters.Position, bool) {
					before, ok := next(at)
					return change(p, at, before, ok)
				}
			})
		}
	}
	return []partitionFault{
		{"compares places by how much one has", events, order(func(_ *topic, v, w vector) (int, bool) { return sum(v) - sum(w), true }), "compare"},
		{"sees no order where both have what is right before one", events, func(_ testing.TB, u *Upstream, p *topic) {
			faultyCapabilities(u, func(c *adapters.Capabilities) {
				next := c.Compare
				c.Compare = func(a, b adapters.Position) (int, bool) {
					order, ok := next(a, b)
					v, _ := p.parse(a)
					w, _ := p.parse(b)
					if order > 0 {
						v, w = w, v
					}
					return order, ok && (order == 0 || w.behind < 0 || v.of(w.behind) < w.of(w.behind))
				}
			})
		}, "compare replay replay-lost merge grow"},
		{"cannot see that two Runs are at the same place", events, func(_ testing.TB, u *Upstream, _ *topic) {
			faultyCapabilities(u, func(c *adapters.Capabilities) {
				next := c.Compare
				c.Compare = func(a, b adapters.Position) (int, bool) {
					order, ok := next(a, b)
					return order, ok && (order != 0 || a == b)
				}
			})
		}, "compare replay replay-lost merge before grow"},
		{"replays in the order of one Run", events, func(_ testing.TB, u *Upstream, p *topic) { faultyReplay(u, p.inOneOrder) }, "merge before"},

		{"takes the place behind an event for that before", events, before(func(_ *topic, at, _ adapters.Position, ok bool) (adapters.Position, bool) {
			return at, ok
		}), "before"},
		{"takes the start for the place before", &Partitions{States: true}, before(func(p *topic, _, _ adapters.Position, ok bool) (adapters.Position, bool) {
			return p.position(vector{0, -1, []int{0, 0, 0}}), ok
		}), "before"},
		{"finds nothing before an event", events, before(func(_ *topic, _, before adapters.Position, _ bool) (adapters.Position, bool) {
			return before, false
		}), "before"},
		{"finds something before a notice", events, before(func(_ *topic, at, before adapters.Position, ok bool) (adapters.Position, bool) {
			if ok {
				return before, true
			}
			return at, at.Valid()
		}), "before"},
		{"finds something before nothing", events, before(func(_ *topic, at, before adapters.Position, ok bool) (adapters.Position, bool) {
			return before, ok || at == ""
		}), "before"},
	}
}

// inOneOrder replays as if all Runs took partitions in the order in which
// events were published: everything up to the one right before the end.
func (t *topic) inOneOrder(next replayFunc) replayFunc {
	return func(ctx context.Context, after, until adapters.Position, emit emitFunc) error {
		v, ok1 := t.parse(after)
		w, ok2 := t.parse(until)
		if !ok1 || !ok2 || w.behind < 0 {
			return next(ctx, after, until, emit)
		}
		var all []adapters.Event
		if err := next(ctx, after, t.end(), func(e adapters.Event) error {
			all = append(all, e)
			return nil
		}); err != nil {
			return err
		}
		slices.SortFunc(all, func(a, b adapters.Event) int {
			m, _ := number(a)
			n, _ := number(b)
			return m - n
		})
		for i := range all {
			at, _ := t.parse(all[i].Position)
			for len(v.next) <= at.behind {
				v.next = append(v.next, 0)
			}
			v.next[at.behind]++
			v.behind = at.behind
			all[i].Position = t.position(v)
		}
		v, _ = t.parse(after)
		for _, e := range all {
			if v.of(w.behind) >= w.of(w.behind) {
				break
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err := emit(e); err != nil {
				return err
			}
			v, _ = t.parse(e.Position)
		}
		return ctx.Err()
	}
}
