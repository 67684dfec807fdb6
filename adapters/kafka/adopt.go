package kafka

import (
	"context"
	"errors"
	"slices"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/kafka/broker"
)

// adopt takes in what the brokers say of the topics: what is new is read from
// its start, and what has moved is fetched from where it is now. begins says that
// the Run begins here, without a position.
func (r *reader) adopt(ctx context.Context, l *layout, begins bool) error {
	before := r.layout
	r.layout = l
	var added []*part
	for i := range l.topics {
		t := &l.topics[i]
		if t.gone {
			if err := r.goneInReplay(t); err != nil {
				return err
			}
			r.park(i)
			continue
		}
		j, _ := r.at.topic(t.name)
		was := &r.at.topics[j]
		switch {
		case was.id == noTopic, was.id != t.id && t.continues(was):
			was.id = t.id
		case t.ID == broker.TopicID{} && was.id != t.unnamed && !begins:
			// A broker without ids, while others have told of one.
		case !t.continues(was):
			return r.lostTopic(t)
		}
		if before != nil && t.behind(was) {
			*t = before.topics[i] // which isn't
			continue
		}
		selected, err := r.selected(t)
		if err != nil {
			return err
		}
		for _, partition := range r.withKept(t, selected) {
			if p := r.adoptPart(i, &t.Partitions[partition]); p != nil {
				added = append(added, p)
			}
			if p := r.parts[partID{i, partition}]; p != nil && r.key != nil && !p.left && !slices.Contains(selected, partition) {
				if p.left = true; p.owner != nil { // it has only now
					p.quits = time.Now().Add(straggling)
				}
			}
		}
	}
	if len(added) > 0 {
		r.index()
	}
	if begins && r.factory.options.Start.word == startLatest {
		for _, p := range added { // there is nothing to wait for
			p.high = p.next
		}
	}
	if r.until != nil && len(r.parts) == 0 && !r.finished() {
		return adapters.Transient(reasonNoPartition, errors.New("not all partitions are known to all brokers yet"))
	}
	return r.assign(ctx)
}

// goneInReplay returns the error that says so if what is to be replayed of a
// topic is gone with it. Who has all else goes on where the replay was to end.
func (r *reader) goneInReplay(t *topicLayout) error {
	if r.until == nil {
		return nil
	}
	i, _ := r.at.topic(t.name)
	end, found := r.until.topic(t.name)
	if !found {
		return nil
	}
	if less, _ := differenceOf(r.at.topics[i].parts, r.until.topics[end].parts); !less {
		return nil
	}
	to := r.at.clone()
	to.last.topic, to.last.index = none, 0
	to.topics[i] = r.until.clone().topics[end]
	return &adapters.PositionLostError{Reason: adapters.LostExpired, Resume: r.positionOf(to), Lost: -1}
}

// withKept returns the selected partitions of a topic and those that the place
// has beside: when partitions are added, a key moves to another, and what is in
// the one before is still to be read.
func (r *reader) withKept(t *topicLayout, selected []int32) []int32 {
	j, found := r.at.topic(t.name)
	if !found || r.key == nil {
		return selected
	}
	all := append([]int32(nil), selected...)
	for _, p := range r.at.topics[j].parts {
		if int(p.partition) < len(t.Partitions) && p.partition != selected[0] {
			all = append(all, p.partition)
		}
	}
	return all
}

// adoptPart takes in what there is to know of a partition, and returns it if it
// is new.
func (r *reader) adoptPart(topic int, of *broker.Partition) *part {
	id := partID{topic, of.ID}
	if p := r.parts[id]; p != nil {
		if of.Epoch >= p.epoch { // otherwise it is from a broker that lags behind
			p.leader, p.epoch = of.Leader, of.Epoch
		}
		return nil
	}
	name := r.layout.topics[topic].name
	t, _ := r.at.topic(name)
	_, has := r.at.topics[t].find(of.ID)
	if !has {
		r.at.addPartition(t, of.ID, 0)
		r.index()
	}
	j, _ := r.at.topics[t].find(of.ID)
	p := &part{id: id, next: r.at.topics[t].parts[j].next, until: -1, leader: of.Leader, epoch: of.Epoch, replica: -1, high: -1, moved: !has && r.key != nil}
	if p.next > 0 && r.resumed > 0 {
		p.holds, p.caught = true, time.Unix(r.resumed*60, 0)
	}
	if r.until != nil {
		p.until = r.until.next(name, of.ID)
		if p.next >= p.until {
			return nil
		}
	}
	r.parts[id] = p
	return p
}

// index finds the parts in the place anew, since partitions were added to it.
func (r *reader) index() {
	for id, p := range r.parts {
		p.at.topic, _ = r.at.topic(r.layout.topics[id.topic].name)
		p.at.index, _ = r.at.topics[p.at.topic].find(id.partition)
	}
}

// park stops reading a topic that is gone, until it is back.
func (r *reader) park(topic int) {
	for id, p := range r.parts {
		if id.topic == topic {
			p.leader, p.high = -1, -1
			r.leave(p)
		}
	}
}

// leave takes a partition from whoever fetches it.
func (r *reader) leave(p *part) {
	if p.owner != nil {
		p.owner.drop(p.id)
		p.owner = nil
	}
}

// assign has every partition fetched from the broker that it is to be fetched
// from.
func (r *reader) assign(ctx context.Context) error {
	without := 0
	for _, p := range r.parts {
		node, ok := r.node(p)
		if !ok {
			without++
			r.env.Count("leaderless")
			if p.owner != nil || r.failure == nil {
				r.env.Log.Warn().Str("partition", r.describe(p.id)).Msg("a partition has no leader")
			}
			r.leave(p)
			r.failure = adapters.Transient(reasonLeaderless, errors.New(r.describe(p.id)+" has no leader"))
			continue
		}
		if p.owner != nil && p.owner.node == node {
			p.owner.renew(p.id, p.epoch)
			continue
		}
		r.leave(p)
		r.fetch(ctx, p, node)
	}
	r.retire()
	switch {
	case without > 0 && without == len(r.parts):
		return r.failure
	case without == 0:
		r.failure = nil
	}
	r.lookAgain(without > 0)
	return nil
}

// fetch has a partition fetched from a broker.
func (r *reader) fetch(ctx context.Context, p *part, node broker.Node) {
	f := r.fetchers[node.ID]
	if f != nil && f.node != node { // it has moved
		f.stop()
		f = nil
	}
	if f == nil {
		f = newFetcher(r, node)
		r.fetchers[node.ID] = f
		r.launch(ctx, f)
	}
	p.turn++
	p.owner = f
	t := &r.layout.topics[p.id.topic]
	f.add(p.id, &wanted{
		FetchPartition: broker.FetchPartition{
			Topic: t.Name, TopicID: t.ID, Partition: p.id.partition, Epoch: p.epoch,
			Offset: p.next, MaxBytes: int32(r.factory.options.Fetch.MaxPartitionBytes),
		},
		turn: p.turn,
	})
}

// launch lets a fetcher run until it is stopped or has failed.
func (r *reader) launch(ctx context.Context, f *fetcher) {
	ctx, f.stop = context.WithCancel(ctx)
	r.group.Go(func() { f.run(ctx) })
}

// retire stops the fetchers that have nothing to fetch. What one may still have
// to say of a partition counts.
func (r *reader) retire() {
	busy := make(map[*fetcher]bool, len(r.fetchers))
	for _, p := range r.parts {
		busy[p.owner] = true
	}
	for id, f := range r.fetchers {
		if !busy[f] {
			f.stop()
			delete(r.fetchers, id)
		}
	}
}
