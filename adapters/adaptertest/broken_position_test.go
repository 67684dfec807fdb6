package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sidestream/adapters"
)

func positionFaults() []fault {
	return []fault{
		{"has positions that no client returns", Replayable, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEmit(u, func(_ adapters.Position, emit emitFunc) emitFunc {
				return func(e adapters.Event) error {
					if !e.Live && e.Gap == nil {
						e.Position += "\té"
					}
					return emit(e)
				}
			})
			faultyAfter(u, func(after adapters.Position) adapters.Position {
				return adapters.Position(strings.TrimSuffix(string(after), "\té"))
			})
		}, "positions compare"},
		{"leaves out a position", Stateful, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEmit(u, func(_ adapters.Position, emit emitFunc) emitFunc {
				return func(e adapters.Event) error {
					if at(e, 2) {
						e.Position = ""
					}
					return emit(e)
				}
			})
		}, "positions"},
		{"gives two events one position", Replayable, func(_ testing.TB, u *Upstream, l *Log) {
			faultyEmit(u, func(_ adapters.Position, emit emitFunc) emitFunc {
				return func(e adapters.Event) error {
					if at(e, 4) {
						e.Position = l.position(3)
					}
					return emit(e)
				}
			})
		}, "positions exclusive compare lost-expired"},
		{"gives a step the position of the state before it", Stateful, func(_ testing.TB, u *Upstream, l *Log) {
			faultyEmit(u, before(3, adapters.Event{Position: l.position(2)}))
		}, "positions compare"},
		{"gives a step the position of the state that it leads to", Stateful, func(_ testing.TB, u *Upstream, l *Log) {
			faultyEmit(u, before(3, adapters.Event{Position: l.position(3)}))
		}, "positions compare"},
		{"has positions that it does not declare", Positionless, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEmit(u, func(_ adapters.Position, emit emitFunc) emitFunc {
				return func(e adapters.Event) error {
					e.Position = "here"
					return emit(e)
				}
			})
		}, "positions overflow"},
		{"is replayable without positions", Replayable, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyCapabilities(u, func(c *adapters.Capabilities) { c.Positions = false })
		}, "positions overflow compare"},
		{"begins with the event of the position", Replayable, func(_ testing.TB, u *Upstream, l *Log) {
			faultyEmit(u, func(after adapters.Position, emit emitFunc) emitFunc {
				n := numberAfter(l, after)
				return func(e adapters.Event) error {
					if n > 0 {
						_ = emit(adapters.Event{Position: after, Data: fmt.Append(nil, n)})
						n = 0
					}
					return emit(e)
				}
			})
		}, "exclusive live overflow seek lost-expired"},
		{"sends a state again", Stateful, func(_ testing.TB, u *Upstream, l *Log) {
			faultyAfter(u, func(after adapters.Position) adapters.Position {
				if numberAfter(l, after) > 0 {
					return l.position(0)
				}
				return after
			})
		}, "exclusive"},
		{"skips an event when it resumes", Replayable, func(_ testing.TB, u *Upstream, l *Log) {
			faultyEmit(u, func(after adapters.Position, emit emitFunc) emitFunc {
				skip := numberAfter(l, after) == 3
				return func(e adapters.Event) error {
					if skip && !e.Live {
						skip = false
						return nil
					}
					return emit(e)
				}
			})
		}, "resume live seek lost-expired"},
	}
}

