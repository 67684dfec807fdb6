package kafka

import (
	"context"
	"slices"

	"sidestream/adapters"
)

// expired returns the error that says that records are gone which one at the
// place lacks, if there are such. Of partitions that nobody leads there is no
// telling; they are read as soon as somebody does.
//
// The number of those lost is a difference of offsets, which may be more than
// there were records: some offsets are those of markers of transactions.
func (s *source) expired(ctx context.Context, cluster *cluster, l *layout, from *place) error {
	ids, err := s.all(l)
	if err != nil {
		return err
	}
	if s.key != nil { // which may have been in others before
		ids = append(ids, s.others(l, from, ids)...)
	}
	first, err := s.offsetsAtHand(ctx, cluster, l, false, atTime(ids, earliest))
	if err != nil && (ctx.Err() != nil || adapters.IsPermanent(err)) {
		return err
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
		return nil
	}
	if s.key != nil || s.factory.options.Compacted {
		lost.Lost = -1 // of other keys, or replaced
	}
	lost.Resume = s.position(to)
	return lost
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
	if err := r.expired(ctx, r.cluster, r.layout, r.at); err != nil {
		return err
	}
	end, err := r.offsets(ctx, r.cluster, r.layout, false, atTime([]partID{p.id}, latest))
	if err != nil {
		return err
	}
	if p.next <= end[p.id] { // it is there again
		r.lookAgain(true)
		return nil
	}
	// Records that were there are gone: it isn't the log that it was.
	first, err := r.offsets(ctx, r.cluster, r.layout, false, atTime([]partID{p.id}, earliest))
	if err != nil {
		return err
	}
	to := r.at.clone()
	to.last = at{topic: none}
	to.set(p.at.topic, p.id.partition, first[p.id])
	return &adapters.PositionLostError{Reason: adapters.LostRecreated, Resume: r.source.position(to), Lost: -1}
}
