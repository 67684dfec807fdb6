package feed

import (
	"container/list"
	"strings"
	"sync"
	"time"

	"sidestream/adapters"
)

// KeyedOptions bound a [Keyed]. The zero value is usable.
type KeyedOptions struct {
	// Log bounds the log of each key. If Log.Compare is nil, the numbers that
	// the Keyed itself gives to events are what has an order.
	Log Options

	// Idle bounds what is kept of keys that nobody reads.
	Idle Idle

	// Single says that the events of one log have one key, so that the newest
	// of them is all of the state.
	Single bool
}

// A Keyed is the logs of many keys, filled from one source in one order. Make
// one with [NewKeyed].
//
// Append, AppendGap, AppendGapTo, Restart and Mark must not overlap one
// another. Everything else may be called at any time from any goroutine.
type Keyed struct {
	o     KeyedOptions
	whole whole

	// appended is the number of events ever appended. It is the appender's.
	appended uint64

	// mu guards what follows. It is held to look a key up and to move
	// headers, never to encode, and not to read a log. A log's own lock may
	// be taken with it held.
	mu      sync.Mutex
	keys    map[string]*keyLog
	most    int // the largest that keys was since it was made
	idle    idleKeys
	changes uint64  // number of changes of keys
	newest  *keyLog // the key that changed last
	floor   *floor  // of keys that aren't at hand
	lacking bool    // some of them may have had a state
	settled bool
	closed  bool
}

// keyLog is the log of one key.
type keyLog struct {
	log     Log
	key     string
	readers int
	number  uint64    // of its newest event, among those of all keys; 0: it has none
	gap     bool      // a gap of this key alone is behind that
	change  uint64    // the number of its last change, by an event or such a gap
	changed time.Time // when that was

	// Where it is among those that nobody reads.
	listed *list.Element
	heaped int // index from 1
}

// NewKeyed returns a Keyed without keys.
func NewKeyed(o KeyedOptions) *Keyed {
	o.Log = o.Log.withDefaults()
	o.Idle = o.Idle.withDefaults()
	k := &Keyed{o: o, keys: make(map[string]*keyLog)}
	k.whole.numbers = newEpoch()
	if k.o.Log.Compare == nil {
		k.whole.epoch = k.whole.numbers
		k.o.Log.Compare = k.whole.epoch.compare
	}
	k.whole.compare = k.o.Log.Compare
	k.whole.selected.begun = o.Log.Selects
	k.floor = k.whole.floorHere()
	return k
}

// Append encodes e and appends it to the log of key, as [Log.Append] does. The
// number of an event without a position counts the events of all keys. Only
// those who read this key are woken.
func (k *Keyed) Append(key string, e *adapters.Event) error {
	id := string(e.Position)
	if id == "" {
		id = k.whole.numbers.id(k.appended + 1)
	}
	var n encoded
	invalid := n.set(id, e)
	l, err := k.addUnless(invalid, key, &n)
	if err != nil {
		return err
	}
	l.Wake()
	return nil
}

// addUnless appends an encoded event to the log of key, which it returns,
// unless k is closed or invalid says that it can't be appended.
func (k *Keyed) addUnless(invalid error, key string, n *encoded) (*Log, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.closed:
		return nil, ErrClosed
	case invalid != nil:
		return nil, invalid
	}
	kl := k.at(key)
	k.appended++
	kl.log.mu.Lock()
	at := kl.log.add(n)
	if k.o.Single {
		kl.log.lacking = false
	}
	kl.log.mu.Unlock()
	kl.number, kl.gap = k.appended, false
	k.change(kl, at)
	return &kl.log, nil
}

// change takes in that kl has changed just now, and keeps the bounds.
func (k *Keyed) change(kl *keyLog, at time.Time) {
	k.changes++
	kl.change, kl.changed = k.changes, at
	k.newest = kl
	if kl.readers == 0 {
		k.idle.change(kl)
	}
	k.giveUp(at)
}

// at returns what there is of key, and makes it if there is nothing.
func (k *Keyed) at(key string) *keyLog {
	if kl := k.keys[key]; kl != nil {
		return kl
	}
	kl := &keyLog{key: strings.Clone(key)} // not what else it may be part of
	kl.log.init(&k.o.Log)
	kl.log.whole, kl.log.base, kl.log.idle = &k.whole, k.floor, true
	kl.log.lacking, kl.log.settled, kl.log.closed = k.lacking, k.settled, k.closed
	k.keys[kl.key] = kl
	k.most = max(k.most, len(k.keys))
	return kl
}

// AppendGap appends a notice that events are missing at this place to the
// logs of all keys at hand. A key that isn't can't be resumed across it. Since
// nobody knows of which keys the missing events would have been, a Lost of
// more than 0 becomes -1. After Close the error is [ErrClosed].
func (k *Keyed) AppendGap(g Gap) error {
	return k.announce(g, (*Log).addGap)
}

// announce appends g to the logs of all keys, by the given method.
func (k *Keyed) announce(g Gap, add func(*Log, *Gap) error) error {
	if g.Lost > 0 {
		g.Lost = -1
	}
	k.mu.Lock()
	if k.closed {
		k.mu.Unlock()
		return ErrClosed
	}
	k.floor = k.whole.gap()
	logs := k.logs()
	k.mu.Unlock()

	for _, l := range logs {
		if add(l, &g) == nil {
			l.Wake()
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.giveUp(time.Now())
	return nil
}

// logs returns the logs of all keys at hand.
func (k *Keyed) logs() []*Log {
	logs := make([]*Log, 0, len(k.keys))
	for _, kl := range k.keys {
		logs = append(logs, &kl.log)
	}
	return logs
}

// Mark notes that id stands for the place behind all that was appended. An
// empty id does nothing.
func (k *Keyed) Mark(id string) {
	if id != "" {
		k.whole.mark(id)
	}
}

// Settle says that the source has delivered all that there is, so that of a
// key without an event "no state" is the state, from now on and also for keys
// that are asked for later. See [Log.Settle].
func (k *Keyed) Settle() {
	k.mu.Lock()
	var logs []*Log
	if !k.settled {
		k.settled = true
		logs = k.logs()
	}
	k.mu.Unlock()
	for _, l := range logs {
		l.Settle()
	}
}

// Wake wakes the waiting readers of all keys.
func (k *Keyed) Wake() {
	k.mu.Lock()
	logs := k.logs()
	k.mu.Unlock()
	for _, l := range logs {
		l.Wake()
	}
}

// Close ends the logs of all keys, as [Log.Close] does.
func (k *Keyed) Close() {
	k.mu.Lock()
	k.closed = true
	logs := k.logs()
	k.mu.Unlock()
	for _, l := range logs {
		l.Close()
	}
}

// Trim drops what is older than Log.Age from each key's log, and keys that
// nobody reads and that haven't changed for longer than Idle.Age.
func (k *Keyed) Trim() {
	var logs []*Log
	k.mu.Lock()
	k.giveUp(time.Now())
	if k.o.Log.Age > 0 {
		logs = k.logs()
	}
	k.mu.Unlock()
	for _, l := range logs {
		l.Trim()
	}
}
