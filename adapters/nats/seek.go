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
		policy := s.filtered()
		policy.DeliverPolicy, policy.OptStartTime = jetstream.DeliverByStartTimePolicy, &t
		c, err := s.consume(ctx, session, &st, policy)
		if err != nil {
			return err
		}
		s.release(ctx, session, c)
		pos = place{id: st.id, seq: c.before}.position()
		return nil
	})
	return pos, err
}
