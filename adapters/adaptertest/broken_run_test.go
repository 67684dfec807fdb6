package adaptertest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"sidestream/adapters"
)

func emitFaults() []fault {
	return []fault{
		{"calls emit twice at once", Replayable, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEmit(u, func(_ adapters.Position, emit emitFunc) emitFunc {
				return func(e adapters.Event) error {
					var both sync.WaitGroup
					defer both.Wait()
					if at(e, few+2) {
						both.Go(func() { _ = emit(adapters.Event{Live: true}) })
					}
					return emit(e)
				}
			})
		}, "serial"},
		{"calls emit when Run has returned", Positionless, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyRun(u, func(next runFunc) runFunc {
				var former emitFunc
				return func(ctx context.Context, after adapters.Position, emit emitFunc) error {
					if former != nil {
						_ = former(adapters.Event{Live: true})
					}
					former = emit
					return next(ctx, after, emit)
				}
			})
		}, "late"},
		{"goes on when emit fails", Replayable, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEmit(u, func(_ adapters.Position, emit emitFunc) emitFunc {
				return func(e adapters.Event) error {
					if e.Live {
						return emit(e)
					}
					_ = emit(e)
					return nil
				}
			})
		}, "emit-error"},
		{"goes on when emit fails on a notice", Replayable, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEmit(u, func(_ adapters.Position, emit emitFunc) emitFunc {
				return func(e adapters.Event) error {
					if !e.Live {
						return emit(e)
					}
					_ = emit(e)
					return nil
				}
			})
		}, "emit-error late"},
		{"returns an error of its own when emit fails", Stateful, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyError(u, func(ctx context.Context, err error) error {
				if ctx.Err() == nil && err != nil && err.Error() == "stop" {
					return errors.New("emit has failed")
				}
				return err
			})
		}, "emit-error"},
		{"uses a buffer again", Replayable, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEmit(u, func(_ adapters.Position, emit emitFunc) emitFunc {
				var buffer []byte
				return func(e adapters.Event) error {
					buffer = append(buffer[:0], e.Data...)
					e.Data = buffer
					return emit(e)
				}
			})
		}, "keep"},
		{"hands out what it keeps", Replayable, func(_ testing.TB, u *Upstream, _ *Log) {
			var mu sync.Mutex
			kept := make(map[adapters.Position]adapters.Event)
			faultyEmit(u, func(_ adapters.Position, emit emitFunc) emitFunc {
				return func(e adapters.Event) error {
					mu.Lock()
					if old, ok := kept[e.Position]; ok && !e.Live {
						e = old
					} else if !e.Live {
						kept[e.Position] = e
					}
					mu.Unlock()
					return emit(e)
				}
			})
		}, "own"},
	}
}

