// Package poll makes a source out of a legacy HTTP API: one shared poll, done
// at a pace that suits the API, in place of the polls of all its clients.
//
// # What is delivered
//
// A source asks one URL, and delivers what it finds as [Options.Emit] says:
// the state of a document or of a collection and how it changes, or the items
// that are added to a list. An [adapters.Event.Live] notice follows after
// every successful poll. What happens between two polls is not seen; that is
// the nature of polling.
//
//   - 200 and 203 carry a document, 204 and 205 are the empty one, or, where
//     the API holds requests, no news.
//   - 304 says that nothing has changed. It is asked for (If-None-Match,
//     If-Modified-Since; RFC 9110, section 13.1) only while delivery goes on
//     from the very state that the validators came with.
//   - 410 ends the stream for good, unless it answers a cursor, which is gone
//     then: Run returns nil.
//   - 401 and 403 end the streams of a principal whose credentials are
//     forwarded, with an [adapters.DeniedError].
//   - Every other status, a body that is too large, cut short or not
//     readable, an expression that can't be applied, and every failure of the
//     connection is a transient error. Nothing is emitted; the last good
//     state stands.
//
// # Documents and positions
//
// An answer is decoded (package payload), an expression may make another
// document of it, and JSON is brought into a canonical form (package
// jsondoc): object keys sorted, no white space, every number exactly as the
// upstream wrote it. So the order of keys and the layout of a document are no
// changes. Everything else is delivered as it came.
//
// The position of a state is a hash of it. Every replica finds the same
// position for the same state, and a client that comes back with it is sent
// nothing until the state changes. Any other position is answered with the
// current state. A change is emitted only where delivery goes on from the
// state that it is a change to, and that state is, byte for byte, what was
// emitted before: what doesn't count as a change is either delivered along
// with one or not at all.
//
// The position of a list's item is the item and the cursor by which to find
// it (see place). A Run from there delivers what follows, at any replica, for
// as long as the API still lists the item or takes the cursor; otherwise it
// returns an [adapters.PositionLostError]. That an API lists items in the
// order in which they are added is taken for granted.
//
// # Pace
//
// A source has at most one request under way, and starts at most one poll in
// an interval, failures and repeated calls of Run included. (net/http may
// repeat a request within a poll if the upstream closes a kept-alive
// connection under it.) What the API asks for puts polls off further, and all
// polls to one host share a budget and the knowledge that it does not answer;
// that is the work of package pace.
//
// Of a source of states, one Run at a time goes on; a second one waits until
// the first has returned. Runs of a list go on together and share answers. One
// of them asks at that pace; those at other cursors, where clients have sent
// them, ask apart from it, one at a time, so that they neither hold it up nor
// wait for it, and in all at most 20 times in an interval. That is the one case
// in which a source has two requests under way.
package poll
