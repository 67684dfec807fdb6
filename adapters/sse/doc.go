// Package sse restreams another server's Server-Sent Events: over one
// connection for all clients of a stream, in place of one for each.
//
// The stream that the application behind the route has at the same URL:
//
//   - path: /api/events
//     sse: {}
//
// One stream for each user, from a server that resumes by its ids:
//
//   - path: /events/{user}
//     sse:
//     url: https://events.example.com/v1/stream?user={user}
//     auth: {bearer: {file: /run/secrets/token}}
//     ids: pass
//     types: {message: update}
//
// Another Sidestream, whose clients may come back to any replica:
//
//   - path: /orders
//     sse: {url: "http://gateway:8080/orders", ids: replay}
//
// # What is delivered
//
// Streams are read as the standard says (WHATWG HTML, section 9.2.6), by
// package eventstream. A type, a payload and, if they are passed on, an id
// reach clients as the server meant them; comments are dropped, but show that
// the server is alive. An event that is too large, or of a type that is
// reserved for Sidestream's own, is announced as missing, and the stream goes
// on behind it.
//
// A server says by nothing that it has delivered what it had, so that silence
// for [Options.Settle] is taken for that. It is where new clients of a route
// with "latest" begin, and no more: a Live notice names the place behind the
// last event that was delivered, which is right in any case.
//
// # Ids
//
// In SSE an id has two uses: a client keeps the newest, and the server may go
// on from there when the client comes back. Many servers send ids and make
// no use of Last-Event-ID, and nothing in a stream tells those from others.
// With them, whoever passes on the ids promises clients a resumption that they
// don't get, and loses in silence what was sent while nobody was connected.
// Nor is it known before a server was asked whether it has ids at all, while
// a route has to say what it can do when its table is loaded. So it is for the
// configuration to say, and what it says by default holds for any server:
//
//   - number: the feed numbers the events, and clients resume from it. Each
//     time that the server had to be asked anew, a gap is announced. It is
//     asked for what follows the newest id all the same, so that with luck
//     nothing is missing.
//   - pass: positions are the server's ids. It is asked for what follows the
//     newest, and no gap is announced. Other replicas have the same ids.
//     Nothing but the feed is resumed from by clients, so that there is never
//     more than one connection for a stream.
//   - replay: as pass, and a client with an id that the feed doesn't have is
//     given what follows over a connection of its own, until that comes to
//     where the feed is. As long as the server is silent, nobody can tell where
//     a feed is that has nothing yet, and such connections stay.
//
// An event without an id has that of the one before, as in the standard, and
// who resumes from there may get it twice. Of events before the first id, or
// after one that was taken back, no server can be told; and of those whose id
// no header can carry, or is too long, this one can't. They are
// delivered, with positions that the feed alone knows. To go on from there is
// to lose the position: that is announced, with both pass and replay.
//
// Ids that clients don't bring back as they were, and those that mean
// something to Sidestream, are passed on in base64url, behind a "=" (see
// position.go). Who sets the route's end.id should choose one that the server
// doesn't have.
//
// # Connections
//
// A response that ends is no failure: the server is asked anew after
// [Options.Retry], or after what its "retry" says, without clients being told
// that it is down. It is a failure if nothing at all had come of it. What else
// goes wrong is returned, for the supervisor to try again; Run then waits
// for what remains of the time that the server has asked for.
//
//   - 204 ends the stream for good, and so does 410, unless it answers an id,
//     which is lost then.
//   - 401 and 403 end the streams of a principal whose credentials are
//     forwarded, with an [adapters.DeniedError].
//   - Another content type than text/event-stream, and a content coding, are
//     permanent failures: somebody has to mend the URL or the server.
//   - Every other status, a response that breaks off, and silence for
//     [Options.IdleTimeout] are transient ones.
//
// Each request is counted by its status, or by a word for why it had none that
// could be used. A response that goes wrong later is counted by a word for that
// as well: silent, broken or empty.
//
// # From Sidestream to Sidestream
//
// The control events of another Sidestream, known by their payloads, become
// what they say: stream.gap a gap, or the loss of the position if that was its
// answer to it; stream.stale and stream.fresh a notice that the upstream is not
// well, or is; stream.live that all was delivered. stream.end is the end if
// nothing follows. A server that uses such types for something else can be
// read by giving them other names in [Options.Types].
package sse
