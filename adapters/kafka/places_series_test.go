package kafka

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"sidestream/adapters"
)

// A Run comes to places one after the other, partitions and topics are added on
// the way, and each position remains that of its place.
func TestSeries(t *testing.T) {
	places := newPlaces(64 << 20)
	r := rand.New(rand.NewPCG(13, 14))
	p := newTestPlace(dense(10, 1, make([]int64, 600)...), dense(20, 2, make([]int64, 600)...))
	e, elsewhere := places.encoder(), newPlaces(1)
	want := map[adapters.Position]string{}
	stretches := map[*stretch]bool{}
	for i := range 1000 {
		switch {
		case i == 200:
			p.addTopic(15, 3)
		case i == 400:
			p.topics[0].id = 99 // created anew
		case r.IntN(300) == 0:
			t := r.IntN(len(p.topics))
			p.addPartition(t, int32(len(p.topics[t].parts)), r.Int64N(1000))
		case r.IntN(300) == 0: // far away, as by a seek
			for t := range p.topics {
				for j := range p.topics[t].parts {
					p.topics[t].parts[j].next = r.Int64N(1 << 40)
				}
			}
		case r.IntN(300) == 0:
			parts := p.topics[0].parts
			parts[len(parts)-1].partition += 1000 // another one in its place
		}
		for range r.IntN(30) {
			t := r.IntN(len(p.topics))
			if n := len(p.topics[t].parts); n > 0 {
				p.last = at{t, r.IntN(n)}
				p.topics[t].parts[p.last.index].next += r.Int64N(5)
			}
		}
		if r.IntN(10) == 0 {
			p.last = at{topic: none}
		}
		p.minute = int64(i / 100)
		pos := e.position(p)
		if again := elsewhere.position(p); again != pos {
			t.Fatalf("step %d: got %q, and %q elsewhere, want one position", i, pos, again)
		}
		want[pos] = fmt.Sprint(p)
		stretches[e.series.stretch] = true
	}
	for pos, text := range want {
		if p, err := places.parse(pos); err != nil || fmt.Sprint(p) != text {
			t.Fatalf("parse(%q): got %v, %.100s, want %.100s", pos, err, fmt.Sprint(p), text)
		}
	}
	for s := range stretches {
		if got, most := len(s.steps)*stepSize, len(s.first); got > most {
			t.Errorf("got a stretch with %d bytes of steps, want at most the %d of its first place", got, most)
		}
	}
	if n := len(stretches); n > 200 {
		t.Errorf("got %d stretches of 1000 places, want several places in each", n)
	}
}
