package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/rs/zerolog"
	kafkago "github.com/segmentio/kafka-go"

	"sidestream/adapters"
	"sidestream/adapters/kafka/broker"
	"sidestream/adapters/kafka/record"
)

// take delivers what a fetcher has brought.
func (r *reader) take(ctx context.Context, c chunk) error {
	if c.err != nil {
		return r.failed(ctx, c.from, c.err)
	}
	c.from.answered = time.Now()
	for i := range c.shares {
		p := r.parts[c.shares[i].id]
		if p == nil || p.owner != c.from || p.turn != c.shares[i].turn {
			continue // it is fetched from elsewhere by now
		}
		if err := r.takeShare(ctx, p, &c.shares[i]); err != nil {
			return err
		}
	}
	return nil
}

// failed takes in that a fetcher has. What it fetched may have another leader
// soon; if there is nothing else to read, the Run has failed.
func (r *reader) failed(ctx context.Context, f *fetcher, err error) error {
	f.stop()
	if r.fetchers[f.node.ID] == f {
		delete(r.fetchers, f.node.ID)
	}
	for _, p := range r.parts {
		if p.owner == f {
			p.owner, p.replica, p.high = nil, -1, -1
		}
	}
	if adapters.IsPermanent(err) || !r.reads() {
		return err
	}
	r.failure = err
	r.env.Count("broker_failed")
	level := zerolog.DebugLevel
	if time.Since(r.troubled) > patience {
		level = zerolog.WarnLevel // once for a while
	}
	r.env.Log.WithLevel(level).Err(err).Msg("a broker can't be read from; others are")
	r.lookAgain(true)
	return ctx.Err()
}

// takeShare delivers what came of one partition.
func (r *reader) takeShare(ctx context.Context, p *part, got *share) error {
	if got.Err != nil {
		return r.refused(ctx, p, got.Err)
	}
	if p.until > got.HighWatermark && p.next >= got.HighWatermark {
		return r.lacks(ctx, p) // the replay would wait for ever
	}
	if err := r.late(p); err != nil {
		return err
	}
	p.ahead = time.Time{}
	if got.Preferred >= 0 && got.Preferred != p.owner.node.ID {
		p.replica, p.replicaUntil = got.Preferred, time.Now().Add(replicaTime)
		node, ok := r.node(p)
		r.leave(p)
		if ok && p.replica >= 0 {
			r.fetch(ctx, p, node)
		} else { // a broker that isn't known yet
			r.lookAgain(true)
		}
		r.retire()
		return nil
	}
	p.high = got.HighWatermark
	if r.committed() {
		p.high = got.LastStable
	}
	err := r.deliver(ctx, p, got)
	r.worked = time.Now() // emit may have taken a while
	if err != nil {
		return err
	}
	if p.next >= p.high {
		p.caught = time.Now()
	}
	switch {
	case p.until >= 0 && p.next >= p.until:
		r.finish(p)
	case p.until < 0 && p.left && p.next >= p.high && time.Now().After(p.quits):
		r.quit(p)
	}
	return nil
}

// quit takes in that a partition which the key has left is read to its end: it
// is no part of the place any more, as it is none of that of a Run which has
// never known it.
func (r *reader) quit(p *part) {
	r.leave(p)
	delete(r.parts, p.id)
	t := &r.at.topics[p.at.topic]
	t.parts = slices.Delete(t.parts, p.at.index, p.at.index+1)
	r.at.last = at{topic: none}
	r.index()
	r.retire()
}

// finish takes in that a partition is replayed up to its end.
func (r *reader) finish(p *part) {
	p.next = p.until
	r.pass(p)
	r.leave(p)
	delete(r.parts, p.id)
	r.retire()
}

// deliver emits the records of a share.
func (r *reader) deliver(ctx context.Context, p *part, got *share) error {
	o := record.Options{Committed: r.committed(), Aborted: got.Aborted, MaxBytes: int(r.factory.options.Fetch.MaxBatch)}
	records := record.NewReader(got.Records, p.next, o)
	for n := 1; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil { // where none is emitted
			return ctx.Err()
		}
		rec, err := records.Next()
		large, tooLarge := errors.AsType[*record.TooLargeError](err)
		switch {
		case errors.Is(err, io.EOF):
			p.next = max(p.next, records.Offset())
			r.pass(p)
			return nil
		case tooLarge:
			err = r.passOver(p, large)
		case err != nil:
			return adapters.Transient(reasonCorrupt, fmt.Errorf("%s: %w", r.describe(p.id), err))
		case p.until >= 0 && rec.Offset >= p.until:
			p.next = p.until
			return nil
		default:
			err = r.record(ctx, p, &rec)
		}
		if err != nil {
			return err
		}
	}
}

// pass notes in the place how far a partition is read.
func (r *reader) pass(p *part) { r.at.topics[p.at.topic].parts[p.at.index].next = p.next }

// passOver announces that a batch is too large to be delivered.
func (r *reader) passOver(p *part, large *record.TooLargeError) error {
	r.env.Log.Warn().Str("partition", r.describe(p.id)).Err(large).Msg("records passed over")
	p.next = large.Last + 1
	r.pass(p)
	r.at.last = at{topic: none}
	return r.emit(adapters.Event{Gap: &adapters.Gap{Reason: adapters.LostInvalid, Lost: int64(large.Records)}, Position: r.position()})
}

// refused deals with what a broker won't give of a partition.
func (r *reader) refused(ctx context.Context, p *part, err error) error {
	fromLeader := p.owner.node.ID == p.leader
	p.owner, p.replica, p.high = nil, -1, -1 // where it ends is to be told anew
	switch {
	case errors.Is(err, kafkago.OffsetOutOfRange) && fromLeader:
		return r.outOfRange(ctx, p)
	case errors.Is(err, kafkago.TopicAuthorizationFailed):
		return broker.Classify(fmt.Errorf("%s: %w", r.describe(p.id), err))
	}
	// It has another leader, or will have one, or is gone; or a follower
	// doesn't know what the leader does. The layout will tell.
	r.failure = r.judge(fmt.Errorf("%s: %w", r.describe(p.id), err))
	r.env.Count("refused")
	r.env.Log.Debug().Err(r.failure).Msg("a partition is looked for anew")
	r.retire()
	r.lookAgain(true)
	return nil
}
