package adaptertest

import (
	"context"
	"time"

	"sidestream/adapters"
)

// Factory returns a factory whose sources all read these partitions. It takes
// variables as [Log.Factory] does.
func (p *Partitions) Factory() adapters.Factory { return partitionsFactory{p} }

type partitionsFactory struct{ partitions *Partitions }

// Capabilities implements [adapters.Factory].
func (f partitionsFactory) Capabilities() adapters.Capabilities {
	p := f.partitions
	return adapters.Capabilities{
		Positions:   true,
		Replayable:  true,
		Stateful:    p.States,
		Keyed:       true,
		Compare:     p.compare,
		Partitioned: true,
		Before:      p.before,
		Selects:     p.States,
		Seekable:    true,
	}
}

// Open implements [adapters.Factory].
func (f partitionsFactory) Open(vars adapters.Vars, _ adapters.Env) (adapters.Source, error) {
	if err := checkVars(vars); err != nil {
		return nil, err
	}
	return partitionsSource(f), nil
}

type partitionsSource struct{ partitions *Partitions }

// Run implements [adapters.Source].
func (s partitionsSource) Run(ctx context.Context, after adapters.Position, emit func(adapters.Event) error) error {
	return s.partitions.deliver(ctx, s.partitions.merge(after).next, emit)
}

// Replay implements [adapters.Replayer]. If neither after is before until nor
// the other way round, it delivers what one at until has and one at after
// lacks, at the places to which that leads.
func (s partitionsSource) Replay(ctx context.Context, after, until adapters.Position, emit func(adapters.Event) error) error {
	return s.partitions.deliver(ctx, s.partitions.replay(after, until).next, emit)
}

// Seek implements [adapters.Seeker]. It goes by the times that events were
// given; those that were given none are earlier than any.
func (s partitionsSource) Seek(ctx context.Context, t time.Time) (adapters.Position, error) {
	return s.partitions.find(ctx, func() (adapters.Position, <-chan struct{}, error) { return s.partitions.seek(t) })
}

// seek returns the place before the first event of each partition dated t or
// later, or, while the partitions are stalled, a channel that is closed when
// that may have changed.
func (p *Partitions) seek(t time.Time) (adapters.Position, <-chan struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.stalled:
		return "", p.wait(), nil
	case p.failure != nil:
		return "", nil, p.failure
	}
	place := vector{p.incarnation, -1, p.oldest()}
	for i := range p.logs {
		for l := &p.logs[i]; place.next[i] < l.end() && l.event(place.next[i]).Time.Before(t); {
			place.next[i]++
		}
	}
	return p.position(place), nil, nil
}
