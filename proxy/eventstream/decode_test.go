package eventstream_test

import (
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"sidestream/proxy/eventstream"
)

// decodeAll reads r to its end in the shape that naiveParse gives.
func decodeAll(t *testing.T, r io.Reader) (events []received, end received) {
	t.Helper()
	d := eventstream.NewDecoder(r, nil)
	for {
		e, err := d.Next()
		state := received{id: e.ID, typ: e.Type, data: string(e.Data), lastID: d.LastEventID(), retry: -1}
		if retry, ok := d.Retry(); ok {
			state.retry = retry
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.Fatalf("got error %v, want %v", err, io.EOF)
			}
			return events, state
		}
		events = append(events, state)
	}
}

// cut returns readers that hand out stream in different pieces.
func cut(stream string) map[string]io.Reader {
	return map[string]io.Reader{
		"at once":          strings.NewReader(stream),
		"byte by byte":     iotest.OneByteReader(strings.NewReader(stream)),
		"with EOF":         iotest.DataErrReader(strings.NewReader(stream)),
		"with empty reads": &emptyReads{r: iotest.OneByteReader(strings.NewReader(stream))},
	}
}

// emptyReads reads nothing every other time.
type emptyReads struct {
	r   io.Reader
	odd bool
}

func (r *emptyReads) Read(p []byte) (int, error) {
	if r.odd = !r.odd; r.odd {
		return 0, nil
	}
	return r.r.Read(p)
}

// W1, W5–W8, C4.
func TestDecoder(t *testing.T) {
	for _, tt := range decoderTests {
		t.Run(tt.name, func(t *testing.T) {
			check := func(how string, events []received, end received) {
				t.Helper()
				var got []string
				for _, e := range events {
					got = append(got, e.id+"|"+e.typ+"|"+e.data)
				}
				if !slices.Equal(got, tt.want) {
					t.Errorf("%s: got %q, want %q", how, got, tt.want)
				}
				if end.lastID != tt.lastID {
					t.Errorf("%s: got last event id %q, want %q", how, end.lastID, tt.lastID)
				}
				if want := max(tt.retry, 0); max(end.retry, 0) != want {
					t.Errorf("%s: got retry %v, want %v", how, end.retry, want)
				}
			}
			for how, r := range cut(tt.stream) {
				events, end := decodeAll(t, r)
				check(how, events, end)
			}
			events, end := naiveParse(tt.stream)
			check("naive", events, end)
		})
	}
}

