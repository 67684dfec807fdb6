package feed

import "time"

// Acquire returns the log of key with one reader more, who has to give it
// back with [Keyed.Release]. If nothing of the key is at hand the log is
// empty, and its floor is the newest place of all that was given up, or else
// that at which the Keyed began: a reader that has an id from there on has
// missed nothing of the key. If a state may have been among what was given
// up, that which the log gives isn't complete.
//
// The log is for reading. Its newest place, for [Log.After] and [Log.Marked],
// is that of all keys.
func (k *Keyed) Acquire(key string) *Log {
	k.mu.Lock()
	defer k.mu.Unlock()
	kl := k.at(key)
	if kl.readers++; kl.readers == 1 {
		k.idle.remove(kl)
		kl.log.setIdle(false)
	}
	return &kl.log
}

// Release takes back what [Keyed.Acquire] returned for key. It panics if
// nobody reads the key, since that is a mistake in the program.
func (k *Keyed) Release(key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	kl := k.keys[key]
	if kl == nil || kl.readers == 0 {
		panic("feed: release of a key that nobody reads")
	}
	if kl.readers--; kl.readers > 0 {
		return
	}
	if kl.number == 0 && !kl.gap { // at most gaps of all keys, and keys that aren't at hand are behind those
		k.drop(kl)
		return
	}
	kl.log.setIdle(true)
	k.idle.release(kl)
	k.giveUp(time.Now())
}

// Expired reports whether id is a number that this Keyed gave to an event,
// and not a newer one than the newest event that is no longer at hand: for a
// key that has no place after it, this is why.
func (k *Keyed) Expired(id string) bool {
	n, ok := k.whole.numbers.number(id)
	return ok && n <= k.whole.expired.Load()
}

// KeyedStats are the figures of a [Keyed] at the moment.
type KeyedStats struct {
	Keys   int   // keys at hand
	Events int   // entries in their logs; a gap is one in each
	Bytes  int64 // size of what they hold, as Idle.Bytes counts it

	// How much of that is of keys that nobody reads.
	IdleKeys   int
	IdleEvents int
	IdleBytes  int64
}

// Stats returns what is at hand.
func (k *Keyed) Stats() KeyedStats {
	k.Trim()
	k.mu.Lock()
	defer k.mu.Unlock()
	all, idle := &k.whole.all, &k.whole.idle
	return KeyedStats{
		Keys: len(k.keys), Events: int(all.events.Load()), Bytes: all.bytes.Load(),
		IdleKeys: k.idle.len(), IdleEvents: int(idle.events.Load()), IdleBytes: idle.bytes.Load(),
	}
}
