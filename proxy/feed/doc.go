// Package feed holds the events of one stream: a bounded, ordered log of
// encoded events, and cursors into it; or, where each client is to have the
// events of one key only, a log for each key, all filled from one source.
//
// # Guarantees
//
// Order. Every reader sees the entries in the order in which they were
// appended, each once. What it reads is one unbroken run of the log, or else
// it is told: reading from a place that the log no longer holds is an
// [OverrunError] with the exact number of events lost. Nothing is skipped in
// silence.
//
// Bounds. A log holds at most [Options].Events entries and Options.Bytes of
// encoded events, none older than Options.Age; the oldest go first. The newest
// event stays however small the bounds, even if it alone exceeds them, since
// it is what a client resumes from; only gaps that follow it, more than
// Options.Events of them, push it out. What is evicted is released: the log
// refers to it no more, and its own tables shrink again.
//
// State. If events carry [adapters.State], or if Options.Latest asks for it,
// the newest event of each key is kept apart from the log, so that evicting
// the log leaves it alone. At most Options.Keys keys are kept, and
// Options.KeyBytes bytes for them; beyond that, the key that changed longest
// ago is given up, and [Log.Latest] says so. Options.Bytes doesn't count what
// is kept for keys. An event without State, in a log of events that carry it,
// belongs to no key: it is one of several that make up a change, of which the
// last has the State that they lead to.
//
// Deletions. An event whose State is Gone takes its key away. Who starts never
// hears of the key; who has come from somewhere, and jumps to the newest
// events, is given that event, since it may have the key. The end of a key is
// remembered within bounds as large as those of keys that live, none of which
// it pushes out; when it is forgotten, what a jump across it gives is not
// complete, while the state of one who starts still is.
//
// Ownership. An event is encoded once, and its block is shared by the log and
// all readers. Nobody may modify a block, and nobody does: it stays as it is
// for as long as somebody refers to it, also when the log has dropped it.
//
// Concurrency. All methods of [Log] and [Keyed] may be called at any time from
// any goroutine, with one exception: calls that append something, or Mark or
// Restart, must not overlap one another. A reader is a [Cursor], a plain value
// that belongs to one goroutine. The log doesn't know its readers: there may
// be any number, a slow one holds up neither the appender nor another reader,
// and one that never comes back costs nothing.
//
// # Resuming
//
// Every event has an id: its position, or, if the source has none, a number
// under an epoch that is random for each log, so that an id of another log is
// never taken for one's own. [Log.After] finds the place to go on from. Where
// several events share an id, the answer errs on the side of repeating: it is
// the place after the earliest of them, and there is none once that one is
// evicted. Events that carry state are the exception, since with them the
// same id means the same state: there the newest is as good as any, and
// nearest.
//
// If ids have an order ([Options].Compare), an id needn't be one that the log
// has seen: every id from its floor to its newest place has a place too. The
// newest place is that of the newest event or [Log.Mark]. The floor is the
// place before the oldest event at hand, as far as it has an id: that of the
// newest event that was evicted, or, with none evicted, that of the first
// Mark, if it was made before the first event. An evicted gap has no id, so
// that there is no floor right behind one: a client that has to hear of a gap
// always does.
//
// # Keys
//
// A [Keyed] is a log for each key, of which a client reads one. All that is
// said above holds for each of them, but for what concerns the whole:
//
//   - The newest place is that of the newest event of any key, or mark. A
//     client that waits for an event of its key may take it for its own
//     ([Log.Marked]), so that it comes back with an id that is as new as can
//     be. With an order, or with the numbers that the Keyed gives to events,
//     which have one, it then has a place for as long as none of its own
//     events behind that are lost. Without an order it has one until anything
//     else happens.
//   - Logs that nobody reads are bounded together ([Idle]). The key that
//     changed longest ago is given up first, as a whole; the one that changed
//     last stays, since it may be in the middle of a change.
//   - Of what is given up one place is remembered, the newest. It is the floor
//     of every log that is made from then on, of a key that isn't at hand:
//     from there on no key has lost anything. As long as nothing was given up
//     it is the first event or mark of all, or the first behind a gap.
//   - A gap is in the logs of all keys at hand, and others can't be resumed
//     across it.
//
// An event costs one look at the table of keys, and wakes the readers of its
// own key only. Neither depends on how many keys and readers there are.
package feed
