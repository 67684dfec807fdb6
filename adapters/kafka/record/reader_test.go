package record

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// line is a record in short, with its time as how long after at it is.
func line(r Record) string {
	text := func(b []byte) string {
		if b == nil {
			return "null"
		}
		return fmt.Sprintf("%q", b)
	}
	var s strings.Builder
	fmt.Fprintf(&s, "%d %s=%s", r.Offset, text(r.Key), text(r.Value))
	if r.Time.IsZero() {
		s.WriteString(" timeless")
	} else if d := r.Time.Sub(at); d != 0 {
		s.WriteString(" " + d.String())
	}
	for _, h := range r.Headers {
		fmt.Fprintf(&s, " %s:%s", h.Key, text(h.Value))
	}
	return s.String()
}

func lines(records []Record) []string {
	list := make([]string, len(records))
	for i, r := range records {
		list[i] = line(r)
	}
	return list
}

func TestReader(t *testing.T) {
	three := testBatch{first: 10, records: values("a", "b", "c")}.encode(t)
	emptied := testBatch{first: 20, lastDelta: 9, payload: []byte{}}.encode(t)
	tests := []struct {
		name string
		set  []byte
		from int64
		want []string
		end  int64
	}{
		{name: "an empty set", from: 7, end: 7},
		{name: "a batch", set: three, from: 10, want: []string{`10 null="a"`, `11 null="b"`, `12 null="c"`}, end: 13},
		{name: "from before the batch", set: three, from: 4, want: []string{`10 null="a"`, `11 null="b"`, `12 null="c"`}, end: 13},
		{name: "from inside the batch", set: three, from: 11, want: []string{`11 null="b"`, `12 null="c"`}, end: 13},
		{name: "from the last record", set: three, from: 12, want: []string{`12 null="c"`}, end: 13},
		{name: "a batch that is behind", set: three, from: 50, end: 50},
		{
			name: "null and empty",
			set: testBatch{first: 1, records: []testRecord{
				{},
				{key: []byte{}, value: []byte{}},
				{key: []byte("k")},
				{value: []byte("v"), headers: []Header{{Key: "n"}, {Key: "e", Value: []byte{}}, {Key: "", Value: []byte("x")}, {Key: "n", Value: []byte("2")}}},
			}}.encode(t),
			want: []string{`1 null=null`, `2 ""=""`, `3 "k"=null`, `4 null="v" n:null e:"" :"x" n:"2"`},
			end:  5,
		},
		{
			name: "holes of compaction",
			set: testBatch{first: 100, lastDelta: 50, records: []testRecord{
				{delta: 3, value: []byte("a")}, {delta: 7, value: []byte("b")},
			}}.encode(t),
			from: 100, want: []string{`103 null="a"`, `107 null="b"`}, end: 151,
		},
		{
			name: "from inside the hole at the end of a batch",
			set:  testBatch{first: 100, lastDelta: 50, records: values("a")}.encode(t),
			from: 120, end: 151,
		},
		{name: "an emptied batch", set: emptied, from: 20, end: 30},
		{name: "from inside an emptied batch", set: emptied, from: 25, end: 30},
		{
			name: "an emptied batch that is compressed still",
			set:  testBatch{first: 20, lastDelta: 9, codec: int16(zstdCodec), payload: []byte{}}.encode(t),
			from: 20, end: 30,
		},
		{
			name: "batches, some of them empty, with holes between them",
			set: join(emptied, testBatch{first: 30, records: values("a")}.encode(t),
				testBatch{first: 40, lastDelta: 5, payload: []byte{}}.encode(t),
				testBatch{first: 50, codec: int16(gzipCodec), records: values("b")}.encode(t)),
			from: 20, want: []string{`30 null="a"`, `50 null="b"`}, end: 51,
		},
		{
			name: "times",
			set: testBatch{maxTimestamp: at.Add(time.Hour).UnixMilli(), records: []testRecord{
				{sinceBase: 5}, {sinceBase: -7}, {sinceBase: -1 - at.UnixMilli()},
			}}.encode(t),
			want: []string{`0 null=null 5ms`, `1 null=null -7ms`, `2 null=null timeless`}, end: 3,
		},
		{
			name: "times of the broker",
			set: testBatch{attributes: logAppendTime, maxTimestamp: at.Add(time.Hour).UnixMilli(), records: []testRecord{
				{sinceBase: 5}, {sinceBase: -7},
			}}.encode(t),
			want: []string{`0 null=null 1h0m0s`, `1 null=null 1h0m0s`}, end: 2,
		},
		{
			name: "a batch of a producer that is a control batch",
			set: join(testBatch{attributes: control | transactional, producer: 5, records: []testRecord{marker(1)}}.encode(t),
				testBatch{first: 1, records: values("a")}.encode(t)),
			want: []string{`1 null="a"`}, end: 2,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := NewReader(tt.set, tt.from, Options{})
			if got := r.Offset(); got != tt.from {
				t.Errorf("got Offset %d before Next, want %d", got, tt.from)
			}
			got := lines(mustRead(t, tt.set, tt.from, Options{}))
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q\nwant %q", got, tt.want)
			}
			if got := End(tt.set, tt.from); got != tt.end {
				t.Errorf("got End %d, want %d", got, tt.end)
			}
		})
	}
}

