package broker

import (
	"cmp"
	"net"
	"slices"
	"strconv"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// Metadata is what a broker knows of its cluster and of the topics that it was
// asked for.
type Metadata struct {
	ClusterID string         // empty if the broker has none
	Brokers   map[int32]Node // by their ids; at least one
	Topics    map[string]Topic
}

// A Node is a broker.
type Node struct {
	ID   int32
	Host string
	Port int32
	Rack string // empty if it is in none
}

func (n Node) address() string { return net.JoinHostPort(n.Host, strconv.Itoa(int(n.Port))) }

// A TopicID is what tells a topic from an earlier or later one with its name
// (KIP-516). The zero value is none: the broker has no ids.
type TopicID [16]byte

// A Topic is a topic as a broker knows it.
type Topic struct {
	Name string
	ID   TopicID

	// Err is nil or a [kafka.Error]. There are no partitions with most of
	// them.
	Err error

	Partitions []Partition // sorted by id
}

// A Partition is where to find one.
type Partition struct {
	ID     int32
	Leader int32 // the id of a broker; -1: none for the moment
	Epoch  int32 // of the leader; -1: the broker has no epochs
	Err    error // nil or a [kafka.Error]
}

// A metadataExchange asks for topics by name. It creates none.
type metadataExchange struct {
	topics []string
	answer Metadata
}

func (*metadataExchange) form() form {
	// Version 4 is the first that can be told to create no topics. Every broker
	// that answers what else is asked of it has that; earlier ones are for
	// servers that speak only parts of the protocol.
	return form{key: protocol.Metadata, versions: []span{{4, 12}, {2, 3}}, flexible: 9}
}

func (x *metadataExchange) encode(e *encoder, version int16) {
	e.count(len(x.topics))
	for _, name := range x.topics {
		if version >= 10 {
			e.id(TopicID{})
		}
		e.string(name)
		e.tags()
	}
	if version >= 4 {
		e.bool(false) // create topics
	}
	if version >= 8 && version <= 10 {
		e.bool(false) // operations that are authorized, of the cluster
	}
	if version >= 8 {
		e.bool(false) // and of the topics
	}
	e.tags()
}

func (x *metadataExchange) decode(d *decoder, version int16) {
	if version >= 3 {
		d.throttle = d.int32()
	}
	x.answer.Brokers = make(map[int32]Node)
	for n := d.count(11); n > 0; n-- {
		node := Node{ID: d.int32(), Host: d.string(), Port: d.int32(), Rack: d.string()}
		d.tags()
		x.answer.Brokers[node.ID] = node
	}
	x.answer.ClusterID = d.string()
	d.skip(4) // the controller
	x.decodeTopics(d, version)
	if version >= 8 && version <= 10 {
		d.skip(4) // operations
	}
	d.tags()
}

func (x *metadataExchange) decodeTopics(d *decoder, version int16) {
	x.answer.Topics = make(map[string]Topic, len(x.topics))
	for _, name := range x.topics { // what the broker says nothing of
		x.answer.Topics[name] = Topic{Name: name, Err: kafka.UnknownTopicOrPartition}
	}
	for n := d.count(9); n > 0; n-- {
		t := Topic{Err: d.code(), Name: d.string()}
		if version >= 10 {
			t.ID = d.id()
		}
		d.skip(1) // internal or not
		t.Partitions = decodePartitions(d, version)
		if version >= 8 {
			d.skip(4) // operations
		}
		d.tags()
		if _, asked := x.answer.Topics[t.Name]; asked {
			x.answer.Topics[t.Name] = t
		}
	}
}

func decodePartitions(d *decoder, version int16) []Partition {
	n := d.count(18)
	list := make([]Partition, 0, n)
	for ; n > 0; n-- {
		p := Partition{Err: d.code(), ID: d.int32(), Leader: d.int32(), Epoch: -1}
		if version >= 7 {
			p.Epoch = d.int32()
		}
		d.skipInt32s() // replicas
		d.skipInt32s() // those in sync
		if version >= 5 {
			d.skipInt32s() // those offline
		}
		d.tags()
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b Partition) int { return cmp.Compare(a.ID, b.ID) })
	return list
}
