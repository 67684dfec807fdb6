package kafka

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"sidestream/adapters"
)

// Who comes from a partition that its key has left comes, once that is read to
// its end, to a place that is covered by one who has begun in the new one; and
// one who has begun there is brought to a place that still has the old one
// without what was in it.
func TestCoveredWhenKeyHasMoved(t *testing.T) {
	t.Parallel()
	key := movingKey(t, 1, 4, 3)
	k := startFake(t, 1)
	s := k.source(t, func(o *Options) { o.RecordKey, o.Start = key, Start{word: startLatest} })
	put := func(p int32, value string) {
		k.put(t, &kgo.Record{Topic: topicName, Partition: p, Key: []byte(key), Value: []byte(value)})
	}
	witness := run(t, s, "")
	witness.waitLive()
	put(0, "0a")
	witness.waitValues("0a")
	was := witness.waitNextLive()
	k.grow(t, topicName, 4)
	put(3, "1a")
	witness.waitValues("0a", "1a") // by now it reads both
	both := witness.seen()[1].Position

	late := run(t, s, "")
	begun := late.waitLive()
	if order, ok := s.factory.places.compare(was, begun); ok && order <= 0 {
		t.Fatalf("got %q covered by %q, want it to need a run of its own", was, begun)
	}
	put(3, "1b")
	late.waitValues("1b")
	newest := late.seen()[0].Position

	away := run(t, s, was)
	away.waitValues("1a", "1b")
	reached := away.waitNextLive()
	if order, ok := s.factory.places.compare(reached, newest); !ok || order > 0 {
		t.Errorf("got %q, which isn't covered by %q, want it to be", reached, newest)
	}
	for _, until := range []adapters.Position{both, witness.waitNextLive()} {
		var got []string
		err := s.Replay(t.Context(), begun, until, func(e adapters.Event) error {
			got = append(got, string(e.Data))
			return nil
		})
		if err != nil || len(got) > 1 || len(got) == 1 && got[0] != "1b" {
			t.Errorf("Replay from %q until %q: got %q, %v, want nothing of the old partition", begun, until, got, err)
		}
	}
}

// A route that has come to read fewer partitions covers the places of before.
func TestCoveredWhenPartitionsAreFewer(t *testing.T) {
	t.Parallel()
	k := startFake(t, 3)
	all, some := k.source(t, nil), k.source(t, func(o *Options) { o.Partitions, o.Start = []int32{0}, Start{word: startLatest} })
	r := run(t, all, "")
	r.waitLive()
	k.fill(t, "0a", "1a", "2a")
	r.waitValues("0a", "1a", "2a")
	was := r.waitNextLive()
	shared := run(t, some, "")
	shared.waitLive()
	k.fill(t, "0b", "1b")
	shared.waitValues("0b")
	own := run(t, some, was)
	own.waitValues("0b")
	reached, newest := own.seen()[0].Position, shared.seen()[0].Position
	if order, ok := some.factory.places.compare(reached, newest); !ok || order != 0 {
		t.Errorf("got %q, want the place of %q", reached, newest)
	}
}
