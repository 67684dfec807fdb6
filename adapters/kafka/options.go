package kafka

import (
	"slices"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/kafka/registry"
	"sidestream/adapters/tlsfiles"
)

// Options are what a route may configure under its key "kafka".
type Options struct {
	// Connection is how the brokers are reached.
	Connection Connection `yaml:",inline"`

	// Topics are the names of the topics to read, from 1 to 64. "{name}" in
	// one is a part of it made of the route's variable: letters, digits, - and
	// _, but no dot.
	Topics []string `yaml:"topics"`

	// Partitions are the only ones to read, of every topic. None means all of
	// them, those included that are added later.
	Partitions []int32 `yaml:"partitions"`

	// RecordKey selects the records whose key is this text, in which "{name}"
	// stands for the route's variable, "{{" for a brace and "}}" for a closing
	// one. They are read from the one partition of each topic that Partitioner
	// names. Empty means that records are read whatever their key.
	RecordKey string `yaml:"record_key"`

	// Partitioner is how the producers choose the partition of a key.
	Partitioner Partitioner `yaml:"partitioner"`

	// Start says where to begin when a first client comes, without a position.
	// Those who come while it is there begin with what comes then, or with what
	// history.replay, latest or since give them.
	Start Start `yaml:"start"`

	// Isolation says which records of transactions are delivered.
	Isolation Isolation `yaml:"isolation"`

	// Compacted says that each record is the newest state of its key, and one
	// without a value takes the key away, as in topics with
	// cleanup.policy=compact. A new client gets the state of each key, and
	// then what changes.
	Compacted bool `yaml:"compacted"`

	// SchemaRegistry turns records that were written with a schema into JSON.
	SchemaRegistry registry.Options `yaml:"schema_registry"`

	// Fetch bounds what is asked for at once.
	Fetch Fetch `yaml:"fetch"`

	// MetadataAge is how often it is looked whether partitions were added,
	// from 100ms to 1h.
	MetadataAge adapters.Duration `yaml:"metadata_age"`

	// KeptPositions bounds the memory of the route for positions too long for
	// an id, those of about 170 partitions and more, from 4MiB to 64GiB. Those
	// that weren't used for the longest time make way; a client that comes back
	// with one of them is told that events are missing.
	KeptPositions adapters.Size `yaml:"kept_positions"`
}

// Partitioner is how the partition of a key is chosen.
type Partitioner string

const (
	partitionerMurmur2 Partitioner = "murmur2" // as Kafka's own producers in Java do by default
	partitionerCRC32   Partitioner = "crc32"   // as librdkafka does by default (consistent_random, consistent)
	partitionerAny     Partitioner = "any"     // in some other way: all partitions are read
)

// Values implements [adapters.Choice].
func (Partitioner) Values() []string {
	return []string{string(partitionerMurmur2), string(partitionerCRC32), string(partitionerAny)}
}

// Isolation says which records of transactions are delivered.
type Isolation string

const (
	isolationCommitted   Isolation = "read_committed"   // those of transactions that were committed, as soon as they were
	isolationUncommitted Isolation = "read_uncommitted" // all of them, those of transactions that are aborted included
)

// Values implements [adapters.Choice].
func (Isolation) Values() []string {
	return []string{string(isolationCommitted), string(isolationUncommitted)}
}

// Fetch bounds what is asked for at once. A batch of records that is larger
// than MaxBytes or MaxPartitionBytes is sent all the same, alone.
type Fetch struct {
	// MaxBytes is what one answer of a broker should hold at most, from 1KiB to
	// 1GiB.
	MaxBytes adapters.Size `yaml:"max_bytes"`

	// MaxPartitionBytes is what it should hold of one partition, from 1KiB to
	// MaxBytes.
	MaxPartitionBytes adapters.Size `yaml:"max_partition_bytes"`

	// MaxBatch is the size of the largest batch that is read, decompressed,
	// from 64KiB to 1GiB. One that is larger is left out, and clients are told
	// so.
	MaxBatch adapters.Size `yaml:"max_batch"`

	// MaxResponse is the size of the largest answer that is read at all: at
	// least 1MiB more than MaxBytes, and as much as the largest batch that a
	// broker may have, compressed; at most 2047MiB.
	MaxResponse adapters.Size `yaml:"max_response"`

	// MaxWait is how long a broker that has nothing new may wait for it before
	// it answers, from 10ms to 1m.
	MaxWait adapters.Duration `yaml:"max_wait"`
}

func defaults() Options {
	return Options{
		Connection: Connection{
			Brokers:        []string{"127.0.0.1:" + defaultPort},
			ClientID:       "sidestream",
			TLS:            TLS{Files: tlsfiles.Defaults()},
			SASL:           SASL{OAuth2: Tokens{TLS: tlsfiles.Defaults()}},
			ConnectTimeout: adapters.Duration(5 * time.Second),
			RequestTimeout: adapters.Duration(10 * time.Second),
			Idle:           Idle{Connections: 16, Timeout: adapters.Duration(30 * time.Second)},
		},
		Partitioner:    partitionerMurmur2,
		Isolation:      isolationCommitted,
		SchemaRegistry: registry.Defaults(),
		Fetch: Fetch{
			MaxBytes:          8 << 20,
			MaxPartitionBytes: 1 << 20,
			MaxBatch:          64 << 20,
			MaxResponse:       128 << 20,
			MaxWait:           adapters.Duration(500 * time.Millisecond),
		},
		MetadataAge:   adapters.Duration(10 * time.Second),
		KeptPositions: 64 << 20,
	}
}

// settle replaces what depends on the route by what it stands for, and sorts
// the partitions.
func (o *Options) settle(route adapters.Route) {
	if o.Start == (Start{}) {
		o.Start.word = startLatest
		if o.Compacted || route.Latest {
			o.Start.word = startEarliest
		}
	}
	o.Partitions = slices.Sorted(slices.Values(o.Partitions))
}
