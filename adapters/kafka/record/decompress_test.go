package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/segmentio/kafka-go/compress"
)

// codecs are all, by the names of their tests.
var codecs = map[string]int16{
	"gzip": int16(gzipCodec), "snappy": int16(snappyCodec), "raw snappy": rawSnappy, "lz4": int16(lz4Codec), "zstd": int16(zstdCodec),
}

// textOf returns n bytes, at most 6 MiB, that can be compressed, but not by
// much.
func textOf(n int) []byte { return text()[:n:n] }

var text = sync.OnceValue(func() []byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, 6<<20)
	for i := range b {
		b[i] = "abcdefgh"[rnd.IntN(8)]
	}
	return b
})

func TestDecompress(t *testing.T) {
	const bound = 6 << 20
	for name, c := range codecs {
		for _, size := range []int{1, 100, scratchMin - 1, scratchMin, scratchMin + 1, scratchKept, scratchKept + 1, bound} {
			t.Run(fmt.Sprintf("%s/%d", name, size), func(t *testing.T) {
				want := textOf(size)
				got, err := decompress(codec(c&codecMask), pack(t, c, want), bound)
				if err != nil || !bytes.Equal(got, want) {
					t.Fatalf("got %d bytes, %v, want the %d that were compressed", len(got), err, size)
				}
				if cap(got) != len(got) {
					t.Errorf("got a capacity of %d, want the length, %d", cap(got), len(got))
				}
			})
		}
	}
}

