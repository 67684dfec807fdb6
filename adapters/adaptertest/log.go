package adaptertest

import (
	"maps"
	"slices"

	"sidestream/adapters"
)

// A Form says what kind of source reads a [Log].
type Form int

const (
	// Replayable sources deliver every event, with positions that can be
	// read from again. Without a position they start at the log's end.
	Replayable Form = iota

	// Stateful sources take the log's newest event for the state of a
	// document. They start with that state, and deliver a newer one whenever
	// they are ready for it, leaving out those in between.
	Stateful

	// Positionless sources deliver what is appended while they run.
	Positionless

	// Bucket sources take the newest event of each key for its state. They
	// start with the states of the keys that are there and then deliver
	// every event. From a position they deliver what follows it, deletions
	// included, and leave out what had been replaced when they started.
	Bucket
)

// A Log is an upstream in memory. Its zero value is an empty, healthy,
// replayable log. Its methods may be called concurrently.
type Log struct {
	// Name tells the positions of this log from those of others. It holds
	// what a position may hold. Set it before use, as Form.
	Name string
	Form Form

	life

	// What follows is guarded by life.mu. Events are numbered from 1 in each
	// incarnation: events[i] is number expired+i+1. One that was dropped is a
	// Gap of 1 in its place.
	incarnation int
	expired     int
	events      []adapters.Event
	steps       map[int][]adapters.Event // to the event with this number, without State
	newest      map[string]int           // in a Bucket: number of each key's newest event
	compacted   int                      // up to here, what is not the newest of its key is gone
}

// Append adds events. It sets their positions, and in the forms with state
// the State of those that have none, and keeps copies.
func (l *Log) Append(events ...adapters.Event) {
	l.change(func() {
		for _, e := range events {
			e = clone(e)
			if l.hasState() && e.State == nil {
				e.State = &adapters.State{Type: e.Type, Data: slices.Clone(e.Data)}
			}
			l.add(e)
		}
	})
}

// AppendSteps adds one change to a Stateful log, spread over several events,
// of which the last has its State. A reader that has the state before gets
// them all, and any other the State. The steps before the last have no
// positions, unless they were given ones.
func (l *Log) AppendSteps(events ...adapters.Event) {
	last := len(events) - 1
	steps := make([]adapters.Event, last)
	for i := range steps {
		steps[i] = clone(events[i])
	}
	l.change(func() {
		if l.steps == nil {
			l.steps = map[int][]adapters.Event{}
		}
		l.steps[l.end()+1] = steps
		l.add(clone(events[last]))
	})
}

// Delete takes key away from a Bucket, by an event with State.Gone that has
// neither type nor data. For one that has, Append an event with that State.
func (l *Log) Delete(key string) {
	l.Append(adapters.Event{Key: key, State: &adapters.State{Gone: true}})
}

// Drop adds n events that no reader gets: one that comes to their place is
// given a Gap notice instead, with the reason overflow and the number of those
// that it finds there. It panics on a log with state, where what is newer
// makes up for what was lost.
func (l *Log) Drop(n int) {
	if l.hasState() {
		panic("adaptertest: events of a log with state can't be dropped")
	}
	l.change(func() {
		for range n {
			l.add(adapters.Event{Gap: &adapters.Gap{Reason: adapters.LostOverflow, Lost: 1}})
		}
	})
}

// Expire drops the oldest n events, or all if there are fewer. Positions
// before the last that was dropped are lost; in a Bucket they are lost only
// for as long as one of those that follow them is its key's newest. A Stateful
// log keeps its newest event whatever n is, since that is its state.
func (l *Log) Expire(n int) {
	l.change(func() {
		n = min(n, len(l.events))
		if l.Form == Stateful {
			n = min(n, max(len(l.events)-1, 0))
		}
		l.events = slices.Clone(l.events[n:])
		l.expired += n
		maps.DeleteFunc(l.steps, func(number int, _ []adapters.Event) bool { return number <= l.expired })
	})
}

// Compact drops from a Bucket all events but the newest of each key. No
// position is lost by it.
func (l *Log) Compact() { l.change(func() { l.compacted = l.end() }) }

// Recreate empties the log and begins another incarnation of it, in which no
// position of an earlier one is known.
func (l *Log) Recreate() {
	l.change(func() {
		l.incarnation++
		l.expired, l.events, l.steps, l.newest, l.compacted = 0, nil, nil, nil, 0
	})
}

// add appends e, which passes to the log.
func (l *Log) add(e adapters.Event) {
	if e.Position = ""; l.Form != Positionless {
		e.Position = l.position(l.end() + 1)
	}
	l.events = append(l.events, e)
	if l.Form == Bucket {
		if l.newest == nil {
			l.newest = make(map[string]int)
		}
		l.newest[e.Key] = l.end()
	}
}

// end returns the number of the last event.
func (l *Log) end() int { return l.expired + len(l.events) }

// event returns event number n, which must be at hand.
func (l *Log) event(n int) *adapters.Event { return &l.events[n-l.expired-1] }

func (l *Log) hasState() bool { return l.Form == Stateful || l.Form == Bucket }

func (l *Log) replays() bool { return l.Form == Replayable || l.Form == Bucket }

// clone returns a copy of e that shares nothing with it that a reader could
// change, except what Meta's values refer to.
func clone(e adapters.Event) adapters.Event {
	e.Data = slices.Clone(e.Data)
	if e.State != nil {
		state := *e.State
		state.Data = slices.Clone(state.Data)
		e.State = &state
	}
	if e.Gap != nil {
		gap := *e.Gap
		e.Gap = &gap
	}
	e.Headers = maps.Clone(e.Headers)
	for name, values := range e.Headers {
		e.Headers[name] = slices.Clone(values)
	}
	e.Meta = maps.Clone(e.Meta)
	return e
}
