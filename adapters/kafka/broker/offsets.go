package broker

import (
	"context"
	"fmt"

	"github.com/segmentio/kafka-go/protocol"
)

// Times that stand for places.
const (
	Latest   int64 = -1 // behind the newest record
	Earliest int64 = -2 // the oldest record
)

// An OffsetRequest asks which place in a partition belongs to a time.
type OffsetRequest struct {
	Topic     string
	Partition int32
	Time      int64 // in ms since 1970, or [Earliest] or [Latest]
}

// An Offset is a place in a partition.
type Offset struct {
	Topic     string
	Partition int32

	// Offset is that of the first record that is dated Time or later; -1 if
	// there is none.
	Offset int64

	Time int64 // of that record, in ms since 1970; -1 if there is none or it wasn't asked for
	Err  error // nil or a [kafka.Error]
}

// ListOffsets returns the places of times, in the order of at. If committed is
// set, Latest is not behind the first transaction that is still open. A
// partition may be asked for more than once, which takes as many requests.
func (c *Conn) ListOffsets(ctx context.Context, committed bool, at []OffsetRequest) ([]Offset, error) {
	offsets := make([]Offset, len(at))
	todo := make([]int, len(at))
	for i := range at {
		todo[i] = i
	}
	for len(todo) > 0 {
		x := &offsetsExchange{committed: committed, at: at, index: make(map[place]int), offsets: offsets}
		todo = x.take(todo)
		if err := c.do(ctx, x); err != nil {
			return nil, err
		}
	}
	return offsets, nil
}

// An offsetsExchange asks for no partition twice, which a broker would take for
// a mistake.
type offsetsExchange struct {
	committed bool
	at        []OffsetRequest
	topics    []string
	indexes   map[string][]int // of each topic's, in at
	index     map[place]int

	offsets []Offset // for each of at
}

type place struct {
	topic     string
	partition int32
}

// take takes in as much of what is to be asked for as it can, and returns the
// rest. Both are indexes.
func (x *offsetsExchange) take(todo []int) (rest []int) {
	x.indexes = make(map[string][]int)
	for _, i := range todo {
		r := x.at[i]
		p := place{r.Topic, r.Partition}
		if _, twice := x.index[p]; twice {
			rest = append(rest, i)
			continue
		}
		x.index[p] = i
		if x.indexes[r.Topic] == nil {
			x.topics = append(x.topics, r.Topic)
		}
		x.indexes[r.Topic] = append(x.indexes[r.Topic], i)
	}
	return rest
}

func (*offsetsExchange) form() form {
	// Later ones tell of the leader's epoch, for which there is no use: it is
	// with a Fetch that records must not be missed.
	return form{key: protocol.ListOffsets, versions: []span{{1, 3}}}
}

func (x *offsetsExchange) encode(e *encoder, version int16) {
	e.int32(-1) // no replica
	if version >= 2 {
		e.bool(x.committed)
	}
	e.count(len(x.topics))
	for _, topic := range x.topics {
		e.string(topic)
		e.count(len(x.indexes[topic]))
		for _, i := range x.indexes[topic] {
			e.int32(x.at[i].Partition)
			e.int64(x.at[i].Time)
		}
	}
}

func (x *offsetsExchange) decode(d *decoder, version int16) {
	if version >= 2 {
		d.throttle = d.int32()
	}
	for n := d.count(6); n > 0; n-- {
		topic := d.string()
		for n := d.count(22); n > 0; n-- {
			o := Offset{Topic: topic, Partition: d.int32(), Err: d.code(), Time: d.int64(), Offset: d.int64()}
			p := place{topic, o.Partition}
			if i, asked := x.index[p]; asked {
				x.offsets[i] = o
				delete(x.index, p)
			}
		}
	}
	if d.err == nil && len(x.index) > 0 {
		d.err = fmt.Errorf("%w: it says nothing of %d partitions", errMalformed, len(x.index))
	}
}
