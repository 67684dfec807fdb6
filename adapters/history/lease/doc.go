// Package lease decides which one of several replicas runs a source.
//
// Every replica that could run it calls [Bucket.Contend] with the same name.
// One of them at a time has the lease of that name and runs; the others learn
// what it tells of itself. What decides are the entries of a NATS JetStream
// key-value bucket, one for each lease, and nothing else: replicas know neither
// one another nor their number, and no clock of one machine is ever compared
// with that of another.
//
// # How it works
//
// An entry is replaced only by a write that names the revision it replaces, so
// that of several writers one succeeds. The holder writes it every third of
// the TTL, and when it has something to tell. It is certain to hold the lease
// for two thirds of the TTL from the time that it sent the last write that
// succeeded; then the context of what runs under the lease ends, whether or not
// anything was heard. A contender replaces the entry of a holder that hasn't
// given it up only when it has not seen it change for the whole TTL that the
// entry names, by its own monotonic clock. The third of the TTL that is between
// the two is for what runs to stop.
//
// A write without an answer may have been done. The next one finds out: if it
// fails since the entry has changed, reading the entry says who has changed it.
//
// All contenders of a process watch by one consumer. If that is gone, as when
// the server that had it is, another one is made; the holders' writes don't
// depend on it, and a contender that is not told of changes finds them out when
// it tries to take over. A connection is not made again: when it is lost, all
// that is under way on it ends.
//
// A contender begins to wait when it is called. One that is called for shorter
// than the TTL at a time may never take over from a holder that has crashed.
//
// # Bounds
//
// T is the TTL, R the time of one exchange with the server, and w what it takes
// run to return once its context is done. R has to be well below T/5, or 250 ms
// if that is more, for a lease to be renewed at all.
//
//	what happens               two at once         nobody
//	lease given up             never               2R + 5 ms
//	holder crashes             never               2T/3 to T + R, from the crash on
//	holder is cut off          w - T/3             T/3 to 2T/3 + R, from its end on
//	holder is paused           w, on waking up     T + R, from the pause on
//	holder's connection lost   w - T/3             until it is connected again, with the same
//	                                               Holder; T + R at most
//	leader moved               never               none, if that takes less than T/3
//	leader crashed             w - T/3             none, if another one is elected within T/3;
//	                                               else from 2T/3 after the last write until then
//	all servers restarted,     w - T/3             until they are up, and then as after a lost
//	bucket in files                                connection
//	all servers restarted,     2T/3 + w            until they are up
//	bucket in memory
//	bucket or entry removed    2T/3 + w            T/3 + R
//	by hand
//
// "w - T/3" is never if run returns within a third of the TTL. The 2T/3 + w are
// for a holder that is cut off at that very time; one that isn't ends as soon
// as somebody else has the lease. Servers take some 2 to 10 s to elect a leader
// after one has crashed. After an outage of them the former holder takes the
// lease again at once, as a new term, unless somebody else was quicker.
//
// With a bucket in files, what was written survives that the servers are killed.
// Whether it survives that their machines lose power all at once depends on
// their sync_interval; if it doesn't, that is like a bucket in memory.
//
// The writes of a holder that was paused are a matter of their own. The
// context ends and [Held.Lost] is true when the process goes on, but what was
// begun just before the pause goes on with it. A machine that was suspended as a
// whole may have a monotonic clock that was suspended too. Who must exclude
// even that fences: [Held.Term] grows with every holder, so that what has seen
// a greater term can refuse the smaller. Terms begin anew with a bucket that was
// deleted, or was kept in memory only when all of its servers were restarted.
//
// # Size
//
// There is one entry for each name, of some 200 bytes and what is told
// ([MaxState] at most). Those that nobody has written for an hour are removed by
// the server. Keeping the number of names bounded is the caller's work.
package lease