// Events are written "id|type|data".
var decoderTests = []struct {
	name, stream string
	want         []string
	lastID       string
	retry        time.Duration
}{
	// The standard's own examples, section 9.2.6.
	{name: "W2 stocks", stream: "data: YHOO\ndata: +2\ndata: 10\n\n", want: []string{"|message|YHOO\n+2\n10"}},
	{name: "W8 test stream", stream: ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
		want: []string{"1|message|first event", "|message|second event", "|message| third event"}},
	{name: "W8 data without a colon", stream: "data\n\ndata\ndata\n\ndata:", want: []string{"|message|", "|message|\n"}},
	{name: "W8 one space is optional", stream: "data:test\n\ndata: test\n\n", want: []string{"|message|test", "|message|test"}},
	{name: "W1 types", stream: "event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\nevent: add\ndata: 113411\n\n",
		want: []string{"|add|73857293", "|remove|2153", "|add|113411"}},

	{name: "W1 CR", stream: "data: a\rdata: b\r\rdata: c\r\r", want: []string{"|message|a\nb", "|message|c"}},
	{name: "W1 CRLF", stream: "data: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n", want: []string{"|message|a\nb", "|message|c"}},
	{name: "W1 mixed line ends", stream: "data: a\n\rdata: b\r\n\ndata: c\r\r\n", want: []string{"|message|a", "|message|b", "|message|c"}},
	{name: "W1 LF CR is two", stream: "data: a\n\rdata: b\n\r", want: []string{"|message|a", "|message|b"}},
	{name: "W1 comments", stream: ":\n:x\ndata: a\n: data: b\n:data\n\n", want: []string{"|message|a"}},
	{name: "W1 type only of its own block", stream: "event: a\ndata: 1\n\ndata: 2\n\nevent: a\ndata: 3\n\n",
		want: []string{"|a|1", "|message|2", "|a|3"}},
	{name: "W1 type of a block without data is dropped", stream: "event: a\n\ndata: 1\n\n", want: []string{"|message|1"}},
	{name: "W1 empty type is the default", stream: "event: a\nevent:\ndata: 1\n\n", want: []string{"|message|1"}},
	{name: "W5 no data, no event", stream: "event: x\n\nid: 7\n\n\n\n", lastID: "7"},
	{name: "W5 empty data", stream: "data:\n\ndata: \n\n", want: []string{"|message|", "|message|"}},
	{name: "W7 any order", stream: "data: a\nid: 1\ndata: b\nevent: e\n\n", want: []string{"1|e|a\nb"}, lastID: "1"},

	{name: "W8 unknown fields", stream: "Data: a\n data: b\ndata : c\ndatax: d\nfoo\nfoo: bar\ndata: e\n\n", want: []string{"|message|e"}},
	{name: "W8 spaces after the first stay", stream: "data:  a \ndata:\tb\nevent:  e\n\n", want: []string{"| e| a \n\tb"}},
	{name: "W8 colons in values", stream: "data: a: b\ndata::c\n\n", want: []string{"|message|a: b\n:c"}},
	{name: "W8 incomplete block", stream: "data: a\n\nid: 2\ndata: b\n", want: []string{"|message|a"}},
	{name: "W8 incomplete line", stream: "data: a\n\ndata: b\n\nretry: 5", want: []string{"|message|a", "|message|b"}},
	{name: "W8 id stays", stream: "id: 1\ndata: a\n\ndata: b\n\nid: 2\n\ndata: c\n\n",
		want: []string{"1|message|a", "1|message|b", "2|message|c"}, lastID: "2"},
	{name: "W8 id of an incomplete block does not count", stream: "id: 1\n\nid: 2\n", lastID: "1"},
	{name: "W3 id with NUL is ignored", stream: "id: 1\nid: 2\x003\ndata: a\n\n", want: []string{"1|message|a"}, lastID: "1"},
	{name: "W8 NUL elsewhere stays", stream: "event: \x00\ndata: a\x00b\n\n", want: []string{"|\x00|a\x00b"}},
	{name: "W8 not UTF-8", stream: "id: \xFF\nevent: \xC3\ndata: \xE2\x82\xF0\x9F\x98\xED\xA0\x80\xC0\xAF\n\n",
		want: []string{"\uFFFD|\uFFFD|" + strings.Repeat("\uFFFD", 7)}, lastID: "\uFFFD"},
	{name: "W8 cut within a character", stream: "data: a\xF0\x9F\x98\ndata: \xE2\x82\ndata: \xC3\n\n",
		want: []string{"|message|a\uFFFD\n\uFFFD\n\uFFFD"}},
	{name: "W8 not UTF-8 in a name", stream: "data\xFF: a\ndata: b\n\n", want: []string{"|message|b"}},

	{name: "C4 BOM", stream: "\uFEFFdata: a\n\n", want: []string{"|message|a"}},
	{name: "C4 BOM before a comment", stream: "\uFEFF:x\n\uFEFFdata: a\n\ndata: b\n\n", want: []string{"|message|b"}},
	{name: "C4 only one BOM", stream: "\uFEFF\uFEFFdata: a\n\ndata: b\n\n", want: []string{"|message|b"}},
	{name: "C4 BOM and nothing else", stream: "\uFEFF\n"},
	{name: "C4 half a BOM", stream: "\xEF\xBBdata: a\n\ndata: b\n\n", want: []string{"|message|b"}},
	{name: "C4 BOM in data stays", stream: "data: \uFEFFa\n\n", want: []string{"|message|\uFEFFa"}},

	{name: "W6 retry", stream: "retry: 10000\n", retry: 10 * time.Second},
	{name: "W6 the newest counts", stream: "retry:1\nretry: 0020\n\nretry\nretry:\n", retry: 20 * time.Millisecond},
	{name: "W6 digits only", stream: "retry: 7\nretry: 1.5\nretry: -1\nretry: +1\nretry:  1\nretry: 1 \nretry: ١\nretry: 1s\n\n",
		retry: 7 * time.Millisecond},
	{name: "W6 absurdly long", stream: "retry: " + strings.Repeat("9", 5000) + "\n", retry: time.Duration(math.MaxInt64).Truncate(time.Millisecond)},

	{name: "C1 an id alone", stream: "id: 5\n\n", lastID: "5"},
	{name: "C2 opening retry and heartbeats", stream: "retry: 3000\n:\nid: 1\ndata: a\n\n:\n:\n",
		want: []string{"1|message|a"}, lastID: "1", retry: 3 * time.Second},
	{name: "W8 line longer than a read", stream: "data: " + strings.Repeat("x", 20_000) + "\r\ndata: y\r\n\r\n",
		want: []string{"|message|" + strings.Repeat("x", 20_000) + "\ny"}},
}

