package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

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
)

// A Log is an upstream in memory. Its zero value is an empty, healthy,
// replayable log. Its methods may be called concurrently.
type Log struct {
	// Name tells the positions of this log from those of others. It holds
	// what a position may hold. Set it before use, as Form.
	Name string
	Form Form

	// What follows is guarded by mu. Events are numbered from 1 in each
	// incarnation: events[i] is number expired+i+1.
	mu          sync.Mutex
	incarnation int
	expired     int
	events      []adapters.Event
	steps       map[int][]adapters.Event // to the event with this number, without State
	failure     error
	stalled     bool
	ended       bool
	running     int
	changed     chan struct{} // closed and forgotten at each change; nil if nobody waits
}

// Append adds events. It sets their positions, and in the Stateful form the
// State of those that have none, and keeps copies.
func (l *Log) Append(events ...adapters.Event) {
	l.change(func() {
		for _, e := range events {
			e = clone(e)
			if e.Position = ""; l.Form != Positionless {
				e.Position = l.position(l.end() + 1)
			}
			if l.Form == Stateful && e.State == nil {
				e.State = &adapters.State{Type: e.Type, Data: e.Data}
			}
			l.events = append(l.events, e)
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
		e := clone(events[last])
		e.Position = l.position(l.end() + 1)
		l.events = append(l.events, e)
	})
}

// Expire drops the oldest n events, or all if there are fewer. Positions
// before the last that was dropped are lost. A Stateful log keeps its newest
// event whatever n is, since that is its state.
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

// Recreate empties the log and begins another incarnation of it, in which no
// position of an earlier one is known.
func (l *Log) Recreate() {
	l.change(func() {
		l.incarnation++
		l.expired, l.events, l.steps = 0, nil, nil
	})
}

// Fail makes every Run return err, those under way and those to come, until
// Recover.
func (l *Log) Fail(err error) { l.change(func() { l.failure = err }) }

// Stall makes every Run wait before it does anything more, until Recover.
func (l *Log) Stall() { l.change(func() { l.stalled = true }) }

// Recover undoes Fail and Stall.
func (l *Log) Recover() { l.change(func() { l.failure, l.stalled = nil, false }) }

// End ends the log for good: a Run that has delivered all returns nil.
func (l *Log) End() { l.change(func() { l.ended = true }) }

// Running returns the number of Runs under way.
func (l *Log) Running() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.running
}

// Factory returns a factory whose sources all read this log. It holds the
// values of variables to the rules of [adapters.Vars.Segment] and takes no
// further notice of them.
func (l *Log) Factory() adapters.Factory { return logFactory{l} }

func (l *Log) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// end returns the number of the last event.
func (l *Log) end() int { return l.expired + len(l.events) }

// position returns the position right after event number n.
func (l *Log) position(n int) adapters.Position {
	return adapters.Position(fmt.Sprintf("%s.%d.%d", l.Name, l.incarnation, n))
}

type logFactory struct{ log *Log }

// Capabilities implements [adapters.Factory].
func (f logFactory) Capabilities() adapters.Capabilities {
	switch f.log.Form {
	case Replayable:
		return adapters.Capabilities{Positions: true, Replayable: true}
	case Stateful:
		return adapters.Capabilities{Positions: true, Stateful: true}
	default:
		return adapters.Capabilities{}
	}
}

// Open implements [adapters.Factory].
func (f logFactory) Open(vars adapters.Vars, _ adapters.Env) (adapters.Source, error) {
	for name := range vars {
		if _, err := vars.Segment(name); err != nil {
			return nil, err
		}
	}
	return logSource(f), nil
}

type logSource struct{ log *Log }

// Run implements [adapters.Source].
func (s logSource) Run(ctx context.Context, after adapters.Position, emit func(adapters.Event) error) error {
	s.log.change(func() { s.log.running++ })
	defer s.log.change(func() { s.log.running-- })
	c := cursor{log: s.log, after: after}
	for {
		event, wait, err := c.next()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errEnded):
			return nil
		case err != nil:
			return err
		case event != nil:
			if err := emit(*event); err != nil {
				return err
			}
			continue
		}
		select {
		case <-wait:
		case <-ctx.Done():
		}
	}
}

var errEnded = errors.New("the log has ended")

// A cursor is one Run's place in a log.
type cursor struct {
	log   *Log
	after adapters.Position

	placed      bool // what follows is set
	incarnation int
	number      int              // of the last event that was taken
	pending     []adapters.Event // what is left of it to be delivered
	live        bool             // the Live notice was given
}

