package kafka

import (
	"errors"
	"net"
	"os"
	"slices"

	kafkago "github.com/segmentio/kafka-go"

	"sidestream/adapters"
	"sidestream/adapters/kafka/broker"
)

// Reasons that clients may see, beside those of package broker.
const (
	reasonClosed      = "the route was closed"
	reasonNoTopic     = "topic not found"
	reasonGone        = "topic is gone"
	reasonNoPartition = "partition not found"
	reasonLeaderless  = "a partition has no leader"
	reasonAhead       = "a partition lacks records that were there"
	reasonCorrupt     = "records are corrupt"
	reasonAnswer      = "Kafka's answer is not understood"
)

// judge classifies what a broker says of one partition: nearly all of it means
// that the partition is to be looked for elsewhere, or later.
func (s *source) judge(err error) error {
	switch code := kafkago.Error(0); {
	case !errors.As(err, &code):
	case isGone(code):
		return adapters.Transient(reasonGone, err)
	case slices.Contains(elsewhere(), code):
		return adapters.Transient(reasonLeaderless, err)
	}
	return broker.Classify(err)
}

// elsewhere are the codes by which a broker says that it doesn't lead a
// partition, or can't for the moment.
func elsewhere() []kafkago.Error {
	return []kafkago.Error{
		kafkago.LeaderNotAvailable, kafkago.NotLeaderForPartition, kafkago.FencedLeaderEpoch, kafkago.UnknownLeaderEpoch,
		kafkago.ReplicaNotAvailable, kafkago.OffsetNotAvailable, kafkago.KafkaStorageError,
	}
}

// isDenied reports whether err is the lack of a permission.
func isDenied(err error) bool {
	return errors.Is(err, kafkago.TopicAuthorizationFailed) || errors.Is(err, kafkago.ClusterAuthorizationFailed)
}

// isTimeout reports whether err says that something took too long.
func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}
