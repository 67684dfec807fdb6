package registry

import (
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/twmb/avro"
)

// fuzzLimit is the bound on JSON that fuzzers have, and fuzzTime the time in
// which all has to be done, on a busy machine.
const (
	fuzzLimit = 64 << 10
	fuzzTime  = 10 * time.Second
)

// wantBounded checks what a decoder returned, and how long it took.
func wantBounded(t *testing.T, text []byte, err error, start time.Time) {
	t.Helper()
	switch {
	case err == nil && len(text) > fuzzLimit:
		t.Errorf("got %d bytes, want %d at most", len(text), fuzzLimit)
	case err == nil && !jsontext.Value(text).IsValid(jsontext.AllowDuplicateNames(true)):
		t.Errorf("got %q, which is no JSON", text)
	}
	if took := time.Since(start); took > fuzzTime {
		t.Errorf("it took %s", took)
	}
}

// FuzzAvroPayload decodes any bytes by schemas that have all there is. What the
// library decodes has to be decoded, if it isn't hostile.
func FuzzAvroPayload(f *testing.F) {
	schemas := []string{
		`{"type":"record","name":"R","fields":[{"name":"a","type":["null","R",{"type":"array","items":"R"},{"type":"map","values":["string","R"]}]},{"name":"b","type":"null"}]}`,
		`{"type":"record","name":"S","fields":[{"name":"a","type":{"type":"bytes","logicalType":"decimal","precision":50,"scale":7}},{"name":"b","type":{"type":"long","logicalType":"timestamp-micros"}},
			{"name":"c","type":{"type":"int","logicalType":"date"}},{"name":"d","type":"double"},{"name":"e","type":"float"},{"name":"f","type":{"type":"enum","name":"E","symbols":["X","Y"]}},
			{"name":"g","type":{"type":"fixed","name":"F","size":12,"logicalType":"duration"}},{"name":"h","type":"boolean"},{"name":"i","type":"string"}]}`,
		`{"type":"array","items":["null","boolean","int","long","float","double","bytes","string"]}`,
		`{"type":"array","items":{"type":"array","items":"null"}}`,
		`{"type":"map","values":{"type":"map","values":"int"}}`,
	}
	decoders := make([]decoder, len(schemas))
	parsed := make([]*avro.Schema, len(schemas))
	for i, text := range schemas {
		d, err := compileAvro(schema{text: text}, Avro{Unions: unionsTagged})
		if err != nil {
			f.Fatal(err)
		}
		decoders[i], parsed[i] = d, avro.MustParse(text)
	}
	f.Add(uint8(0), []byte{0})
	f.Add(uint8(0), []byte{4, 4, 0, 0, 0})
	f.Add(uint8(1), append([]byte{4, 0xfb, 0x2e, 2, 2}, make([]byte, 40)...))
	f.Add(uint8(2), []byte{6, 0, 2, 1, 14, 2, 'x', 0})
	f.Add(uint8(3), []byte{2, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Add(uint8(4), []byte{2, 2, 'k', 3, 4, 2, 'l', 2, 0, 0})
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		i, start := int(which)%len(schemas), time.Now()
		text, err := decoders[i].decode(frame{data: data}, fuzzLimit)
		wantBounded(t, text, err, start)
		if err != nil || len(data) > 1000 || len(text) > 4000 {
			return
		}
		var v any
		if rest, err := parsed[i].Decode(data, &v); err != nil || len(rest) > 0 {
			t.Errorf("got %s, but the library has %d bytes left and %v", text, len(rest), err)
		}
	})
}

// FuzzAvroSchema compiles any text.
func FuzzAvroSchema(f *testing.F) {
	f.Add(`{"type":"record","name":"R","fields":[{"name":"a","type":["null","R"]}]}`, []byte{2, 0})
	f.Add(`[{"type":"enum","name":"a.E","symbols":["A"]},{"type":"map","values":"a.E"}]`, []byte{2, 0})
	f.Add(`{"type":"fixed","name":"D","size":3,"logicalType":"decimal","precision":5}`, []byte{1, 2, 3})
	f.Add(`{"type":"record","name":"R","fields":[{"name":"a","type":"array","items":"R"}]}`, []byte{2, 0, 0})
	f.Fuzz(func(t *testing.T, text string, data []byte) {
		start := time.Now()
		d, err := compileAvro(schema{text: text}, Avro{Unions: unionsTagged})
		if err != nil {
			return
		}
		got, err := d.decode(frame{data: data}, fuzzLimit)
		wantBounded(t, got, err, start)
	})
}

// FuzzProtobufPayload decodes any bytes as one of several messages.
func FuzzProtobufPayload(f *testing.F) {
	d, err := compileProtobuf(schema{text: everything}, Protobuf{Names: namesJSON, Defaults: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append([]byte{0}, order()...))
	f.Add([]byte{2, 0, 8, 1})
	f.Add([]byte{4, 0, 0, 8, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		start := time.Now()
		got, err := d.decode(frame{data: data}, fuzzLimit)
		wantBounded(t, got, err, start)
	})
}

// FuzzProtobufSchema compiles any text.
func FuzzProtobufSchema(f *testing.F) {
	f.Add(everything, order())
	f.Add(proto3+`message M { option deprecated = true; map<string, M> m = 1; }`, []byte(wire{}.bytes(1, "")))
	f.Add(`syntax = "proto2"; message M { optional group G = 1 {} extensions 5 to max; } extend M { optional M m = 5; }`, []byte{})
	f.Add(`edition = "2023"; message M { int32 a = 1 [features = {field_presence: IMPLICIT}]; }`, []byte{})
	f.Add("CgF4", []byte{})
	f.Fuzz(func(t *testing.T, text string, data []byte) {
		start := time.Now()
		d, err := compileProtobuf(schema{text: text}, Protobuf{Names: namesJSON, Defaults: true})
		if err != nil {
			return
		}
		got, err := d.decode(frame{data: append([]byte{0}, data...)}, fuzzLimit)
		wantBounded(t, got, err, start)
	})
}

// FuzzFrame takes any bytes apart.
func FuzzFrame(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 1, 2})
	f.Add(append([]byte{1}, strings.Repeat("g", 17)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parseFrame(data)
		if err != nil {
			return
		}
		again := framed(uint32(got.id.number))
		if got.id.isGUID {
			again = append([]byte{magicGUID}, got.id.guid[:]...)
		}
		equal(t, "the frame put together", string(append(again, got.data...)), string(data))
	})
}
