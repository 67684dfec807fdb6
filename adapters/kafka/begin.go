package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"sidestream/adapters"
	"sidestream/adapters/kafka/broker"
)

// begin returns the place where a Run begins that is to go on after a position,
// up to the place until if that is not nil.
func (s *source) begin(ctx context.Context, cluster *cluster, l *layout, after adapters.Position, until *place) (*place, error) {
	if after == "" {
		return s.start(ctx, cluster, l)
	}
	from, err := s.factory.places.parse(after)
	switch {
	case errors.Is(err, errForgotten):
		return nil, s.fromStart(ctx, cluster, l, adapters.LostExpired)
	case err != nil:
		return nil, s.fromStart(ctx, cluster, l, adapters.LostUnknown)
	}
	if s.factory.options.Compacted {
		if err := s.recent(ctx, cluster, l, from); err != nil {
			return nil, err
		}
	}
	to, err := s.resume(ctx, cluster, l, from)
	if err != nil {
		return nil, err
	}
	return to, s.expired(ctx, cluster, l, to, until)
}

// fromStart returns the error that says that a position is of no use, so that
// one who has it goes on from where a Run begins that has none.
func (s *source) fromStart(ctx context.Context, cluster *cluster, l *layout, why adapters.LostReason) error {
	p, err := s.start(ctx, cluster, l)
	if err != nil {
		return err
	}
	return &adapters.PositionLostError{Reason: why, Resume: s.positionOf(p), Lost: -1}
}

// start returns the place where a Run begins without a position.
func (s *source) start(ctx context.Context, cluster *cluster, l *layout) (*place, error) {
	switch start := s.factory.options.Start; {
	case !start.Time.IsZero():
		return s.placeAt(ctx, cluster, l, max(start.Time.UnixMilli(), 0))
	case start.Offset != nil:
		return s.placeFrom(ctx, cluster, l, *start.Offset)
	case start.word == startEarliest:
		return s.placeAt(ctx, cluster, l, earliest)
	default:
		return s.placeAt(ctx, cluster, l, latest)
	}
}

// placeAt returns the place of a time, in milliseconds since 1970, or that is
// earliest or latest.
func (s *source) placeAt(ctx context.Context, cluster *cluster, l *layout, time int64) (*place, error) {
	ids, err := s.all(l)
	if err != nil {
		return nil, err
	}
	// The end comes first: what is written after that may be of the time.
	offsets, err := s.offsets(ctx, cluster, l, s.committed(), atTime(ids, min(time, latest)))
	if err != nil || time < 0 {
		return s.place(l, offsets), err
	}
	found, err := s.offsets(ctx, cluster, l, s.committed(), atTime(ids, time))
	if err != nil {
		return nil, err
	}
	for id, offset := range found {
		if offset >= 0 {
			offsets[id] = offset
		}
	}
	return s.place(l, offsets), nil
}

// placeFrom returns the place of one offset in all partitions, as far as they
// have it: that of the first or the last record otherwise.
func (s *source) placeFrom(ctx context.Context, cluster *cluster, l *layout, offset int64) (*place, error) {
	ids, err := s.all(l)
	if err != nil {
		return nil, err
	}
	first, err := s.offsets(ctx, cluster, l, s.committed(), atTime(ids, earliest))
	if err != nil {
		return nil, err
	}
	end, err := s.offsets(ctx, cluster, l, s.committed(), atTime(ids, latest))
	if err != nil {
		return nil, err
	}
	for id := range first {
		first[id] = max(first[id], min(offset, end[id]))
	}
	return s.place(l, first), nil
}

// all returns all partitions that the source reads.
func (s *source) all(l *layout) (ids []partID, err error) {
	for i := range l.topics {
		selected, err := s.selected(&l.topics[i])
		if err != nil {
			return nil, err
		}
		for _, p := range selected {
			ids = append(ids, partID{i, p})
		}
	}
	return ids, nil
}

// atTime returns what to ask for to get the offsets of a time.
func atTime(ids []partID, time int64) map[partID]int64 {
	at := make(map[partID]int64, len(ids))
	for _, id := range ids {
		at[id] = time
	}
	return at
}

// place makes a place of offsets. Topics that are gone are in it, as such.
func (s *source) place(l *layout, offsets map[partID]int64) *place {
	p := newPlace()
	for i := range l.topics {
		t := &l.topics[i]
		if t.gone {
			p.addTopic(t.name, noTopic)
		} else {
			p.addTopic(t.name, t.id)
		}
	}
	for id, next := range offsets {
		t, _ := p.topic(l.topics[id.topic].name)
		p.addPartition(t, id.partition, next)
	}
	return p
}

