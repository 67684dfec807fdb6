// Package poll makes a source out of a legacy HTTP API: one shared poll, done
// at a steady pace, in place of the polls of all its clients.
//
// # What is delivered
//
// A source polls one URL with GET and delivers the state that it finds: one
// event with the whole document each time that the document has changed, and
// an [adapters.Event.Live] notice after every successful poll. What happens
// between two polls is not seen; that is the nature of polling.
//
//   - 200 and 203 carry a document, 204 and 205 are the empty document.
//   - 304 says that nothing has changed. It is asked for (If-None-Match,
//     If-Modified-Since; RFC 9110, section 13.1) only while delivery goes on
//     from the very state that the validators came with.
//   - 410 ends the stream for good: Run returns nil.
//   - Every other status, a body that is too large, cut short or not
//     readable, and every failure of the connection is a transient error.
//     Nothing is emitted; the last good state stands.
//   - Up to five redirects are followed, but never to another host: a poll
//     may be made on behalf of somebody, and where it goes is the
//     configuration's to say.
//
// # Documents and positions
//
// JSON is brought into a canonical form: object keys sorted, no white space,
// every number exactly as the upstream wrote it. So the order of keys and the
// layout of a document are no changes. Everything else is delivered as it
// came; [Options.Body] tells what is taken for JSON.
//
// The position of a state is a hash of its document. Every replica finds the
// same position for the same document, and a client that comes back with it
// is sent nothing until the document changes. Any other position is answered
// with the current state.
//
// # Pace
//
// A source has at most one request under way and starts at most one poll in
// an interval, failures and repeated calls of Run included. (net/http may
// repeat a request within a poll if the upstream closes a kept-alive
// connection under it.) Run is not meant to be called concurrently; if it
// is, the second call waits until the first has returned.
package poll
