package kafka

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"sidestream/adapters"
)

// replay returns what a Replay delivers.
func replay(t testing.TB, s *source, after, until adapters.Position) []adapters.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waiting)
	defer cancel()
	var events []adapters.Event
	err := s.Replay(ctx, after, until, func(e adapters.Event) error {
		if e.Live {
			t.Error("got a Live notice of a Replay, want none")
		}
		events = append(events, e)
		return nil
	})
	if err != nil {
		t.Fatalf("got %v of a Replay after %d events, want none", err, len(events))
	}
	return events
}

// randomly writes values into the partitions of k in a random order, and
// returns them.
func randomly(t testing.TB, k *fake, random *rand.Rand, partitions, n int) []string {
	t.Helper()
	values := make([]string, n)
	for i := range values {
		values[i] = fmt.Sprintf("%d-%d", random.IntN(partitions), i)
	}
	k.fill(t, values...)
	return values
}

// A Run after any position delivers what is behind it, on any replica.
func TestResumeEverywhere(t *testing.T) {
	t.Parallel()
	k := startFake(t, 3, kfake.NumBrokers(2))
	random := rand.New(rand.NewPCG(3, 4))
	values := randomly(t, k, random, 3, 20)
	first, second := k.source(t, nil), k.source(t, func(o *Options) { o.Start = Start{} })
	r := run(t, first, "")
	r.wait("some", func() bool { return len(r.seen()) >= 10 })
	values = append(values, randomly(t, k, random, 3, 40)...)
	r.waitValues(values...)
	r.waitLive()
	events := r.stop()
	for i, e := range events {
		again := run(t, second, e.Position)
		again.waitValues(payloads(events)[i+1:]...)
		again.waitLive()
		checkValues(t, again.stop(), payloads(events)[i+1:]...)
	}
}

// Positions of a Run are sorted, each is right behind its event, and the place
// before it is without that event alone.
func TestPositionsOfRun(t *testing.T) {
	t.Parallel()
	k := startFake(t, 3)
	values := randomly(t, k, rand.New(rand.NewPCG(5, 6)), 3, 30)
	s := k.source(t, nil)
	r := run(t, s, "")
	r.waitValues(values...)
	events := r.stop()
	c := s.factory.Capabilities()
	for i, e := range events {
		for j, f := range events {
			got, ok := c.Compare(e.Position, f.Position)
			if !ok || got < 0 != (i < j) || got > 0 != (i > j) {
				t.Errorf("got %d, %t as the order of the positions %d and %d of one Run, want that", got, ok, i, j)
			}
		}
		before, ok := c.Before(e.Position)
		if !ok {
			t.Fatalf("got no place before event %d, want one", i)
		}
		got := replay(t, s, before, e.Position)
		checkValues(t, got, string(e.Data))
		if len(got) == 1 && got[0].Position != e.Position {
			t.Errorf("got the position %s of event %d again, want %s", got[0].Position, i, e.Position)
		}
	}
}

// A Replay leads from any place of one Run to any place of another that is not
// before it, on any replica, with what lies between.
func TestReplayBetweenRuns(t *testing.T) {
	t.Parallel()
	k := startFake(t, 3, kfake.NumBrokers(3))
	values := randomly(t, k, rand.New(rand.NewPCG(7, 8)), 3, 24)
	slow := func(size adapters.Size) func(*Options) {
		return func(o *Options) { o.Fetch.MaxBytes, o.Fetch.MaxPartitionBytes = size, size }
	}
	one, two := k.source(t, slow(1<<10)), k.source(t, nil)
	a, b := run(t, one, ""), run(t, two, "")
	a.waitValues(values...)
	b.waitValues(values...)
	from, to := a.stop(), b.stop()
	compare := one.factory.Capabilities().Compare
	has := func(events []adapters.Event) map[string]bool {
		m := map[string]bool{}
		for _, e := range events {
			m[string(e.Data)] = true
		}
		return m
	}
	replays := 0
	for i := range from {
		for j := range to {
			order, ok := compare(from[i].Position, to[j].Position)
			had, want := has(from[:i+1]), has(to[:j+1])
			var missing []string
			for _, e := range to[:j+1] {
				if !had[string(e.Data)] {
					missing = append(missing, string(e.Data))
				}
			}
			covered := true
			for v := range had {
				covered = covered && want[v]
			}
			if isBefore := covered && len(missing) > 0; isBefore != (ok && order < 0) {
				t.Errorf("got %d, %t as the order of places %d and %d, want before: %t", order, ok, i, j, isBefore)
			}
			if !covered || (i*len(to)+j)%5 != 0 {
				continue
			}
			replays++
			got := replay(t, two, from[i].Position, to[j].Position)
			checkValues(t, got, missing...)
			for n, e := range got {
				// Each is between the two: what comes after it up to the end is the rest.
				if n%4 == 0 {
					checkValues(t, replay(t, one, e.Position, to[j].Position), payloads(got)[n+1:]...)
				}
			}
		}
	}
	if replays < 10 {
		t.Errorf("got %d replays, want more", replays)
	}
}

// A Replay is done when it has come as far, though producers go on; also from
// the start, from a notice to a notice, and where there is nothing between.
func TestReplayWhileProducing(t *testing.T) {
	t.Parallel()
	k := startFake(t, 3, kfake.NumBrokers(2))
	s := k.source(t, nil)
	r := run(t, s, "")
	begin := r.waitLive()
	l := startLoad(t, k, 3, time.Millisecond)
	r.wait("200 records", func() bool { return len(r.seen()) >= 200 })
	events := r.stop()
	last := events[len(events)-1].Position
	checkValues(t, replay(t, s, begin, last), payloads(events)...)
	checkValues(t, replay(t, s, "", last), payloads(events)...)
	checkValues(t, replay(t, s, events[50].Position, last), payloads(events)[51:]...)
	checkValues(t, replay(t, s, last, last))
	checkValues(t, replay(t, s, begin, begin))
	had := payloads(events)
	rest := slices.DeleteFunc(l.stop(), func(value string) bool { return slices.Contains(had, value) }) // partitions don't keep step
	r = run(t, s, last)
	r.waitValues(rest...)
	if len(r.seen()) != len(rest) {
		t.Errorf("got %d events, want %d", len(r.seen()), len(rest))
	}
	end := r.waitLive()
	if n := len(replay(t, s, last, end)); n != len(rest) {
		t.Errorf("got %d events up to a notice, want %d", n, len(rest))
	}
}

// A Replay ends with what is in its way.
func TestReplayFails(t *testing.T) {
	t.Parallel()
	k := startFake(t, 2)
	k.fill(t, "0a", "0b", "1a")
	s := k.source(t, nil)
	r := run(t, s, "")
	r.waitValues("0a", "0b", "1a")
	events := r.stop()
	none := func(adapters.Event) error { return nil }
	if err := s.Replay(t.Context(), events[0].Position, "x", none); err == nil {
		t.Error("got no error of a Replay to no position, want one")
	}
	k.trim(t, 0, -1)
	begin, _ := s.factory.Capabilities().Before(events[0].Position)
	var got error
	for _, e := range events { // up to the last of partition 0, at least
		if err := s.Replay(t.Context(), begin, e.Position, none); err != nil {
			got = err
		}
	}
	lost := asLost(got)
	if lost == nil || lost.Reason != adapters.LostExpired {
		t.Errorf("got %v of a Replay of what is gone, want it lost", got)
	}
}
