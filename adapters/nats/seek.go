package nats

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"sidestream/adapters"
)

// Seek implements [adapters.Seeker]. The server says with which message a
// consumer would begin that begins with a time; times are when it has stored
// the messages.
func (s *streamSource) Seek(ctx context.Context, t time.Time) (pos adapters.Position, err error) {
	err = s.session(ctx, func(ctx context.Context, session *session) error {
		s.clean(ctx, session)
		st, err := session.look(ctx)
		if err != nil {
			return err
		}
		seq, err := s.before(ctx, session, &st, t)
		if err != nil {
			return err
		}
		pos = place{id: st.id, seq: seq}.position()
		return nil
	})
	return pos, err
}

// before returns the sequence right before the first message of the time t or
// later. With several filters the server may pass over messages of one on its
// way to the first of another, so it is asked without any then.
func (s *streamSource) before(ctx context.Context, session *session, st *streamState, t time.Time) (uint64, error) {
	var policy jetstream.ConsumerConfig
	if len(s.filters) == 1 {
		policy = s.filtered()
	}
	policy.DeliverPolicy, policy.OptStartTime = jetstream.DeliverByStartTimePolicy, &t
	c, err := s.consume(ctx, session, st, policy)
	if err != nil {
		return 0, err
	}
	s.release(ctx, session, c)
	return c.before, nil
}
