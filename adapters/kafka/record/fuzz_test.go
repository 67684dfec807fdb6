package record

import (
	"errors"
	"io"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/segmentio/kafka-go/protocol"
)

// seeds returns sets of all formats and codecs, by three encoders.
func seeds(tb testing.TB) [][]byte {
	tb.Helper()
	full := []testRecord{
		{key: []byte("k"), value: []byte("value"), headers: []Header{{Key: "h", Value: []byte("v")}, {Key: "null"}}},
		{sinceBase: 1000, value: []byte{}},
		{delta: 5, key: []byte{}},
	}
	list := [][]byte{
		nil,
		testBatch{lastDelta: 9, payload: []byte{}}.encode(tb),
		testBatch{first: 1 << 40, lastDelta: 9, attributes: logAppendTime, records: full}.encode(tb),
		(&txnLog{tb: tb}).add(1, "ttat").add(2, "tc").add(1, "cpeua").set,
	}
	for _, c := range codecs {
		list = append(list,
			testBatch{first: 3, codec: c, records: full}.encode(tb),
			testBatch{first: 3, codec: c, attributes: transactional, producer: 1, records: []testRecord{{value: make([]byte, 5000)}}}.encode(tb))
	}
	for _, magic := range []int8{0, 1} {
		inside := []testMessage{{magic: magic, offset: 1, key: []byte("k"), value: []byte("v")}, {magic: magic, offset: 3}}
		list = append(list, join(inside[0].encode(), inside[1].encode()))
		for _, c := range []codec{gzipCodec, snappyCodec, lz4Codec} {
			list = append(list, wrap(tb, magic, int8(c), 3, inside...).encode())
		}
	}
	list = append(list, zstdRepeats(0, 1))
	for _, c := range []codec{uncompressed, zstdCodec} {
		list = append(list, writtenByKafkaGo(tb, 2, c, 7, []protocol.Record{{Time: at, Value: protocol.NewBytes([]byte("x"))}}))
	}
	return append(list, join(list...))
}

// FuzzReader checks what holds for any set: no panic; offsets increase, from
// the one that was asked for on; Offset is behind all that was returned, and
// where End says if there was no error; memory is bounded; the rest of a set
// can be read from any Offset; and what franz-go reads without error where this
// package does too is the same. Checksums are made right, so that there is more
// to find behind them.
func FuzzReader(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s, int64(0), int64(1))
		f.Add(s, int64(4), int64(0))
	}
	f.Fuzz(func(t *testing.T, set []byte, from, aborted int64) {
		from = max(from, 0)
		set = slices.Clone(set)
		mend(set)
		const bound = 1 << 20
		o := Options{Committed: aborted > 0, Aborted: []Aborted{{ProducerID: aborted, FirstOffset: from - 1}, {ProducerID: 2}}, MaxBytes: bound}

		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		records, large, err := readAllOf(t, NewReader(set, from, o))
		runtime.ReadMemStats(&after)
		// Each frame may cost as much as the bound, and some more for its
		// decompressor; headers take 20 times what they take on the wire, and
		// lists of records grow.
		frames := uint64(len(set)/formatHeader + 1)
		if got, most := after.TotalAlloc-before.TotalAlloc, min(frames, 20)*(3*bound+16<<20)+40*uint64(len(set))+1024*uint64(len(records)); frames < 20 && got > most {
			t.Errorf("got %d bytes allocated, want at most %d", got, most)
		}

		next := from
		for _, r := range records {
			if r.Offset < next {
				t.Fatalf("got a record at %d, want one of at least %d", r.Offset, next)
			}
			next = r.Offset + 1
		}
		r := NewReader(set, from, o)
		checkOffsets(t, r, from)
		end := End(set, from)
		var corrupt *CorruptError
		switch {
		case errors.As(err, &corrupt):
			if corrupt.Offset != r.Offset() || r.Offset() > end {
				t.Errorf("got Offset %d, and %d in the error, want the same and at most %d", r.Offset(), corrupt.Offset, end)
			}
			return
		case !errors.Is(err, io.EOF):
			t.Fatalf("got %v, want io.EOF or a *CorruptError", err)
		case r.Offset() != end:
			t.Errorf("got Offset %d, want %d as End says", r.Offset(), end)
		}
		if len(large) > 0 {
			return
		}
		for i := range min(len(records), 3) {
			o := o
			o.MaxBytes = 0
			rest := mustRead(t, set, records[i].Offset+1, o)
			if !slices.Equal(lines(rest), lines(records[i+1:])) {
				t.Fatalf("from %d: got %q, want %q", records[i].Offset+1, lines(rest), lines(records[i+1:]))
			}
		}
		if o.Committed {
			return // what was left out may be malformed
		}
		want, wantEnd, err := byFranz(set, from, o)
		if err != nil || wantEnd != end {
			return // franz-go is stricter or more lenient about something
		}
		if got, want := timeless(records), timeless(want); !slices.Equal(got, want) {
			t.Fatalf("got %q\nwant %q as franz-go reads it", got, want)
		}
	})
}

// timeless is lines without the times, which franz-go can't tell beyond the
// year 2262.
func timeless(records []Record) []string {
	for i := range records {
		records[i].Time = time.Time{}
	}
	return lines(records)
}

// checkOffsets reads r to the end and checks that Offset never goes back.
func checkOffsets(t *testing.T, r *Reader, from int64) {
	t.Helper()
	for at := from; ; {
		rec, err := r.Next()
		if r.Offset() < at || err == nil && r.Offset() != rec.Offset+1 {
			t.Fatalf("got Offset %d after %d and a record at %d, %v", r.Offset(), at, rec.Offset, err)
		}
		at = r.Offset()
		if err != nil && !isTooLarge(err) {
			return
		}
	}
}

// mend makes the checksums of set right.
func mend(set []byte) {
	for {
		f, err := nextFrame(set, 0)
		if err != nil {
			return
		}
		resum(f.bytes)
		set = set[len(f.bytes):]
	}
}
