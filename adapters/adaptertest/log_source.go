package adaptertest

import (
	"context"
	"time"

	"sidestream/adapters"
)

// Factory returns a factory whose sources all read this log. It holds the
// values of variables to the rules of [adapters.Vars.Segment] and takes no
// further notice of them.
func (l *Log) Factory() adapters.Factory { return logFactory{l} }

type logFactory struct{ log *Log }

// Capabilities implements [adapters.Factory].
func (f logFactory) Capabilities() adapters.Capabilities {
	l := f.log
	if l.Form == Positionless {
		return adapters.Capabilities{}
	}
	return adapters.Capabilities{
		Positions:  true,
		Replayable: l.replays(),
		Stateful:   l.hasState(),
		Keyed:      l.Form == Bucket,
		Compare:    l.compare,
		Selects:    l.Form == Bucket,
		Seekable:   l.replays(),
	}
}

// Open implements [adapters.Factory].
func (f logFactory) Open(vars adapters.Vars, _ adapters.Env) (adapters.Source, error) {
	if err := checkVars(vars); err != nil {
		return nil, err
	}
	if f.log.replays() {
		return seekableLog{logSource(f)}, nil
	}
	return logSource(f), nil
}

// checkVars holds the values of variables to the rules of
// [adapters.Vars.Segment].
func checkVars(vars adapters.Vars) error {
	for name := range vars {
		if _, err := vars.Segment(name); err != nil {
			return err
		}
	}
	return nil
}

type logSource struct{ log *Log }

// Run implements [adapters.Source].
func (s logSource) Run(ctx context.Context, after adapters.Position, emit func(adapters.Event) error) error {
	c := cursor{log: s.log, after: after}
	return s.log.deliver(ctx, c.next, emit)
}

// A seekableLog is the source of a log that can be read from any place.
type seekableLog struct{ logSource }

// Seek implements [adapters.Seeker]. It goes by the times that the log's
// events were given; those that were given none are earlier than any.
func (s seekableLog) Seek(ctx context.Context, t time.Time) (adapters.Position, error) {
	return s.log.find(ctx, func() (adapters.Position, <-chan struct{}, error) { return s.log.seek(t) })
}

// seek returns the place before the first event dated t or later, or, while
// the log is stalled, a channel that is closed when that may have changed.
func (l *Log) seek(t time.Time) (adapters.Position, <-chan struct{}, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.stalled:
		return "", l.wait(), nil
	case l.failure != nil:
		return "", nil, l.failure
	}
	n := l.expired
	for n < l.end() && l.event(n+1).Time.Before(t) {
		n++
	}
	return l.position(n), nil, nil
}
