package eventstream_test

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"sidestream/proxy/eventstream"
)

// C7: what exceeds a bound is skipped, reported once, with its id, and the
// stream goes on behind it.
func TestDecoderBounds(t *testing.T) {
	x := func(n int) string { return strings.Repeat("x", n) }
	tests := []struct {
		name    string
		options eventstream.DecoderOptions
		stream  string
		want    []string
	}{
		{"line as long as allowed", eventstream.DecoderOptions{MaxLine: 10}, "data: " + x(4) + "\n\n", []string{"xxxx"}},
		{"line too long", eventstream.DecoderOptions{MaxLine: 10}, "id: 1\ndata: " + x(5) + "\n\ndata: y\n\n",
			[]string{"line exceeds 10 bytes, last 1", "y"}},
		{"id after the line that is too long", eventstream.DecoderOptions{MaxLine: 10}, "data: " + x(5) + "\r\nid: 2\r\n\r\ndata: y\n\n",
			[]string{"line exceeds 10 bytes, last 2", "y"}},
		{"too long first line, BOM after it is none", eventstream.DecoderOptions{MaxLine: 10}, x(11) + "\n\uFEFFid: 3\n\n",
			[]string{"line exceeds 10 bytes, last "}},
		{"too long comment", eventstream.DecoderOptions{MaxLine: 10}, ":" + x(10) + "\ndata: y\n\ndata: z\n\n",
			[]string{"line exceeds 10 bytes, last ", "z"}},
		{"unfinished line too long", eventstream.DecoderOptions{MaxLine: 10}, "data: a\n\n" + x(30_000), []string{"a"}},
		{"event as long as allowed", eventstream.DecoderOptions{MaxEvent: 7}, "data: xxx\ndata: xxx\n\n", []string{"xxx\nxxx"}},
		{"event too long", eventstream.DecoderOptions{MaxEvent: 7}, "data: xxx\ndata: xxxx\ndata: y\nid: 4\n\ndata: y\n\n",
			[]string{"event exceeds 7 bytes, last 4", "y"}},
		{"event too long by a line feed", eventstream.DecoderOptions{MaxEvent: 3}, "data: xxx\ndata\n\ndata: y\n\n",
			[]string{"event exceeds 3 bytes, last ", "y"}},
		{"event too long once decoded", eventstream.DecoderOptions{MaxEvent: 5}, "data: \xFF\xFF\n\ndata: \xFF\n\n",
			[]string{"event exceeds 5 bytes, last ", "\uFFFD"}},
		{"many lines of nothing", eventstream.DecoderOptions{MaxEvent: 100}, strings.Repeat("data\n", 102) + "\n",
			[]string{"event exceeds 100 bytes, last "}},
		{"default event", eventstream.DecoderOptions{}, "data: " + x(1<<20) + "\n\ndata: " + x(1<<20) + "x\n\n",
			[]string{x(1 << 20), "event exceeds 1048576 bytes, last "}},
		{"default line", eventstream.DecoderOptions{MaxEvent: 5}, ":" + x(4<<10+4) + "\ndata: y\n\n:" + x(4<<10+5) + "\n\n",
			[]string{"y", "line exceeds 4101 bytes, last "}},
		{"no bound in practice", eventstream.DecoderOptions{MaxEvent: int(^uint(0) >> 1)}, "data: y\n\n", []string{"y"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for how, r := range map[string]io.Reader{
				"at once":      strings.NewReader(tt.stream),
				"byte by byte": iotest.OneByteReader(strings.NewReader(tt.stream)),
			} {
				got := outcomes(t, eventstream.NewDecoder(r, &tt.options))
				if !slices.Equal(got, tt.want) {
					t.Errorf("%s: got %.200q, want %.200q", how, got, tt.want)
				}
			}
		})
	}
}

// outcomes returns what each call of Next gave, up to the end of the stream.
func outcomes(t *testing.T, d *eventstream.Decoder) (list []string) {
	t.Helper()
	for {
		e, err := d.Next()
		var tooLong *eventstream.TooLongError
		switch {
		case err == nil:
			list = append(list, string(e.Data))
		case errors.As(err, &tooLong):
			list = append(list, fmt.Sprintf("%s exceeds %d bytes, last %s", tooLong.Part, tooLong.Limit, d.LastEventID()))
		case errors.Is(err, io.EOF):
			return list
		default:
			t.Fatalf("got error %v, want %v", err, io.EOF)
		}
	}
}

// A line and an event of 8 MiB cost no more memory than the longest allowed.
func TestDecoderMemoryIsBounded(t *testing.T) {
	const size = 8 << 20
	d := eventstream.NewDecoder(io.MultiReader(
		io.LimitReader(&endless{block: []byte(strings.Repeat("x", 100))}, size),
		strings.NewReader("\n\n"),
		io.LimitReader(&endless{block: []byte("data: " + strings.Repeat("x", 100) + "\n")}, size),
		strings.NewReader("\n\ndata: y\n\n"),
	), &eventstream.DecoderOptions{MaxEvent: 64 << 10})

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got := outcomes(t, d)
	runtime.ReadMemStats(&after)

	want := []string{"line exceeds 69632 bytes, last ", "event exceeds 65536 bytes, last ", "y"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	// Both buffers grow by doubling, which adds up to a few times the bounds.
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 1<<20 {
		t.Errorf("got %d bytes allocated, want at most %d", allocated, 1<<20)
	}
}
