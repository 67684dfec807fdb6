package feed_test

import (
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"sidestream/adapters"
	"sidestream/proxy/eventstream"
	"sidestream/proxy/feed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// event returns an event whose data is its position, padded to make its block
// a round number of bytes, blockSize.
func event(position string) *adapters.Event {
	data := position + strings.Repeat(".", blockSize-len("id: \ndata: \n\n")-2*len(position))
	return &adapters.Event{Position: adapters.Position(position), Data: []byte(data)}
}

const blockSize = 100

// appendAll appends an event for each position, and a gap for each "gap".
func appendAll(t *testing.T, l *feed.Log, positions ...string) {
	t.Helper()
	for _, p := range positions {
		var err error
		if p == "gap" {
			err = l.AppendGap(feed.Gap{Reason: adapters.LostExpired, Lost: 1})
		} else {
			err = l.Append(event(p))
		}
		if err != nil {
			t.Fatalf("append %s: got %v, want no error", p, err)
		}
	}
}

// contents returns what is at hand: ids, and "gap" for each gap.
func contents(t *testing.T, l *feed.Log) string {
	t.Helper()
	return from(t, l, l.Tail(-1))
}

// from returns what is read from c until nothing is left.
func from(t *testing.T, l *feed.Log, c feed.Cursor) string {
	t.Helper()
	var read []string
	buf := make([]feed.Entry, 3)
	for {
		n, _, err := l.Read(&c, buf)
		if err != nil {
			t.Fatalf("read: got %v, want no error", err)
		}
		if n == 0 {
			return strings.Join(read, " ")
		}
		for _, e := range buf[:n] {
			if e.Gap != nil {
				read = append(read, "gap")
			} else {
				read = append(read, e.ID)
			}
		}
	}
}

// encoded returns the block of an event.
func encoded(t *testing.T, id, typ string, data []byte) string {
	t.Helper()
	block, err := eventstream.AppendEvent(nil, &eventstream.Event{ID: id, Type: typ, Data: data})
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	return string(block)
}

// numbers returns "1", "2", … up to n.
func numbers(n int) []string {
	s := make([]string, n)
	for i := range s {
		s[i] = strconv.Itoa(i + 1)
	}
	return s
}
