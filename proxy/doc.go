// Package proxy is Sidestream's front end: it reads the routing table, opens
// streams for the clients that ask for them, serves those as Server-Sent
// Events, and passes every other request through to the application behind.
//
// # How a request is served
//
// The table's routes are matched by path, method and host. A request that
// matches and accepts text/event-stream becomes a client of a stream; any
// other goes to the upstream, unchanged. A stream is one running source with
// its feed; all clients with the same route and variables share it. The
// first client opens it, and it closes when the last has been gone for the
// route's linger.
//
// Where an adapter forwards its clients' credentials, a stream is shared only
// by those with the same ones. Where it asks for a source that runs always,
// the route's one stream is open for as long as the route is served.
//
// # Where requests come from
//
// Before anything else looks at a request it is made to say where it comes
// from: its RemoteAddr is the client's address, and X-Forwarded-For the way from
// there, as far as the proxies on it are those that the table trusts. What
// others say of it is dropped. Logs, bounds, adapters and applications go by
// that alone.
//
// # Pages of other origins
//
// A route's policy for them (CORS) is for its own answers: the stream, and all
// that stands in place of it. What an application answers at the same URL is
// its own affair, as are preflights that the route doesn't grant, and requests
// that bring events.
//
// # How events are brought
//
// Where an adapter takes requests that bring events, those of the path and
// methods that it names are its own to answer, wherever else they might go:
// where all others come in, or at an address of their own, where nothing else is
// served. They open the stream that they are for, and hold it until its source
// says that their events are where clients get them from. How many may be under
// way, and for how long, is bounded; more are answered 503 and a time to come
// back, before anything of them is read.
//
// While the server drains they are taken until clients are told to leave, and,
// if what they bring outlasts the process, until the listeners close.
//
// # Where requests come in
//
// A connection passes, from the socket on: the bounds of how many there may
// be, the PROXY header of a peer that is to send one, TLS, and net/http. All of
// them take their time on the goroutine of the connection, so that nobody waits
// for somebody else's header or handshake. The address that a PROXY header tells
// is the client's to all that follows; nothing else is believed about it here.
//
// # What it promises
//
//   - Every event carries an id, and a client that comes back with it goes on
//     right after it. What can't be delivered is announced by a stream.gap
//     event, never skipped in silence.
//   - An acceptable request is never answered by a 5xx: when there is no room
//     or the upstream is down, the answer is a stream that says when to come
//     back, or that waits.
//   - A client that can't keep up never holds up the source or another
//     client, and what is kept for it is bounded.
//   - Nobody receives what was read with the credentials of somebody else. A
//     client whose credentials the upstream refuses is answered what the
//     upstream says or, if its stream has begun, told so by the last event.
//   - A client that is gone leaves nothing behind.
//   - A request that brings events is told that they are taken only when
//     clients get them, and when it finds no room, to try again.
//   - Every goroutine has an owner that waits for it: [Server.Run] returns
//     when all have ended.
//
// # Who retries
//
// Sources return their failures. One supervisor for each stream runs the
// source again after a random, growing delay, tells clients (stream.stale,
// stream.fresh), logs and counts. Adapters do none of this.
package proxy
