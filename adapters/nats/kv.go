package nats

import (
	"context"
	"errors"
	"fmt"
	"strings"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sidestream/adapters"
)

// A bucketSource delivers the entries of a key-value bucket, and how they
// change. A bucket is a stream with one subject for each key (ADR-8,
// https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-8.md).
//
// A Run without a position begins with the newest entry of each key that has
// one, in the order in which they were written, and goes on with every change.
// One with a position delivers all that the bucket still holds of what was
// written since: an entry that was replaced meanwhile is left out, the one
// that replaced it comes. Whether deletions are missing is the census's to
// say.
type bucketSource struct {
	upstream
	bucket string
	keys   []string
	census census
}

// bucketPrefix begins the names of streams that are buckets.
const bucketPrefix = "KV_"

func newBucketSource(f *factory, keys []string, env adapters.Env) adapters.Source {
	bucket := f.options.Bucket
	return &bucketSource{
		upstream: upstream{factory: f, way: way{factory: f}, env: env, stream: bucketPrefix + bucket},
		bucket:   bucket,
		keys:     keys,
	}
}

// Run implements [adapters.Source].
func (s *bucketSource) Run(ctx context.Context, after adapters.Position, emit func(adapters.Event) error) error {
	return s.session(ctx, func(ctx context.Context, session *session) error {
		s.clean(ctx, session)
		b, err := s.begin(ctx, session, after)
		if err != nil {
			return s.named(err)
		}
		o := s.factory.options
		r := reader{bucketSource: s, prefix: s.prefix(&b.state)}
		if after == "" && !o.History {
			r.snapshot = b.state.last
		}
		d := &delivery{session: session, emit: emit, timed: true}
		d.event = func(m *natsgo.Msg, meta *natsgo.MsgMetadata) (adapters.Event, bool) {
			return r.event(d.at, m, meta)
		}
		return s.named(s.deliver(ctx, d, b, func(now *streamState) (guard, error) {
			s.census.take(now)
			return &bucketGuard{census: &s.census, state: *now}, nil
		}))
	})
}

// named says of a stream that isn't there that it is a bucket.
func (s *bucketSource) named(err error) error {
	if errors.Is(err, jetstream.ErrStreamNotFound) && adapters.IsPermanent(err) {
		return classify(fmt.Errorf("%s: %w", s.bucket, jetstream.ErrBucketNotFound))
	}
	return err
}

// begin returns where to begin for a Run after a position. The error may say
// that it is lost.
func (s *bucketSource) begin(ctx context.Context, session *session, after adapters.Position) (b beginning, err error) {
	if b.state, err = session.look(ctx); err != nil {
		return b, err
	}
	st, o := &b.state, s.factory.options
	b.policy = s.filtered(st)
	if after == "" {
		switch b.at, b.open = (place{id: st.id}), true; {
		case o.UpdatesOnly:
			b.at, b.open = place{id: st.id, seq: st.last}.stored(st.newest), false
			b.policy.DeliverPolicy, b.policy.OptStartSeq = jetstream.DeliverByStartSequencePolicy, st.last+1
		case o.History:
			b.policy.DeliverPolicy = jetstream.DeliverAllPolicy
		default:
			b.policy.DeliverPolicy = jetstream.DeliverLastPerSubjectPolicy
		}
		return b, nil
	}
	// The beginning of all, from where everything is delivered that is there.
	// Nobody who is there has a key that might be gone.
	origin := place{id: st.id}
	at, ok := parsePlace(after)
	switch {
	case !ok || (at.at == 0) != (at.seq == 0):
		return b, lost(adapters.LostUnknown, origin, -1)
	case at.id != st.id, st.restarted(at):
		return b, lost(adapters.LostRecreated, origin, -1)
	case at.seq > st.last:
		if b.state, err = session.reaches(ctx, at.seq); err != nil {
			return b, err
		}
		if at.id != st.id || at.seq > st.last {
			return b, lost(adapters.LostRecreated, place{id: st.id}, -1)
		}
	}
	b.at = at
	b.policy.DeliverPolicy, b.policy.OptStartSeq = jetstream.DeliverByStartSequencePolicy, at.seq+1
	missed, err := s.missed(ctx, session, st, at)
	if err == nil && missed {
		err = lost(adapters.LostExpired, origin, -1)
	}
	return b, err
}

// filtered returns the policy of a consumer of the source's keys.
func (s *bucketSource) filtered(st *streamState) (policy jetstream.ConsumerConfig) {
	prefix := s.prefix(st)
	filters := make([]string, len(s.keys))
	for i, key := range s.keys {
		filters[i] = prefix + key
	}
	if len(filters) == 1 {
		policy.FilterSubject = filters[0]
	} else {
		policy.FilterSubjects = filters
	}
	return policy
}

// prefix returns what the subjects of the bucket's keys begin with. Those of a
// mirror are its origin's.
func (s *bucketSource) prefix(st *streamState) string {
	bucket := s.bucket
	if m := st.config.Mirror; m != nil {
		bucket = strings.TrimPrefix(m.Name, bucketPrefix)
	}
	return "$KV." + bucket + separator
}
