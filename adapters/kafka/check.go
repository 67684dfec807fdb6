package kafka

import (
	"fmt"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/kafka/registry"
)

// Bounds of options.
const (
	minFetch      = 1 << 10
	minBatch      = 64 << 10
	maxFetch      = 1 << 30    // of what the protocol counts in 32 bits
	maxResponse   = 2047 << 20 // likewise
	roomInAnswer  = 1 << 20    // for what stands around the records of an answer
	minKept       = 4 << 20    // enough for the longest position
	maxKept       = 64 << 30
	minTimeout    = 100 * time.Millisecond
	maxTimeout    = 5 * time.Minute
	minWait       = 10 * time.Millisecond
	maxWait       = time.Minute
	minMetadata   = 100 * time.Millisecond
	maxMetadata   = time.Hour
	maxIdle       = 10_000
	minIdleTime   = time.Second
	maxIdleTime   = time.Hour
	maxBrokers    = 64
	maxName       = 255 // of client ids and racks
	maxExtensions = 32
	maxExtension  = 1024 // bytes of one's value
)

// check returns all that is wrong with the options, apart from the templates in
// Topics and RecordKey, which are parsed.
func (o *Options) check(route adapters.Route) error {
	var c adapters.OptionErrors
	o.Connection.check(&c)
	o.checkSelection(&c)
	o.Start.check(&c, o.Compacted, route.Latest)
	c.OneOf("isolation", string(o.Isolation), o.Isolation.Values()...)
	o.SchemaRegistry.Check(&c, "schema_registry")
	o.Fetch.check(&c)
	adapters.Within(&c, "metadata_age", o.MetadataAge, adapters.Duration(minMetadata), adapters.Duration(maxMetadata))
	adapters.Within(&c, "kept_positions", o.KeptPositions, minKept, maxKept)
	return c.Err()
}

func (o *Options) checkSelection(c *adapters.OptionErrors) {
	c.Refuse(len(o.Partitions)*len(o.Topics) > maxPartitions, "partitions", "it makes more than %d partitions of all topics together", maxPartitions)
	seen := map[int32]bool{}
	for i, p := range o.Partitions {
		path := fmt.Sprintf("partitions[%d]", i)
		c.Refuse(p < 0, path, "%d is no partition; the first is 0", p)
		c.Refuse(seen[p], path, "%d is there twice", p)
		seen[p] = true
	}
	c.OneOf("partitioner", string(o.Partitioner), o.Partitioner.Values()...)
	keyed := o.RecordKey != ""
	c.Refuse(keyed && len(o.Partitions) > 0, "partitions", "have no effect with record_key, for which the partitioner names the partition; leave out one of the two")
	c.Refuse(!keyed && o.Partitioner != defaults().Partitioner, "partitioner", "has an effect with record_key only: it names the partition of that key")
	c.Refuse(keyed && o.SchemaRegistry.Decodes(registry.Key), "record_key", "keys that the schema registry decodes are no text as they were sent, so that none would be this one; leave the key out of schema_registry.decode, or let the route's match select")
}

func (f *Fetch) check(c *adapters.OptionErrors) {
	adapters.Within(c, "fetch.max_bytes", f.MaxBytes, minFetch, maxFetch)
	adapters.Within(c, "fetch.max_partition_bytes", f.MaxPartitionBytes, minFetch, maxFetch)
	c.Refuse(f.MaxPartitionBytes > f.MaxBytes, "fetch.max_partition_bytes", "%s is more than max_bytes, %s", f.MaxPartitionBytes, f.MaxBytes)
	adapters.Within(c, "fetch.max_batch", f.MaxBatch, minBatch, maxFetch)
	adapters.Within(c, "fetch.max_response", f.MaxResponse, minFetch+roomInAnswer, maxResponse)
	c.Refuse(f.MaxResponse < f.MaxBytes+roomInAnswer, "fetch.max_response", "%s leaves no room for what stands around max_bytes of records; it is at least 1MiB more, %s", f.MaxResponse, f.MaxBytes+roomInAnswer)
	adapters.Within(c, "fetch.max_wait", f.MaxWait, adapters.Duration(minWait), adapters.Duration(maxWait))
}