// A stream that continues another goes on with its id until it names one of
// its own, or none.
func TestDecoderContinues(t *testing.T) {
	const stream = "data: a\n\nid\ndata: b\n\ndata: c\n\nid: 2\ndata: d\n\n"
	d := eventstream.NewDecoder(strings.NewReader(stream), &eventstream.DecoderOptions{LastEventID: "1"})
	if got := d.LastEventID(); got != "1" {
		t.Errorf("got last event id %q before the first line, want %q", got, "1")
	}
	for _, want := range []string{"1", "", "", "2"} {
		e, err := d.Next()
		if err != nil || e.ID != want || d.LastEventID() != want {
			t.Errorf("event %q: got id %q, last event id %q, error %v; want %q", e.Data, e.ID, d.LastEventID(), err, want)
		}
	}
}

// once reads its stream in one piece. It fails the test if it is read again:
// on a connection, that would block until the next event.
type once struct {
	t      *testing.T
	stream string
}

func (r *once) Read(p []byte) (int, error) {
	if r.stream == "" {
		r.t.Error("got another read, want the event without one")
		return 0, io.EOF
	}
	n := copy(p, r.stream)
	r.stream = r.stream[n:]
	return n, nil
}

// R2 as seen from the reader: an event is there as soon as its blank line is,
// also if that is a CR, behind which an LF might still come.
func TestDecoderDoesNotWait(t *testing.T) {
	for _, stream := range []string{
		"data: a\n\n", "data: a\r\n\r\n", "data: a\r\n\r", "data: a\r\r", "data: a\n\r", "data: a\n\ndata: b",
	} {
		e, err := eventstream.NewDecoder(&once{t, stream}, nil).Next()
		if err != nil || string(e.Data) != "a" {
			t.Errorf("%q: got data %q, error %v; want %q", stream, e.Data, err, "a")
		}
	}
}

// W6: retry takes effect before its block ends, and not before its line is
// read. A failure of the reader is final.
func TestDecoderRetryAsRead(t *testing.T) {
	broken := errors.New("broken")
	d := eventstream.NewDecoder(io.MultiReader(
		strings.NewReader("data: a\n\nretry: 5\r"), &failOnce{broken}, strings.NewReader("retry: 6\n")), nil)
	if _, err := d.Next(); err != nil {
		t.Fatal(err)
	}
	if got, ok := d.Retry(); ok {
		t.Errorf("got retry %v before its line was read, want none", got)
	}
	for range 2 {
		if _, err := d.Next(); !errors.Is(err, broken) {
			t.Errorf("got error %v, want %v", err, broken)
		}
	}
	if got, ok := d.Retry(); !ok || got != 5*time.Millisecond {
		t.Errorf("got retry %v, %v; want %v", got, ok, 5*time.Millisecond)
	}
}

// failOnce fails on the first read and is at its end on the next.
type failOnce struct{ err error }

func (r *failOnce) Read([]byte) (int, error) {
	err := r.err
	r.err = io.EOF
	return 0, err
}

// A reader that never gives anything is an error, not an endless loop.
func TestDecoderNoProgress(t *testing.T) {
	_, err := eventstream.NewDecoder(stuck{}, nil).Next()
	if !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("got error %v, want %v", err, io.ErrNoProgress)
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

// A long-lived reader produces no garbage for events without ids.
func TestDecoderAllocatesNothing(t *testing.T) {
	d := eventstream.NewDecoder(&endless{block: []byte("event: tick\ndata: {\"a\":1}\ndata: {\"b\":2}\n\n")}, nil)
	allocs := testing.AllocsPerRun(1000, func() {
		if _, err := d.Next(); err != nil {
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("got %v allocations an event, want 0", allocs)
	}
}

// endless repeats a block for ever.
type endless struct {
	block []byte
	rest  []byte
}

func (r *endless) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(r.rest) == 0 {
			r.rest = r.block
		}
		c := copy(p[n:], r.rest)
		r.rest = r.rest[c:]
		n += c
	}
	return n, nil
}
