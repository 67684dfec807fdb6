// Package feed holds the events of one stream: a bounded, ordered log of
// encoded events, and cursors into it.
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
// Ownership. An event is encoded once, and its block is shared by the log and
// all readers. Nobody may modify a block, and nobody does: it stays as it is
// for as long as somebody refers to it, also when the log has dropped it.
//
// Concurrency. All methods of [Log] may be called at any time from any
// goroutine, with one exception: calls of [Log.Append] and [Log.AppendGap]
// must not overlap one another. A reader is a [Cursor], a plain value that
// belongs to one goroutine. The log doesn't know its readers: there may be
// any number, a slow one holds up neither the appender nor another reader,
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
package feed