// TestDecompressLeavesNothingBehind checks that a buffer handed out is nobody
// else's, and that a decompressor that met garbage is as good as new.
func TestDecompressLeavesNothingBehind(t *testing.T) {
	for name, c := range codecs {
		t.Run(name, func(t *testing.T) {
			var wg sync.WaitGroup
			for i := range 8 {
				wg.Go(func() {
					want := bytes.Repeat([]byte{byte(i), 1}, 8000*(i+1))
					packed := pack(t, c, want)
					other := pack(t, c, bytes.Repeat([]byte{byte(i), 2}, len(want)/2))
					var kept [][]byte
					for range 20 {
						got, err := decompress(codec(c&codecMask), packed, 1<<20)
						if err != nil {
							t.Error(err)
							return
						}
						kept = append(kept, got)
						_, _ = decompress(codec(c&codecMask), other, 1<<20)
						_, _ = decompress(codec(c&codecMask), packed[:len(packed)-1], 1<<20)
						_, _ = decompress(codec(c&codecMask), append([]byte("garbage"), packed...), 1<<20)
						_, _ = decompress(codec(c&codecMask), packed, len(want)-1)
					}
					for _, got := range kept {
						if !bytes.Equal(got, want) {
							t.Errorf("got a buffer that was changed later")
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

// TestTooLarge is about a batch of each codec that is one byte too large.
func TestTooLarge(t *testing.T) {
	all := map[string]int16{"uncompressed": 0}
	for name, c := range codecs {
		all[name] = c
	}
	for name, c := range all {
		t.Run(name, func(t *testing.T) {
			big := testBatch{first: 10, lastDelta: 7, codec: c, records: []testRecord{{value: textOf(100_000)}, {value: textOf(100_000)}}}
			set := join(testBatch{first: 5, records: values("a")}.encode(t), big.encode(t), testBatch{first: 20, codec: c, records: values("z")}.encode(t))
			size := len(big.records[0].encode()) + len(big.records[1].encode())

			records, errs, err := readAllOf(t, NewReader(set, 0, Options{MaxBytes: size}))
			if !errors.Is(err, io.EOF) || len(errs) > 0 || len(records) != 4 {
				t.Fatalf("got %d records, %v, %v of a batch of the size of the bound, want all 4 without error", len(records), errs, err)
			}

			r := NewReader(set, 0, Options{MaxBytes: size - 1})
			records, errs, err = readAllOf(t, r)
			if got, want := lines(records), []string{`5 null="a"`, `20 null="z"`}; !errors.Is(err, io.EOF) || !slices.Equal(got, want) {
				t.Errorf("got %q, %v, want %q without error", got, err, want)
			}
			want := TooLargeError{First: 10, Last: 17, Records: 2}
			if len(errs) != 1 || errs[0] != want {
				t.Errorf("got errors %v, want one: %v", errs, &want)
			}
			if got, want := r.Offset(), End(set, 0); got != want {
				t.Errorf("got Offset %d at the end, want %d as End says", got, want)
			}

			// None of it was asked for.
			mustRead(t, set, 18, Options{MaxBytes: size - 1})
		})
	}
}

func TestTooLargeMessages(t *testing.T) {
	large := textOf(1000)
	set := join(
		testMessage{magic: 1, offset: 3, value: large}.encode(),
		testMessage{magic: 1, offset: 4, value: []byte("a")}.encode(),
		wrap(t, 1, int8(gzipCodec), 9, testMessage{magic: 1, offset: 0, value: large}, testMessage{magic: 1, offset: 3, value: large}).encode(),
		testMessage{magic: 0, offset: 10, value: []byte("b")}.encode(),
	)
	records, errs, err := readAllOf(t, NewReader(set, 0, Options{MaxBytes: 500}))
	if got, want := lines(records), []string{`4 null="a"`, `10 null="b" timeless`}; !errors.Is(err, io.EOF) || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q without error", got, err, want)
	}
	if want := []TooLargeError{{First: 3, Last: 3, Records: 1}, {First: 5, Last: 9}}; !slices.Equal(errs, want) {
		t.Errorf("got %v, want %v", errs, want)
	}
}

// TestTooManyHeaders is about headers that take 20 times of memory what they
// take on the wire.
func TestTooManyHeaders(t *testing.T) {
	set := testBatch{first: 1, records: []testRecord{{value: []byte("a")}, {headers: make([]Header, 50_000)}, {value: []byte("c")}}}.encode(t)
	r := NewReader(set, 0, Options{MaxBytes: 1 << 20})
	records, errs, err := readAllOf(t, r)
	if got, want := lines(records), []string{`1 null="a"`, `3 null="c"`}; !errors.Is(err, io.EOF) || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q without error", got, err, want)
	}
	if want := (TooLargeError{First: 2, Last: 2, Records: 1}); len(errs) != 1 || errs[0] != want {
		t.Errorf("got errors %v, want one: %v", errs, &want)
	}
	if got := len(mustRead(t, set, 0, Options{})); got != 3 {
		t.Errorf("got %d records with room for the headers, want 3", got)
	}
}

// bombSize is what each of bombs holds.
const bombSize = 256 << 20

// bombs returns zeros, compressed in every way.
func bombs(tb testing.TB) map[string]struct {
	codec codec
	data  []byte
} {
	tb.Helper()
	const size = bombSize
	list := make(map[string]struct {
		codec codec
		data  []byte
	})
	add := func(name string, c codec, data []byte) {
		list[name] = struct {
			codec codec
			data  []byte
		}{c, data}
	}
	zeros := io.LimitReader(zeroReader{}, size)
	var b bytes.Buffer
	g := gzip.NewWriter(&b)
	io.Copy(g, zeros)
	g.Close()
	add("gzip", gzipCodec, b.Bytes())

	chunk := make([]byte, 1<<20)
	block := snappy.Encode(nil, chunk)
	framed := append([]byte(snappyMagic), 0, 0, 0, 1, 0, 0, 0, 1)
	for range size / len(chunk) {
		framed = binary.BigEndian.AppendUint32(framed, uint32(len(block)))
		framed = append(framed, block...)
	}
	add("snappy", snappyCodec, framed)

	var l bytes.Buffer
	w := compress.Lz4Codec.NewWriter(&l)
	io.Copy(w, io.LimitReader(zeroReader{}, size))
	w.Close()
	add("lz4", lz4Codec, l.Bytes())

	enc, err := zstd.NewWriter(nil, zstd.WithEncoderCRC(false))
	if err != nil {
		tb.Fatal(err)
	}
	defer enc.Close()
	add("zstd, sizes told", zstdCodec, bytes.Repeat(enc.EncodeAll(chunk, nil), size/len(chunk)))
	var stream bytes.Buffer
	enc.Reset(&stream)
	io.Copy(enc, io.LimitReader(zeroReader{}, size))
	enc.Close()
	add("zstd, sizes not told", zstdCodec, stream.Bytes())
	add("zstd, repeated bytes", zstdCodec, zstdRepeats(0, size/(128<<10)))
	add("zstd, repeated bytes behind others", zstdCodec, append(enc.EncodeAll(textOf(500_000), nil), zstdRepeats(0, size/(128<<10))...))
	return list
}

// zstdRepeats returns a frame of n blocks of 128 KiB that repeat b, without its
// size and with a window of 512 MiB.
func zstdRepeats(b byte, n int) []byte {
	frame := []byte{0x28, 0xb5, 0x2f, 0xfd, 0, 19 << 3}
	for i := range n {
		header := uint32(128<<10)<<3 | 1<<1
		if i == n-1 {
			header |= 1
		}
		frame = append(frame, byte(header), byte(header>>8), byte(header>>16), b)
	}
	return frame
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestBombs measures what is allocated in all, which is more than what is in
// use at any time, for a quarter of a GiB of zeros.
func TestBombs(t *testing.T) {
	const (
		bound = 16 << 20
		// The bound, what the buffer was each time before it grew, and what
		// the decompressors themselves have: for lz4, three blocks of 4 MiB
		// if its pools are empty.
		most = bound + bound/3 + 14<<20
	)
	for name, bomb := range bombs(t) {
		t.Run(name, func(t *testing.T) {
			set := testBatch{first: 3, codec: int16(bomb.codec), count: 1}.seal(0, bomb.data)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r := NewReader(set, 0, Options{MaxBytes: bound})
			_, err := r.Next()
			runtime.ReadMemStats(&after)
			if !isTooLarge(err) {
				t.Errorf("got %v, want a *TooLargeError", err)
			}
			if got := after.TotalAlloc - before.TotalAlloc; got > most {
				t.Errorf("got %d bytes allocated for a bound of %d, want at most %d", got, bound, most)
			}
			if _, err := r.Next(); !errors.Is(err, io.EOF) || r.Offset() != 4 {
				t.Errorf("got %v at offset %d behind it, want io.EOF at 4", err, r.Offset())
			}
		})
	}
}

// TestClaims is about lengths that are told but not there: they cost nothing.
func TestClaims(t *testing.T) {
	framed := func(n uint32, block ...byte) []byte {
		b := append([]byte(snappyMagic), 0, 0, 0, 1, 0, 0, 0, 1)
		return append(binary.BigEndian.AppendUint32(b, n), block...)
	}
	tests := []struct {
		name  string
		codec codec
		data  []byte
		want  string
	}{
		{"a frame of snappy of 4 GiB", snappyCodec, framed(0xffffffff, 1, 2, 3), "of which 3 are there"},
		{"a frame of snappy of nothing", snappyCodec, framed(0), "a block of 0 bytes"},
		{"an unfinished frame of snappy", snappyCodec, framed(0)[:snappyHeaderSize+3], "unfinished"},
		{"a block of snappy of 60 MiB", snappyCodec, binary.AppendUvarint(nil, 60<<20), "claims to hold"},
		{"a block of snappy of 4 GiB", snappyCodec, binary.AppendUvarint(nil, 0xffffffff), "claims to hold"},
		{"a block of snappy of too many bytes to tell", snappyCodec, []byte(strings.Repeat("\xff", 12)), "malformed length of a block"},
		{"a frame of zstd of 4 GiB", zstdCodec, []byte{0x28, 0xb5, 0x2f, 0xfd, 0x80 | 0x20, 0xff, 0xff, 0xff, 0xff, 1, 0, 0}, "zstd"},
		{"a frame of zstd of 2^64 bytes", zstdCodec, []byte{0x28, 0xb5, 0x2f, 0xfd, 0xc0 | 0x20, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 0}, "zstd"},
		{"a window of zstd of 512 MiB", zstdCodec, []byte{0x28, 0xb5, 0x2f, 0xfd, 0, 19 << 3, 9, 0, 0, 'x'}, "malformed length"},
		{"a block of zstd that isn't there", zstdCodec, []byte{0x28, 0xb5, 0x2f, 0xfd, 0, 19 << 3, 0xff, 0xff, 0xff}, "zstd"},
		{"a skippable frame of zstd of 4 GiB", zstdCodec, []byte{0x50, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0xff}, "zstd"},
		{"a frame of lz4 of 2^64 bytes", lz4Codec, func() []byte {
			b := []byte{0x04, 0x22, 0x4d, 0x18, 0x68, 0x40, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0}
			b[14] = byte(xxh32(b[4:14]) >> 8)
			return append(b, 0, 0, 0, 0)
		}(), "lz4"},
		{"a skippable frame of lz4 of 4 GiB", lz4Codec, []byte{0x50, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0xff}, "lz4"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set := testBatch{codec: int16(tt.codec), count: 1}.seal(0, tt.data)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := NewReader(set, 0, Options{MaxBytes: 1 << 30}).Next()
			runtime.ReadMemStats(&after)
			var corrupt *CorruptError
			if !errors.As(err, &corrupt) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want a *CorruptError with %q", err, tt.want)
			}
			if got, most := after.TotalAlloc-before.TotalAlloc, uint64(1<<20); got > most {
				t.Errorf("got %d bytes allocated, want at most %d", got, most)
			}
		})
	}
}

func TestSnappyStreamsMayFollowOneAnother(t *testing.T) {
	a, b := textOf(100_000), []byte("b")
	got, err := decompress(snappyCodec, join(pack(t, int16(snappyCodec), a), pack(t, int16(snappyCodec), b)), 1<<20)
	if want := join(a, b); err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, %v, want %d", len(got), err, len(want))
	}
}

// TestLZ4OfFormat0 reads both the checksum that Kafka wrote in format 0 and the
// right one there, and only the right one elsewhere.
func TestLZ4OfFormat0(t *testing.T) {
	inside := []testMessage{{offset: 0, value: []byte("a")}, {offset: 1, value: []byte("b")}}
	want := []string{`0 null="a" timeless`, `1 null="b" timeless`}
	broken := wrap(t, 0, int8(lz4Codec), 1, inside...)
	right := testMessage{offset: 1, attributes: int8(lz4Codec), value: pack(t, int16(lz4Codec), join(inside[0].encode(), inside[1].encode()))}
	if bytes.Equal(broken.value, right.value) {
		t.Fatal("got the same checksum twice, want two")
	}
	for _, m := range []testMessage{broken, right} {
		if got := lines(mustRead(t, m.encode(), 0, Options{})); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	broken.magic = 1
	if _, err := NewReader(broken.encode(), 0, Options{}).Next(); err == nil {
		t.Error("got no error for the checksum of format 0 in format 1, want one")
	}
	sized := []byte{0x04, 0x22, 0x4d, 0x18, 0x68, 0x40, 1, 0, 0, 0, 0, 0, 0, 0, 0xaa, 1, 0, 0, 0x80, 'x', 0, 0, 0, 0}
	if got, err := decompress(lz4CodecFormat0, sized, 100); err != nil || string(got) != "x" {
		t.Errorf("with a content size: got %q, %v, want x", got, err)
	}
	for n := range sized {
		if _, err := decompress(lz4CodecFormat0, sized[:n], 100); n > 0 && err == nil {
			t.Errorf("cut at %d: got no error, want one", n)
		}
	}
}

// TestScratch is about the memory that is kept for the next user: what is
// needed often, and no more.
func TestScratch(t *testing.T) {
	for _, tt := range []struct {
		size int
		kept bool
	}{{scratchMin + 1, true}, {scratchKept, true}, {scratchKept + 1, false}} {
		s := newScratch(2 * scratchKept)
		own := s.own
		*own, s.data = nil, nil
		s.reserve(tt.size)
		if got := cap(*own) == tt.size; cap(s.data) != tt.size || got != tt.kept {
			t.Errorf("reserve(%d): got a capacity of %d and kept: %t, want %t", tt.size, cap(s.data), got, tt.kept)
		}
		s.drop()
	}
}

// TestNoCodecEndsTheSet: io.EOF of a codec isn't that of the reader.
func TestNoCodecEndsTheSet(t *testing.T) {
	if err := explain("zstd", io.EOF); errors.Is(err, io.EOF) || err == nil {
		t.Errorf("got %v, want an error other than io.EOF", err)
	}
}
