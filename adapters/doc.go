// Package adapters is the contract between Sidestream and the upstreams that
// it reads: what an event is, what a source promises, and how a kind of
// source (an adapter) is configured and opened.
//
// # Guarantees of a Source
//
//   - Opening one does no I/O and starts no goroutine.
//   - Run delivers, in upstream order (that of each partition, where there are
//     such) and one call of emit at a time, every event after the position it
//     is given, exclusive. It never skips one in
//     silence: a position that cannot be honoured is a [PositionLostError].
//   - When emit returns nil the event is in the feed and may be acknowledged
//     upstream. When it returns an error, Run stops and returns that error.
//   - Ownership of Event.Data, and of everything else an Event refers to,
//     passes to the callee: the source never touches it again.
//   - When everything that the upstream has is delivered, and also when there
//     was nothing to deliver, Run emits a Live notice. It is how the supervisor
//     learns that an upstream which has nothing to say is well.
//   - When Run has returned, nothing that it started is left running.
//   - Run may be called again after it returned. If the adapter is
//     [Capabilities.Replayable] it may also be called concurrently.
//
// A source does not retry, back off, count or log failures: it returns them,
// and the supervisor in package proxy does all of that for every adapter
// alike. The exceptions are a part of an upstream, such as one of its
// partitions, which fails while the rest goes on; an upstream with which the end
// of a connection is no failure; and a source that has something to deliver
// although its upstream fails, and says so by [Event.Stale].
//
// # What is pushed
//
// Some sources don't go and get their events but are sent them, by requests. They
// are [Receiver]s, and their factory, an [Ingester], answers the requests. Such a
// source says that it has an event when that is in the feed, so that the sender
// may forget it.
//
// # What is kept
//
// A [Store] goes around sources that can't deliver again what they have
// delivered, and makes others of them that can, at any replica. For the inner
// source it stands in the supervisor's place: emit returns when the event is in
// the store's log. A source whose upstream is kept going by Run is a [Rereader],
// so that clients that catch up don't do that.
//
// The package adaptertest holds the suite that checks these promises; every
// adapter runs it.
package adapters
