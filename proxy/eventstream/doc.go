// Package eventstream writes and reads text/event-stream, the wire format of
// Server-Sent Events (WHATWG HTML, sections 9.2.5 "Parsing an event stream"
// and 9.2.6 "Interpreting an event stream").
//
// # Writing
//
// The Append functions append to a slice and keep nothing; AppendEvent and
// AppendRetry allocate only if that slice has to grow. What they write is
// narrower than what the standard allows, since widespread clients differ at
// its edges:
//
//   - An event is one block: id, event, then one data line for each line of
//     the payload, then a blank line. There is always a data line, because a
//     block without one is no event.
//   - Line breaks in a payload (LF, CR, CRLF) arrive as LF. Every other
//     payload arrives as it was, if it is UTF-8; what is not is refused.
//   - Nothing in an id, a type, a payload or a comment can forge a field. An
//     id or type that would is refused, never cleaned in silence.
//   - An id is printable ASCII without spaces, and short: some clients mangle
//     anything else on its way back in Last-Event-ID.
//   - A comment, a heartbeat and a retry line are not followed by a blank
//     line, because some clients dispatch an empty event on every one of
//     those. So they go between events, never into the middle of one.
//   - No byte order mark is written.
//
// # Reading
//
// A [Decoder] gives the same events for the same bytes, however they are cut
// into reads, and gives each as soon as the line that ends it is there. It
// accepts all that the standard accepts, also what this package never writes.
// Its memory is bounded: a line or an event beyond the bounds of
// [DecoderOptions] is skipped and reported as a [TooLongError], and reading
// goes on behind it.
package eventstream
