package adaptertest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"sidestream/adapters"
)

func keyFaults() []fault {
	return []fault{
		{"gives an event another key", Bucket, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEvent(u, func(_ adapters.Position, e *adapters.Event) bool {
				if at(*e, 4) {
					e.Key = "another"
				}
				return true
			})
		}, "keys"},
		{"deletes a key that is there", Bucket, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEmit(u, before(20, adapters.Event{Key: key(20), State: &adapters.State{Gone: true}}))
		}, "order slow-emit"},
		{"leaves out a state that was replaced while it runs", Bucket, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEvent(u, func(_ adapters.Position, e *adapters.Event) bool { return !at(*e, 20) })
		}, "order slow-emit"},
		{"leaves out the newest state of a key when it resumes", Bucket, func(_ testing.TB, u *Upstream, l *Log) {
			faultyEvent(u, func(after adapters.Position, e *adapters.Event) bool {
				return numberAfter(l, after) != 3 || !at(*e, 4)
			})
		}, "resume live deletion seek"},
		{"begins with states that were replaced", Bucket, func(_ testing.TB, u *Upstream, l *Log) {
			faultyBeginning(u, l, func(events []adapters.Event) []adapters.Event { return events })
		}, "state deletion"},
		{"begins without the state of a key", Bucket, func(_ testing.TB, u *Upstream, l *Log) {
			faultyBeginning(u, l, func(events []adapters.Event) []adapters.Event {
				return slices.DeleteFunc(newestOf(events), func(e adapters.Event) bool { return e.Key == key(1) || isGone(e) })
			})
		}, "state deletion"},
		{"begins with states in another order", Bucket, func(_ testing.TB, u *Upstream, l *Log) {
			faultyBeginning(u, l, func(events []adapters.Event) []adapters.Event {
				events = slices.DeleteFunc(newestOf(events), isGone)
				slices.Reverse(events)
				return events
			})
		}, "resume compare"},
		{"begins with deletions", Bucket, func(_ testing.TB, u *Upstream, l *Log) {
			faultyBeginning(u, l, newestOf)
		}, "deletion"},
		{"begins with a key that was deleted", Bucket, func(_ testing.TB, u *Upstream, l *Log) {
			faultyBeginning(u, l, func(events []adapters.Event) []adapters.Event {
				return newestOf(slices.DeleteFunc(events, isGone))
			})
		}, "deletion"},
		{"begins with the history of a key but for its end", Bucket, func(_ testing.TB, u *Upstream, l *Log) {
			u.History = true
			faultyBeginning(u, l, func(events []adapters.Event) []adapters.Event {
				return slices.DeleteFunc(events, isGone)
			})
		}, "deletion"},
		{"keeps quiet about a deletion", Bucket, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEvent(u, func(after adapters.Position, e *adapters.Event) bool { return after != "" || !isGone(*e) })
		}, "deletion"},
		{"keeps quiet about a deletion when it resumes", Bucket, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEvent(u, func(after adapters.Position, e *adapters.Event) bool { return after == "" || !isGone(*e) })
		}, "deletion"},
		{"repeats a deletion", Bucket, func(_ testing.TB, u *Upstream, l *Log) {
			faultyEmit(u, func(after adapters.Position, emit emitFunc) emitFunc {
				again := numberAfter(l, after) == few+1 // that of the deletion
				return func(e adapters.Event) error {
					if again {
						again = false
						if err := emit(adapters.Event{Position: after, Key: key(2), State: &adapters.State{Gone: true}}); err != nil {
							return err
						}
					}
					return emit(e)
				}
			})
		}, "deletion"},
		{"deletes a key before its last state", Bucket, func(_ testing.TB, u *Upstream, l *Log) {
			faultyEmit(u, func(after adapters.Position, emit emitFunc) emitFunc {
				return func(e adapters.Event) error {
					err := emit(e)
					if after != "" && isGone(e) && err == nil {
						last := adapters.NewState(l.position(few), "", []byte("5"))
						last.Key = e.Key
						err = emit(last)
					}
					return err
				}
			})
		}, "deletion"},
		{"deletes a key by an empty state", Bucket, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyDeletion(u, func(e *adapters.Event) { e.State.Gone = false })
		}, "deletion"},
		{"has a state of what is gone", Bucket, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyDeletion(u, func(e *adapters.Event) { e.State.Data = []byte("2") })
		}, "deletion"},
		{"deletes another key", Bucket, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyDeletion(u, func(e *adapters.Event) { e.Key = key(1) })
		}, "deletion"},
		{"deletes another key while it runs", Bucket, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEvent(u, func(after adapters.Position, e *adapters.Event) bool {
				if isGone(*e) && after == "" {
					e.Key = key(1)
				}
				return true
			})
		}, "deletion"},
		{"gives a deletion a position that no client returns", Bucket, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyDeletion(u, func(e *adapters.Event) { e.Position += "\té" })
			faultyAfter(u, func(after adapters.Position) adapters.Position {
				return adapters.Position(strings.TrimSuffix(string(after), "\té"))
			})
		}, "deletion"},
		{"gives two states one position", Bucket, func(_ testing.TB, u *Upstream, l *Log) {
			faultyEvent(u, func(_ adapters.Position, e *adapters.Event) bool {
				if at(*e, 4) {
					e.Position = l.position(3)
				}
				return true
			})
		}, "positions exclusive deletion compare lost-expired"},
		{"gives a deletion no position", Bucket, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyDeletion(u, func(e *adapters.Event) { e.Position = "" })
		}, "deletion"},
		{"goes on though the state of a key has expired", Bucket, jumpsToWhatIsLeft, "lost-expired"},
	}
}

