package lease

import "sync"

// A Condition is the state of a lease, as far as it is known here.
type Condition struct {
	// Held says that somebody has the lease, and Mine that it is the one who
	// is told this.
	Held, Mine bool

	// Holder is the process that has it, or has had it last
	// ([Options.Holder]).
	Holder string

	// Term is the holder's; see [Held.Term].
	Term uint64

	// State is what the holder has told of itself; see [Held.Tell]. After
	// its end it is the last that it has told.
	State string
}

// A teller tells conditions to an observer, the newest when it is slow.
type teller struct {
	observe func(Condition)
	wake    chan struct{} // holds a value if there is something to tell
	stop    chan struct{}
	ended   chan struct{}

	mu     sync.Mutex
	newest Condition // guarded by mu
}

// newTeller returns a teller that has nothing to tell yet. Its observer is
// called by one goroutine, which ends with close.
func newTeller(observe func(Condition)) *teller {
	t := &teller{
		observe: observe,
		wake:    make(chan struct{}, 1),
		stop:    make(chan struct{}),
		ended:   make(chan struct{}),
	}
	go t.run()
	return t
}

// put replaces what is to be told.
func (t *teller) put(c Condition) {
	t.mu.Lock()
	t.newest = c
	t.mu.Unlock()
	signal(t.wake)
}

// close waits until the newest condition is told.
func (t *teller) close() {
	close(t.stop)
	<-t.ended
}

func (t *teller) run() {
	defer close(t.ended)
	var told *Condition
	tell := func() {
		t.mu.Lock()
		c := t.newest
		t.mu.Unlock()
		if t.observe != nil && (told == nil || *told != c) {
			told = &c
			t.observe(c)
		}
	}
	for {
		select {
		case <-t.wake:
			tell()
			continue
		case <-t.stop:
		}
		select {
		case <-t.wake:
			tell()
		default:
		}
		return
	}
}

// signal puts a value into a channel that has room for one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
