package feed

import (
	"container/heap"
	"container/list"
	"slices"
)

// idleKeys are the keys that nobody reads, by when they changed. The zero
// value is empty.
//
// Those that have changed since are in a list, in order, so that an event of
// an idle key costs no more with many keys than with few. Those that nobody
// has read only since their last change are in a heap.
type idleKeys struct {
	changed  list.List // of *keyLog
	released released
}

func (i *idleKeys) len() int { return i.changed.Len() + len(i.released) }

// change takes in that an idle key has changed just now, later than all
// others.
func (i *idleKeys) change(k *keyLog) {
	if k.listed != nil {
		i.changed.MoveToBack(k.listed)
		return
	}
	i.remove(k)
	k.listed = i.changed.PushBack(k)
}

// release adds a key that isn't read any more.
func (i *idleKeys) release(k *keyLog) { heap.Push(&i.released, k) }

// remove takes k out, if it is there.
func (i *idleKeys) remove(k *keyLog) {
	switch {
	case k.listed != nil:
		i.changed.Remove(k.listed)
		k.listed = nil
	case k.heaped > 0:
		heap.Remove(&i.released, k.heaped-1)
	}
}

// oldest returns the key that changed longest ago, or nil if there is none.
func (i *idleKeys) oldest() (k *keyLog) {
	if e := i.changed.Front(); e != nil {
		k = e.Value.(*keyLog)
	}
	if len(i.released) > 0 && (k == nil || i.released[0].change < k.change) {
		k = i.released[0]
	}
	return k
}

// released is a heap of keys, with the one on top that changed longest ago.
type released []*keyLog

func (r released) Len() int           { return len(r) }
func (r released) Less(i, j int) bool { return r[i].change < r[j].change }

func (r released) Swap(i, j int) {
	r[i], r[j] = r[j], r[i]
	r[i].heaped, r[j].heaped = i+1, j+1
}

// Push adds a key at the end, for package heap.
func (r *released) Push(x any) {
	k := x.(*keyLog)
	*r = append(*r, k)
	k.heaped = len(*r)
}

// Pop removes the key at the end, for package heap.
func (r *released) Pop() any {
	last := len(*r) - 1
	k := (*r)[last]
	(*r)[last] = nil
	*r = (*r)[:last]
	if cap(*r) > minKeys && last <= cap(*r)/4 {
		*r = slices.Clone(*r)
	}
	k.heaped = 0
	return k
}
