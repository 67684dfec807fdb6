package feed

import (
	"maps"
	"time"
)

// Defaults of [Idle].
const (
	DefaultIdleEvents = 100_000
	DefaultIdleBytes  = 64 << 20
)

// Idle bounds what is kept, altogether, of keys that nobody reads. The key of
// the newest event is kept whatever the bounds, as far as those of its log
// allow.
type Idle struct {
	// Events is the number of entries that are kept at most, gaps included.
	// 0 or less means DefaultIdleEvents.
	Events int

	// Bytes is how many bytes of encoded events are kept at most, including
	// the newest events that are kept for the keys that events have within a
	// log: an event that is in the log as well counts twice. 0 or less means
	// DefaultIdleBytes.
	Bytes int64

	// Age is how long after its newest event a key is kept at most. It is
	// applied by [Keyed.Append], [Keyed.AppendGap], [Keyed.Release],
	// [Keyed.Trim] and [Keyed.Stats]. 0 or less means no limit.
	Age time.Duration
}

// withDefaults returns i with defaults in place of what isn't set.
func (i Idle) withDefaults() Idle {
	if i.Events <= 0 {
		i.Events = DefaultIdleEvents
	}
	if i.Bytes <= 0 {
		i.Bytes = DefaultIdleBytes
	}
	return i
}

// minKeys is the number of keys beyond which tables of them are made smaller
// again.
const minKeys = 1024

// giveUp drops keys that nobody reads until the bounds are kept, those first
// that changed longest ago, but never the one that changed last: it may be in
// the middle of a change.
func (k *Keyed) giveUp(now time.Time) {
	for {
		oldest := k.idle.oldest()
		if oldest == nil || oldest == k.newest || !k.excess(oldest, now) {
			return
		}
		k.idle.remove(oldest)
		k.drop(oldest)
	}
}

// excess reports whether oldest, of those that nobody reads, has to go.
func (k *Keyed) excess(oldest *keyLog, now time.Time) bool {
	all, age := &k.whole.idle, k.o.Idle.Age
	return all.events.Load() > int64(k.o.Idle.Events) || all.bytes.Load() > k.o.Idle.Bytes ||
		age > 0 && now.Sub(oldest.changed) > age
}

// drop forgets a key that nobody reads, but for its place.
func (k *Keyed) drop(kl *keyLog) {
	delete(k.keys, kl.key)
	id, state := kl.log.leave()
	k.lacking = k.lacking || state
	switch {
	case kl.gap:
		k.floor = k.whole.gap() // as if it had been one of all keys
	case kl.number > k.floor.n && !k.whole.isOpen(k.floor):
		if k.whole.epoch != "" {
			id = k.whole.epoch.id(kl.number) // it may have another, without an order
		}
		if order, ok := k.whole.compare(id, k.whole.floorID(k.floor)); ok && order < 0 {
			id = k.whole.floorID(k.floor) // what came after a restart may be before it
		}
		k.floor = &floor{id: id, n: kl.number}
	}
	k.whole.expire(kl.number)
	if k.most > minKeys && len(k.keys) <= k.most/4 { // maps don't shrink, by themselves or when cloned
		keys := make(map[string]*keyLog, len(k.keys))
		maps.Copy(keys, k.keys)
		k.keys, k.most = keys, len(keys)
	}
}
