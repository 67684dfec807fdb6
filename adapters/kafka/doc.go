// Package kafka makes sources out of Kafka topics: of all their partitions, of
// some, or of the one that has the records of a key.
//
// # Positions
//
// A position is a place in every partition: the offset of the next record of
// each, and for each topic short hashes of its name and of its identity (see
// [Options.Topics]). It is all that a replica needs to go on, so there is no
// consumer group, and nothing is committed. The records of a partition are
// delivered in their order; those of different partitions in the order in which
// they come, which may be another in each Run, so that places of two Runs may
// be neither before nor behind each other. A Run that replays what lies between
// two places brings a client from one to the other.
//
// A position of more partitions than fit in an id, about 170, is a hash of its
// place, which the route keeps, within [Options.KeptPositions], and in this
// process only. One that is no longer kept is announced as lost ("expired").
//
// Lost is also, as "expired", a position in front of the oldest record of a
// partition, and as "recreated" that of a topic which was deleted and created
// anew; of a topic whose brokers have no topic ids (before Kafka 2.8) that is
// known only when its records have not come as far as the position. A partition
// that is added is read from its start.
//
// # Records
//
// A record is an event with the record's value, key and time. Records of
// transactions are delivered once these are committed, in the order of their
// offsets, unless [Options.Isolation] says otherwise; markers of transactions,
// the records of aborted ones and the holes that compaction leaves are passed
// over in silence. With [Options.Compacted] a record is the state of its key,
// and one without a value takes the key away. With [Options.SchemaRegistry],
// values (and keys) that were written with a schema become JSON.
//
// With [Options.RecordKey], the one partition is read that the producers'
// partitioner puts the key in. When partitions are added to a topic, a key
// moves; a producer that has partitioned in another way is not found out.
//
// # Connections
//
// Each Run has a connection of its own to each broker that it reads from, and
// asks it for all of its partitions at once. Routes with equal connection
// options share what is known of the cluster, and the connections that are
// idle. A partition is read from its leader, or, where [Connection.Rack] is set
// and the cluster offers it (KIP-392), from a replica in the same rack.
//
// Every connection is made with credentials and TLS files as they are then.
// Credentials that are refused, topics that aren't there and topics that the
// user has no permission for are permanent failures; all else is transient,
// and so is a refusal of credentials that were read from files or got as
// tokens, since those may be replaced. Reasons for clients never hold
// addresses, names of topics or secrets.
//
// # Trouble
//
// A partition that loses its leader, or a broker that fails, doesn't end a Run
// as long as others can be read: the layout of the topics is looked up again
// after 50 milliseconds, and then ever later, up to a second. A Run fails if
// nothing can be read, or was for five seconds. One that failed for a part would
// hold up all the rest, and no supervisor could tell.
//
// # Variables
//
// A variable of a route is data: "{name}" in a topic is a part of its name, and
// in a key a part of its text. What can't be a part of a name, a dot included, is
// refused with [adapters.ErrBadVariable], and so is a name that would begin
// with an underscore by a client's choice, as those of Kafka itself and of the
// tools around it do.
package kafka
