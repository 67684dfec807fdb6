package adaptertest

import (
	"context"
	"testing"

	"sidestream/adapters"
)

// A partitionFault makes a source of partitions break a promise. Its fields
// are those of a fault.
type partitionFault struct {
	name   string
	form   *Partitions
	inject func(tb testing.TB, u *Upstream, p *topic)
	fails  string
}

func (f partitionFault) broken() broken {
	return broken{f.name, f.fails, partitionsHarness(f.form), func(tb testing.TB, made int) *Upstream {
		tb.Helper()
		p := newTopic(f.form, made)
		u := p.upstream()
		f.inject(tb, u, p)
		return u
	}}
}

type replayFunc func(ctx context.Context, after, until adapters.Position, emit emitFunc) error

// Replay makes a function an [adapters.Replayer].
func (f replayFunc) Replay(ctx context.Context, after, until adapters.Position, emit func(adapters.Event) error) error {
	return f(ctx, after, until, emit)
}

// faultyReplay wraps Replay. wrap is called once for each source.
func faultyReplay(u *Upstream, wrap func(next replayFunc) replayFunc) {
	faultyOpen(u, func(f adapters.Factory, vars adapters.Vars) (adapters.Source, error) {
		src, err := f.Open(vars, adapters.Env{})
		if err != nil {
			return nil, err
		}
		return replaying{seeking{src.Run, src.(adapters.Seeker).Seek}, wrap(src.(adapters.Replayer).Replay)}, nil
	})
}

// faultyReplayed changes the events of a Replay, or loses those for which
// change is false.
func faultyReplayed(u *Upstream, change func(after, until adapters.Position, e *adapters.Event) bool) {
	faultyReplay(u, func(next replayFunc) replayFunc {
		return func(ctx context.Context, after, until adapters.Position, emit emitFunc) error {
			return next(ctx, after, until, func(e adapters.Event) error {
				if !change(after, until, &e) {
					return nil
				}
				return emit(e)
			})
		}
	})
}

// faultyReplayError changes the error that Replay returns.
func faultyReplayError(u *Upstream, change func(ctx context.Context, err error) error) {
	faultyReplay(u, func(next replayFunc) replayFunc {
		return func(ctx context.Context, after, until adapters.Position, emit emitFunc) error {
			return change(ctx, next(ctx, after, until, emit))
		}
	})
}

// published returns the last number that was published.
func (t *topic) published() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last
}

// end returns the place behind all events.
func (t *topic) end() adapters.Position {
	t.Partitions.mu.Lock()
	ends := t.ends()
	t.Partitions.mu.Unlock()
	return t.At(-1, ends...)
}

func growFaults() []partitionFault {
	events := new(Partitions)
	// later reports whether e is of a partition that was added, and its first.
	first := func(p *topic, e adapters.Event) bool {
		v, ok := p.parse(e.Position)
		return ok && v.behind > 2 && v.of(v.behind) == 1
	}
	return []partitionFault{
		{"begins a new partition behind its first", events, func(_ testing.TB, u *Upstream, p *topic) {
			faultyEvent(u, func(after adapters.Position, e *adapters.Event) bool { return after != "" || !first(p, *e) })
		}, "grow"},
		{"begins a new partition at its end from an old place", &Partitions{States: true}, func(_ testing.TB, u *Upstream, p *topic) {
			faultyEvent(u, func(after adapters.Position, e *adapters.Event) bool { return after == "" || !first(p, *e) })
		}, "grow"},
		{"does not replay a new partition", events, func(_ testing.TB, u *Upstream, p *topic) {
			faultyReplayed(u, func(_, _ adapters.Position, e *adapters.Event) bool { return !first(p, *e) })
		}, "grow"},
	}
}
