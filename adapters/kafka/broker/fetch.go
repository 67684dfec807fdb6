package broker

import (
	"context"
	"time"

	"sidestream/adapters/kafka/record"
)

// A FetchRequest asks for the records of some partitions. Each Fetch stands
// for itself: it has no session.
type FetchRequest struct {
	MaxWait   time.Duration // for how long the broker waits for the first record
	MaxBytes  int32         // bound on all records; the first batch comes even if it is larger
	Committed bool          // only what is before the first transaction that is still open, and which were aborted
	Rack      string        // where the client is, so that a broker can send it to a near one; empty: nowhere

	Partitions []FetchPartition // each at most once
}

// A FetchPartition is a place to read from.
type FetchPartition struct {
	Topic     string
	TopicID   TopicID // zero: the topic is meant by its name alone
	Partition int32
	Epoch     int32 // of the leader, as far as the client knows; -1: it doesn't
	Offset    int64 // of the first record; the batch that holds it comes as a whole
	MaxBytes  int32 // bound on its records; the first batch comes even if it is larger
}

// A FetchResponse holds what has come of the partitions that were asked for, in
// the order of the request. One that the broker says nothing of is left out.
type FetchResponse struct{ Partitions []Fetched }

// Fetched is what has come of one partition.
type Fetched struct {
	Topic     string
	Partition int32

	// Err is nil or a [kafka.Error], for this partition or for the whole
	// request.
	Err error

	HighWatermark int64 // the offset behind the newest record that is replicated; -1: unknown
	LastStable    int64 // the offset behind all transactions that have ended; -1: unknown
	LogStart      int64 // the oldest offset; -1: unknown

	// Preferred is the broker to fetch from instead, in which case there are
	// no records; -1: this one will do.
	Preferred int32

	Aborted []record.Aborted

	// Records are batches, the last of which may be cut off. They are the
	// caller's.
	Records []byte
}

// Fetch returns records. It returns when there are some, and after
// [FetchRequest.MaxWait] at the latest, without an error if there are none.
func (c *Conn) Fetch(ctx context.Context, r *FetchRequest) (*FetchResponse, error) {
	x := newFetchExchange(r)
	if err := c.do(ctx, x); err != nil {
		return nil, err
	}
	response := &FetchResponse{Partitions: make([]Fetched, 0, len(x.fetched))}
	for _, f := range x.fetched {
		if f != nil {
			response.Partitions = append(response.Partitions, *f)
		}
	}
	return response, nil
}
