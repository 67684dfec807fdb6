package broker

import (
	"time"

	"github.com/segmentio/kafka-go/protocol"

	"sidestream/adapters/kafka/record"
)

// The version of Fetch that names topics by their ids, and the last one that
// names them by their names without being flexible.
const (
	fetchByID   = 13
	fetchByName = 11
)

// A fetchExchange is a Fetch without a session (KIP-227).
type fetchExchange struct {
	request *FetchRequest
	topics  []*fetchTopic
	byName  map[string]*fetchTopic
	byID    map[TopicID]*fetchTopic // nil: not all ids are known

	fetched []*Fetched // for each partition of the request; nil: nothing has come of it
}

// A fetchTopic is a topic of a request.
type fetchTopic struct {
	name       string
	id         TopicID
	partitions []int         // as indexes of the request's
	index      map[int32]int // of each of them, by its id
}

func newFetchExchange(r *FetchRequest) *fetchExchange {
	x := &fetchExchange{
		request: r,
		byName:  make(map[string]*fetchTopic),
		byID:    make(map[TopicID]*fetchTopic),
		fetched: make([]*Fetched, len(r.Partitions)),
	}
	for i, p := range r.Partitions {
		t := x.byName[p.Topic]
		if t == nil {
			t = &fetchTopic{name: p.Topic, id: p.TopicID, index: make(map[int32]int)}
			x.topics = append(x.topics, t)
			x.byName[p.Topic], x.byID[p.TopicID] = t, t
		}
		t.partitions = append(t.partitions, i)
		t.index[p.Partition] = i
	}
	if x.byID[TopicID{}] != nil || len(x.byID) != len(x.byName) {
		x.byID = nil
	}
	return x
}

func (x *fetchExchange) form() form {
	f := form{key: protocol.Fetch, flexible: fetchByName + 1, wait: x.request.MaxWait, versions: []span{{4, fetchByName}}}
	if x.byID != nil {
		f.versions = []span{{fetchByID, fetchByID}, {4, fetchByName}}
	}
	return f
}

func (x *fetchExchange) encode(e *encoder, version int16) {
	r := x.request
	e.int32(-1) // no replica
	e.int32(int32(min(r.MaxWait, maxWait) / time.Millisecond))
	e.int32(1) // bytes to wait for
	e.int32(r.MaxBytes)
	if r.Committed {
		e.int8(1)
	} else {
		e.int8(0)
	}
	if version >= 7 {
		e.int32(0)  // no session,
		e.int32(-1) // and none to be made
	}
	e.count(len(x.topics))
	for _, t := range x.topics {
		if version >= fetchByID {
			e.id(t.id)
		} else {
			e.string(t.name)
		}
		e.count(len(t.partitions))
		for _, i := range t.partitions {
			encodeFetchPartition(e, version, &r.Partitions[i])
		}
		e.tags()
	}
	if version >= 7 {
		e.count(0) // topics that a session is to forget
	}
	if version >= 11 {
		e.string(r.Rack)
	}
	e.tags()
}

// maxWait is the most that a broker can be asked to wait.
const maxWait = time.Duration(1<<31-1) * time.Millisecond

func encodeFetchPartition(e *encoder, version int16, p *FetchPartition) {
	e.int32(p.Partition)
	if version >= 9 {
		e.int32(p.Epoch)
	}
	e.int64(p.Offset)
	if version >= 12 {
		e.int32(-1) // epoch of the record before: that is for replicas
	}
	if version >= 5 {
		e.int64(-1) // where a replica's log starts
	}
	e.int32(p.MaxBytes)
	e.tags()
}

func (x *fetchExchange) decode(d *decoder, version int16) {
	d.throttle = d.int32()
	if version >= 7 {
		if err := d.code(); err != nil {
			x.failed(err)
			return
		}
		d.skip(4) // session
	}
	for n := d.count(6); n > 0; n-- {
		var t *fetchTopic // nil: not asked for
		if version >= fetchByID {
			t = x.byID[d.id()]
		} else {
			t = x.byName[d.string()]
		}
		for n := d.count(23); n > 0; n-- {
			f := decodeFetched(d, version)
			if d.err == nil && t != nil {
				x.keep(t, &f)
			}
		}
		d.tags()
	}
	d.tags()
}

// failed gives all partitions an error of the whole request.
func (x *fetchExchange) failed(err error) {
	for i, p := range x.request.Partitions {
		x.fetched[i] = &Fetched{
			Topic: p.Topic, Partition: p.Partition, Err: err,
			HighWatermark: -1, LastStable: -1, LogStart: -1, Preferred: -1,
		}
	}
}

// keep notes what has come of a topic's partition.
func (x *fetchExchange) keep(t *fetchTopic, f *Fetched) {
	if i, asked := t.index[f.Partition]; asked {
		f.Topic = t.name
		x.fetched[i] = f
	}
}

func decodeFetched(d *decoder, version int16) Fetched {
	f := Fetched{
		Partition:     d.int32(),
		Err:           d.code(),
		HighWatermark: d.int64(),
		LastStable:    d.int64(),
		LogStart:      -1,
		Preferred:     -1,
	}
	if version >= 5 {
		f.LogStart = d.int64()
	}
	if n := d.count(16); n > 0 {
		f.Aborted = make([]record.Aborted, n)
		for i := range f.Aborted {
			f.Aborted[i] = record.Aborted{ProducerID: d.int64(), FirstOffset: d.int64()}
			d.tags()
		}
	}
	if version >= 11 {
		f.Preferred = d.int32()
	}
	f.Records = d.bytes()
	d.tags()
	return f
}
