package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/segmentio/kafka-go/protocol"
)

// BenchmarkReader reads sets of ten batches of 500 records, each with a key of
// 8 bytes and a value of 100, and does the same with kafka-go's RecordSet, out
// of which keys and values must be copied to be used.
func BenchmarkReader(b *testing.B) {
	const batches, size = 10, 500
	words := textOf(1 << 20)
	for c, name := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		var set []byte
		for i := range batches {
			batch := testBatch{first: int64(i * size), codec: int16(c)}
			for j := range size {
				at := (i*size + j) * 100
				batch.records = append(batch.records, testRecord{delta: int32(j), key: fmt.Appendf(nil, "%08d", j), value: words[at : at+100]})
			}
			set = append(set, batch.encode(b)...)
		}
		report := func(b *testing.B) {
			b.Helper()
			b.ReportMetric(float64(b.N)*batches*size/b.Elapsed().Seconds()/1e6, "Mrecords/s")
		}
		b.Run(name+"/record", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := NewReader(set, 0, Options{})
				n := 0
				for {
					_, err := r.Next()
					if errors.Is(err, io.EOF) {
						break
					}
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
				if n != batches*size {
					b.Fatalf("got %d records, want %d", n, batches*size)
				}
			}
			report(b)
		})
		b.Run(name+"/kafka-go", func(b *testing.B) {
			b.ReportAllocs()
			sized := append(binary.BigEndian.AppendUint32(nil, uint32(len(set))), set...)
			for b.Loop() {
				var rs protocol.RecordSet
				if _, err := rs.ReadFrom(bytes.NewReader(sized)); err != nil {
					b.Fatal(err)
				}
				n := 0
				for {
					r, err := rs.Records.ReadRecord()
					if errors.Is(err, io.EOF) {
						break
					}
					if err != nil {
						b.Fatal(err)
					}
					if _, err := protocol.ReadAll(r.Key); err != nil {
						b.Fatal(err)
					}
					if _, err := protocol.ReadAll(r.Value); err != nil {
						b.Fatal(err)
					}
					n++
				}
				if n != batches*size {
					b.Fatalf("got %d records, want %d", n, batches*size)
				}
			}
			report(b)
		})
	}
}
