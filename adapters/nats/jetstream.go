package nats

import (
	"context"
	"fmt"
	"strings"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sidestream/adapters"
)

// A streamSource delivers the messages that a JetStream stream has stored.
type streamSource struct {
	upstream
	filters []string // subjects; none: all messages
}

func newStreamSource(f *factory, subjects []string, env adapters.Env) adapters.Source {
	return &streamSource{
		upstream: upstream{factory: f, way: way{factory: f}, env: env, stream: f.options.Stream},
		filters:  subjects,
	}
}

// Run implements [adapters.Source].
func (s *streamSource) Run(ctx context.Context, after adapters.Position, emit func(adapters.Event) error) error {
	return s.session(ctx, func(ctx context.Context, session *session) error {
		s.clean(ctx, session)
		b, err := s.begin(ctx, session, after)
		if err != nil {
			return err
		}
		d := &delivery{session: session, emit: emit, timed: b.state.inMemory()}
		d.event = func(m *natsgo.Msg, meta *natsgo.MsgMetadata) (adapters.Event, bool) {
			return s.event(d.at, m, meta), true
		}
		return s.deliver(ctx, d, b, func(now *streamState) (guard, error) { return s.guard(now, &b, d.at) })
	})
}

// begin returns where to begin for a Run after a position. The error may say
// that it is lost.
func (s *streamSource) begin(ctx context.Context, session *session, after adapters.Position) (b beginning, err error) {
	if b.state, err = session.look(ctx); err != nil {
		return b, err
	}
	st := &b.state
	if p := st.config.Retention; p != jetstream.LimitsPolicy {
		// Reading would take messages away from others, or be what they are kept for.
		return b, adapters.Permanent(reasonRetention, fmt.Errorf("stream %s has %s retention, and only one with limits can be read by many", s.stream, strings.ToLower(p.String())))
	}
	if after == "" {
		err = s.start(ctx, session, &b)
		return b, err
	}
	oldest := place{id: st.id, seq: st.first - 1}
	at, ok := parsePlace(after)
	switch {
	case !ok || at.at != 0 && !st.inMemory():
		return b, lost(adapters.LostUnknown, oldest, -1)
	case at.id != st.id, st.restarted(at):
		return b, lost(adapters.LostRecreated, oldest, -1)
	case at.seq > st.last:
		if b.state, err = session.reaches(ctx, at.seq); err != nil {
			return b, err
		}
		oldest = place{id: st.id, seq: st.first - 1}
		if at.id != st.id || at.seq > st.last {
			return b, lost(adapters.LostRecreated, oldest, -1)
		}
	}
	b.policy, b.at = s.after(at.seq), at
	return b, s.overtaken(st, at)
}

// start sets where a Run begins that has no position.
func (s *streamSource) start(ctx context.Context, session *session, b *beginning) error {
	st, o := &b.state, s.factory.options.Start
	b.policy, b.open = s.filtered(), true
	b.at.id = st.id
	switch word := o.String(); word {
	case startAll:
		b.policy.DeliverPolicy = jetstream.DeliverAllPolicy
	case startLast:
		b.policy.DeliverPolicy = jetstream.DeliverLastPolicy
	case startLastPerSubject:
		b.policy.DeliverPolicy = jetstream.DeliverLastPerSubjectPolicy
		if len(s.filters) == 0 {
			b.policy.FilterSubject = anyRest // which the server wants to be said
		}
	case startNew:
		return s.startAfter(b, st.last)
	default:
		if o.Sequence != 0 { // a later one than the next stands for the next
			return s.startAfter(b, min(uint64(o.Sequence)-1, st.last))
		}
		seq, err := s.before(ctx, session, st, o.Time)
		if err != nil {
			return err
		}
		return s.startAfter(b, min(seq, st.last))
	}
	return nil
}

// startAfter begins after the sequence seq, just as if a client had come with
// it: what is stored from now on is delivered even if this Run fails before it
// has delivered anything.
func (s *streamSource) startAfter(b *beginning, seq uint64) error {
	b.policy, b.open = s.after(seq), false
	b.at.seq = seq
	return s.overtaken(&b.state, b.at)
}

// overtaken returns the error that says so if what follows the place was
// removed.
func (s *streamSource) overtaken(st *streamState, at place) error {
	if st.first <= at.seq+1 {
		return nil
	}
	oldest := place{id: st.id, seq: st.first - 1}
	return lost(adapters.LostExpired, oldest, between(at.seq, oldest.seq, st.every(s.filters) && st.numbered()))
}

// after returns the policy of a consumer that begins after the sequence seq.
func (s *streamSource) after(seq uint64) jetstream.ConsumerConfig {
	policy := s.filtered()
	policy.DeliverPolicy, policy.OptStartSeq = jetstream.DeliverByStartSequencePolicy, seq+1
	return policy
}

// filtered returns the policy of a consumer of the source's subjects.
func (s *streamSource) filtered() (policy jetstream.ConsumerConfig) {
	if len(s.filters) == 1 {
		policy.FilterSubject = s.filters[0]
	} else {
		policy.FilterSubjects = s.filters
	}
	return policy
}

// guard returns the guard of a delivery that begins at the place at, as b says.
func (s *streamSource) guard(now *streamState, b *beginning, at place) (guard, error) {
	if !b.open {
		if err := s.overtaken(now, at); err != nil {
			return nil, err
		}
	}
	if !now.every(s.filters) {
		return &sparseGuard{known: at.seq}, nil
	}
	g := &denseGuard{numbered: now.numbered()}
	if b.policy.DeliverPolicy == jetstream.DeliverLastPerSubjectPolicy {
		g.from = now.last
	}
	return g, nil
}

// event returns the event of a message, after which the place is at.
func (s *streamSource) event(at place, m *natsgo.Msg, meta *natsgo.MsgMetadata) adapters.Event {
	e := adapters.Event{
		Position: at.position(),
		Data:     m.Data, // the library has made it for this message alone
		Key:      m.Subject,
		Time:     meta.Timestamp.UTC(),
	}
	if s.env.Meta {
		e.Headers = m.Header
		e.Meta = s.meta(m, meta)
	}
	return e
}

// meta returns what is known of a message beside its payload and headers.
func (u *upstream) meta(m *natsgo.Msg, meta *natsgo.MsgMetadata) map[string]any {
	return map[string]any{
		"subject":   m.Subject,
		"stream":    u.stream,
		"sequence":  meta.Sequence.Stream,
		"timestamp": meta.Timestamp.UTC(),
		"pending":   meta.NumPending,
	}
}
