package adaptertest

import (
	"context"
	"errors"
	"testing"

	"sidestream/adapters"
)

func overflowFaults() []fault {
	return []fault{
		{"loses events in silence", Positionless, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEvent(u, func(_ adapters.Position, e *adapters.Event) bool { return e.Gap == nil })
		}, "overflow"},
		{"counts what it has lost wrongly", Positionless, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyGap(u, func(e *adapters.Event) { e.Gap.Lost++ })
		}, "overflow"},
		{"does not count what it has lost", Positionless, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyGap(u, func(e *adapters.Event) { e.Gap.Lost = -1 })
		}, "overflow"},
		{"does not say why it has lost something", Positionless, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyGap(u, func(e *adapters.Event) { e.Gap.Reason = adapters.LostUnknown })
		}, "overflow"},
		{"says too late what it has lost", Positionless, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEmit(u, func(_ adapters.Position, emit emitFunc) emitFunc {
				var held *adapters.Event
				return func(e adapters.Event) error {
					if e.Gap != nil {
						held = &e
						return nil
					}
					err := emit(e)
					if held != nil && err == nil {
						err = emit(*held)
						held = nil
					}
					return err
				}
			})
		}, "overflow"},
		{"says too early what it will have lost", Positionless, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEvent(u, func(_ adapters.Position, e *adapters.Event) bool {
				if e.Gap != nil && e.Gap.Lost == 3 {
					e.Gap.Lost += 2
					return true
				}
				return e.Gap == nil
			})
		}, "overflow"},
		{"delivers late what it has said is lost", Positionless, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEmit(u, afterGap(7, adapters.Event{Data: []byte("3")}))
		}, "overflow"},
		{"says again at the end what it has lost", Positionless, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEmit(u, afterGap(15, adapters.Event{Gap: &adapters.Gap{Reason: adapters.LostOverflow, Lost: 5}}))
		}, "overflow"},
		{"gives up when it has lost something", Positionless, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEmit(u, func(_ adapters.Position, emit emitFunc) emitFunc {
				return func(e adapters.Event) error {
					if e.Gap != nil {
						return errors.New("buffer overflow")
					}
					return emit(e)
				}
			})
		}, "overflow"},
		{"falls silent when it has lost something", Positionless, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEmit(u, func(_ adapters.Position, emit emitFunc) emitFunc {
				var silent bool
				return func(e adapters.Event) error {
					if silent {
						return nil
					}
					silent = e.Gap != nil
					return emit(e)
				}
			})
		}, "overflow"},
		{"goes on at another place than it says", Replayable, func(_ testing.TB, u *Upstream, l *Log) {
			faultyGap(u, func(e *adapters.Event) { e.Position = l.position(1) })
		}, "overflow"},
		{"gives a notice a position that no client returns", Replayable, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyGap(u, func(e *adapters.Event) { e.Position = "\n" })
		}, "overflow"},
		{"announces a loss where there is none", Replayable, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEmit(u, before(20, adapters.Event{Gap: &adapters.Gap{Reason: adapters.LostOverflow, Lost: 1}}))
		}, "order slow-emit"},
		{"loses nothing", Positionless, func(_ testing.TB, u *Upstream, _ *Log) {
			u.Overflow = func(ctx context.Context, first int) (int, error) { return first, u.Publish(ctx, first) }
		}, "overflow"},
	}
}

// faultyGap changes Gap notices.
func faultyGap(u *Upstream, change func(e *adapters.Event)) {
	faultyEvent(u, func(_ adapters.Position, e *adapters.Event) bool {
		if e.Gap != nil {
			change(e)
		}
		return true
	})
}

// afterGap emits event behind number n in a Run that has lost something.
func afterGap(n int, event adapters.Event) func(adapters.Position, emitFunc) emitFunc {
	return func(_ adapters.Position, emit emitFunc) emitFunc {
		var lossy bool
		return func(e adapters.Event) error {
			lossy = lossy || e.Gap != nil
			err := emit(e)
			if lossy && err == nil && at(e, n) {
				err = emit(event)
			}
			return err
		}
	}
}
