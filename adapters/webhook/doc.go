// Package webhook is the adapter for events that others send: each HTTP request
// to a route's ingest path becomes an event, or several.
//
// GitHub's webhooks, to everybody who listens at the same URL:
//
//	path: /events/github
//	webhook:
//	  verify: {github: "${file:/run/secrets/github}"}
//
// A stream for each customer, fed from within, at a listener of its own:
//
//	path: /customers/{id}/events
//	webhook:
//	  ingest: /customers/{id}
//	  listen: {address: "127.0.0.1:8081"}
//	  verify: {bearer: ["${EVENTS_TOKEN}"]}
//	  type_header: X-Event-Type
//
// CloudEvents of Azure Event Grid, which asks first whether it may send them:
//
//	path: /events/storage
//	webhook:
//	  ingest: /hooks/storage
//	  verify: {bearer: ["${EVENTS_TOKEN}"]}
//	  cloudevents: {mode: require, allowed_origins: [eventgrid.azure.net]}
//
// # What a request becomes
//
// The type of an event is [Options.Type], or the value of [Options.TypeHeader],
// or what the provider that verify knows calls it (X-GitHub-Event, say), or that
// of the CloudEvent, whichever is the first that there is. Its time is that of a
// CloudEvent. Its id, by which one that is sent once more is recognised, is the
// provider's of the delivery, or else source and id of the CloudEvent; in a
// batch each event has its own.
//
// Expressions find the request's headers in $headers, but for those that hold
// credentials or signatures, and in $meta the attributes and extensions of a
// CloudEvent, or the delivery's id. The events of a batch have no headers.
//
// A form becomes a JSON object. JSON is passed on as it was sent, and so is all
// that is neither text nor a form; a route that is sent what is not text needs
// an encoding. What is larger than the route's max_event_size is announced as a
// gap like every event that is.
//
// A CloudEvent's data is what it carries: the text of a text, the bytes of
// data_base64, JSON otherwise. Of the formats only JSON is read, and only
// version 1.0.
//
// # Guarantees
//
//   - A request is answered with success when all its events are where clients
//     get them from, and not before: in the feed, or in the durable history.
//     What is answered otherwise may have been delivered in part, or just now,
//     and is to be sent again.
//   - The events of a sender that waits for each answer are delivered in the
//     order in which it sent them; so are those of one request.
//   - An event with an id is delivered once within [Dedupe.Window]. One that
//     comes while the same is still being delivered waits for its outcome, and
//     is tried itself if that is a failure. Redelivery by hand, as GitHub offers
//     it, is no new event either.
//   - What finds no room is refused at once, and its sender told to come again.
//     Bodies, what waits, and what is remembered are bounded.
//   - A body is neither decompressed nor decoded before the request is verified.
//
// Without a durable history what is delivered is in the memory of this replica:
// clients of others don't get it. What waits while the source is not run, as
// between two attempts, waits for [Options.AcceptTimeout].
//
// # Answers
//
//	200  the answer that the provider asked for (Slack's url_verification),
//	     or permission to send CloudEvents
//	204  the events are delivered, or were before
//	400  the body is broken, a CloudEvent lacks what it must have, or the type
//	     is one that an event can't have, such as "stream.gap"
//	401  not authorized, by a scheme that has a challenge; it never says why
//	403  not authorized; it never says why
//	404  a variable in the path can't be used
//	405  another method; Allow says which
//	408  the body took too long
//	413  the body is too large, compressed or not, or a batch is
//	415  another content type (Accept says which), charset or compression
//	429  too many wait; Retry-After says when to come again
//	503  not stored, or not to be verified, now; Retry-After says when to come
//	     again
//
// It is never a redirection, which senders don't follow, and never 410, which
// makes some of them give up for good.
package webhook
