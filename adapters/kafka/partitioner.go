package kafka

import "github.com/segmentio/kafka-go"

// partition returns the partition that records of key are in, of a topic that
// has count of them, numbered from 0, at least one. p must not be
// partitionerAny, and key not be empty: producers put records without one
// anywhere.
func (p Partitioner) partition(key []byte, count int) int32 {
	all := make([]int, count)
	for i := range all {
		all[i] = i
	}
	var b kafka.Balancer = kafka.Murmur2Balancer{Consistent: true}
	if p == partitionerCRC32 {
		b = kafka.CRC32Balancer{Consistent: true}
	}
	return int32(b.Balance(kafka.Message{Key: key}, all...))
}
