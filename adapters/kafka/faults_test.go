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

// kfakeControl returns a control function that observes all requests, by doing
// something at each.
func kfakeControl(k *fake, do func()) func(kmsg.Request) (kmsg.Response, error, bool) {
	return func(kmsg.Request) (kmsg.Response, error, bool) {
		k.KeepControl()
		do()
		return nil, nil, false
	}
}
