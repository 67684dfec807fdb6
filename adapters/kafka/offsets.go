package kafka

import (
	"cmp"
	"context"
	"fmt"
	"sync"

	"sidestream/adapters"
	"sidestream/adapters/kafka/broker"
)

// A partID names a partition of one of a source's topics.
type partID struct {
	topic     int // index into source.topics
	partition int32
}

// offsets asks the leaders of partitions for the offsets that belong to a time,
// or are earliest or latest; at is that time for each of them. What isn't
// there, since no record is that late, is -1.
func (s *source) offsets(ctx context.Context, cluster *cluster, l *layout, committed bool, at map[partID]int64) (map[partID]int64, error) {
	found, err := s.offsetsAtHand(ctx, cluster, l, committed, at)
	if err == nil && len(found) < len(at) {
		err = adapters.Transient(reasonAnswer, fmt.Errorf("%d of %d offsets are missing in the answer", len(at)-len(found), len(at)))
	}
	return found, err
}

// offsetsAtHand is offsets for those who can do with some: what could be had is
// returned with an error too, which is then the first.
func (s *source) offsetsAtHand(ctx context.Context, cluster *cluster, l *layout, committed bool, at map[partID]int64) (map[partID]int64, error) {
	var (
		mu      sync.Mutex
		failure error                             // guarded by mu
		found   = make(map[partID]int64, len(at)) // guarded by mu
	)
	fail := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		failure = cmp.Or(failure, err)
	}
	requests := map[int32][]broker.OffsetRequest{}
	index := make(map[string]int, len(l.topics))
	for id, time := range at {
		t := &l.topics[id.topic]
		index[t.Name] = id.topic
		if int(id.partition) >= len(t.Partitions) { // a broker that lags behind the others
			fail(adapters.Transient(reasonNoPartition, fmt.Errorf("topic %s, partition %d is not known to all brokers yet", t.Name, id.partition)))
			continue
		}
		p := t.Partitions[id.partition]
		if _, known := l.brokers[p.Leader]; !known {
			fail(adapters.Transient(reasonLeaderless, fmt.Errorf("topic %s, partition %d has no leader", t.Name, id.partition)))
			continue
		}
		requests[p.Leader] = append(requests[p.Leader], broker.OffsetRequest{Topic: t.Name, Partition: id.partition, Time: time})
	}
	var group sync.WaitGroup
	for leader, list := range requests {
		group.Go(func() {
			answers, err := ask(ctx, cluster, l.brokers[leader], func(c *broker.Conn) ([]broker.Offset, error) {
				return c.ListOffsets(ctx, committed, list)
			})
			if err != nil {
				fail(err)
				return
			}
			for _, a := range answers {
				if a.Err != nil {
					fail(s.judge(fmt.Errorf("offsets of topic %s, partition %d: %w", a.Topic, a.Partition, a.Err)))
					continue
				}
				mu.Lock()
				found[partID{index[a.Topic], a.Partition}] = a.Offset
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return found, failure
}

// ask connects to a broker for one request.
func ask[T any](ctx context.Context, cluster *cluster, node broker.Node, request func(*broker.Conn) (T, error)) (answer T, err error) {
	done, err := cluster.turn(ctx)
	if err != nil {
		return answer, err
	}
	defer done()
	conn, err := cluster.Connect(ctx, node)
	if err != nil {
		return answer, err
	}
	defer conn.Release()
	return request(conn)
}
