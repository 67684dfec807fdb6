package eventstream_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"sidestream/proxy/eventstream"
)

// W1, W2, W3, W4, W5, C3: the very bytes of every kind of event.
func TestAppendEvent(t *testing.T) {
	type event = eventstream.Event
	longest := strings.Repeat("~", eventstream.MaxID) // which is MaxType as well
	tests := []struct {
		name  string
		event event
		want  string
		err   error
	}{
		{name: "W1 all fields", event: event{ID: "99", Type: "stockTicker", Data: []byte("QCOM 64.31")},
			want: "id: 99\nevent: stockTicker\ndata: QCOM 64.31\n\n"},
		{name: "W1 data alone", event: event{Data: []byte(`{"a":1}`)}, want: "data: {\"a\":1}\n\n"},
		{name: "W1 data with a space in front keeps it", event: event{Data: []byte(" x")}, want: "data:  x\n\n"},
		{name: "W1 data not ASCII", event: event{Data: []byte("zażółć \U0001F600")}, want: "data: zażółć \U0001F600\n\n"},
		{name: "W2 LF", event: event{Data: []byte("a\nb\n\nc")}, want: "data: a\ndata: b\ndata:\ndata: c\n\n"},
		{name: "W2 CR", event: event{Data: []byte("a\rb\r\rc")}, want: "data: a\ndata: b\ndata:\ndata: c\n\n"},
		{name: "W2 CRLF", event: event{Data: []byte("a\r\nb\r\n\r\nc")}, want: "data: a\ndata: b\ndata:\ndata: c\n\n"},
		{name: "W2 mixed", event: event{Data: []byte("a\n\rb\r\r\nc")}, want: "data: a\ndata:\ndata: b\ndata:\ndata: c\n\n"},
		{name: "W2 at the end", event: event{Data: []byte("a\n")}, want: "data: a\ndata:\n\n"},
		{name: "W2 CR at the end", event: event{Data: []byte("a\r")}, want: "data: a\ndata:\n\n"},
		{name: "W2 nothing else", event: event{Data: []byte("\r\n")}, want: "data:\ndata:\n\n"},
		{name: "W2 data that looks like fields", event: event{Data: []byte("x\n\nid: 1\r: y")},
			want: "data: x\ndata:\ndata: id: 1\ndata: : y\n\n"},
		{name: "W2 other separators are no line breaks", event: event{Data: []byte("a\u2028b\u0085c\vd")},
			want: "data: a\u2028b\u0085c\vd\n\n"},
		{name: "W5 empty", want: "data:\n\n"},
		{name: "W5 empty with id and type", event: event{ID: "-1", Type: "end"}, want: "id: -1\nevent: end\ndata:\n\n"},
		{name: "C3 longest id", event: event{ID: longest}, want: "id: " + longest + "\ndata:\n\n"},
		{name: "longest type", event: event{Type: longest}, want: "event: " + longest + "\ndata:\n\n"},

		{name: "W3 id with LF", event: event{ID: "1\ndata: x"}, err: eventstream.ErrID},
		{name: "W3 id with CR", event: event{ID: "1\r"}, err: eventstream.ErrID},
		{name: "W3 id with NUL", event: event{ID: "1\x00"}, err: eventstream.ErrID},
		{name: "W3 type with LF", event: event{Type: "a\nb"}, err: eventstream.ErrType},
		{name: "W3 type with CR", event: event{Type: "a\rb"}, err: eventstream.ErrType},
		{name: "W1 type not UTF-8", event: event{Type: "a\xFF"}, err: eventstream.ErrType},
		{name: "type too long", event: event{Type: strings.Repeat("t", eventstream.MaxType+1)}, err: eventstream.ErrType},
		{name: "W4 data not UTF-8", event: event{ID: "1", Type: "t", Data: []byte("a\n\xC0\x80")}, err: eventstream.ErrData},
		{name: "W4 data cut within a character", event: event{Data: []byte("a\xE2\x82")}, err: eventstream.ErrData},
		{name: "C3 id not ASCII", event: event{ID: "é"}, err: eventstream.ErrID},
		{name: "C3 id with a space", event: event{ID: "a b"}, err: eventstream.ErrID},
		{name: "C3 id with DEL", event: event{ID: "a\x7F"}, err: eventstream.ErrID},
		{name: "C3 id too long", event: event{ID: longest + "~"}, err: eventstream.ErrID},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			const before = "before"
			got, err := eventstream.AppendEvent([]byte(before), &tt.event)
			if !errors.Is(err, tt.err) {
				t.Errorf("got error %v, want %v", err, tt.err)
			}
			if string(got) != before+tt.want {
				t.Errorf("got %q, want %q", got, before+tt.want)
			}
		})
	}
}

