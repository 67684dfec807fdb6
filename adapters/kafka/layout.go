package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"sidestream/adapters"
	"sidestream/adapters/kafka/broker"
)

// A layout is what the brokers say of the topics of a source.
type layout struct {
	brokers map[int32]broker.Node
	topics  []topicLayout // as in source.topics
}

// A topicLayout is that of one topic.
type topicLayout struct {
	broker.Topic
	name, id uint32 // hashes, as in a place
	unnamed  uint32 // what id is as long as the topic has none
	gone     bool   // it was there, and isn't now; it has no partitions then
}

// notYet is how long after it has said that a topic isn't there a broker is
// asked again: it may not have heard of one that was just created, nor of any
// if it has just been started.
const notYet = time.Second

// lookUp asks for the layout. That a topic is not there is permanent, unless it
// was: it will be created anew, and doesn't keep others from being read, if
// there are others.
func (s *source) lookUp(ctx context.Context, cluster *cluster) (*layout, error) {
	meta, err := s.metadata(ctx, cluster)
	if err == nil && s.lacksNew(meta) {
		again := time.NewTimer(notYet)
		defer again.Stop()
		select {
		case <-again.C:
			meta, err = s.metadata(ctx, cluster)
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err != nil {
		return nil, err
	}
	l := &layout{brokers: meta.Brokers, topics: make([]topicLayout, len(s.topics))}
	gone := 0
	for i, name := range s.topics {
		topic, known := meta.Topics[name]
		t := topicLayout{
			Topic: topic, name: hashName(name), id: hashIdentity(topic.ID, meta.ClusterID, name),
			unnamed: hashIdentity(broker.TopicID{}, meta.ClusterID, name),
		}
		switch {
		case known && topic.Err == nil && len(topic.Partitions) > 0:
			s.seen[i].Store(true)
		case known && topic.Err != nil && !isGone(topic.Err):
			return nil, broker.Classify(fmt.Errorf("topic %s: %w", name, topic.Err))
		case !s.seen[i].Load():
			return nil, adapters.Permanent(reasonNoTopic, fmt.Errorf("topic %s: %w", name, kafkago.UnknownTopicOrPartition))
		default:
			t.gone = true
			t.Name, t.Partitions = name, nil
			gone++
		}
		l.topics[i] = t
	}
	if gone == len(l.topics) {
		return nil, adapters.Transient(reasonGone, fmt.Errorf("topic %s: %w", s.topics[0], kafkago.UnknownTopicOrPartition))
	}
	return l, nil
}

// metadata asks for what brokers know of the topics.
func (s *source) metadata(ctx context.Context, cluster *cluster) (*broker.Metadata, error) {
	done, err := cluster.turn(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	// Within this time all brokers are asked.
	within, cancel := context.WithTimeout(ctx, time.Duration(s.factory.options.Connection.RequestTimeout))
	defer cancel()
	meta, err := cluster.Metadata(within, s.topics)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return meta, err
}

// lacksNew reports whether there is no topic where there never was one.
func (s *source) lacksNew(meta *broker.Metadata) bool {
	for i, name := range s.topics {
		if err := meta.Topics[name].Err; err != nil && isGone(err) && !s.seen[i].Load() {
			return true
		}
	}
	return false
}

// isGone reports whether err says that there is no such topic, or no longer.
func isGone(err error) bool {
	return errors.Is(err, kafkago.UnknownTopicOrPartition) || errors.Is(err, kafkago.UnknownTopicID) || errors.Is(err, kafkago.InconsistentTopicID)
}

// selected returns the partitions of a topic that the source reads, by their
// indexes: those that are configured, that of the key, or all.
func (s *source) selected(t *topicLayout) ([]int32, error) {
	n := len(t.Partitions)
	if n == 0 {
		return nil, nil
	}
	switch o := s.factory.options; {
	case len(o.Partitions) > 0:
		for _, p := range o.Partitions {
			if int(p) >= n {
				return nil, adapters.Permanent(reasonNoPartition, fmt.Errorf("topic %s has %d partitions, and no partition %d", t.Name, n, p))
			}
		}
		return o.Partitions, nil
	case s.key != nil && o.Partitioner != partitionerAny:
		return []int32{o.Partitioner.partition(s.key, n)}, nil
	}
	all := make([]int32, n)
	for i := range all {
		all[i] = int32(i)
	}
	return all, nil
}
