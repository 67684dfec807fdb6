package kafka

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// unhex returns the bytes that text spells out; what follows a # is left out.
func unhex(tb testing.TB, text string) []byte {
	tb.Helper()
	var digits strings.Builder
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// Positions outlive a release: what is written today has to be read for ever.
func TestWireFormat(t *testing.T) {
	withLast := func(p *place, last at, minute int64) *place {
		p.last, p.minute = last, minute
		return p
	}
	for _, c := range []struct {
		name  string
		place *place
		wire  string
	}{
		{"nothing", newPlace(), `01 00 00 00`},
		{"a topic without partitions", newTestPlace(topicPlace{name: 0x01020304, id: 0xa0b0c0d0}), `
			01 00 01 00           # no event
			01020304 a0b0c0d0 00`},
		{"all partitions", withLast(newTestPlace(dense(1, 2, 0, 127, 128, math.MaxInt64)), at{0, 2}, 0), `
			01 00 01 01 02                    # the third partition of the first topic
			00000001 00000002 08
			00 7f 8001 ffffffffffffffff7f`},
		{"some partitions", withLast(newTestPlace(topicPlace{1, 2, []partPlace{{1, 5}, {2, 6}, {math.MaxInt32, 7}}}), at{0, 0}, 0), `
			01 00 01 01 00
			00000001 00000002 07
			01 05  00 06  fcffffff07 07       # with gaps of 1, 0 and 2147483644`},
		{"a minute", withLast(newTestPlace(dense(1, 2, 3)), at{topic: none}, 29_000_000), `
			01 01 01 00 c082ea0d
			00000001 00000002 02 03`},
		{"two topics", withLast(newTestPlace(dense(1, 2, 3), dense(2, 2, 4)), at{1, 0}, 1), `
			01 01 02 02 00 01
			00000001 00000002 02 03
			00000002 00000002 02 04`},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := unhex(t, c.wire)
			got := c.place.appendTo([]byte("before"))
			if got, had := bytes.CutPrefix(got, []byte("before")); !had || !bytes.Equal(got, want) {
				t.Errorf("appendTo: got %x, want %x", got, want)
			}
			back, err := decodePlace(want)
			if err != nil || !reflect.DeepEqual(back, c.place) {
				t.Errorf("decodePlace(%x): got %+v, %v, want %+v", want, back, err, c.place)
			}
		})
	}
}

func TestWireRefuses(t *testing.T) {
	head := `01 00 01 00 00000001 00000002 ` // of one topic, which follows
	for name, wire := range map[string]string{
		"nothing":                          ``,
		"another format":                   `02 00 00 00`,
		"a flag that isn't known":          `01 02 00 00`,
		"what is behind the end":           `01 00 00 00 00`,
		"no topics, though an event":       `01 00 00 01 00`,
		"an event of a topic behind all":   `01 00 01 02 00 00000001 00000002 02 03`,
		"an event of a missing partition":  `01 00 01 01 01 00000001 00000002 02 03`,
		"an event of no partition":         `01 00 01 01 00 00000001 00000002 00`,
		"a minute that isn't there":        `01 01 01 00 00 00000001 00000002 02 03`,
		"a minute after all time":          `01 01 01 00 818080808002 00000001 00000002 02 03`,
		"too many topics":                  `01 00 41 00` + strings.Repeat(`00000001 00000002 00`, 65),
		"fewer topics than said":           `01 00 02 00 00000001 00000002 02 03`,
		"topics that aren't sorted":        `01 00 02 00 00000002 00000002 00 00000001 00000002 00`,
		"one topic twice":                  `01 00 02 00 00000001 00000002 00 00000001 00000003 00`,
		"half a name":                      `01 00 01 00 0000`,
		"no count of partitions":           head,
		"fewer partitions than said":       head + `06 01 02`,
		"a number that could be shorter":   head + `02 8300`,
		"a zero that could be shorter":     head + `02 8000`,
		"a number that doesn't end":        head + `02 83`,
		"an offset of 2^63":                head + `02 80808080808080808001`,
		"a number of more than 64 bits":    head + `02 ffffffffffffffffff7f`,
		"sparse, without partitions":       head + `01`,
		"sparse, though all are there":     head + `05 00 07 00 07`,
		"a partition behind all":           head + `05 ffffffff07 07 00 07`,
		"a gap beyond all partitions":      head + `03 8080808008 07`,
		"more partitions than a place has": head + `c29a0c ` + strings.Repeat("00", 100_001),
		"two topics with too many": `01 00 02 00 00000001 00000002 c09a0c ` + strings.Repeat("00", 100_000) +
			` 00000002 00000002 02 00`,
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := decodePlace(unhex(t, wire)); !errors.Is(err, errMalformed) {
				t.Errorf("got %v, %v, want %v", got, err, errMalformed)
			}
		})
	}
	most := unhex(t, head+`c09a0c `+strings.Repeat("00", maxPartitions))
	if p, err := decodePlace(most); err != nil || len(p.topics[0].parts) != maxPartitions {
		t.Errorf("got %v for the most partitions, want no error", err)
	}
}

// A few bytes that speak of many partitions cost no more memory than they have
// a right to.
func TestWireAllocates(t *testing.T) {
	wire := unhex(t, `01 00 01 00 00000001 00000002 c09a0c 00`)
	const runs, most = 100, 1 << 10
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		if _, err := decodePlace(wire); !errors.Is(err, errMalformed) {
			t.Errorf("got %v, want %v", err, errMalformed)
		}
	}
	runtime.ReadMemStats(&after)
	if got := (after.TotalAlloc - before.TotalAlloc) / runs; got > most {
		t.Errorf("got %d bytes allocated for %d, want at most %d", got, len(wire), most)
	}
}

// randomPlace returns a place of up to topics topics.
func randomPlace(r *rand.Rand, topics int) *place {
	p := newPlace()
	for range r.IntN(topics + 1) {
		name := r.Uint32()
		if _, found := p.topic(name); found {
			continue
		}
		t := p.addTopic(name, r.Uint32())
		full := r.IntN(2) == 0
		for i := range r.IntN(20) {
			partition := int32(i)
			if !full {
				partition = r.Int32() >> r.IntN(31)
			}
			if _, found := p.topics[t].find(partition); !found {
				p.addPartition(t, partition, r.Int64N(math.MaxInt64)>>r.IntN(63))
			}
		}
	}
	if n := len(p.topics); n > 0 && r.IntN(4) > 0 {
		if t := r.IntN(n); len(p.topics[t].parts) > 0 {
			p.last = at{t, r.IntN(len(p.topics[t].parts))}
		}
	}
	if r.IntN(2) == 0 {
		p.minute = r.Int64N(maxMinute) + 1
	}
	return p
}

func TestWireRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		want := randomPlace(r, 5)
		got, err := decodePlace(want.appendTo(nil))
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("got %+v, %v, want %+v", got, err, want)
		}
	}
}
