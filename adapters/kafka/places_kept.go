package kafka

import (
	"container/list"
	"sync"
)

// keptPlaces are the places that are kept, as long as there is room: those that
// were not used for the longest time make way. It is safe for concurrent use.
type keptPlaces struct {
	room int64 // bytes

	mu       sync.Mutex
	byDigest map[digest]*list.Element // guarded by mu; their values are keptPlace
	used     list.List                // guarded by mu; the same elements, the last used first
	size     int64                    // guarded by mu; bytes of all that is kept
}

// A digest stands for a place that is kept: the beginning of its SHA-256, with
// which nobody comes upon another place that has the same.
type digest [16]byte

// A keptPlace is one that is kept: the one to which so many steps of a stretch
// lead.
type keptPlace struct {
	digest  digest
	stretch *stretch
	steps   int
	last    at
	minute  int64
	back    bool // it is the place right before the event that led there
}

// A stretch is what the places of one Run have in common that come one after
// the other: the first of them, and in which partitions those that follow
// differ from those before them. Of a thousand partitions, few differ.
type stretch struct {
	first []byte // encoded

	// steps are appended to, and otherwise left as they are. Guarded by the mu
	// of the places, as are the following.
	steps []step

	users int   // places that are kept of the stretch
	size  int64 // bytes; they count only if there are users
}

// A step is the way from a place to the next in one partition.
type step struct {
	topic, index int32
	next         int64
}

// About what it takes to keep a place, apart from its stretch, and to keep a
// stretch and a step of it, in bytes.
const (
	placeSize   = 180
	stretchSize = 150
	stepSize    = 16
)

func newKeptPlaces(room int64) *keptPlaces {
	return &keptPlaces{room: room, byDigest: map[digest]*list.Element{}}
}

// add keeps a place, to which steps lead from the last one that was added of
// the stretch s.
func (k *keptPlaces) add(d digest, s *stretch, steps []step, p *place) {
	k.mu.Lock()
	defer k.mu.Unlock()
	defer k.makeRoom()
	k.grow(s, steps)
	if e, found := k.byDigest[d]; found {
		k.used.MoveToFront(e)
		return
	}
	k.byDigest[d] = k.used.PushFront(keptPlace{d, s, len(s.steps), p.last, p.minute, false})
	k.use(s)
}

// addBefore keeps the place right before the event that led to another, which
// is kept, or was until now.
func (k *keptPlaces) addBefore(d, of digest) {
	k.mu.Lock()
	defer k.mu.Unlock()
	defer k.makeRoom()
	if e, found := k.byDigest[d]; found {
		k.used.MoveToFront(e)
		return
	}
	if e, found := k.byDigest[of]; found {
		p := e.Value.(keptPlace)
		p.digest, p.back = d, true
		k.byDigest[d] = k.used.PushFront(p)
		k.use(p.stretch)
	}
}

// use counts one more place of a stretch. The caller holds mu.
func (k *keptPlaces) use(s *stretch) {
	k.size += placeSize
	if s.users == 0 {
		k.size += s.size
	}
	s.users++
}

// grow adds steps to the stretch. The caller holds mu.
func (k *keptPlaces) grow(s *stretch, steps []step) {
	grown := int64(len(steps)) * stepSize
	s.steps = append(s.steps, steps...)
	s.size += grown
	if s.users > 0 {
		k.size += grown
	}
}

// makeRoom forgets places until there is room for the others. The one that was
// used last stays. The caller holds mu.
func (k *keptPlaces) makeRoom() {
	for k.size > k.room && k.used.Len() > 1 {
		p := k.used.Remove(k.used.Back()).(keptPlace)
		delete(k.byDigest, p.digest)
		k.size -= placeSize
		if p.stretch.users--; p.stretch.users == 0 {
			k.size -= p.stretch.size
		}
	}
}

// recall returns a place that is kept, or errForgotten.
func (k *keptPlaces) recall(d digest) (*place, error) {
	kept, steps, found := k.find(d)
	if !found {
		return nil, errForgotten
	}
	p, err := decodePlace(kept.stretch.first)
	if err != nil {
		return nil, err
	}
	for _, s := range steps {
		p.topics[s.topic].parts[s.index].next = s.next
	}
	p.last, p.minute = kept.last, kept.minute
	if kept.back {
		p.stepBack()
	}
	return p, nil
}

// find returns the place with that digest, and the steps to it.
func (k *keptPlaces) find(d digest) (kept keptPlace, steps []step, found bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	e, found := k.byDigest[d]
	if !found {
		return keptPlace{}, nil, false
	}
	k.used.MoveToFront(e)
	kept = e.Value.(keptPlace)
	return kept, kept.stretch.steps[:kept.steps], true
}