// next returns the next event or notice, or a channel that is closed when
// there may be one.
func (c *cursor) next() (*adapters.Event, <-chan struct{}, error) {
	l := c.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stalled {
		return nil, l.wait(), nil
	}
	if l.failure != nil {
		return nil, nil, l.failure
	}
	if len(c.pending) > 0 {
		return c.resume(), nil, nil
	}
	if err := c.place(); err != nil {
		return nil, nil, err
	}
	switch {
	case c.number < l.end():
		return c.take(), nil, nil
	case l.ended:
		return nil, nil, errEnded
	case !c.live:
		c.live = true
		notice := adapters.Event{Live: true}
		if l.Form != Positionless {
			notice.Position = l.position(c.number)
		}
		return &notice, nil, nil
	default:
		return nil, l.wait(), nil
	}
}

// wait returns a channel that is closed at the next change.
func (l *Log) wait() <-chan struct{} {
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.changed
}

// take returns the event after c, of which there is at least one, and moves
// c past it.
func (c *cursor) take() *adapters.Event {
	l := c.log
	last := c.number
	c.number++
	if l.Form == Stateful {
		c.number = l.end()
	}
	e := clone(l.events[c.number-l.expired-1])
	if l.Form == Stateful && (last == 0 || c.number != last+1) {
		// The reader lacks what a change would change.
		e.Type, e.Data = e.State.Type, slices.Clone(e.State.Data)
		return &e
	}
	for _, step := range l.steps[c.number] {
		c.pending = append(c.pending, clone(step))
	}
	c.pending = append(c.pending, e)
	return c.resume()
}

// resume returns the next of the events that are pending.
func (c *cursor) resume() *adapters.Event {
	e := c.pending[0]
	c.pending = c.pending[1:]
	return &e
}

// place finds where c is to begin, and checks that the log still holds what
// comes after it.
func (c *cursor) place() error {
	l := c.log
	if !c.placed {
		n, err := l.locate(c.after)
		if err != nil {
			return err
		}
		c.placed, c.incarnation, c.number = true, l.incarnation, n
	}
	switch {
	case l.Form == Stateful && c.incarnation != l.incarnation:
		c.incarnation, c.number = l.incarnation, 0
	case c.incarnation != l.incarnation:
		return l.lost(adapters.LostRecreated, -1)
	case l.Form != Stateful && c.number < l.expired:
		return l.lost(adapters.LostExpired, int64(l.expired-c.number))
	}
	return nil
}

// locate returns the number of the event that position after follows. A
// stateful log takes any position but its newest for one before its state.
func (l *Log) locate(after adapters.Position) (int, error) {
	switch {
	case l.Form == Stateful && after == l.position(l.end()):
		return l.end(), nil
	case l.Form == Stateful:
		return 0, nil
	case after == "":
		return l.end(), nil
	case l.Form == Positionless:
		return 0, l.lost(adapters.LostUnknown, -1)
	}
	rest, ok := strings.CutPrefix(string(after), l.Name+".")
	incarnation, number, _ := strings.Cut(rest, ".")
	i, err1 := strconv.Atoi(incarnation)
	n, err2 := strconv.Atoi(number)
	switch {
	case !ok || err1 != nil || err2 != nil || n < 0:
		return 0, l.lost(adapters.LostUnknown, -1)
	case i != l.incarnation:
		return 0, l.lost(adapters.LostRecreated, -1)
	case n > l.end():
		return 0, l.lost(adapters.LostUnknown, -1)
	}
	return n, nil
}

func (l *Log) lost(reason adapters.LostReason, n int64) error {
	lost := &adapters.PositionLostError{Reason: reason, Lost: n}
	if l.Form == Replayable {
		lost.Resume = l.position(l.expired)
	}
	return lost
}

// clone returns a copy of e that shares nothing with it that a reader could
// change, except what Meta's values refer to.
func clone(e adapters.Event) adapters.Event {
	e.Data = slices.Clone(e.Data)
	if e.State != nil {
		e.State = &adapters.State{Type: e.State.Type, Data: slices.Clone(e.State.Data)}
	}
	e.Headers = maps.Clone(e.Headers)
	for name, values := range e.Headers {
		e.Headers[name] = slices.Clone(values)
	}
	e.Meta = maps.Clone(e.Meta)
	return e
}
