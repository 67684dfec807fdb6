package nats

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// idleThreshold is how long the server keeps a consumer from which nothing
	// is asked: one that could not be deleted, since the connection was lost,
	// or that of a Run whose emit takes very long.
	idleThreshold = 2 * time.Minute

	// deleteTimeout bounds the attempt to delete a consumer, and createGrace
	// how long the answer to the request for one is waited for once nobody
	// wants it any more. A server works on several requests at a time, so that
	// one to delete a consumer may overtake the one to create it.
	deleteTimeout = 2 * time.Second
	createGrace   = time.Second

	// maxOrphans bounds the consumers that are remembered for being deleted
	// later. The server deletes those beyond that by itself.
	maxOrphans = 16
)

// A consumer is one of the server's: a cursor into the stream that belongs to
// one Run. The server keeps it in memory, on one node, and doesn't wait for
// acknowledgements: what was delivered is for the Run to know.
type consumer struct {
	name    string
	before  uint64 // the sequence right before the first that it looks at
	pending uint64 // messages that were there for it when it was created
	node    string // the server of a cluster that has it; empty without a cluster

	// What the server allows a request for messages to ask for; 0: no limit.
	batch, bytes int
	expires      time.Duration
}

// consume creates a consumer that begins as policy says. The caller has to
// call release.
func (u *upstream) consume(ctx context.Context, s *session, st *streamState, policy jetstream.ConsumerConfig) (*consumer, error) {
	c := &consumer{name: "sidestream-" + rand.Text()}
	policy.Name = c.name
	policy.AckPolicy = jetstream.AckNonePolicy
	policy.MemoryStorage = true
	policy.Replicas = 1
	policy.InactiveThreshold = idleThreshold
	if most := st.config.ConsumerLimits.InactiveThreshold; most > 0 {
		policy.InactiveThreshold = min(policy.InactiveThreshold, most)
	}
	s.mu.Lock()
	s.consumer = c.name
	s.mu.Unlock()

	request, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(createGrace, cancel) })()
	answer, err := s.js.CreateConsumer(request, u.stream, policy)
	switch {
	case err != nil && !errors.As(err, new(*jetstream.APIError)):
		u.release(ctx, s, c) // it may be there
		u.leave(c.name)
		return nil, s.failed(ctx, "create a consumer of", err)
	case err != nil:
		return nil, s.failed(ctx, "create a consumer of", err)
	case ctx.Err() != nil:
		u.release(ctx, s, c)
		return nil, context.Cause(ctx)
	}
	info := answer.CachedInfo()
	c.before, c.pending = info.Delivered.Stream, info.NumPending
	if info.Cluster != nil {
		c.node = info.Cluster.Leader
	}
	c.batch, c.bytes, c.expires = info.Config.MaxRequestBatch, info.Config.MaxRequestMaxBytes, info.Config.MaxRequestExpires
	return c, nil
}

// release deletes the consumer. If that can't be done now, the next Run does.
func (u *upstream) release(ctx context.Context, s *session, c *consumer) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deleteTimeout)
	defer cancel()
	refused := false // written by the listener, and read when there is none any more
	subject := s.api("CONSUMER.DELETE.%s.%s", u.stream, c.name)
	stop := s.conn.listen(func(err error) {
		if d, ok := denied(err); ok && d.publish && d.subject == subject && !refused {
			refused = true
			cancel()
		}
	})
	deleted := s.conn.IsConnected() && gone(s.js.DeleteConsumer(ctx, u.stream, c.name))
	stop()
	if !deleted && !refused {
		u.leave(c.name)
	}
}

// leave notes a consumer that is, or may be, left behind.
func (u *upstream) leave(name string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.orphans) < maxOrphans && !slices.Contains(u.orphans, name) {
		u.orphans = append(u.orphans, name)
	}
}

// clean deletes the consumers that former Runs had to leave behind.
func (u *upstream) clean(ctx context.Context, s *session) {
	u.mu.Lock()
	orphans := u.orphans
	u.orphans = nil
	u.mu.Unlock()
	for _, name := range orphans {
		if ctx.Err() != nil {
			u.leave(name)
			continue
		}
		u.release(ctx, s, &consumer{name: name})
	}
}

// gone reports whether a consumer is not there any more, by what the server
// said to the request to delete it. What it refuses it will refuse again.
func gone(err error) bool {
	return err == nil || errors.As(err, new(*jetstream.APIError))
}

// count returns how many messages the stream has from sequence from on,
// whatever their subjects are.
func (u *upstream) count(ctx context.Context, s *session, st *streamState, from uint64) (uint64, error) {
	c, err := u.consume(ctx, s, st, jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from,
	})
	if err != nil {
		return 0, err
	}
	u.release(ctx, s, c)
	return c.pending, nil
}
