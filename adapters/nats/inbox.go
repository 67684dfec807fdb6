package nats

import (
	"sync"

	natsgo "github.com/nats-io/nats.go"
)

// An inbox holds what has been received for one run and not been taken yet.
// What comes when it is full is dropped, counted, and remembered at the place
// where it is missing. Putting something in never waits.
type inbox struct {
	bound Bound
	ready chan struct{} // holds a value if there may be something to take

	mu    sync.Mutex
	queue []arrival // guarded by mu; from head on
	head  int       // guarded by mu
	have  Bound     // guarded by mu; of the queue's messages
}

// An arrival is a message, or a number of messages that are missing.
type arrival struct {
	msg  *natsgo.Msg // nil: missing
	lost int64
}

func newInbox(bound Bound) *inbox {
	return &inbox{bound: bound, ready: make(chan struct{}, 1)}
}

// put adds a message, or drops it if the inbox is full.
func (in *inbox) put(msg *natsgo.Msg) {
	in.mu.Lock()
	defer in.mu.Unlock()
	size := sizeOf(msg)
	full := in.have.Messages == in.bound.Messages || in.have.Bytes+size > in.bound.Bytes
	if full && in.have.Messages > 0 {
		in.miss(1)
		return
	}
	in.have.Messages++
	in.have.Bytes += size
	in.add(arrival{msg: msg})
}

// lose notes that n messages are missing here.
func (in *inbox) lose(n int64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.miss(n)
}

// miss is lose for those who hold in.mu.
func (in *inbox) miss(n int64) {
	if last := len(in.queue) - 1; last >= in.head && in.queue[last].msg == nil {
		in.queue[last].lost += n
		return
	}
	in.add(arrival{lost: n})
}

// add appends to the queue. The caller holds in.mu.
func (in *inbox) add(a arrival) {
	if len(in.queue) == cap(in.queue) && in.head >= (len(in.queue)+1)/2 { // make room rather than grow
		n := copy(in.queue, in.queue[in.head:])
		clear(in.queue[n:])
		in.queue, in.head = in.queue[:n], 0
	}
	in.queue = append(in.queue, a)
	select {
	case in.ready <- struct{}{}:
	default:
	}
}

// keep is the capacity that an empty queue may keep.
const keep = 1024

// take removes what has been there for longest. ok is false if there is
// nothing.
func (in *inbox) take() (a arrival, ok bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.head == len(in.queue) {
		return arrival{}, false
	}
	a = in.queue[in.head]
	in.queue[in.head] = arrival{}
	in.head++
	if a.msg != nil {
		in.have.Messages--
		in.have.Bytes -= sizeOf(a.msg)
	}
	if in.head == len(in.queue) {
		in.queue, in.head = in.queue[:0], 0
		if cap(in.queue) > keep {
			in.queue = nil
		}
	}
	return a, true
}
