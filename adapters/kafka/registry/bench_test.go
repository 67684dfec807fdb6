package registry

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"testing"
)

// BenchmarkAvro decodes a record as an order may be: a dozen fields, three
// lines.
func BenchmarkAvro(b *testing.B) {
	const text = `{"type":"record","name":"Order","namespace":"shop","fields":[
		{"name":"id","type":{"type":"string","logicalType":"uuid"}},
		{"name":"customer","type":["null","string"]},
		{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
		{"name":"status","type":{"type":"enum","name":"Status","symbols":["OPEN","PAID"]}},
		{"name":"total","type":{"type":"bytes","logicalType":"decimal","precision":12,"scale":2}},
		{"name":"ratio","type":"double"},{"name":"paid","type":"boolean"},{"name":"count","type":"int"},{"name":"number","type":"long"},
		{"name":"tags","type":{"type":"map","values":"string"}},
		{"name":"note","type":["null","string"]},
		{"name":"lines","type":{"type":"array","items":{"type":"record","name":"Line","fields":[{"name":"sku","type":"string"},{"name":"count","type":"int"},{"name":"price","type":"double"}]}}}]}`
	str := func(dst []byte, s string) []byte {
		return append(binary.AppendVarint(dst, int64(len(s))), s...)
	}
	f64 := func(dst []byte, v float64) []byte { return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v)) }
	data := str(nil, "00112233-4455-6677-8899-aabbccddeeff")
	data = str(append(data, 2), "Zoë Example")
	data = binary.AppendVarint(data, 1_700_000_000_123)
	data = append(data, 2, 4, 0x30, 0x39)
	data = f64(data, 0.12345)
	data = append(data, 1)
	data = binary.AppendVarint(binary.AppendVarint(data, 3), 1<<60)
	data = str(str(append(data, 4), "channel"), "web")
	data = append(str(str(data, "country"), "DE"), 0, 0, 6)
	for i := range 3 {
		data = f64(binary.AppendVarint(str(data, fmt.Sprint("sku-000", i)), 2), 9.99)
	}
	data = append(data, 0)

	f := newFake(b)
	f.add("1", document{Text: text})
	benchmark(b, newRegistry(b, f, nil), framed(1, data...))
}

// BenchmarkProtobuf decodes a message that has all that there is.
func BenchmarkProtobuf(b *testing.B) {
	f := newFake(b)
	f.add("1", document{Type: typeProtobuf, Text: everything})
	benchmark(b, newRegistry(b, f, nil), append(framed(1, 0), order()...))
}

// BenchmarkProtobufOrder decodes a message as an order may be.
func BenchmarkProtobufOrder(b *testing.B) {
	const text = proto3 + `import "google/protobuf/timestamp.proto";
		message Order { string id = 1; string customer = 2; google.protobuf.Timestamp at = 3; Status status = 4; double ratio = 5; bool paid = 6; int32 count = 7; int64 number = 8; map<string, string> tags = 9; repeated Line lines = 10; }
		message Line { string sku = 1; int32 count = 2; double price = 3; }
		enum Status { OPEN = 0; PAID = 1; }`
	data := wire{}.bytes(1, "00112233-4455-6677-8899-aabbccddeeff").bytes(2, "Zoë Example").bytes(3, string(wire{}.varint(1, 1_700_000_000).varint(2, 123_000_000))).
		varint(4, 1).fixed64(5, math.Float64bits(0.12345)).varint(6, 1).varint(7, 3).varint(8, 1<<60).
		bytes(9, string(wire{}.bytes(1, "channel").bytes(2, "web"))).bytes(9, string(wire{}.bytes(1, "country").bytes(2, "DE")))
	for i := range 3 {
		data = data.bytes(10, string(wire{}.bytes(1, fmt.Sprint("sku-000", i)).varint(2, 2).fixed64(3, math.Float64bits(9.99))))
	}
	f := newFake(b)
	f.add("1", document{Type: typeProtobuf, Text: text})
	benchmark(b, newRegistry(b, f, nil), append(framed(1, 0), data...))
}

func benchmark(b *testing.B, r *Registry, data []byte) {
	b.Helper()
	text, err := r.Decode(context.Background(), data)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(len(text)), "JSON-bytes")
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Decode(context.Background(), data); err != nil {
			b.Fatal(err)
		}
	}
}
