package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/segmentio/kafka-go/protocol"
)

// byKafkaGo returns what kafka-go reads out of a set of batches with records.
func byKafkaGo(set []byte) ([]Record, error) {
	var rs protocol.RecordSet
	sized := append(binary.BigEndian.AppendUint32(nil, uint32(len(set))), set...)
	if _, err := rs.ReadFrom(bytes.NewReader(sized)); err != nil || rs.Records == nil {
		return nil, err
	}
	var records []Record
	for {
		r, err := rs.Records.ReadRecord()
		if errors.Is(err, io.EOF) {
			return records, nil
		}
		if err != nil {
			return nil, err
		}
		rec := Record{Offset: r.Offset, Time: r.Time.UTC()}
		if rec.Key, err = protocol.ReadAll(r.Key); err != nil {
			return nil, err
		}
		if rec.Value, err = protocol.ReadAll(r.Value); err != nil {
			return nil, err
		}
		for _, h := range r.Headers {
			rec.Headers = append(rec.Headers, Header{Key: h.Key, Value: h.Value})
		}
		records = append(records, rec)
	}
}

// writtenByKafkaGo returns records as kafka-go writes them, in a format, and
// with offsets from first on as a broker would set them.
func writtenByKafkaGo(tb testing.TB, format int8, c codec, first int64, records []protocol.Record) []byte {
	tb.Helper()
	var b bytes.Buffer
	rs := protocol.RecordSet{Version: format, Attributes: protocol.Attributes(c), Records: protocol.NewRecordReader(records...)}
	if _, err := rs.WriteTo(&b); err != nil {
		tb.Fatal(err)
	}
	set := b.Bytes()[4:]
	offset := first
	for rest := set; len(rest) > 0; {
		f, err := nextFrame(rest, 0)
		if err != nil {
			tb.Fatal(err)
		}
		switch {
		case format == 2:
			offset = first
		case c != uncompressed:
			offset = first + int64(len(records)) - 1
		}
		binary.BigEndian.PutUint64(rest, uint64(offset))
		rest = rest[len(f.bytes):]
		offset++
	}
	return set
}

func TestWrittenByKafkaGo(t *testing.T) {
	for _, tt := range []struct {
		format int8
		codecs []codec
	}{
		{1, []codec{uncompressed, gzipCodec, snappyCodec, lz4Codec}},
		{2, []codec{uncompressed, gzipCodec, snappyCodec, lz4Codec, zstdCodec}},
	} {
		for _, c := range tt.codecs {
			t.Run(fmt.Sprintf("format %d, codec %d", tt.format, c), func(t *testing.T) {
				var (
					records []protocol.Record
					want    []string
				)
				for i := range 200 {
					key, value := fmt.Appendf(nil, "key %d", i), textOf(i*7)
					if i%10 == 5 {
						key = nil
					}
					rec := Record{Offset: 1000 + int64(i), Time: at.Add(time.Duration(i%13) * time.Second), Key: key, Value: value}
					r := protocol.Record{Time: rec.Time, Key: protocol.NewBytes(key), Value: protocol.NewBytes(value)}
					if key == nil {
						r.Key = nil
					}
					if tt.format == 2 && i%5 == 0 {
						rec.Headers = []Header{{Key: "h", Value: []byte("1")}}
						r.Headers = []protocol.Header{{Key: "h", Value: []byte("1")}}
					}
					records, want = append(records, r), append(want, line(rec))
				}
				set := writtenByKafkaGo(t, tt.format, c, 1000, records)
				if got := lines(checkAgainstFranz(t, set, 1000, Options{})); !slices.Equal(got, want) {
					t.Fatalf("got %q\nwant %q", got, want)
				}
				decoded, err := byKafkaGo(set)
				if got := lines(decoded); err != nil || !slices.Equal(got, want) {
					t.Fatalf("got %q, %v from kafka-go\nwant %q", got, err, want)
				}
			})
		}
	}
}
