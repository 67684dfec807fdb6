package feed

import (
	"sync"
	"sync/atomic"
)

// whole is what the logs of a [Keyed] share: the newest place of all of them,
// and what they hold together. Logs call it with their own lock held.
type whole struct {
	numbers epoch // of the ids of events without a position
	epoch   epoch // the same, if ids have no order but that of the numbers
	compare func(a, b string) (order int, ok bool)

	all, idle sizes         // of all logs, and of those that nobody reads
	expired   atomic.Uint64 // the largest of the epoch's numbers that is no longer at hand

	mu       sync.Mutex // guards what follows, and the ids of floors
	total    uint64     // number of events ever appended
	newest   string     // id of the newest event or mark
	exact    bool       // no gap was appended since
	selected selection  // see Options.Selects
	open     *floor     // is waiting for its id: the first behind bound
	bound    string
}

// appended notes the id of an event that a log has just appended.
func (w *whole) appended(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.total++
	w.know(id)
}

// mark notes an id that stands for the place behind all that is appended.
func (w *whole) mark(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.selected.end(id)
	w.know(id)
}

func (w *whole) know(id string) {
	if w.open != nil && w.isBehind(id, w.bound) {
		w.open.id, w.open = id, nil
	}
	w.exact = w.exact || id != w.newest
	w.newest = id
}

// isBehind reports whether id is behind bound, or has no order to it.
func (w *whole) isBehind(id, bound string) bool {
	if bound == "" {
		return true
	}
	order, ok := w.compare(id, bound)
	return !ok || order > 0
}

// isNewest reports whether id is that of the newest place, with not even a
// gap behind it.
func (w *whole) isNewest(id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.exact && id == w.newest
}

func (w *whole) newestID() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.newest
}

func (w *whole) floorID(f *floor) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return f.id
}

// gap notes that a gap is about to be appended to all logs, or given up with
// one, and returns the floor of logs that begin behind it.
func (w *whole) gap() *floor {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.exact = false
	return w.floorHere()
}

// floorHere returns the floor of logs that begin with the next event or mark.
func (w *whole) floorHere() *floor {
	if w.epoch != "" {
		return &floor{id: w.epoch.id(w.total + 1), n: w.total}
	}
	if w.open == nil {
		w.open, w.bound = &floor{n: w.total}, w.newest
	}
	return w.open
}

// isOpen reports whether f waits for its id, which will be behind all ids that
// were appended up to now.
func (w *whole) isOpen(f *floor) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return f == w.open
}

// evicted notes the id of an event that is no longer at hand.
func (w *whole) evicted(id string) {
	if n, ok := w.numbers.number(id); ok {
		w.expire(n)
	}
}

// expire notes that the n-th event is no longer at hand.
func (w *whole) expire(n uint64) {
	for {
		newest := w.expired.Load()
		if n <= newest || w.expired.CompareAndSwap(newest, n) {
			return
		}
	}
}