// resume returns the place from which to go on, for one who was at from. Of a
// topic that was added to the route meanwhile it is where a Run starts that has
// no position; a partition that was added is read from its start.
func (s *source) resume(ctx context.Context, cluster *cluster, l *layout, from *place) (*place, error) {
	to := newPlace()
	to.minute = from.minute
	known, recreated := 0, false
	var added []partID
	for i := range l.topics {
		t := &l.topics[i]
		old, found := from.topic(t.name)
		if found {
			known++
		}
		switch {
		case found && t.gone:
			to.addTopic(t.name, from.topics[old].id)
			copyParts(to, &from.topics[old])
			continue
		case found && from.topics[old].id == noTopic:
		case found && !t.continues(&from.topics[old]):
			recreated = true
			to.addTopic(t.name, t.id)
			continue
		case found && t.behind(&from.topics[old]):
			return nil, adapters.Transient(reasonNoPartition, fmt.Errorf("topic %s: the position names a partition that there isn't, or that not all brokers know of yet", t.Name))
		}
		to.addTopic(t.name, t.id)
		selected, err := s.selected(t)
		if err != nil {
			return nil, err
		}
		if found {
			copyParts(to, &from.topics[old])
			s.dropUnread(to, t.name, selected)
		}
		for _, p := range selected {
			at, _ := to.topic(t.name)
			if _, has := to.topics[at].find(p); !has && (!found || s.key != nil) {
				added = append(added, partID{i, p})
			}
		}
	}
	switch {
	case known == 0:
		return nil, s.fromStart(ctx, cluster, l, adapters.LostUnknown)
	case recreated:
		return nil, &adapters.PositionLostError{Reason: adapters.LostRecreated, Resume: s.positionOf(to), Lost: -1}
	case len(added) == 0:
		return to, nil
	}
	return to, s.startOf(ctx, cluster, l, from, to, added)
}

// continues reports whether the topic is still the one of which a reader has
// been in these places. Where brokers have no topic ids, that it has fewer
// partitions than before tells; where they have, that means that a broker hasn't
// heard of the last yet. Brokers may have got ids meanwhile.
func (t *topicLayout) continues(was *topicPlace) bool {
	if t.ID == (broker.TopicID{}) {
		return was.id == t.id && !t.behind(was)
	}
	return was.id == t.id || was.id == t.unnamed
}

// behind reports whether this was told by a broker that hasn't heard of the last
// partitions yet, since a reader of the topic has been in them. Topics don't
// lose any.
func (t *topicLayout) behind(was *topicPlace) bool {
	n := len(was.parts)
	return n > 0 && int(was.parts[n-1].partition) >= len(t.Partitions)
}

// copyParts adds to the place p what from has of one topic.
func copyParts(p *place, from *topicPlace) {
	t, _ := p.topic(from.name)
	for _, part := range from.parts {
		p.addPartition(t, part.partition, part.next)
	}
}

// dropUnread takes out of a place what it has of partitions that are no longer
// read, by another configuration.
func (s *source) dropUnread(p *place, topic uint32, selected []int32) {
	if s.key != nil || len(s.factory.options.Partitions) == 0 {
		return // those of a key are read up to their ends
	}
	t, _ := p.topic(topic)
	p.topics[t].parts = slices.DeleteFunc(p.topics[t].parts, func(part partPlace) bool {
		return !slices.Contains(selected, part.partition)
	})
}

// startOf adds to the place to where partitions begin that from knows nothing
// of: those of a topic that was added to the route as a Run without a position
// begins, and those that a key has moved to at their first record.
func (s *source) startOf(ctx context.Context, cluster *cluster, l *layout, from, to *place, added []partID) error {
	fresh := *l
	fresh.topics = make([]topicLayout, len(l.topics))
	moved := map[partID]int64{}
	for _, id := range added {
		if _, known := from.topic(l.topics[id.topic].name); known {
			moved[id] = earliest
		} else {
			fresh.topics[id.topic] = l.topics[id.topic]
		}
	}
	offsets, err := s.offsets(ctx, cluster, l, s.committed(), moved)
	if err != nil {
		return err
	}
	for id, next := range offsets {
		t, _ := to.topic(l.topics[id.topic].name)
		to.addPartition(t, id.partition, next)
	}
	start, err := s.start(ctx, cluster, &fresh)
	if err != nil {
		return err
	}
	for i := range start.topics {
		if t, found := to.topic(start.topics[i].name); found && len(to.topics[t].parts) == 0 {
			to.topics[t].parts = start.topics[i].parts
		}
	}
	return nil
}
