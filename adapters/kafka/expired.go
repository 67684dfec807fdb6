package kafka

import (
	"context"
	"errors"
	"slices"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/kafka/broker"
)

// expired returns the error that says that records are gone which one at the
// place lacks, up to the place until if that is not nil, if there are such. Of
// partitions that nobody leads there is no telling; they are read as soon as
// somebody does.
//
// The number of those lost is a difference of offsets, which may be more than
// there were records: some offsets are those of markers of transactions.
func (s *source) expired(ctx context.Context, cluster *cluster, l *layout, from, until *place) error {
	ids, err := s.all(l)
	if err != nil {
		return err
	}
	if s.key != nil { // which may have been in others before
		ids = append(ids, s.others(l, from, ids)...)
	}
	if until != nil {
		wanted := slices.DeleteFunc(slices.Clone(ids), func(id partID) bool {
			name := l.topics[id.topic].name
			return from.next(name, id.partition) >= until.next(name, id.partition)
		})
		if lost, err := s.missing(ctx, cluster, l, from, wanted); err != nil || lost == nil {
			return err
		}
	}
	lost, err := s.missing(ctx, cluster, l, from, ids)
	if err != nil || lost == nil {
		return err
	}
	return lost
}

// missing returns what to say of the given partitions, or nil if nothing of them
// is gone.
func (s *source) missing(ctx context.Context, cluster *cluster, l *layout, from *place, ids []partID) (*adapters.PositionLostError, error) {
	first, err := s.offsetsAtHand(ctx, cluster, l, false, atTime(ids, earliest))
	if err != nil && (ctx.Err() != nil || adapters.IsPermanent(err)) {
		return nil, err
	}
	lost := &adapters.PositionLostError{Reason: adapters.LostExpired}
	to := from.clone()
	to.last = at{topic: none}
	for id, oldest := range first {
		t, _ := to.topic(l.topics[id.topic].name)
		if n := oldest - to.topics[t].next(id.partition); n > 0 {
			to.set(t, id.partition, oldest)
			lost.Lost += n
		}
	}
	if lost.Lost == 0 {
		return nil, nil //nolint:nilnil // nothing is lost, and nothing has failed
	}
	if s.key != nil || s.factory.options.Compacted {
		lost.Lost = -1 // of other keys, or replaced
	}
	lost.Resume = s.positionOf(to)
	return lost, nil
}

// others returns the partitions that a place has beside the given ones.
func (s *source) others(l *layout, p *place, ids []partID) (list []partID) {
	for i := range l.topics {
		t, found := p.topic(l.topics[i].name)
		if !found || l.topics[i].gone {
			continue
		}
		for _, part := range p.topics[t].parts {
			if id := (partID{i, part.partition}); !slices.Contains(ids, id) {
				list = append(list, id)
			}
		}
	}
	return list
}

// outOfRange finds out why a partition doesn't have the record that is next.
func (r *reader) outOfRange(ctx context.Context, p *part) error {
	if p.moved && p.next == 0 { // the key is in none of what is gone
		first, err := r.offsets(ctx, r.cluster, r.layout, false, atTime([]partID{p.id}, earliest))
		if err != nil {
			return err
		}
		p.next = first[p.id]
		r.pass(p)
		r.lookAgain(true)
		return nil
	}
	if err := r.expired(ctx, r.cluster, r.layout, r.at, r.until); err != nil {
		return err
	}
	end, err := r.offsets(ctx, r.cluster, r.layout, false, atTime([]partID{p.id}, latest))
	if err != nil {
		return err
	}
	if p.next <= end[p.id] { // it is there again
		p.ahead = time.Time{}
		r.lookAgain(true)
		return nil
	}
	return r.lacks(ctx, p)
}

// doubt is for how long records that were there may seem to be lacking before
// they are: less than patience, with which the Run would end undecided.
const doubt = 3 * time.Second

// lacks takes in that a partition lacks records that were there. Either it isn't
// the log that it was, or what was asked isn't its leader: a broker that is cut
// off from the others believes so for a while.
func (r *reader) lacks(ctx context.Context, p *part) error {
	r.failure = adapters.Transient(reasonAhead, errors.New(r.describe(p.id)+" ends before the place that was reached"))
	if p.ahead.IsZero() {
		p.ahead = time.Now()
	}
	if time.Since(p.ahead) < doubt {
		r.leave(p)
		p.replica = -1
		r.lookAgain(true)
		return nil
	}
	if t := &r.layout.topics[p.id.topic]; t.ID == (broker.TopicID{}) { // nothing else tells of another topic
		return r.lostTopic(t)
	}
	first, err := r.offsets(ctx, r.cluster, r.layout, false, atTime([]partID{p.id}, earliest))
	if err != nil {
		return err
	}
	to := r.at.clone()
	to.last = at{topic: none}
	to.set(p.at.topic, p.id.partition, first[p.id])
	return &adapters.PositionLostError{Reason: adapters.LostRecreated, Resume: r.positionOf(to), Lost: -1}
}

// soonest is how long one who reads may be without an answer at least, however
// short deletions are kept: what is written last is not compacted yet.
const soonest = time.Minute

// late returns the error that says so if a compacted partition was not read to
// its end for so long that deletions may have come and gone unseen.
func (r *reader) late(p *part) error {
	since := r.began
	if p.caught.After(since) {
		since = p.caught
	}
	if r.keeps == 0 || !p.holds || time.Since(since) < max(r.keeps, soonest) {
		return nil
	}
	return &adapters.PositionLostError{Reason: adapters.LostExpired, Lost: -1}
}
