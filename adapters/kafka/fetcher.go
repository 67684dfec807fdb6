package kafka

import (
	"context"
	"slices"
	"sync"
	"time"

	"sidestream/adapters/kafka/broker"
	"sidestream/adapters/kafka/record"
)

// A fetcher fetches from one broker what a reader wants of it, over one
// connection. It asks for more while the reader deals with what came before,
// but is never further ahead than that.
type fetcher struct {
	node    broker.Node
	cluster *cluster
	request broker.FetchRequest // without partitions
	chunks  chan<- chunk
	stop    context.CancelFunc

	answered time.Time // the reader's: when it last brought something

	mu      sync.Mutex
	wants   map[partID]*wanted // guarded by mu
	order   []partID           // guarded by mu; of wants, those first that brought nothing last
	changed chan struct{}      // holds a value if wants is no longer empty
}

// A wanted is a partition that is to be fetched, with the offset to go on from.
type wanted struct {
	broker.FetchPartition
	turn int // see part
}

// A chunk is what one answer has brought, or why there is none.
type chunk struct {
	from   *fetcher
	shares []share
	err    error // the fetcher has ended
}

// A share is what an answer says of one partition.
type share struct {
	broker.Fetched
	id   partID
	turn int
}

func newFetcher(r *reader, node broker.Node) *fetcher {
	o := r.factory.options
	return &fetcher{
		node:    node,
		cluster: r.cluster,
		request: broker.FetchRequest{
			MaxWait:   time.Duration(o.Fetch.MaxWait),
			MaxBytes:  int32(o.Fetch.MaxBytes),
			Committed: r.committed(),
			Rack:      o.Connection.Rack,
		},
		chunks:  r.chunks,
		wants:   map[partID]*wanted{},
		changed: make(chan struct{}, 1),
	}
}

// add has a partition fetched.
func (f *fetcher) add(id partID, w *wanted) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wants[id] = w
	f.order = append(f.order, id)
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

// drop has a partition no longer fetched.
func (f *fetcher) drop(id partID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.wants[id] != nil {
		delete(f.wants, id)
		f.order = slices.DeleteFunc(f.order, func(other partID) bool { return other == id })
	}
}

// renew notes which epoch the leader of a partition is in.
func (f *fetcher) renew(id partID, epoch int32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if w := f.wants[id]; w != nil {
		w.Epoch = epoch
	}
}

// run fetches until ctx is done or the connection has failed, which the reader
// is told of.
func (f *fetcher) run(ctx context.Context) {
	for {
		worked, err := f.connected(ctx)
		if ctx.Err() != nil {
			return
		}
		// Brokers close connections that they find too old. One that worked is
		// therefore made again before anybody hears of it.
		if !worked {
			f.deliver(ctx, chunk{from: f, err: err})
			return
		}
	}
}

// connected fetches over one connection until that has failed, and reports
// whether it had worked before.
func (f *fetcher) connected(ctx context.Context) (worked bool, err error) {
	conn, err := f.cluster.Connect(ctx, f.node)
	if err != nil {
		return false, err
	}
	defer conn.Release()
	for {
		request, asked := f.next()
		if len(request.Partitions) == 0 {
			select {
			case <-f.changed:
				continue
			case <-ctx.Done():
				return worked, ctx.Err()
			}
		}
		answer, err := conn.Fetch(ctx, request)
		if err != nil {
			return worked && !isTimeout(err), err
		}
		worked = true
		if !f.deliver(ctx, chunk{from: f, shares: f.note(answer, asked)}) {
			return worked, ctx.Err()
		}
	}
}

// deliver hands a chunk to the reader, unless ctx is done before.
func (f *fetcher) deliver(ctx context.Context, c chunk) bool {
	select {
	case f.chunks <- c:
		return true
	case <-ctx.Done():
		return false
	}
}

// next returns a request for what is wanted now, and that.
func (f *fetcher) next() (*broker.FetchRequest, map[partID]wanted) {
	f.mu.Lock()
	defer f.mu.Unlock()
	request := f.request
	request.Partitions = make([]broker.FetchPartition, len(f.order))
	asked := make(map[partID]wanted, len(f.order))
	for i, id := range f.order {
		w := f.wants[id]
		request.Partitions[i], asked[id] = w.FetchPartition, *w
	}
	return &request, asked
}

// note moves on what is wanted, and returns the shares of the answer. What has
// failed is no longer wanted until the reader wants it again. Partitions that
// have brought something come last the next time, since an answer may be full
// before all have had their turn.
func (f *fetcher) note(answer *broker.FetchResponse, asked map[partID]wanted) []share {
	ids := make(map[topicPartition]partID, len(asked))
	for id, w := range asked {
		ids[topicPartition{w.Topic, w.Partition}] = id
	}
	shares := make([]share, 0, len(answer.Partitions))
	full := map[partID]bool{}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, got := range answer.Partitions {
		id, known := ids[topicPartition{got.Topic, got.Partition}]
		if !known {
			continue
		}
		was := asked[id]
		shares = append(shares, share{Fetched: got, id: id, turn: was.turn})
		w := f.wants[id]
		if w == nil || w.turn != was.turn {
			continue
		}
		if got.Err != nil {
			delete(f.wants, id)
			continue
		}
		w.Offset = record.End(got.Records, w.Offset)
		full[id] = w.Offset > was.Offset
	}
	f.order = slices.DeleteFunc(f.order, func(id partID) bool { return f.wants[id] == nil })
	slices.SortStableFunc(f.order, func(a, b partID) int { return compareBool(full[a], full[b]) })
	return shares
}

// topicPartition is how an answer names a partition.
type topicPartition struct {
	topic     string
	partition int32
}

// compareBool orders false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}
