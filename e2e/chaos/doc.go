// Package chaos decides whether the clients of a stream got what they were
// owed while everything around them failed. It is pure: it compares what was
// stored with what each client saw, and neither runs nor waits for anything.
//
// # What is compared
//
// A [Record] is one message of a producer, the n-th of its key. A [History]
// is what the broker holds in the end, together with what it has promised its
// producers to hold. A [Client] is the log of one client, in the order in
// which things happened to it: connections, events, and control events.
//
// # What a client is owed
//
// A client's records are those of its key, or all of them if it has none. Each
// is in a partition, of which a stream has one or several. Those of one
// partition are ordered by sequence; those of different ones may come in any
// order, and in another one each time. An id is a place in every partition:
//
//   - A connection with a Last-Event-ID gets every record after that id,
//     each once, in order, and nothing else; whichever replica it is to, and
//     whatever happened in between. A client may come back with an older id of
//     its own. Then, and only then, it gets records again.
//   - A connection without one may begin anywhere. From its first id on, the
//     same holds.
//   - The client has the last of its records in the end.
//   - A gap covers the records from the place where it is announced up to the
//     id that it says delivery goes on after, or, if it names none, up to the
//     next event. It says nothing about a later connection, which gets the
//     records or is told of the gap again.
//   - If a gap says how many events are lost, that is the exact number of the
//     client's own records that are missing there. Events of other keys are
//     none that it could have got, so they don't count. Where several gaps
//     are announced at one place their numbers add up. A number that isn't
//     known is null, never a guess.
//   - A control event carries the id that the client has already. Only a
//     client that has none is given a place by it.
//   - No answer makes it give up: any status but 200 would, in a browser.
//
// # Where an id is
//
// If a stream has one partition, ids may start with the sequence of their
// record: each names an exact place.
//
// Otherwise ids are opaque ([Client].Opaque), events say themselves which
// record of which partition they are, and what an id stands for is what the
// client had when it was given that id:
//
//   - Where the client began in a partition, when it came without an id, the
//     first record from there tells, on whatever connection. From then on
//     every connection with an id of that time is owed the same.
//   - An id stands for one place. The same id in two places is a violation, and
//     so is a record that the client had when it was given the id it came with.
//   - Nobody knows where delivery goes on behind a gap. It covers, in each
//     partition, what comes before the next record, all partitions together
//     as many records as it says. If the connection ends before each has had
//     one, no more than that.
//   - A partition that is added ([Added]) is owed from its first record on to
//     whoever has an id from before.
//
// # Failed producers
//
// A record that no producer was told is stored may be there or not. What is
// there is, once and in order: who retries names the record, so that the
// broker stores it once. One that a producer has taken back, by a transaction
// that it aborted or left open, is nowhere, and comes to nobody.
//
// # State
//
// A stream may keep the newest record of each key only. What its clients hold
// is then compared with its [State]: a client that comes without an id, or is
// told of a gap behind which all comes anew, holds nothing; one that comes with
// an id holds what it held when it was given that. Of each key it gets newer
// records only, and in the end it holds the newest one, or nothing if that took
// the key away.
package chaos