// C3: exactly the printable ASCII characters but the space make an id.
func TestValidID(t *testing.T) {
	for c := range 256 {
		id := "a" + string([]byte{byte(c)})
		if got, want := eventstream.ValidID(id), c >= 0x21 && c <= 0x7E; got != want {
			t.Errorf("ValidID(%q): got %v, want %v", id, got, want)
		}
	}
	if eventstream.ValidID("") {
		t.Error("ValidID of an empty id: got true, want false")
	}
}

// W6: digits only, milliseconds. C2: no blank line.
func TestAppendRetry(t *testing.T) {
	tests := []struct {
		d    time.Duration
		want string
	}{
		{0, "retry: 0\n"},
		{-time.Second, "retry: 0\n"},
		{math.MinInt64, "retry: 0\n"},
		{1, "retry: 1\n"},
		{time.Millisecond, "retry: 1\n"},
		{time.Millisecond + 1, "retry: 2\n"},
		{3 * time.Second, "retry: 3000\n"},
		{math.MaxInt64, "retry: 9223372036855\n"},
	}
	for _, tt := range tests {
		if got := string(eventstream.AppendRetry([]byte("x\n"), tt.d)); got != "x\n"+tt.want {
			t.Errorf("AppendRetry(%v): got %q, want %q", int64(tt.d), got, "x\n"+tt.want)
		}
	}
}

// W1, W3, C2: a comment stays one, whatever its text, and has no blank line.
func TestAppendComment(t *testing.T) {
	tests := []struct{ text, want string }{
		{"hello", ": hello\n"},
		{"", eventstream.Heartbeat},
		{"a\ndata: b\r\rid: c\r\n", ": a\n: data: b\n:\n: id: c\n:\n"},
		{"\xEF\xBB\xBFa\xFF", ": \uFEFFa\uFFFD\n"},
	}
	for _, tt := range tests {
		if got := string(eventstream.AppendComment([]byte("x\n"), tt.text)); got != "x\n"+tt.want {
			t.Errorf("AppendComment(%q): got %q, want %q", tt.text, got, "x\n"+tt.want)
		}
	}
}

// C1, C2, W6: what a whole response looks like. No blank line stands for
// anything but an event.
func TestStreamBytes(t *testing.T) {
	stream := eventstream.AppendRetry(nil, 3*time.Second)
	for _, e := range []eventstream.Event{
		{ID: "1", Data: []byte("first")},
		{ID: "2", Type: "add", Data: []byte("second\nline")},
	} {
		var err error
		if stream, err = eventstream.AppendEvent(stream, &e); err != nil {
			t.Fatal(err)
		}
		stream = append(stream, eventstream.Heartbeat...)
	}
	stream = eventstream.AppendComment(stream, "bye")

	const want = "retry: 3000\n" +
		"id: 1\ndata: first\n\n" +
		":\n" +
		"id: 2\nevent: add\ndata: second\ndata: line\n\n" +
		":\n" +
		": bye\n"
	if string(stream) != want {
		t.Errorf("got %q, want %q", stream, want)
	}
}

func TestAppendEventAllocatesNothing(t *testing.T) {
	dst := make([]byte, 0, 4<<10)
	e := eventstream.Event{ID: "1-2", Type: "order", Data: []byte("{\"a\":1,\n\"b\":2}\r\n")}
	allocs := testing.AllocsPerRun(100, func() {
		dst = eventstream.AppendRetry(dst[:0], time.Second)
		dst, _ = eventstream.AppendEvent(dst, &e)
	})
	if allocs != 0 {
		t.Errorf("got %v allocations, want 0", allocs)
	}
}