func lostFaults() []fault {
	return []fault{
		{"starts anywhere after a malformed position", Replayable, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyAfter(u, func(after adapters.Position) adapters.Position {
				if strings.HasPrefix(string(after), "log") {
					return after
				}
				return ""
			})
		}, "lost-malformed"},
		{"returns any error after a malformed position", Positionless, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyLoss(u, adapters.LostUnknown, func(*adapters.PositionLostError) error {
				return errors.New("malformed position")
			})
		}, "lost-malformed"},
		{"has no way on after a malformed position", Replayable, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyLoss(u, adapters.LostUnknown, func(lost *adapters.PositionLostError) error {
				lost.Resume = ""
				return lost
			})
		}, "lost-malformed lost-foreign"},
		{"skips what there is after a malformed position", Replayable, func(_ testing.TB, u *Upstream, l *Log) {
			faultyLoss(u, adapters.LostUnknown, func(lost *adapters.PositionLostError) error {
				lost.Resume = l.position(1)
				return lost
			})
		}, "lost-malformed lost-foreign"},
		{"loses a malformed position though it has state", Stateful, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyRun(u, func(next runFunc) runFunc {
				return func(ctx context.Context, after adapters.Position, emit emitFunc) error {
					if after != "" && !strings.HasPrefix(string(after), "log") {
						return &adapters.PositionLostError{Reason: adapters.LostUnknown, Lost: -1}
					}
					return next(ctx, after, emit)
				}
			})
		}, "lost-malformed"},
		{"takes the positions of others for its own", Replayable, func(_ testing.TB, u *Upstream, l *Log) {
			faultyAfter(u, func(after adapters.Position) adapters.Position {
				if name, rest, ok := strings.Cut(string(after), "."); ok && strings.HasPrefix(name, "log") {
					return adapters.Position(l.Name + "." + rest)
				}
				return after
			})
		}, "lost-foreign"},
		{"jumps to what has not expired", Replayable, jumpsToWhatIsLeft, "lost-expired"},
		{"counts what has expired wrongly", Replayable, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyLoss(u, adapters.LostExpired, func(lost *adapters.PositionLostError) error {
				lost.Lost++
				return lost
			})
		}, "lost-expired"},
		{"does not say that it has expired", Bucket, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyLoss(u, adapters.LostExpired, func(lost *adapters.PositionLostError) error {
				lost.Reason = adapters.LostUnknown
				return lost
			})
		}, "lost-expired"},
		{"does not say that it was recreated", Bucket, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyLoss(u, adapters.LostRecreated, func(lost *adapters.PositionLostError) error {
				lost.Reason = adapters.LostUnknown
				return lost
			})
		}, "lost-recreated"},
		{"cannot tell a recreated upstream", Replayable, func(_ testing.TB, u *Upstream, l *Log) {
			faultyAfter(u, func(after adapters.Position) adapters.Position {
				if n := numberAfter(l, after); n > 0 {
					l.mu.Lock()
					defer l.mu.Unlock()
					return l.position(n)
				}
				return after
			})
		}, "lost-recreated"},
	}
}

func failureFaults() []fault {
	return []fault{
		{"tries again by itself", Replayable, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyRun(u, func(next runFunc) runFunc {
				return func(ctx context.Context, after adapters.Position, emit emitFunc) error {
					for {
						err := next(ctx, after, emit)
						var failed *adapters.UpstreamError
						if !errors.As(err, &failed) || failed.Permanent {
							return err
						}
						select {
						case <-time.After(time.Second):
						case <-ctx.Done():
							return ctx.Err()
						}
					}
				}
			})
		}, "failure recovery reason"},
		{"takes a failure for the end", Stateful, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyFailure(u, func(failed *adapters.UpstreamError) error {
				if !failed.Permanent {
					return nil
				}
				return failed
			})
		}, "failure"},
		{"takes a failure for permanent", Positionless, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyFailure(u, func(failed *adapters.UpstreamError) error {
				return adapters.Permanent(failed.Reason, failed.Err)
			})
		}, "failure"},
		{"does not recover", Positionless, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyRun(u, func(next runFunc) runFunc {
				var failed error
				return func(ctx context.Context, after adapters.Position, emit emitFunc) error {
					if failed != nil {
						return failed
					}
					err := next(ctx, after, emit)
					if ctx.Err() == nil && errors.As(err, new(*adapters.UpstreamError)) {
						failed = err
					}
					return err
				}
			})
		}, "recovery"},
		{"tells clients the address", Replayable, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyFailure(u, func(failed *adapters.UpstreamError) error {
				return &adapters.UpstreamError{Reason: failed.Error(), Permanent: failed.Permanent}
			})
		}, "reason"},
		{"takes what is permanent for a failure that may pass", Stateful, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyFailure(u, func(failed *adapters.UpstreamError) error {
				return adapters.Transient(failed.Reason, failed.Err)
			})
		}, "permanent"},
		{"takes the end for a failure", Replayable, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyError(u, func(_ context.Context, err error) error {
				if err == nil {
					return errors.New("the stream was closed")
				}
				return err
			})
		}, "end"},
	}
}

// faultyLoss changes the error that says that a position was lost for the
// given reason.
func faultyLoss(u *Upstream, reason adapters.LostReason, change func(*adapters.PositionLostError) error) {
	faultyError(u, func(_ context.Context, err error) error {
		var lost *adapters.PositionLostError
		if errors.As(err, &lost) && lost.Reason == reason {
			return change(lost)
		}
		return err
	})
}

// faultyFailure changes the error that says that the upstream has failed.
func faultyFailure(u *Upstream, change func(*adapters.UpstreamError) error) {
	faultyError(u, func(_ context.Context, err error) error {
		var failed *adapters.UpstreamError
		if errors.As(err, &failed) {
			return change(failed)
		}
		return err
	})
}

// numberAfter returns the number of the event that a position of l follows,
// in whichever incarnation, or 0.
func numberAfter(l *Log, after adapters.Position) int {
	var incarnation, n int
	if _, err := fmt.Sscanf(string(after), l.Name+".%d.%d", &incarnation, &n); err != nil {
		return 0
	}
	return n
}
