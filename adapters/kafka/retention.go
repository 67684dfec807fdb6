package kafka

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/kafka/broker"
)

// Deletions in compacted topics can be known of for as long as this configuration
// of a topic says, in milliseconds.
const (
	deleteRetention        = "delete.retention.ms"
	defaultDeleteRetention = 24 * time.Hour
)

// recent returns an error if the records may be gone that took away keys after
// a reader was at from.
func (s *source) recent(ctx context.Context, cluster *cluster, l *layout, from *place) error {
	keeps, err := s.keepsDeletions(ctx, cluster, l)
	if err != nil {
		return err
	}
	if age := time.Since(time.Unix(from.minute*60, 0)); age >= keeps {
		return &adapters.PositionLostError{Reason: adapters.LostExpired, Lost: -1}
	}
	return nil
}

// keepsDeletions returns how long the topics keep the records that take keys
// away.
func (s *source) keepsDeletions(ctx context.Context, cluster *cluster, l *layout) (time.Duration, error) {
	least := time.Duration(math.MaxInt64)
	for i := range l.topics {
		if l.topics[i].gone {
			continue
		}
		keeps, err := s.topicKeeps(ctx, cluster, l, l.topics[i].Name)
		if err != nil {
			return 0, err
		}
		least = min(least, keeps)
	}
	return least, nil
}

// topicKeeps is that of one topic.
func (s *source) topicKeeps(ctx context.Context, cluster *cluster, l *layout, topic string) (time.Duration, error) {
	var err error
	for _, node := range l.brokers { // any of them knows
		var config map[string]string
		config, err = ask(ctx, cluster, node, func(c *broker.Conn) (map[string]string, error) {
			return c.TopicConfig(ctx, topic, deleteRetention)
		})
		switch {
		case ctx.Err() != nil:
			return 0, ctx.Err()
		case isDenied(err):
			return defaultDeleteRetention, nil
		case err != nil:
			continue
		case config[deleteRetention] == "": // a server that doesn't have it
			return defaultDeleteRetention, nil
		}
		ms, err := strconv.ParseInt(config[deleteRetention], 10, 64)
		if err != nil {
			return 0, adapters.Transient(reasonAnswer, fmt.Errorf("%s of topic %s: %w", deleteRetention, topic, err))
		}
		return time.Duration(min(ms, int64(math.MaxInt64/time.Millisecond))) * time.Millisecond, nil
	}
	return 0, err
}
