// Package history makes the histories of routes durable: what sources deliver
// that can't deliver it again (webhooks, polled documents, core NATS, servers
// of events without ids) is kept in NATS JetStream, from where any replica
// delivers it, after any restart. It is no adapter, but a [adapters.Store],
// which goes around one.
//
// # The log
//
// Each route has a stream of its own, and each of its sources a subject of that.
// An event is a message: its data is the payload, the rest a header in JSON.
// Payloads of 4KiB and more are compressed if that makes them smaller.
//
// An event of a source with state has the state that it leads to beside it, so
// that a replica which begins there can go on, and needs to know nothing of how
// changes are applied. Should limits remove the newest state from the stream, it
// is written once more.
//
// Some messages are no events but marks: that a replica has begun to write, that
// events are missing, the state as it was already, that a source has ended, and,
// after something pushed couldn't be written, whether anything can. They count in
// sequences and limits. So the number of events that a client has lost isn't known.
//
// Reading is that of package nats, with its positions and its guarantees, and one
// more: what is missing from the midst, as a damaged disk or somebody's hand
// leaves it, is found out, except between the events that are pushed into
// different sources of one route. A
// source with state adds a hash of what its route makes of events, since whoever
// has the state in another form has to get it again.
//
// # Who writes
//
// A source that pulls is run by one replica at a time, which holds a lease
// (package lease). Its first message is a mark, and every message is taken only
// if the one before it on its subject is the one that the writer knows of. So a
// replica that has lost the lease without noticing, because it was paused or cut
// off, can't write any more from the moment on that its successor has begun. It
// may ask the upstream once more: the package lease says for how long.
//
// An event is in the log when the servers have acknowledged it; that is when the
// inner source's emit returns. An attempt without an answer is made again, and
// taken for done if the message turns out to be there. While nothing can be
// written, the writer tries, for as long as it has the lease, and the inner
// source waits in emit.
//
// When a replica takes over, a source with positions goes on from the one that
// was written last, and one with state from its state. Of any other, clients are
// told that there may be a gap, as they are after a failure of its upstream.
//
// How the upstream is doing stands in the lease, so that the clients of all
// replicas hear of it.
//
// # What is pushed
//
// Events that are pushed into a source are written by the replica that receives
// them, at any time, whether the source is run or not. One that has an id is
// taken once within [Options.Duplicates], or the route's age if that is less,
// whichever replicas it is sent to. When
// one can't be written, its sender is told to try again, and clients hear that
// the source is stale until a message could be written; it is tried every two
// seconds.
//
// # Failures
//
// A Run goes on by itself when the log can't be read or written: clients hear
// that the source is stale, and why, and that it is well again, and nothing has
// to be started anew. A Reread, for a client that catches up, ends with the
// failure. What nobody can mend but the source's owner,
// an upstream that is gone for good or refuses its credentials, ends the Run
// that has met with it.
//
// Streams and the bucket of leases are created when they are first needed, and
// again if somebody deletes them: positions in what was deleted are lost then,
// and clients are told so.
package history
