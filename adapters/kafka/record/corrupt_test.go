package record

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestCorrupt(t *testing.T) {
	three := testBatch{first: 10, records: values("a", "b", "c")}
	// edit returns three with a change, and the checksum right again.
	edit := func(change func(b []byte)) []byte {
		b := three.encode(t)
		change(b)
		return resum(b)
	}
	payload := func(records ...byte) []byte {
		b := testBatch{first: 10, count: 1, payload: records}
		return b.encode(t)
	}
	compressed := func(c codec, lastDelta int32, data string) []byte {
		return testBatch{first: 10, codec: int16(c), count: 1}.seal(lastDelta, []byte(data))
	}
	message := func(change func(b []byte)) []byte {
		b := testMessage{magic: 1, offset: 10, key: []byte("k"), value: []byte("v")}.encode()
		change(b)
		return resum(b)
	}
	overlong := strings.Repeat("\x80", 10) + "\x00"

	tests := []struct {
		name   string
		set    []byte
		want   string // in the error
		offset int64  // 0: 10
		lines  []string
	}{
		{name: "a wrong checksum", set: func() []byte { b := three.encode(t); b[len(b)-1] ^= 1; return b }(), want: "has the checksum"},
		{name: "a negative length", set: func() []byte { b := three.encode(t); b[lengthAt] = 0x80; return b }(), want: "less than its header"},
		{name: "a length less than the header", set: func() []byte { b := three.encode(t); b[lengthAt+3] = batchHeader - bodyAt - 1; return b }(), want: "less than its header"},
		{name: "an unknown format", set: edit(func(b []byte) { b[magicAt] = 3 }), want: "a batch of format 3"},
		{name: "a negative format", set: edit(func(b []byte) { b[magicAt] = 0xff }), want: "a batch of format -1"},
		{name: "a negative offset", set: testBatch{first: -1, records: values("a")}.encode(t), want: "offset -1, where one of at least 0"},
		{name: "the last possible offset", set: testBatch{first: math.MaxInt64, records: values("a")}.encode(t), want: "ends behind"},
		{name: "a message with the last possible offset", set: testMessage{offset: math.MaxInt64}.encode(), want: "nothing can follow"},
		{name: "offsets beyond the last possible one", set: testBatch{first: math.MaxInt64 - 5, lastDelta: 10, records: values("a")}.encode(t), want: "ends behind the last"},
		{name: "a negative number of offsets", set: edit(func(b []byte) { binary.BigEndian.PutUint32(b[lastDeltaAt:], 0xffffffff) }), want: "ends 1 before it"},
		{name: "a negative number of records", set: edit(func(b []byte) { binary.BigEndian.PutUint32(b[recordsAt:], 0xffffffff) }), want: "has -1 records"},
		{name: "more records than offsets", set: edit(func(b []byte) { binary.BigEndian.PutUint32(b[recordsAt:], 4) }), want: "offsets 10 to 12 has 4 records"},
		{
			name: "more records than there are", set: edit(func(b []byte) {
				binary.BigEndian.PutUint32(b[recordsAt:], math.MaxInt32)
				binary.BigEndian.PutUint32(b[lastDeltaAt:], math.MaxInt32)
			}),
			want: "record 4 of 2147483647", offset: 13, lines: []string{`10 null="a"`, `11 null="b"`, `12 null="c"`},
		},
		{
			name: "fewer records than there are", set: edit(func(b []byte) { binary.BigEndian.PutUint32(b[recordsAt:], 2) }),
			want: "behind its last record", offset: 12, lines: []string{`10 null="a"`, `11 null="b"`},
		},
		{
			name: "a record behind the last offset", set: edit(func(b []byte) {
				binary.BigEndian.PutUint32(b[lastDeltaAt:], 0)
				binary.BigEndian.PutUint32(b[recordsAt:], 1)
				b[batchHeader+3] = 2
			}),
			want: "a record at offset 11, where one of 10 to 10",
		},
		{
			name: "records that go backwards", set: testBatch{first: 10, lastDelta: 5, records: []testRecord{{delta: 2}, {delta: 1}}}.encode(t),
			want: "a record at offset 11, where one of 13 to 15", offset: 13, lines: []string{`12 null=null`},
		},
		{
			name: "two records at one offset", set: testBatch{first: 10, lastDelta: 5, records: []testRecord{{delta: 1}, {delta: 1}}}.encode(t),
			want: "a record at offset 11, where one of 12 to 15", offset: 12, lines: []string{`11 null=null`},
		},
		{name: "a record before its batch", set: payload(12, 0, 0, 1, 1, 1, 0), want: "a record at offset 9"},
		{
			name: "batches that overlap", set: join(three.encode(t), testBatch{first: 12, records: values("d")}.encode(t)),
			want: "offset 12, where one of at least 13", offset: 13, lines: []string{`10 null="a"`, `11 null="b"`, `12 null="c"`},
		},
		{
			name: "messages that go backwards", set: join(three.encode(t), testMessage{offset: 5}.encode()),
			want: "offset 5, where one of at least 13", offset: 13, lines: []string{`10 null="a"`, `11 null="b"`, `12 null="c"`},
		},

		{name: "no records", set: payload(), want: "malformed length"},
		{name: "a length that ends early", set: payload(0x80), want: "malformed length"},
		{name: "a negative record length", set: payload(1), want: "malformed length"},
		{name: "a record length beyond the batch", set: payload(16, 0, 0, 0, 1, 1, 0), want: "malformed length"},
		{name: "an overlong length", set: payload([]byte(overlong)...), want: "malformed length"},
		{name: "a length of six bytes", set: payload(0x8c, 0x80, 0x80, 0x80, 0x80, 0x00, 0, 0, 0, 1, 1, 0), want: "malformed length"},
		{name: "a length of more than 32 bits", set: payload(0xfe, 0xff, 0xff, 0xff, 0x7f), want: "malformed length"},
		{name: "no attributes", set: payload(0), want: "malformed attributes"},
		{name: "no timestamp", set: payload(2, 0), want: "malformed timestamp"},
		{name: "an overlong timestamp", set: payload(append([]byte{24, 0}, overlong...)...), want: "malformed timestamp"},
		{name: "no offset", set: payload(4, 0, 0), want: "malformed offset"},
		{name: "no key", set: payload(6, 0, 0, 0), want: "malformed key"},
		{name: "a key longer than the record", set: payload(12, 0, 0, 0, 10, 1, 0), want: "malformed key"},
		{name: "a key of negative length", set: payload(12, 0, 0, 0, 3, 1, 0), want: "malformed key"},
		{name: "no value", set: payload(8, 0, 0, 0, 1), want: "malformed value"},
		{name: "a value longer than the record", set: payload(12, 0, 0, 0, 1, 10, 0), want: "malformed value"},
		{name: "no number of headers", set: payload(10, 0, 0, 0, 1, 1), want: "malformed number of headers"},
		{name: "a negative number of headers", set: payload(12, 0, 0, 0, 1, 1, 1), want: "malformed number of headers"},
		{name: "more headers than bytes", set: payload(20, 0, 0, 0, 1, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f), want: "malformed number of headers"},
		{name: "a null header key", set: payload(16, 0, 0, 0, 1, 1, 2, 1, 1), want: "malformed header key"},
		{name: "a header key longer than the record", set: payload(16, 0, 0, 0, 1, 1, 2, 8, 1), want: "malformed header key"},
		{name: "a header value longer than the record", set: payload(16, 0, 0, 0, 1, 1, 2, 0, 8), want: "malformed header value"},
		{name: "bytes behind a record", set: payload(14, 0, 0, 0, 1, 1, 0, 0), want: "malformed end"},
		{name: "bytes behind the headers", set: payload(18, 0, 0, 0, 1, 1, 2, 0, 1, 0), want: "malformed end"},

		{name: "an unknown codec", set: compressed(7, 0, "x"), want: "unknown compression 7"},
		{name: "not gzip", set: compressed(gzipCodec, 0, "garbage, of some length"), want: "decompress gzip"},
		{name: "not snappy", set: compressed(snappyCodec, 0, "\xffgarbage"), want: "decompress snappy"},
		{name: "not lz4", set: compressed(lz4Codec, 0, "garbage"), want: "decompress lz4"},
		{name: "not zstd", set: compressed(zstdCodec, 0, "garbage"), want: "decompress zstd"},
		{name: "nothing in gzip", set: compressed(gzipCodec, 0, ""), want: "malformed length"},
		{name: "nothing in snappy", set: compressed(snappyCodec, 0, ""), want: "malformed length"},
		{name: "nothing in lz4", set: compressed(lz4Codec, 0, ""), want: "malformed length"},
		{name: "nothing in zstd", set: compressed(zstdCodec, 0, ""), want: "malformed length"},

		{name: "a message with a wrong checksum", set: func() []byte { b := message(func([]byte) {}); b[len(b)-1] ^= 1; return b }(), want: "has the checksum"},
		{name: "a message with a key longer than it", set: message(func(b []byte) { b[29] = 9 }), want: "malformed key"},
		{name: "a message with a key of negative length", set: message(func(b []byte) { b[26], b[27], b[28], b[29] = 0xff, 0xff, 0xff, 0xfe }), want: "malformed key"},
		{name: "a message with a value longer than it", set: message(func(b []byte) { b[34] = 2 }), want: "malformed value"},
		{name: "a message with bytes behind it", set: message(func(b []byte) { b[34] = 0 }), want: "malformed value"},
		{name: "a message without a value length", set: message(func(b []byte) { b[29] = 3 }), want: "malformed value"},
		{name: "a compressed null", set: testMessage{magic: 1, offset: 10, attributes: 1}.encode(), want: "null value"},
		{name: "a compressed message with nothing inside", set: wrap(t, 1, int8(gzipCodec), 10).encode(), want: "no whole message"},
		{name: "a message in zstd", set: wrap(t, 1, int8(zstdCodec), 10, testMessage{magic: 1}).encode(), want: "needs format 2"},
		{name: "a compressed message in another", set: wrap(t, 1, int8(gzipCodec), 10, wrap(t, 1, int8(gzipCodec), 0, testMessage{magic: 1})).encode(), want: "a compressed message"},
		{name: "an inner offset beyond the outer", set: wrap(t, 1, int8(gzipCodec), 10, testMessage{magic: 1, offset: 11}).encode(), want: "has one at offset 11 inside"},
		{name: "inner offsets that go backwards", set: wrap(t, 1, int8(gzipCodec), 10, testMessage{magic: 1, offset: 1}, testMessage{magic: 1, offset: 1}).encode(), want: "offset 1, where one of at least 2"},
		{name: "inner offsets of format 0 beyond the outer", set: wrap(t, 0, int8(gzipCodec), 10, testMessage{offset: 11}).encode(), want: "a message at offset 11, where one of 0 to 10"},
		{
			name: "inner offsets of format 0 that go backwards", set: wrap(t, 0, int8(gzipCodec), 11, testMessage{offset: 10}, testMessage{offset: 9}).encode(),
			want: "a message at offset 9, where one of 11 to 11", offset: 11, lines: []string{`10 null=null timeless`},
		},
		{
			name: "a batch in a compressed message", set: func() []byte {
				return testMessage{magic: 1, offset: 10, attributes: 1, value: pack(t, 1, testBatch{records: values("a")}.encode(t))}.encode()
			}(),
			want: "a batch of format 2",
		},
		{
			name: "an unfinished message in a compressed one", set: func() []byte {
				m := testMessage{magic: 1}.encode()
				return testMessage{magic: 1, offset: 10, attributes: 1, value: pack(t, 1, m[:len(m)-1])}.encode()
			}(),
			want: "no whole message",
		},
		{
			name: "an unfinished message of format 0 in a compressed one", set: func() []byte {
				m := testMessage{}.encode()
				return testMessage{offset: 10, attributes: 1, value: pack(t, 1, m[:len(m)-1])}.encode()
			}(),
			want: "no whole message",
		},
		{
			name: "a wrong checksum in a compressed message", set: func() []byte {
				m := testMessage{magic: 1, value: []byte("v")}.encode()
				m[len(m)-1] ^= 1
				return testMessage{magic: 1, offset: 10, attributes: 1, value: pack(t, 1, m)}.encode()
			}(),
			want: "has the checksum",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := NewReader(tt.set, 10, Options{})
			records, large, err := readAllOf(t, r)
			var corrupt *CorruptError
			if !errors.As(err, &corrupt) || len(large) > 0 {
				t.Fatalf("got errors %v, %v, want a *CorruptError", large, err)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q, want it to contain %q", err, tt.want)
			}
			want := tt.offset
			if want == 0 {
				want = 10
			}
			if corrupt.Offset != want || r.Offset() != want {
				t.Errorf("got the offset %d in the error and %d of the reader, want %d", corrupt.Offset, r.Offset(), want)
			}
			if got := lines(records); !slices.Equal(got, tt.lines) {
				t.Errorf("got %q, want %q", got, tt.lines)
			}
		})
	}
}

func TestCorruptMarkers(t *testing.T) {
	for _, tt := range []struct {
		name   string
		marker testBatch
		want   string
	}{
		{"without a key", testBatch{records: values("a")}, "has 0 bytes"},
		{"with a short key", testBatch{records: []testRecord{{key: []byte{0, 0, 0}}}}, "has 3 bytes"},
		{"with a negative version", testBatch{records: []testRecord{{key: []byte{0x80, 0, 0, 0}}}}, "negative version"},
		{"that is malformed", testBatch{count: 1, payload: []byte{1}}, "malformed length"},
		{"that can't be decompressed", testBatch{count: 1, codec: 7, payload: nil, records: nil}, "unknown compression 7"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.marker.producer, tt.marker.attributes = 1, control|transactional
			o := Options{Committed: true, Aborted: []Aborted{{1, 0}}}
			_, _, err := readAllOf(t, NewReader(tt.marker.encode(t), 0, o))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error that contains %q", err, tt.want)
			}
			// Nothing of it matters if nothing is to be left out by it.
			mustRead(t, tt.marker.encode(t), 0, Options{})
			mustRead(t, tt.marker.encode(t), 0, Options{Committed: true})
		})
	}
}
