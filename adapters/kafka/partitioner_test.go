package kafka

import (
	"hash/crc32"
	"testing"
)

// The hashes are those that the project Kafka tests its own with (murmur2 in
// org.apache.kafka.common.utils.UtilsTest); its producers clear the sign and
// take the rest of a division by the number of partitions.
func TestMurmur2(t *testing.T) {
	for key, hash := range map[string]int32{
		"21":                         -973932308,
		"foobar":                     -790332482,
		"a-little-bit-long-string":   -985981536,
		"a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
		"abc":                      479470107,
		"\x0c\x2a\x38\x18\x6d\x6f": 274204207,
	} {
		for _, count := range []int{1, 2, 3, 12, 100, 1 << 16} {
			want := hash & 0x7fffffff % int32(count)
			if got := partitionerMurmur2.partition([]byte(key), count); got != want {
				t.Errorf("%q of %d partitions: got %d, want %d", key, count, got, want)
			}
		}
	}
}

// librdkafka takes the rest of a division of the CRC-32 of IEEE 802.3, of which
// 0xcbf43926 is the check value.
func TestCRC32(t *testing.T) {
	for key, hash := range map[string]uint32{
		"123456789": 0xcbf43926,
		"user-1":    crc32.ChecksumIEEE([]byte("user-1")),
	} {
		for _, count := range []int{1, 2, 3, 12, 100, 1 << 16} {
			want := int32(hash % uint32(count))
			if got := partitionerCRC32.partition([]byte(key), count); got != want {
				t.Errorf("%q of %d partitions: got %d, want %d", key, count, got, want)
			}
		}
	}
}
