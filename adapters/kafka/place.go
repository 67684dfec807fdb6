package kafka

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// Bounds of a place. One that is beyond them is not read from a position.
const (
	maxTopics     = 64
	maxPartitions = 100_000 // of all topics together
)

// A place is where a reader is in each partition of each topic. It is between
// records: right before the one that next names, whether it is there or not.
type place struct {
	topics []topicPlace // sorted by name, none twice

	// last is the partition of the event right before the place. Its topic is
	// none for a place that no event led to, such as that of a notice.
	last at

	// minute is when a reader was at the place, in minutes since 1970, for
	// sources of compacted topics: it knew what was there then. 0 for others.
	minute int64
}

// at names a partition of a place, by indexes into topics and into parts.
type at struct{ topic, index int }

// none is the topic of an at that names nothing; its index is 0.
const none = -1

// A topicPlace is where a reader is in one topic.
type topicPlace struct {
	name, id uint32      // the hashes of the topic's name and of its identity
	parts    []partPlace // sorted by partition, none twice
}

// A partPlace is where a reader is in one partition. One that a place doesn't
// have is one of which nothing was read: its next is 0.
type partPlace struct {
	partition int32
	next      int64 // offset of the next record
}

// hashName returns what stands for a topic's name in positions.
func hashName(topic string) uint32 {
	sum := sha256.Sum256([]byte(topic))
	return binary.BigEndian.Uint32(sum[:])
}

// hashIdentity returns what tells one incarnation of a topic from others: a
// hash of the id that the brokers gave it, or, if they have none (all zero,
// before Kafka 2.8), of the cluster's id and the topic's name, which a topic
// that was deleted and created anew has too.
func hashIdentity(id [16]byte, cluster, topic string) uint32 {
	text := append([]byte{0}, id[:]...)
	if id == [16]byte{} {
		text = append([]byte{1}, cluster+"\n"+topic...) // no cluster's id has a line break
	}
	sum := sha256.Sum256(text)
	return max(binary.BigEndian.Uint32(sum[:]), noTopic+1)
}

// noTopic is the identity of a topic that wasn't there when a reader came, and
// of which it has nothing therefore. It turns into any.
const noTopic = 0

// newPlace returns the place of a reader that has no topics.
func newPlace() *place { return &place{last: at{topic: none}} }

// clone returns a copy that shares nothing with p.
func (p *place) clone() *place {
	q := *p
	q.topics = slices.Clone(p.topics)
	for i := range q.topics {
		q.topics[i].parts = slices.Clone(q.topics[i].parts)
	}
	return &q
}

// topic returns the index of the topic with that hash of its name, or where it
// would be.
func (p *place) topic(name uint32) (index int, found bool) {
	return slices.BinarySearchFunc(p.topics, name, func(t topicPlace, name uint32) int {
		return cmp.Compare(t.name, name)
	})
}

// addTopic adds a topic without partitions, which must not be there yet, and
// returns its index. Those of later topics grow by one.
func (p *place) addTopic(name, id uint32) int {
	i, _ := p.topic(name)
	p.topics = slices.Insert(p.topics, i, topicPlace{name: name, id: id})
	if p.last.topic >= i {
		p.last.topic++
	}
	return i
}

// addPartition adds a partition of a topic, which must not be there yet, and
// returns its index. Those of later partitions grow by one.
func (p *place) addPartition(topic int, partition int32, next int64) int {
	t := &p.topics[topic]
	i, _ := t.find(partition)
	t.parts = slices.Insert(t.parts, i, partPlace{partition, next})
	if p.last.topic == topic && p.last.index >= i {
		p.last.index++
	}
	return i
}

// set sets where a reader is in a partition, which is added if it isn't there.
func (p *place) set(topic int, partition int32, next int64) {
	if i, found := p.topics[topic].find(partition); found {
		p.topics[topic].parts[i].next = next
		return
	}
	p.addPartition(topic, partition, next)
}

// find returns the index of a partition, or where it would be.
func (t *topicPlace) find(partition int32) (index int, found bool) {
	if i := int(partition); i < len(t.parts) && i >= 0 && t.parts[i].partition == partition {
		return i, true // as it is wherever all partitions are read
	}
	return slices.BinarySearchFunc(t.parts, partition, func(p partPlace, partition int32) int {
		return cmp.Compare(p.partition, partition)
	})
}
