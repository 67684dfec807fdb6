package kafka

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/kafka/broker"
)

// A source reads the topics of one set of variables.
type source struct {
	factory *factory
	topics  []string
	key     []byte // of the records that are delivered; nil: all are
	env     adapters.Env

	seen []atomic.Bool // of each topic: it was there
}

// Run implements [adapters.Source].
func (s *source) Run(ctx context.Context, after adapters.Position, emit func(adapters.Event) error) error {
	return s.read(ctx, after, nil, emit)
}

// Replay implements [adapters.Replayer].
func (s *source) Replay(ctx context.Context, after, until adapters.Position, emit func(adapters.Event) error) error {
	to, err := s.factory.places.parse(until)
	if err != nil {
		return fmt.Errorf("replay until a position that %w", err)
	}
	return s.read(ctx, after, to, emit)
}

// read delivers what comes after a position, up to the place until if that is
// not nil.
func (s *source) read(ctx context.Context, after adapters.Position, until *place, emit func(adapters.Event) error) error {
	cluster, err := s.factory.cluster()
	if err != nil {
		return adapters.Permanent(reasonClosed, err)
	}
	r := newReader(s, cluster, until, emit)
	return r.run(ctx, after)
}

// Seek implements [adapters.Seeker]. The brokers say which record of each
// partition is the first of that time or later; times are those that records
// have.
func (s *source) Seek(ctx context.Context, t time.Time) (adapters.Position, error) {
	cluster, err := s.factory.cluster()
	if err != nil {
		return "", adapters.Permanent(reasonClosed, err)
	}
	l, err := s.lookUp(ctx, cluster)
	if err != nil {
		return "", err
	}
	p, err := s.placeAt(ctx, cluster, l, max(t.UnixMilli(), 0))
	if err != nil {
		return "", err
	}
	return s.positionOf(p), nil
}

// positionOf returns the position of a place where nobody has come to yet: one
// who begins there knows nothing that could be out of date.
func (s *source) positionOf(p *place) adapters.Position {
	if s.factory.options.Compacted && p.minute == 0 {
		p.minute = minuteOf(time.Now())
	}
	return s.factory.places.position(p)
}

// minuteOf returns a time as in a place.
func minuteOf(t time.Time) int64 { return max(t.Unix()/60, 1) }

// committed reports whether records of transactions are left out that were not
// committed.
func (s *source) committed() bool { return s.factory.options.Isolation == isolationCommitted }

// times of a request for offsets that stand for a place.
const (
	earliest = broker.Earliest
	latest   = broker.Latest
)
