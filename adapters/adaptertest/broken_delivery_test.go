package adaptertest

import (
	"testing"
	"time"

	"sidestream/adapters"
)

func deliveryFaults() []fault {
	return []fault{
		{"swaps two events", Replayable, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEmit(u, swapAt(20))
		}, "order slow-emit"},
		{"swaps two events of one key", Replayable, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyCapabilities(u, func(c *adapters.Capabilities) { c.Keyed = true })
			faultyEmit(u, swapAt(20))
		}, "order slow-emit"},
		{"loses an event", Replayable, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEmit(u, func(_ adapters.Position, emit emitFunc) emitFunc {
				return func(e adapters.Event) error {
					if at(e, 20) {
						return nil
					}
					return emit(e)
				}
			})
		}, "order slow-emit"},
		{"repeats an event", Positionless, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEmit(u, func(_ adapters.Position, emit emitFunc) emitFunc {
				return func(e adapters.Event) error {
					if at(e, 20) {
						_ = emit(e)
					}
					return emit(e)
				}
			})
		}, "order slow-emit"},
		{"drops an event when emit is slow", Replayable, dropWhenSlow, "slow-emit"},
		{"drops the last state when emit is slow", Stateful, dropWhenSlow, "slow-emit"},
		{"says live before it has caught up", Replayable, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEmit(u, func(after adapters.Position, emit emitFunc) emitFunc {
				begun := after == ""
				return func(e adapters.Event) error {
					if !begun {
						begun = true
						_ = emit(adapters.Event{Live: true})
					}
					return emit(e)
				}
			})
		}, "live"},
		{"says nothing when it has caught up", Replayable, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEmit(u, func(after adapters.Position, emit emitFunc) emitFunc {
				behind := false
				return func(e adapters.Event) error {
					if e.Live && behind {
						return nil
					}
					behind = after != ""
					return emit(e)
				}
			})
		}, "live exclusive compare seek"},
		{"does not say where it is live", Replayable, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEmit(u, liveAt(func(_, _ adapters.Position) adapters.Position { return "" }))
		}, "live"},
		{"says that it is live where it began", Replayable, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEmit(u, liveAt(func(after, _ adapters.Position) adapters.Position { return after }))
		}, "live compare"},
		{"says that it is live before the place", Replayable, func(_ testing.TB, u *Upstream, l *Log) {
			faultyEmit(u, liveAt(func(_, here adapters.Position) adapters.Position {
				return l.position(max(0, numberAfter(l, here)-1))
			}))
		}, "live compare"},
		{"says live in the middle of a change", Stateful, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEmit(u, before(3, adapters.Event{Data: []byte("step")}, adapters.Event{Live: true}))
		}, "state"},
		{"goes on with another key in the middle of a change", Stateful, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEmit(u, before(3, adapters.Event{Data: []byte("step")}, adapters.NewState("x", "other", []byte("0")), adapters.Event{Data: []byte("step")}))
			faultyEmit(u, keyOf("other"))
		}, "state compare"},
		{"starts with a step", Stateful, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEmit(u, before(1, adapters.Event{Data: []byte("step")}))
		}, "state"},
		{"leaves a change incomplete", Stateful, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEmit(u, func(_ adapters.Position, emit emitFunc) emitFunc {
				return func(e adapters.Event) error {
					err := emit(e)
					if at(e, few) && err == nil {
						err = emit(adapters.Event{Data: []byte("step")})
					}
					return err
				}
			})
		}, "state"},
		{"starts with a change", Stateful, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEmit(u, func(after adapters.Position, emit emitFunc) emitFunc {
				return func(e adapters.Event) error {
					if after == "" && !e.Live {
						e.Data = []byte("a change")
					}
					return emit(e)
				}
			})
		}, "state"},
		{"starts without the state that is there", Stateful, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEmit(u, func(after adapters.Position, emit emitFunc) emitFunc {
				live := after != ""
				return func(e adapters.Event) error {
					if live = live || e.Live; live {
						return emit(e)
					}
					return nil
				}
			})
		}, "state"},
		{"has a State that it does not declare", Positionless, func(_ testing.TB, u *Upstream, _ *Log) {
			faultyEmit(u, func(_ adapters.Position, emit emitFunc) emitFunc {
				return func(e adapters.Event) error {
					e.State = &adapters.State{Data: e.Data}
					return emit(e)
				}
			})
		}, "state"},
	}
}

// before emits events ahead of number n.
func before(n int, events ...adapters.Event) func(adapters.Position, emitFunc) emitFunc {
	return func(_ adapters.Position, emit emitFunc) emitFunc {
		return func(e adapters.Event) error {
			for i := 0; at(e, n) && i < len(events); i++ {
				if err := emit(events[i]); err != nil {
					return err
				}
			}
			return emit(e)
		}
	}
}

// keyOf gives events of a type a key of the same name.
func keyOf(typ string) func(adapters.Position, emitFunc) emitFunc {
	return func(_ adapters.Position, emit emitFunc) emitFunc {
		return func(e adapters.Event) error {
			if e.Type == typ {
				e.Key = typ
			}
			return emit(e)
		}
	}
}

// swapAt holds number n back until the next event is out.
func swapAt(n int) func(adapters.Position, emitFunc) emitFunc {
	return func(_ adapters.Position, emit emitFunc) emitFunc {
		var held *adapters.Event
		return func(e adapters.Event) error {
			if at(e, n) {
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
	}
}

// liveAt changes the position of Live notices.
func liveAt(change func(after, here adapters.Position) adapters.Position) func(adapters.Position, emitFunc) emitFunc {
	return func(after adapters.Position, emit emitFunc) emitFunc {
		return func(e adapters.Event) error {
			if e.Live {
				e.Position = change(after, e.Position)
			}
			return emit(e)
		}
	}
}

// dropWhenSlow loses an event whenever emit takes long for the one before.
func dropWhenSlow(_ testing.TB, u *Upstream, _ *Log) {
	faultyEmit(u, func(_ adapters.Position, emit emitFunc) emitFunc {
		var slow bool
		return func(e adapters.Event) error {
			if slow {
				slow = false
				return nil
			}
			before := time.Now()
			err := emit(e)
			slow = time.Since(before) >= 20*time.Millisecond
			return err
		}
	})
}
