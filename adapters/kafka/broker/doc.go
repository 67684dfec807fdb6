// Package broker talks to Kafka brokers: over which connections, in which
// versions of the protocol, and within which bounds. What is asked, and what
// becomes of the answers, is up to its users.
//
// # Connections
//
// A [Cluster] makes connections, and keeps some of those that are given back.
// Making one is, within [Options.ConnectTimeout] as a whole: TCP, with
// keep-alive, by which a connection whose other side is gone is found out
// within half a minute; TLS, with the files as they are then; the versions that
// the broker offers; and SASL, with the credentials as they are then. A session
// that ends after some time (KIP-368) is renewed on its connection, before the
// request that would come after nine tenths of it at the latest.
//
// A [Conn] carries one request at a time. A context that is done interrupts
// what goes on at once, be it a connection that is being made or a request, and
// the error is the context's. No goroutine is left of a call that has returned,
// and none of a Cluster that has been closed.
//
// # Versions
//
// Brokers from 0.11 on are known, up to those that no longer have what they had
// at the time of 4.0. Of each request the newest version is used that the
// broker and this package have: Metadata from 4 to 12 (2 and 3 of servers that
// have no later one), Fetch from 4 to 11 and 13, ListOffsets from 1 to 3,
// DescribeConfigs up to 3. Topics have ids from
// Metadata 10 on. Fetch 13 names them by these alone, so that a topic that was
// deleted and created anew is never taken for the one that it was; it is used
// if all topics of a request have ids.
//
// # Why not the client library's own
//
// Of kafka-go the SASL mechanisms, error codes and names of requests are used,
// and not its Transport and codecs. They allocate whatever a length field says;
// what they start can't be interrupted or waited for; a session that ends is a
// failed connection; topics are known by their names only (Metadata up to 8,
// Fetch up to 11), so that another topic of the same name is read on as if
// nothing had happened; one partition that a cached layout doesn't have fails a
// request for all, and only leaders can be read from; and of a batch that
// compaction has emptied the end is lost, which one can't get past without.
//
// # Bounds
//
// An answer has at most [Options.MaxResponse] bytes, and one that comes before
// the first request at most 64KiB. Nothing is allocated for an answer before
// its length and, after it, the number of its request have been read, and
// nothing for a part of it that its length has no room for. So what isn't a
// broker, whatever it says, costs little, and time up to the timeouts.
//
// A broker that says that it won't read for some time (KIP-219) is given that
// time, up to a minute, in addition to [Options.RequestTimeout].
//
// # Errors
//
// Failures of connections and of authentication are [adapters.UpstreamError]s.
// Permanent are refused credentials, unless they are read from files or are
// tokens, since those may be replaced; a SASL mechanism that the broker doesn't
// take, or credentials that it doesn't ask for; a broker without a known
// version; and an answer that is too large, most likely for a single batch. All
// else is transient. Reasons never hold addresses; causes do, but no secrets
// and no text that a server has sent, other than the names of its mechanisms
// and what its certificate is for.
//
// What a broker answers about a single topic or partition, or about a request as
// a whole, is a [kafka.Error]; see [Classify].
//
// [kafka.Error]: https://pkg.go.dev/github.com/segmentio/kafka-go#Error
package broker
