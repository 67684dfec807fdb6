package feed

import "time"

// Defaults of [Options].
const (
	DefaultEvents = 1024
	DefaultBytes  = 8 << 20
	DefaultKeys   = 10000

	DefaultKeyBytes = 64 << 20
)

// Options bound a [Log]. The zero value is usable.
type Options struct {
	// Events is the number of entries that are kept at most, gaps included.
	// 0 or less means DefaultEvents.
	Events int

	// Bytes is how many bytes of encoded events are kept at most. 0 or less
	// means DefaultBytes.
	Bytes int64

	// Age is how long after they were appended entries are kept at most. It
	// is applied when something is appended, by [Log.Tail], [Log.After],
	// [Log.Beyond], [Log.Expired] and [Log.Stats], and by [Log.Trim];
	// [Log.Read] gives what is still there. 0 or less means no limit.
	Age time.Duration

	// Keys is the number of keys whose newest event is kept at most, and of
	// keys that are gone whose end is remembered. 0 or less means
	// DefaultKeys.
	Keys int

	// KeyBytes is how many bytes are kept at most for the newest events of
	// keys, in addition to Bytes; that of the newest key always is. As many
	// again may go into the events that took keys away. 0 or less means
	// DefaultKeyBytes.
	KeyBytes int64

	// Selects says that the events up to the first mark, and up to the first
	// mark after a [Log.Restart], are a selection. So who has an id that is
	// before the mark has no place: it may lack what was left out. It needs
	// Compare.
	Selects bool

	// Latest keeps the newest event of each key also if events carry no
	// State.
	Latest bool

	// Compare returns the order of two ids: negative if a is before b, 0 if
	// they are the same place, positive if a is behind b. ok is false if they
	// have none. Ids that have an order are appended in that order. nil means
	// that no two ids have one.
	//
	// It is called with the log locked, so it must not use the log, and ought
	// to be quick. It may be called by several goroutines at once.
	Compare func(a, b string) (order int, ok bool)

	// Partial says that ids are only partly ordered by Compare, as those of a
	// source are whose positions are places in several logs
	// ([adapters.Capabilities].Partitioned): an id that is neither before nor
	// behind another may lack some of what one at the other has, and have
	// something that one at the other lacks. So an id has a place only if it
	// is not before, and not without an order to, the event right before that
	// place, and is before the one right behind it: whoever has it then has
	// all that came up to there, and nothing that comes behind. That takes a
	// Compare which says that an id is before that of an event only if who has
	// the former lacks the event.
	Partial bool
}

// withDefaults returns o with defaults in place of what isn't set.
func (o Options) withDefaults() Options {
	if o.Events <= 0 {
		o.Events = DefaultEvents
	}
	if o.Bytes <= 0 {
		o.Bytes = DefaultBytes
	}
	if o.Keys <= 0 {
		o.Keys = DefaultKeys
	}
	if o.KeyBytes <= 0 {
		o.KeyBytes = DefaultKeyBytes
	}
	return o
}