// faultyDeletion changes events that delete a key.
func faultyDeletion(u *Upstream, change func(e *adapters.Event)) {
	faultyEvent(u, func(_ adapters.Position, e *adapters.Event) bool {
		if isGone(*e) {
			change(e)
		}
		return true
	})
}

func isGone(e adapters.Event) bool { return e.State != nil && e.State.Gone }

// faultyBeginning makes a Run without a position begin with those events at
// hand that choose returns.
func faultyBeginning(u *Upstream, l *Log, choose func(events []adapters.Event) []adapters.Event) {
	faultyRun(u, func(next runFunc) runFunc {
		return func(ctx context.Context, after adapters.Position, emit emitFunc) error {
			var events []adapters.Event
			l.mu.Lock()
			if after == "" && l.failure == nil && !l.stalled {
				for _, e := range l.events {
					events = append(events, clone(e))
				}
				after = l.position(l.end())
			}
			l.mu.Unlock()
			for _, e := range choose(events) {
				if err := emit(e); err != nil {
					return err
				}
			}
			return next(ctx, after, emit)
		}
	})
}

// newestOf returns the newest event of each key.
func newestOf(events []adapters.Event) []adapters.Event {
	var newest []adapters.Event
	for i, e := range events {
		if !slices.ContainsFunc(events[i+1:], func(later adapters.Event) bool { return later.Key == e.Key }) {
			newest = append(newest, e)
		}
	}
	return newest
}

// compacting makes the upstream drop states as soon as they are replaced.
func compacting(_ testing.TB, u *Upstream, l *Log) {
	publish := u.Publish
	u.Compacts = true
	u.Publish = func(ctx context.Context, i int) error {
		err := publish(ctx, i)
		l.Compact()
		return err
	}
}

// overcautious makes every position lost that is before something that has
// expired, even if all of that was replaced.
func overcautious(_ testing.TB, u *Upstream, l *Log) {
	faultyRun(u, func(next runFunc) runFunc {
		return func(ctx context.Context, after adapters.Position, emit emitFunc) error {
			l.mu.Lock()
			_, n, ok := l.parse(after)
			lost := ok && n < l.expired
			l.mu.Unlock()
			if lost {
				return l.lost(adapters.LostExpired, -1)
			}
			return next(ctx, after, emit)
		}
	})
}

// single publishes all numbers to the one key of a source without keys.
func single(_ testing.TB, u *Upstream, l *Log) {
	faultyCapabilities(u, func(c *adapters.Capabilities) { c.Keyed = false })
	u.Key = nil
	u.Publish = func(_ context.Context, i int) error {
		e := event(l, i)
		e.Key = ""
		l.Append(e)
		return nil
	}
	u.Delete = func(context.Context, int) error { l.Delete(""); return nil }
}

// jumpsToWhatIsLeft goes on where it can when a position has expired.
func jumpsToWhatIsLeft(_ testing.TB, u *Upstream, _ *Log) {
	faultyRun(u, func(next runFunc) runFunc {
		return func(ctx context.Context, after adapters.Position, emit emitFunc) error {
			err := next(ctx, after, emit)
			var lost *adapters.PositionLostError
			if errors.As(err, &lost) && lost.Reason == adapters.LostExpired {
				return next(ctx, lost.Resume, emit)
			}
			return err
		}
	})
}
