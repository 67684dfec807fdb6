// Package nats makes sources out of NATS: of core subjects, of JetStream
// streams, and of key-value buckets.
//
// # Connections
//
// Routes with equal connection options share one connection. It is made when
// the first of their sources is run, and closed with the last of their
// factories. It is made again for ever, with a delay that is random and grows,
// except after a failure that won't pass by itself, such as refused
// credentials: then it is tried again when a source asks for it.
//
// Every connection is made with credentials and TLS files as they are then.
// One over which nothing comes any more is found out by pings, within 20
// seconds by default. When it is lost, all that was made on it is gone, and
// each Run that used it returns a transient error at once. The next Run of a
// source waits for a connection for two seconds and then says that there is
// none; the one after that waits for as long as it takes, so that it goes on
// the moment that the server is back.
//
// A failure of the credentials, a subject or a request that the user has no
// permission for, a stream or bucket that isn't there, and an account without
// JetStream are permanent; all else is transient, and so is a refusal of
// credentials that were read from files, since those may be replaced. Reasons
// for clients never hold addresses, subjects or secrets.
//
// # Core subjects
//
// Messages are delivered as they are published, in the order in which they
// come over the connection, each with its subject as the key. Core NATS keeps
// nothing, so there are no positions. What is published while there is no
// connection is missed; the supervisor says so. A Live notice comes when the
// server has confirmed the subscription.
//
// A source that is slower than its subject is given up to [Options.Pending] of
// messages. What comes when that is full is dropped, and a gap with the
// reason "overflow" says how many messages were, before the first that comes
// after them. (For a source of several subjects, a burst of more than 65536
// messages while the program gets no time to run may drop some before they are
// counted there; their gap may then come earlier than their place.) Other
// sources of the connection are not held up.
//
// # Streams
//
// A stream's messages are delivered in the order of their sequences, each with
// a position, the sequence and a short hash of the stream's identity. Each Run
// reads by a consumer of its own, which it deletes, and which the server
// deletes by itself after two minutes should that fail. What was removed before
// it could be delivered, and a stream that was deleted and created anew, are
// [adapters.PositionLostError]s.
//
// # Buckets
//
// A bucket's entries are states of their keys. A new client gets the newest
// entry of each key, and then what changes. That a key was deleted or purged is
// an event of the type "delete", with {"key": …} as its data, that takes the
// key away. With updates_only there are changes only, which are no states.
// Positions have the time of their entry beside its revision, by which a Run
// knows whether the marker of a deletion may be gone that a client should know
// of.
//
// # Variables
//
// A variable of a route is data: "{name}" in a subject or key becomes one token
// or a part of one, and "{name...}" one token for each segment. Empty ones,
// dots, wildcards, white space and control characters are refused with
// [adapters.ErrBadVariable], and so is a subject that would be longer than
// 1024 bytes, or begin with "$" or "_" by a client's choice, which are the
// servers' own.
package nats
