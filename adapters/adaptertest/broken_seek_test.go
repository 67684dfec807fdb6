package adaptertest

import (
	"context"
	"errors"
	"testing"
	"time"

	"sidestream/adapters"
)

type seekFunc func(ctx context.Context, t time.Time) (adapters.Position, error)

// Seek makes a function an [adapters.Seeker].
func (f seekFunc) Seek(ctx context.Context, t time.Time) (adapters.Position, error) { return f(ctx, t) }

func seekFaults() []fault {
	return []fault{
		{"seeks behind the event of the time", Replayable, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyTime(u, func(t time.Time) time.Time { return t.Add(time.Nanosecond) })
		}, "seek"},
		{"seeks before what is earlier", Replayable, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyTime(u, func(t time.Time) time.Time { return t.Truncate(time.Second) })
		}, "seek"},
		{"seeks the end if all is later", Bucket, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyTime(u, func(t time.Time) time.Time {
				if t.Unix() == 0 {
					return t.AddDate(1000, 0, 0)
				}
				return t
			})
		}, "seek"},
		{"seeks the oldest if all is earlier", Replayable, func(_ testing.TB, u *Upstream, l *Log) {
			faultyPlace(u, func(place adapters.Position) adapters.Position {
				l.mu.Lock()
				defer l.mu.Unlock()
				if place == l.position(l.end()) {
					return l.position(0)
				}
				return place
			})
		}, "seek"},
		{"seeks what it has forgotten", Replayable, func(_ testing.TB, u *Upstream, l *Log) {
			faultyPlace(u, func(place adapters.Position) adapters.Position {
				l.mu.Lock()
				defer l.mu.Unlock()
				if place == l.position(l.expired) {
					return l.position(0)
				}
				return place
			})
		}, "seek"},
		{"has no place on an empty upstream", Bucket, func(_ testing.TB, u *Upstream, l *Log) {
			faultyPlace(u, func(place adapters.Position) adapters.Position {
				if numberAfter(l, place) == 0 {
					return ""
				}
				return place
			})
		}, "seek"},
		{"cannot seek", Replayable, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyOpen(u, func(f adapters.Factory, vars adapters.Vars) (adapters.Source, error) {
				src, err := f.Open(vars, adapters.Env{})
				if err != nil {
					return nil, err
				}
				return runFunc(src.Run), nil
			})
		}, "seek seek-error"},
		{"does not date events", Replayable, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEvent(u, func(_ adapters.Position, e *adapters.Event) bool {
				e.Time = time.Time{}
				return true
			})
		}, "seek"},
		{"dates all events alike", Replayable, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEvent(u, func(_ adapters.Position, e *adapters.Event) bool {
				e.Time = time.Unix(1, 0)
				return true
			})
		}, "seek"},
		{"seeks but does not say that it replays", Replayable, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyCapabilities(u, func(c *adapters.Capabilities) { c.Replayable = false })
		}, "seek lost-malformed"},
		{"seeks when it should give up", Replayable, func(_ testing.TB, u *Upstream, _ *Log) {
			faultySeek(u, func(next seekFunc) seekFunc {
				return func(ctx context.Context, t time.Time) (adapters.Position, error) {
					if ctx.Err() != nil {
						ctx = context.WithoutCancel(ctx)
					}
					return next(ctx, t)
				}
			})
		}, "seek-error"},
		{"gets stuck when it seeks", Replayable, func(_ testing.TB, u *Upstream, l *Log) {
			faultySeek(u, func(next seekFunc) seekFunc {
				return func(ctx context.Context, t time.Time) (adapters.Position, error) {
					if l.isStalled() {
						<-time.After(2 * patience)
					}
					return next(ctx, t)
				}
			})
		}, "seek-error"},
		{"finds a place on an upstream that fails", Bucket, func(_ testing.TB, u *Upstream, l *Log) {
			faultySeek(u, func(next seekFunc) seekFunc {
				return func(ctx context.Context, t time.Time) (adapters.Position, error) {
					place, err := next(ctx, t)
					if errors.As(err, new(*adapters.UpstreamError)) {
						return l.position(0), nil
					}
					return place, err
				}
			})
		}, "seek-error"},
		{"gives up for good when it cannot seek", Replayable, func(_ testing.TB, u *Upstream, _ *Log) {
			faultySeek(u, func(next seekFunc) seekFunc {
				return func(ctx context.Context, t time.Time) (adapters.Position, error) {
					place, err := next(ctx, t)
					if errors.As(err, new(*adapters.UpstreamError)) {
						err = adapters.Permanent("cannot seek", err)
					}
					return place, err
				}
			})
		}, "seek-error"},
	}
}

// faultySeek wraps Seek. wrap is called once for each source.
func faultySeek(u *Upstream, wrap func(next seekFunc) seekFunc) {
	faultySource(u, func(run runFunc, seek seekFunc) adapters.Source { return seeking{run, wrap(seek)} })
}

// faultyTime changes the time that Seek is given.
func faultyTime(u *Upstream, change func(time.Time) time.Time) {
	faultySeek(u, func(next seekFunc) seekFunc {
		return func(ctx context.Context, t time.Time) (adapters.Position, error) { return next(ctx, change(t)) }
	})
}

// faultyPlace changes what Seek returns.
func faultyPlace(u *Upstream, change func(adapters.Position) adapters.Position) {
	faultySeek(u, func(next seekFunc) seekFunc {
		return func(ctx context.Context, t time.Time) (adapters.Position, error) {
			place, err := next(ctx, t)
			if err != nil {
				return "", err
			}
			return change(place), nil
		}
	})
}
