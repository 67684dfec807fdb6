package kafka

import "github.com/twmb/franz-go/pkg/kmsg"

// Requests that faults are for.
const (
	keyFetch           = kmsg.Fetch
	keyListOffsets     = kmsg.ListOffsets
	keyMetadata        = kmsg.Metadata
	keyDescribeConfigs = kmsg.DescribeConfigs
)

func keysOf(keys ...kmsg.Key) []kmsg.Key { return keys }
