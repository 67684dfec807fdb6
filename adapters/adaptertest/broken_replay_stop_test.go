package adaptertest

import (
	"context"
	"errors"
	"testing"
	"time"

	"sidestream/adapters"
)

func replayStopFaults() []partitionFault {
	events := new(Partitions)
	return []partitionFault{
		{"replays although it is cancelled", events, func(_ testing.TB, u *Upstream, _ *topic) {
			faultyReplayError(u, func(_ context.Context, err error) error {
				if errors.Is(err, context.Canceled) {
					return nil
				}
				return err
			})
		}, "replay-stop"},
		{"replays on although emit failed", events, func(_ testing.TB, u *Upstream, _ *topic) {
			faultyReplay(u, func(next replayFunc) replayFunc {
				return func(ctx context.Context, after, until adapters.Position, emit emitFunc) error {
					var failed error
					err := next(ctx, after, until, func(e adapters.Event) error {
						if err := emit(e); err != nil {
							failed = err
						}
						return nil
					})
					return errors.Join(err, failed)
				}
			})
		}, "replay-stop"},
		{"replays with an error of its own", events, func(_ testing.TB, u *Upstream, _ *topic) {
			faultyReplayError(u, func(ctx context.Context, err error) error {
				if err != nil && ctx.Err() == nil && !errors.Is(err, adapters.ErrPositionLost) && !errors.As(err, new(*adapters.UpstreamError)) {
					return errors.New("replay failed")
				}
				return err
			})
		}, "replay-stop"},
		{"leaves something running when it replays", events, func(tb testing.TB, u *Upstream, _ *topic) {
			tb.Helper()
			over := make(chan struct{})
			tb.Cleanup(func() { close(over) })
			faultyReplay(u, func(next replayFunc) replayFunc {
				return func(ctx context.Context, after, until adapters.Position, emit emitFunc) error {
					go func() { <-over }()
					return next(ctx, after, until, emit)
				}
			})
		}, "replay-stop"},
		{"takes a failure for the end of a replay", events, func(_ testing.TB, u *Upstream, _ *topic) {
			faultyReplayError(u, func(_ context.Context, err error) error {
				if errors.As(err, new(*adapters.UpstreamError)) {
					return nil
				}
				return err
			})
		}, "replay-stop"},
		{"gets stuck when it replays", events, func(_ testing.TB, u *Upstream, p *topic) {
			faultyReplay(u, func(next replayFunc) replayFunc {
				return func(ctx context.Context, after, until adapters.Position, emit emitFunc) error {
					p.Partitions.mu.Lock()
					stalled := p.stalled
					p.Partitions.mu.Unlock()
					if stalled {
						<-time.After((prompt + patience) / 2)
					}
					return next(ctx, after, until, emit)
				}
			})
		}, "replay-stop"},
	}
}

func replayLostFaults() []partitionFault {
	unless := func(is func(*adapters.PositionLostError) bool, then func(*adapters.PositionLostError) error) func(testing.TB, *Upstream, *topic) {
		return func(_ testing.TB, u *Upstream, _ *topic) {
			faultyReplayError(u, func(_ context.Context, err error) error {
				var lost *adapters.PositionLostError
				if errors.As(err, &lost) && is(lost) {
					return then(lost)
				}
				return err
			})
		}
	}
	because := func(reason adapters.LostReason) func(*adapters.PositionLostError) bool {
		return func(lost *adapters.PositionLostError) bool { return lost.Reason == reason }
	}
	nothing := func(*adapters.PositionLostError) error { return nil }
	events := new(Partitions)
	return []partitionFault{
		{"replays nothing from a place that it does not know", events, unless(because(adapters.LostUnknown), nothing), "replay-lost"},
		{"replays nothing from a place that has expired", events, unless(because(adapters.LostExpired), nothing), "replay-lost"},
		{"replays nothing from another incarnation", &Partitions{States: true}, unless(because(adapters.LostRecreated), nothing), "replay-lost"},
		{"does not say where a replay can go on", events, unless(because(adapters.LostExpired), func(lost *adapters.PositionLostError) error {
			return &adapters.PositionLostError{Reason: lost.Reason, Lost: lost.Lost}
		}), "replay-lost"},
		{"replays what is left of what has expired", events, func(_ testing.TB, u *Upstream, _ *topic) {
			faultyReplay(u, func(next replayFunc) replayFunc {
				return func(ctx context.Context, after, until adapters.Position, emit emitFunc) error {
					err := next(ctx, after, until, emit)
					var lost *adapters.PositionLostError
					if errors.As(err, &lost) && lost.Reason == adapters.LostExpired {
						return next(ctx, lost.Resume, until, emit)
					}
					return err
				}
			})
		}, "replay-lost"},
	}
}
