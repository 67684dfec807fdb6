package adaptertest

import (
	"context"
	"errors"
	"sync"

	"sidestream/adapters"
)

// life is what an upstream in memory goes through, whatever it holds.
type life struct {
	mu      sync.Mutex // guards what follows, and what the upstream holds
	failure error
	stalled bool
	ended   bool
	running int
	changed chan struct{} // closed and forgotten at each change; nil if nobody waits
}

// Fail makes every Run return err, those under way and those to come, until
// Recover.
func (l *life) Fail(err error) { l.change(func() { l.failure = err }) }

// Stall makes every Run wait before it does anything more, until Recover.
func (l *life) Stall() { l.change(func() { l.stalled = true }) }

// Recover undoes Fail and Stall.
func (l *life) Recover() { l.change(func() { l.failure, l.stalled = nil, false }) }

// End ends the upstream for good: a Run that has delivered all returns nil.
func (l *life) End() { l.change(func() { l.ended = true }) }

// Running returns the number of Runs under way.
func (l *life) Running() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.running
}

// change calls f with the upstream locked and wakes those that wait for a
// change.
func (l *life) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// wait returns a channel that is closed at the next change.
func (l *life) wait() <-chan struct{} {
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.changed
}

// errEnded says that there is nothing to come.
var errEnded = errors.New("the upstream has ended")

// deliver emits what next returns: an event or a notice, or a channel that is
// closed when there may be one. It returns nil once next's error is errEnded.
func (l *life) deliver(ctx context.Context, next func() (*adapters.Event, <-chan struct{}, error), emit func(adapters.Event) error) error {
	l.change(func() { l.running++ })
	defer l.change(func() { l.running-- })
	for ctx.Err() == nil {
		event, wait, err := next()
		switch {
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
	return ctx.Err()
}

// find returns what place does, or, while that gives a channel, waits for that
// to be closed.
func (l *life) find(ctx context.Context, place func() (adapters.Position, <-chan struct{}, error)) (adapters.Position, error) {
	for ctx.Err() == nil {
		at, wait, err := place()
		if wait == nil {
			return at, err
		}
		select {
		case <-wait:
		case <-ctx.Done():
		}
	}
	return "", ctx.Err()
}
