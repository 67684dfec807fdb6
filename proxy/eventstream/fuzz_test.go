package eventstream_test

import (
	"bytes"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"sidestream/proxy/eventstream"
)

// W1–W5, W8: every event that can be written is read back as it was, but for
// its line breaks, which become LF, and nothing else is read.
func FuzzRoundTrip(f *testing.F) {
	for _, s := range []struct{ id, typ, data, comment string }{
		{"", "", "", ""},
		{"1", "add", "one line", "note"},
		{"a~b", "é", "a\nb\r\nc\rd", "x\ndata: y\n\n"},
		{"0", " ", "\r\n\r", "\xFF"},
		{"0", "", "\n\r \uFEFF\x00", "\r"},
		{"x y", "a\nb", "\xFF", ""},
		{"1", ":", "data: x\n\nid: 2\n\n", ":"},
	} {
		f.Add(s.id, s.typ, []byte(s.data), s.comment, int64(len(s.data))*1e6)
	}
	breaks := strings.NewReplacer("\r\n", "\n", "\r", "\n")

	f.Fuzz(func(t *testing.T, id, typ string, data []byte, comment string, retry int64) {
		event := eventstream.Event{ID: id, Type: typ, Data: data}
		stream := eventstream.AppendRetry(nil, time.Duration(retry))
		stream = eventstream.AppendComment(stream, comment)
		before := len(stream)
		stream, err := eventstream.AppendEvent(stream, &event)

		valid := (id == "" || eventstream.ValidID(id)) && eventstream.ValidType(typ) && utf8.Valid(data)
		if (err == nil) != valid {
			t.Fatalf("got error %v, want valid = %v", err, valid)
		}
		if err != nil {
			if len(stream) != before {
				t.Errorf("got %q appended with error %v, want nothing", stream[before:], err)
			}
			return
		}
		if !utf8.Valid(stream) || bytes.HasPrefix(stream, []byte("\uFEFF")) {
			t.Errorf("got %q, want UTF-8 without BOM", stream)
		}
		stream = append(stream, eventstream.Heartbeat...)
		stream = append(stream, "data: next\n\n"...)

		// In milliseconds, rounded up, but at most what a Duration can say.
		wait := time.Duration(max(retry, 0)).Truncate(time.Millisecond)
		if wait < time.Duration(retry) && wait <= math.MaxInt64-time.Millisecond {
			wait += time.Millisecond
		}
		if typ == "" {
			typ = "message"
		}
		want := []received{
			{id: id, typ: typ, data: breaks.Replace(string(data)), lastID: id, retry: wait},
			{id: id, typ: "message", data: "next", lastID: id, retry: wait},
		}
		got, _ := decodeAll(t, bytes.NewReader(stream))
		if !slices.Equal(got, want) {
			t.Errorf("got %#v, want %#v", got, want)
		}
	})
}

// W8: whatever the bytes and however they are cut into reads, the decoder
// reads what the standard's algorithm does.
func FuzzDecode(f *testing.F) {
	for i, tt := range decoderTests {
		f.Add([]byte(tt.stream), uint16(i), uint16(2*i))
	}
	f.Fuzz(func(t *testing.T, stream []byte, a, b uint16) {
		want, wantEnd := naiveParse(string(stream))

		i, j := int(a)%(len(stream)+1), int(b)%(len(stream)+1)
		i, j = min(i, j), max(i, j)
		readers := map[string]io.Reader{
			"at once":      bytes.NewReader(stream),
			"byte by byte": iotest.OneByteReader(bytes.NewReader(stream)),
			"in three": io.MultiReader(
				bytes.NewReader(stream[:i]), bytes.NewReader(stream[i:j]), bytes.NewReader(stream[j:])),
		}
		for how, r := range readers {
			got, end := decodeAll(t, r)
			if !slices.Equal(got, want) {
				t.Errorf("%s: got %#v, want %#v", how, got, want)
			}
			if end != wantEnd {
				t.Errorf("%s: got %#v at the end, want %#v", how, end, wantEnd)
			}
		}
	})
}