func runFaults() []fault {
	return []fault{
		{"returns nil when cancelled", Replayable, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyError(u, func(_ context.Context, err error) error {
				if errors.Is(err, context.Canceled) {
					return nil
				}
				return err
			})
		}, "cancel"},
		{"takes its time when cancelled", Stateful, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyError(u, func(ctx context.Context, err error) error {
				if ctx.Err() != nil {
					<-time.After((prompt + patience) / 2)
				}
				return err
			})
		}, "cancel"},
		{"does not listen while it connects", Positionless, func(_ testing.TB, u *Upstream, l *Log) {
			faultyRun(u, func(next runFunc) runFunc {
				return func(ctx context.Context, after adapters.Position, emit emitFunc) error {
					if l.isStalled() {
						<-time.After((prompt + patience) / 2)
					}
					return next(ctx, after, emit)
				}
			})
		}, "cancel"},
		{"leaves a goroutine behind", Positionless, func(tb testing.TB, u *Upstream, _ *Log) {
			tb.Helper()
			over := make(chan struct{})
			tb.Cleanup(func() { close(over) })
			faultyRun(u, func(next runFunc) runFunc {
				return func(ctx context.Context, after adapters.Position, emit emitFunc) error {
					go func() { <-over }()
					return next(ctx, after, emit)
				}
			})
		}, "leak"},
		{"forgets what came between two Runs", Replayable, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyRun(u, func(next runFunc) runFunc {
				var mu sync.Mutex
				var newest adapters.Position
				return func(ctx context.Context, after adapters.Position, emit emitFunc) error {
					mu.Lock()
					if after == newest {
						after = "" // as if it had never been away
					}
					mu.Unlock()
					last := after
					err := next(ctx, after, func(e adapters.Event) error {
						if !e.Live {
							last = e.Position
						}
						return emit(e)
					})
					mu.Lock()
					newest = last
					mu.Unlock()
					return err
				}
			})
		}, "again"},
		{"counts from the start when run again", Positionless, func(_ testing.TB, u *Upstream, _ *Log) {
			*u = Upstream{Vars: u.Vars, Number: u.Number}
			u.Factory = faulty{nil, adapters.Capabilities{}, func(vars adapters.Vars, _ adapters.Env) (adapters.Source, error) {
				if _, err := vars.Segment("user"); err != nil {
					return nil, err
				}
				return runFunc(func(ctx context.Context, after adapters.Position, emit emitFunc) error {
					return new(counter).Run(ctx, after, emit)
				}), nil
			}}
		}, "again"},
		{"serves the latest Run only", Replayable, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyRun(u, func(next runFunc) runFunc {
				var mu sync.Mutex
				var latest int
				return func(ctx context.Context, after adapters.Position, emit emitFunc) error {
					mu.Lock()
					latest++
					this := latest
					mu.Unlock()
					return next(ctx, after, func(e adapters.Event) error {
						mu.Lock()
						superseded := this != latest
						mu.Unlock()
						if superseded {
							return nil
						}
						return emit(e)
					})
				}
			})
		}, "concurrent"},
	}
}

func openFaults() []fault {
	return []fault{
		{"connects when it is opened", Replayable, func(_ testing.TB, u *Upstream, l *Log) {
			faultyOpen(u, func(f adapters.Factory, vars adapters.Vars) (adapters.Source, error) {
				l.mu.Lock()
				defer l.mu.Unlock()
				if l.failure != nil {
					return nil, l.failure
				}
				return f.Open(vars, adapters.Env{})
			})
		}, "open"},
		{"waits for an answer when it is opened", Stateful, func(_ testing.TB, u *Upstream, l *Log) {
			faultyOpen(u, func(f adapters.Factory, vars adapters.Vars) (adapters.Source, error) {
				if l.isStalled() {
					<-time.After(patience)
				}
				return f.Open(vars, adapters.Env{})
			})
		}, "open"},
		{"starts a goroutine when it is opened", Positionless, func(tb testing.TB, u *Upstream, _ *Log) {
			tb.Helper()
			over := make(chan struct{})
			tb.Cleanup(func() { close(over) })
			faultyOpen(u, func(f adapters.Factory, vars adapters.Vars) (adapters.Source, error) {
				go func() { <-over }()
				return f.Open(vars, adapters.Env{})
			})
		}, "open"},
		{"declares an Ingest that it does not have", Positionless, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyCapabilities(u, func(c *adapters.Capabilities) { c.Ingest = true })
		}, "ingest"},
		{"takes any variable", Replayable, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyOpen(u, func(f adapters.Factory, _ adapters.Vars) (adapters.Source, error) {
				return f.Open(nil, adapters.Env{})
			})
		}, "hostile"},
		{"refuses a variable without saying so", Replayable, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyOpen(u, func(f adapters.Factory, vars adapters.Vars) (adapters.Source, error) {
				src, err := f.Open(vars, adapters.Env{})
				if err != nil {
					return nil, errors.New("cannot open: " + err.Error())
				}
				return src, nil
			})
		}, "hostile"},
	}
}

func (l *Log) isStalled() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stalled
}