func TestReaderOffsetIsBehindWhatWasReturned(t *testing.T) {
	set := join(
		testBatch{first: 10, lastDelta: 9, records: []testRecord{{delta: 2}, {delta: 4}}}.encode(t),
		testBatch{first: 20, lastDelta: 4, payload: []byte{}}.encode(t),
		testMessage{magic: 1, offset: 30}.encode(),
		wrap(t, 1, int8(gzipCodec), 42, testMessage{magic: 1, offset: 0}, testMessage{magic: 1, offset: 2}).encode(),
		testBatch{first: 50, attributes: control, records: []testRecord{marker(1)}}.encode(t),
	)
	r := NewReader(set, 5, Options{})
	want := []int64{13, 15, 31, 41, 43, 51}
	var got []int64
	for {
		rec, err := r.Next()
		got = append(got, r.Offset())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if r.Offset() != rec.Offset+1 {
			t.Errorf("got Offset %d after the record at %d, want one more", r.Offset(), rec.Offset)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got offsets %v, want %v", got, want)
	}
}

// TestTruncated cuts a set of all formats at every byte: whole batches come
// out, and the rest is no error.
func TestTruncated(t *testing.T) {
	parts := [][]byte{
		testMessage{magic: 0, offset: 1, key: []byte("k"), value: []byte("v")}.encode(),
		testMessage{magic: 1, offset: 2, key: []byte("k"), value: []byte("v")}.encode(),
		wrap(t, 1, int8(gzipCodec), 4, testMessage{magic: 1, offset: 0}, testMessage{magic: 1, offset: 1}).encode(),
		testBatch{first: 5, records: values("a", "b")}.encode(t),
		testBatch{first: 7, lastDelta: 4, payload: []byte{}}.encode(t),
		testBatch{first: 12, codec: int16(zstdCodec), records: values("a", "b")}.encode(t),
	}
	ends := []int64{2, 3, 5, 7, 12, 14}
	counts := []int{1, 2, 4, 6, 6, 8}
	set := join(parts...)
	for n := range len(set) + 1 {
		wantEnd, wantCount, size := int64(0), 0, 0
		for i, p := range parts {
			if size += len(p); size <= n {
				wantEnd, wantCount = ends[i], counts[i]
			}
		}
		if got := End(set[:n], 0); got != wantEnd {
			t.Errorf("cut at %d: got End %d, want %d", n, got, wantEnd)
		}
		if got := len(mustRead(t, set[:n], 0, Options{})); got != wantCount {
			t.Errorf("cut at %d: got %d records, want %d", n, got, wantCount)
		}
	}
}

// TestSlicesBelongToTheCaller changes and extends all that was returned, and
// checks that it changes nothing else.
func TestSlicesBelongToTheCaller(t *testing.T) {
	rec := func(i int) testRecord {
		b := func(s string) []byte { return fmt.Appendf(nil, "%s%d", s, i) }
		return testRecord{key: b("key"), value: b("value"), headers: []Header{{Key: "h", Value: b("h")}, {Key: "e", Value: []byte{}}}}
	}
	for c := range zstdCodec + 1 {
		set := testBatch{codec: int16(c), records: []testRecord{rec(0), rec(1), rec(2)}}.encode(t)
		checkOwned(t, mustRead(t, set, 0, Options{}))
	}
	for _, magic := range []int8{0, 1} {
		inside := []testMessage{
			{magic: magic, offset: 0, key: []byte("key0"), value: []byte("value0")},
			{magic: magic, offset: 1, key: []byte("key1"), value: []byte{}},
			{magic: magic, offset: 2, key: []byte("key2"), value: []byte("value2")},
		}
		checkOwned(t, mustRead(t, wrap(t, magic, int8(gzipCodec), 2, inside...).encode(), 0, Options{}))
		checkOwned(t, mustRead(t, join(inside[0].encode(), inside[1].encode(), inside[2].encode()), 0, Options{}))
	}
}

func checkOwned(t *testing.T, records []Record) {
	t.Helper()
	if len(records) != 3 {
		t.Fatalf("got %d records, want 3", len(records))
	}
	var slices []*[]byte
	for i := range records {
		slices = append(slices, &records[i].Key, &records[i].Value)
		for j := range records[i].Headers {
			slices = append(slices, &records[i].Headers[j].Value)
		}
	}
	for i, s := range slices {
		if len(*s) != cap(*s) {
			t.Errorf("slice %d: got a capacity of %d, want its length, %d", i, cap(*s), len(*s))
		}
		for j := range *s {
			(*s)[j] = byte(i)
		}
		_ = append(*s, 0xff)
	}
	for i, s := range slices {
		for _, c := range *s {
			if c != byte(i) {
				t.Fatalf("slice %d: got %x, which another one has changed", i, *s)
			}
		}
	}
}

func TestReaderAllocatesNothingForARecord(t *testing.T) {
	records := make([]testRecord, 1000)
	for i := range records {
		records[i] = testRecord{key: []byte("key"), value: make([]byte, 100)}
	}
	for _, tt := range []struct {
		codec codec
		most  float64 // of a reader and a batch; the race detector empties pools
	}{
		{uncompressed, 1},
		{gzipCodec, 30},
		{snappyCodec, 2},
		{lz4Codec, 30},
		{zstdCodec, 30},
	} {
		set := testBatch{codec: int16(tt.codec), records: records}.encode(t)
		got := testing.AllocsPerRun(20, func() {
			r := NewReader(set, 0, Options{})
			n := 0
			for _, err := r.Next(); err == nil; _, err = r.Next() {
				n++
			}
			if n != len(records) {
				t.Fatalf("got %d records, want %d", n, len(records))
			}
		})
		if got > tt.most {
			t.Errorf("codec %d: got %v allocations for %d records, want at most %v", tt.codec, got, len(records), tt.most)
		}
	}
}

func TestHeadersAllocateTheirSliceOnly(t *testing.T) {
	records := make([]testRecord, 100)
	for i := range records {
		records[i] = testRecord{headers: []Header{{Key: "trace", Value: []byte("1")}, {Key: "tenant", Value: []byte("2")}}}
	}
	set := testBatch{records: records}.encode(t)
	got := testing.AllocsPerRun(20, func() {
		r := NewReader(set, 0, Options{})
		for _, err := r.Next(); err == nil; _, err = r.Next() {
		}
	})
	if most := float64(len(records) + 8); got > most {
		t.Errorf("got %v allocations for %d records with headers, want at most %v", got, len(records), most)
	}
}

func TestNextLeavesNothingOfARecordInTheNext(t *testing.T) {
	set := join(
		testBatch{records: []testRecord{{key: []byte("k"), value: []byte("v"), headers: []Header{{Key: "h"}}}, {}}}.encode(t),
		testMessage{magic: 0, offset: 2}.encode(),
	)
	got := mustRead(t, set, 0, Options{})
	want := []Record{
		{Offset: 0, Time: at, Key: []byte("k"), Value: []byte("v"), Headers: []Header{{Key: "h"}}},
		{Offset: 1, Time: at},
		{Offset: 2},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}
