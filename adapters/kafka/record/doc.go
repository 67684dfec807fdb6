// Package record reads the records out of what a Kafka broker answers to a
// Fetch request: sets of record batches in the format of Kafka 0.11 and later
// (magic 2), and of messages in the formats before it (magic 0 and 1), as
// brokers have them on disk and pass on unchanged, so that one set may hold
// all three.
//
// # What is delivered
//
// A [Reader] delivers the records of a set whose offsets are at or behind the
// one that was asked for, in the order of their offsets. It leaves out control
// records, which mark the ends of transactions, and, if asked to, the records
// of transactions that were aborted, by the rule of Kafka's own consumer. Null
// and empty keys and values are told apart, since a null value means the
// deletion of its key.
//
// Offsets may have holes: compaction takes records out, and what isn't
// delivered leaves one too. [Reader.Offset] moves over them, even over a batch
// that compaction has emptied, so a position taken from it is never stuck.
//
// # Trust
//
// A set is checked before anything of it is believed: checksums first, then
// that lengths, counts and offsets fit one another. What doesn't is a
// [CorruptError]: never a panic, and never memory for something that only a
// length field claims to be there. What a batch may take once it is
// decompressed is bounded by [Options.MaxBytes], and by about half of that in
// buffers besides while it is being decompressed. A batch beyond that is
// passed over with a [TooLargeError], and all others are delivered still.
//
// A broker cuts a set off wherever the requested size is reached. An unfinished
// batch at the end is no error: it is fetched again from the next offset.
//
// # Memory
//
// Records of uncompressed batches are slices of the set itself, and those of a
// compressed batch share one buffer, of exactly the size of its records. Nothing
// is allocated for a record but its slice of headers. A record that is kept for
// long keeps all of its batch, or all of its set, in memory.
//
// The formats are those of https://kafka.apache.org/documentation/#messageformat
// and, for the older ones, of https://kafka.apache.org/documentation/#messageset.
package record
