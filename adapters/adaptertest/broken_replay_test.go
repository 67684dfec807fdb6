package adaptertest

import (
	"context"
	"testing"

	"sidestream/adapters"
)

func replayFaults() []partitionFault {
	const all = "replay replay-stop replay-lost merge before grow"
	events, states := new(Partitions), &Partitions{States: true}
	return []partitionFault{
		{"cannot replay", events, func(_ testing.TB, u *Upstream, _ *topic) {
			faultyOpen(u, func(f adapters.Factory, vars adapters.Vars) (adapters.Source, error) {
				src, err := f.Open(vars, adapters.Env{})
				if err != nil {
					return nil, err
				}
				return seeking{src.Run, src.(adapters.Seeker).Seek}, nil
			})
		}, all},
		{"is partitioned but has no order", events, func(_ testing.TB, u *Upstream, _ *topic) {
			faultyCapabilities(u, func(c *adapters.Capabilities) { c.Compare = nil })
		}, all},
		{"is partitioned but knows nothing before", events, func(_ testing.TB, u *Upstream, _ *topic) {
			faultyCapabilities(u, func(c *adapters.Capabilities) { c.Before = nil })
		}, all},
		{"does not replay the last", events, func(_ testing.TB, u *Upstream, _ *topic) {
			faultyReplayed(u, func(_, until adapters.Position, e *adapters.Event) bool { return e.Position != until })
		}, "replay replay-stop merge before grow"},
		{"replays what one has", events, func(_ testing.TB, u *Upstream, p *topic) {
			faultyReplay(u, func(next replayFunc) replayFunc {
				return func(ctx context.Context, after, until adapters.Position, emit emitFunc) error {
					if before, ok := p.before(after); ok {
						after = before
					}
					return next(ctx, after, until, emit)
				}
			})
		}, "replay replay-stop replay-lost merge grow"},
		{"replays one twice", states, func(_ testing.TB, u *Upstream, _ *topic) {
			faultyReplay(u, func(next replayFunc) replayFunc {
				return func(ctx context.Context, after, until adapters.Position, emit emitFunc) error {
					return next(ctx, after, until, func(e adapters.Event) error {
						if at(e, 3) {
							if err := emit(clone(e)); err != nil {
								return err
							}
						}
						return emit(e)
					})
				}
			})
		}, "replay replay-stop merge before grow"},
		{"says that a replay is live", events, func(_ testing.TB, u *Upstream, _ *topic) {
			faultyReplay(u, func(next replayFunc) replayFunc {
				return func(ctx context.Context, after, until adapters.Position, emit emitFunc) error {
					if err := next(ctx, after, until, emit); err != nil {
						return err
					}
					return emit(adapters.Event{Live: true, Position: until})
				}
			})
		}, "replay replay-stop replay-lost merge before grow"},
		{"replays at the end", events, func(_ testing.TB, u *Upstream, _ *topic) {
			faultyReplayed(u, func(_, until adapters.Position, e *adapters.Event) bool {
				e.Position = until
				return true
			})
		}, "replay replay-stop replay-lost merge grow"},
		{"replays at no place", events, func(_ testing.TB, u *Upstream, _ *topic) {
			faultyReplayed(u, func(_, _ adapters.Position, e *adapters.Event) bool {
				e.Position = ""
				return true
			})
		}, "replay replay-stop replay-lost merge before grow"},
		{"replays behind the end", events, func(_ testing.TB, u *Upstream, p *topic) {
			faultyReplayed(u, func(_, _ adapters.Position, e *adapters.Event) bool {
				v, _ := p.parse(e.Position)
				e.Position = p.position(vector{v.incarnation, v.behind, []int{100 + v.of(0), 100 + v.of(1), 100 + v.of(2)}})
				return true
			})
		}, "replay replay-stop replay-lost merge before grow"},
		{"replays from the end of all", events, func(_ testing.TB, u *Upstream, p *topic) {
			faultyReplay(u, func(next replayFunc) replayFunc {
				return func(ctx context.Context, after, until adapters.Position, emit emitFunc) error {
					return next(ctx, after, until, func(e adapters.Event) error {
						if v, ok := p.parse(e.Position); ok {
							v.next = append([]int(nil), v.next...)
							p.mu.Lock()
							v.next[(v.behind+1)%3] = p.logs[(v.behind+1)%3].end() // at hand, but not delivered
							p.mu.Unlock()
							e.Position = p.position(v)
						}
						return emit(e)
					})
				}
			})
		}, "replay replay-stop replay-lost merge before grow"},
		{"does not stop to replay", events, func(_ testing.TB, u *Upstream, _ *topic) {
			faultyReplay(u, func(next replayFunc) replayFunc {
				return func(ctx context.Context, after, until adapters.Position, emit emitFunc) error {
					if err := next(ctx, after, until, emit); err != nil {
						return err
					}
					<-ctx.Done()
					return ctx.Err()
				}
			})
		}, "replay replay-stop replay-lost merge before grow"},
		{"replays nothing from the start", &Partitions{Oldest: true}, func(_ testing.TB, u *Upstream, _ *topic) {
			faultyReplayed(u, func(after, _ adapters.Position, _ *adapters.Event) bool { return after != "" })
		}, "replay"},
		{"replays from the oldest, but starts at the end", events, func(_ testing.TB, u *Upstream, p *topic) {
			faultyReplay(u, func(next replayFunc) replayFunc {
				return func(ctx context.Context, after, until adapters.Position, emit emitFunc) error {
					if after == "" {
						after = p.At(-1)
					}
					return next(ctx, after, until, emit)
				}
			})
		}, "replay"},
		{"replays what comes meanwhile", events, func(_ testing.TB, u *Upstream, p *topic) {
			faultyReplay(u, func(next replayFunc) replayFunc {
				return func(ctx context.Context, after, until adapters.Position, emit emitFunc) error {
					began := p.published()
					if err := next(ctx, after, until, emit); err != nil || p.published() == began {
						return err
					}
					return next(ctx, until, p.end(), emit)
				}
			})
		}, "replay"},
		{"replays nothing up to a notice", states, func(_ testing.TB, u *Upstream, p *topic) {
			faultyReplayed(u, func(_, until adapters.Position, _ *adapters.Event) bool {
				v, _ := p.parse(until)
				return v.behind >= 0
			})
		}, "replay"},
	}
}
