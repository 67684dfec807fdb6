package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"testing"
	"time"

	"github.com/segmentio/kafka-go/compress"
	"github.com/segmentio/kafka-go/compress/snappy"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// at is when the records of the tests are made.
var at = time.Date(2026, 3, 4, 5, 6, 7, 89_000_000, time.UTC)

// A testBatch is a batch of format 2 to be encoded, by kmsg. Its zero fields
// have values that make sense.
type testBatch struct {
	first         int64
	lastDelta     int32 // 0: that of the last record
	attributes    int16 // beyond the codec's
	codec         int16
	producer      int64 // 0: none
	baseTimestamp int64 // 0: at
	maxTimestamp  int64 // 0: at
	count         int32 // 0: as many as there are records
	records       []testRecord
	payload       []byte // instead of records
}

type testRecord struct {
	delta      int32 // 0: the index in the batch
	sinceBase  int64
	key, value []byte
	headers    []Header
}

func (b testBatch) encode(tb testing.TB) []byte {
	tb.Helper()
	payload := b.payload
	lastDelta := b.lastDelta
	for i, r := range b.records {
		if r.delta == 0 {
			r.delta = int32(i)
		}
		if b.lastDelta == 0 {
			lastDelta = r.delta
		}
		payload = append(payload, r.encode()...)
	}
	if len(payload) > 0 {
		payload = pack(tb, b.codec, payload)
	}
	return b.seal(lastDelta, payload)
}

// seal encodes b with records that are compressed already.
func (b testBatch) seal(lastDelta int32, payload []byte) []byte {
	or := func(v, other int64) int64 {
		if v == 0 {
			return other
		}
		return v
	}
	k := kmsg.RecordBatch{
		FirstOffset:          b.first,
		PartitionLeaderEpoch: -1,
		Magic:                2,
		Attributes:           b.attributes | b.codec&codecMask,
		LastOffsetDelta:      lastDelta,
		FirstTimestamp:       or(b.baseTimestamp, at.UnixMilli()),
		MaxTimestamp:         or(b.maxTimestamp, at.UnixMilli()),
		ProducerID:           or(b.producer, -1),
		ProducerEpoch:        -1,
		FirstSequence:        -1,
		NumRecords:           int32(or(int64(b.count), int64(len(b.records)))),
		Records:              payload,
	}
	return resum(k.AppendTo(nil))
}

func (r testRecord) encode() []byte {
	k := kmsg.Record{TimestampDelta64: r.sinceBase, OffsetDelta: r.delta, Key: r.key, Value: r.value}
	for _, h := range r.headers {
		k.Headers = append(k.Headers, kmsg.Header{Key: h.Key, Value: h.Value})
	}
	body := k.AppendTo(nil)[1:] // the length was 0, of one byte
	return append(binary.AppendVarint(nil, int64(len(body))), body...)
}

// A testMessage is a message of format 0 or 1, encoded by kmsg. Its timestamp
// is at.
type testMessage struct {
	magic      int8
	offset     int64
	attributes int8
	key, value []byte
}

func (m testMessage) encode() []byte {
	if m.magic == 0 {
		k := kmsg.MessageV0{Offset: m.offset, Attributes: m.attributes, Key: m.key, Value: m.value}
		return resum(k.AppendTo(nil))
	}
	k := kmsg.MessageV1{Offset: m.offset, Magic: 1, Attributes: m.attributes, Timestamp: at.UnixMilli(), Key: m.key, Value: m.value}
	return resum(k.AppendTo(nil))
}

// wrap compresses the messages inside into a message at offset.
func wrap(tb testing.TB, magic, codec int8, offset int64, inside ...testMessage) testMessage {
	tb.Helper()
	var set []byte
	for _, m := range inside {
		set = append(set, m.encode()...)
	}
	packed := pack(tb, int16(codec), set)
	if codec == int8(lz4Codec) && magic == 0 {
		breakLZ4(packed)
	}
	return testMessage{magic: magic, offset: offset, attributes: codec, value: packed}
}

// breakLZ4 gives a frame the checksum that Kafka wrote in format 0.
func breakLZ4(frame []byte) { frame[6] = byte(xxh32(frame[:6]) >> 8) }

// resum puts the right length and checksum into the batch or message b.
func resum(b []byte) []byte {
	binary.BigEndian.PutUint32(b[lengthAt:], uint32(len(b)-bodyAt))
	if b[magicAt] == 2 {
		binary.BigEndian.PutUint32(b[batchChecksumAt:], crc32.Checksum(b[attributesAt:], crc32.MakeTable(crc32.Castagnoli)))
	} else {
		binary.BigEndian.PutUint32(b[messageChecksumAt:], crc32.ChecksumIEEE(b[magicAt:]))
	}
	return b
}

// rawSnappy stands for blocks of snappy without framing, as librdkafka makes
// them.
const rawSnappy = int16(snappyCodec) | 0x100

// pack compresses data with kafka-go's codec.
func pack(tb testing.TB, codec int16, data []byte) []byte {
	tb.Helper()
	var (
		out bytes.Buffer
		w   io.WriteCloser
	)
	switch codec {
	case 0:
		return data
	case rawSnappy:
		w = (&snappy.Codec{Framing: snappy.Unframed}).NewWriter(&out)
	default:
		w = compress.Compression(codec).Codec().NewWriter(&out)
	}
	if _, err := w.Write(data); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// join returns the sets as one.
func join(sets ...[]byte) []byte { return bytes.Join(sets, nil) }

// values returns records with these values and no more.
func values(list ...string) []testRecord {
	records := make([]testRecord, len(list))
	for i, v := range list {
		records[i].value = []byte(v)
	}
	return records
}

// readAllOf reads r to the end, beyond what is too large, whose errors are
// returned too. The last error is io.EOF or a *CorruptError.
func readAllOf(tb testing.TB, r *Reader) (records []Record, large []TooLargeError, last error) {
	tb.Helper()
	for {
		rec, err := r.Next()
		if err == nil {
			records = append(records, rec)
			continue
		}
		if e := (*TooLargeError)(nil); errors.As(err, &e) {
			large = append(large, *e)
			continue
		}
		if again, err2 := r.Next(); !errors.Is(err2, err) || again.Offset != 0 {
			tb.Fatalf("Next after %v: got %v, %v, want the same again", err, again, err2)
		}
		return records, large, err
	}
}

// mustRead returns the records of a set without faults, and checks that the
// reader ends where End says.
func mustRead(tb testing.TB, set []byte, from int64, o Options) []Record {
	tb.Helper()
	r := NewReader(set, from, o)
	records, large, last := readAllOf(tb, r)
	if !errors.Is(last, io.EOF) || len(large) > 0 {
		tb.Fatalf("from %d: got errors %v, %v, want only io.EOF", from, large, last)
	}
	if got, want := r.Offset(), End(set, from); got != want {
		tb.Fatalf("from %d: got Offset %d at the end, want %d as End says", from, got, want)
	}
	return records
}
