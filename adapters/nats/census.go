package nats

import (
	"context"
	"sync"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sidestream/adapters"
)

// markerAge is how old the marker of a deletion is at least when it is
// removed, in a bucket that doesn't say otherwise. It is what client libraries
// leave when they purge deletes, by default.
const markerAge = 30 * time.Minute

// missed reports whether whoever knows the bucket as it was at the place may
// have missed that a key was deleted, and can't learn of it from what is still
// there.
//
// A change that is not there any more was replaced by a newer one of its key,
// which is harmless, or it was a deletion whose marker is gone, or everything
// was purged. The server doesn't say which. What it does say decides:
//
//   - if no message is missing since, nothing was missed;
//   - if messages may have lifetimes of their own, what is missing may be a
//     marker;
//   - if the newest message of all is missing, nothing has replaced it;
//   - if nothing is left of what was there at the place, all of it may have
//     been purged, unless the source has seen that the bucket has as many
//     keys as it had then;
//   - a marker that is missing is at least as old as markers get, so that who
//     was there a shorter time ago than that hasn't missed it.
//
// A bucket whose entries have a lifetime (a TTL) and whose deletion markers
// have none removes entries and tells nobody, not even who is listening. That
// is no change in the sense of this package.
func (s *bucketSource) missed(ctx context.Context, session *session, st *streamState, at place) (bool, error) {
	if at.seq == 0 || at.seq == st.last {
		return false, nil
	}
	there, err := s.count(ctx, session, st, at.seq+1)
	if err != nil {
		return false, err
	}
	now, err := session.look(ctx)
	switch {
	case err != nil:
		return false, err
	case now.id != st.id:
		return false, adapters.Transient(reasonAnew, nil)
	case there == now.last-at.seq:
		return false, nil
	case now.config.AllowMsgTTL: // a marker may have had any lifetime
		return true, nil
	case now.first > at.seq && !s.census.holds(at, &now):
		return true, nil
	}
	newest, err := s.count(ctx, session, st, now.last)
	if err != nil {
		return false, err
	}
	return newest == 0 || now.asOf.Sub(time.Unix(at.at, 0)) >= markersKept(&now.config), nil
}

// markersKept returns how long the marker of a deletion stays in a bucket.
func markersKept(c *jetstream.StreamConfig) time.Duration {
	kept := markerAge
	for _, limit := range []time.Duration{c.MaxAge, c.SubjectDeleteMarkerTTL} {
		if limit > 0 {
			kept = min(kept, limit)
		}
	}
	return kept
}

// A census is what a source knows of how many keys its bucket had.
type census struct {
	mu sync.Mutex
	at place // guarded by mu; when it was taken

	// keys is their number, deleted ones that have a marker included; guarded
	// by mu; 0: there was no census.
	keys uint64
}

// take notes how many keys there are.
func (c *census) take(now *streamState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.id != c.at.id || now.last >= c.at.seq {
		c.at, c.keys = place{id: now.id, seq: now.last}, now.subjects
	}
}

// holds reports whether there are as many keys as there were when the census
// was taken, and the place is not further back than that.
func (c *census) holds(at place, now *streamState) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.keys > 0 && at.id == c.at.id && at.seq >= c.at.seq && now.subjects >= c.keys
}

// lookInterval is how often a delivery that has nothing to deliver looks
// whether the bucket was purged: no message says so.
const lookInterval = 5 * time.Second

// A bucketGuard guards a delivery of a bucket's entries.
type bucketGuard struct {
	census *census
	state  streamState // of the bucket, when it last looked
	looked time.Time
}

func (*bucketGuard) before(context.Context, *delivery, *natsgo.MsgMetadata) error { return nil }
func (*bucketGuard) behind(context.Context, *delivery, *natsgo.MsgMetadata) error { return nil }

func (g *bucketGuard) idle(ctx context.Context, d *delivery, last uint64) (place, error) {
	if last <= d.at.seq && time.Since(g.looked) < lookInterval {
		return d.at, nil
	}
	now, err := moved(ctx, d)
	if err != nil {
		return place{}, err
	}
	before := g.state
	g.state, g.looked = now, time.Now()
	// Nothing is left of what was there, and keys are missing: nobody
	// deletes all keys in so short a time one by one.
	if before.messages > 0 && now.first > before.last && now.subjects < before.subjects {
		return place{}, lost(adapters.LostExpired, place{id: now.id}, -1)
	}
	g.census.take(&now)
	if now.last != last { // something has come since, which brings its time
		return d.at, nil
	}
	return d.place(last, now.newest), nil
}
