package kafka

import (
	"cmp"
	"math/rand/v2"
	"testing"
)

// behindEvent returns p as the place right behind an event of a partition of
// its topic.
func behindEvent(p *place, topic, index int) *place {
	p.last = at{topic, index}
	return p
}

func TestOrder(t *testing.T) {
	of := func(next ...int64) *place { return newTestPlace(dense(1, 1, next...)) }
	late := of(3, 5)
	late.minute = 99
	sparse := func(parts ...partPlace) *place { return newTestPlace(topicPlace{1, 1, parts}) }
	for _, c := range []struct {
		name  string
		a, b  *place
		order int
		ok    bool
	}{
		{"one place", of(3, 5), of(3, 5), 0, true},
		{"one place, behind events of two partitions", behindEvent(of(3, 5), 0, 0), behindEvent(of(3, 5), 0, 1), 0, true},
		{"one place, at two times", of(3, 5), late, 0, true},
		{"before in all", of(3, 5), of(4, 6), -1, true},
		{"before in one", of(3, 5), of(3, 6), -1, true},
		{"both ways", of(3, 6), of(4, 5), 0, false},
		{"b is behind an event that a lacks", of(3, 5), behindEvent(of(3, 6), 0, 1), -1, true},
		{"b is behind an event that a has", of(3, 5), behindEvent(of(4, 5), 0, 1), -1, true},
		{"b is behind an event that a has, another that it lacks", of(3, 5), behindEvent(of(4, 6), 0, 1), -1, true},
		{"where a is doesn't matter", behindEvent(of(3, 5), 0, 0), behindEvent(of(4, 5), 0, 0), -1, true},
		{"a partition that a doesn't have yet", of(3), of(3, 5), -1, true},
		{"its event", of(3), behindEvent(of(3, 5), 0, 1), -1, true},
		{"the event of another partition", of(3), behindEvent(of(3, 5), 0, 0), -1, true},
		{"a partition of which nothing was read", of(3), of(3, 0), 0, true},
		{"one that each lacks", sparse(partPlace{0, 1}), sparse(partPlace{1, 1}), 0, false},
		{"one between", sparse(partPlace{0, 1}, partPlace{7, 1}), sparse(partPlace{0, 1}, partPlace{3, 1}, partPlace{7, 1}), -1, true},
		{"nothing at all", newPlace(), newPlace(), 0, true},
		{"no topics and some", newPlace(), of(0), 0, false},
		{"another topic", of(3), newTestPlace(dense(2, 1, 4)), 0, false},
		{"another incarnation", of(3), newTestPlace(dense(1, 2, 4)), 0, false},
		{"a topic more", of(3), newTestPlace(dense(1, 1, 3), dense(2, 1, 4)), 0, false},
		{"two topics", newTestPlace(dense(1, 1, 3), dense(2, 1, 4)), behindEvent(newTestPlace(dense(1, 1, 3), dense(2, 1, 5)), 1, 0), -1, true},
		{"two topics, both ways", newTestPlace(dense(1, 1, 3), dense(2, 1, 4)), newTestPlace(dense(1, 1, 2), dense(2, 1, 5)), 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, ok := order(c.a, c.b); got != c.order || ok != c.ok {
				t.Errorf("got %d, %t, want %d, %t", got, ok, c.order, c.ok)
			}
			if got, ok := order(c.b, c.a); got != -c.order || ok != c.ok {
				t.Errorf("the other way: got %d, %t, want %d, %t", got, ok, -c.order, c.ok)
			}
		})
	}
}

func TestCovers(t *testing.T) {
	of := func(next ...int64) *place { return newTestPlace(dense(1, 1, next...)) }
	for _, c := range []struct {
		name string
		a, b *place
		want bool
	}{
		{"itself", of(3, 5), of(3, 5), true},
		{"less", of(3, 5), of(2, 5), true},
		{"less, behind an event of both", of(3, 5), behindEvent(of(2, 5), 0, 1), true},
		{"more", of(3, 5), of(3, 6), false},
		{"more and less", of(3, 5), of(2, 6), false},
		{"a partition less", of(3, 5), of(3), true},
		{"a partition more", of(3), of(3, 5), false},
		{"a partition more, of which nothing was read", of(3), of(3, 0), true},
		{"another incarnation", of(3), newTestPlace(dense(1, 2, 0)), false},
		{"other topics", of(3), newPlace(), false},
	} {
		if got := covers(c.a, c.b); got != c.want {
			t.Errorf("%s: got %t, want %t", c.name, got, c.want)
		}
	}
}

// chain returns the places of a Run that merges partitions at random: a step
// passes one event, or none (a transaction's marker, say), or many at once.
func chain(r *rand.Rand, from *place, steps int) []*place {
	list := []*place{from}
	for range steps {
		p := list[len(list)-1].clone()
		p.last = at{topic: none}
		t := r.IntN(len(p.topics))
		if r.IntN(10) == 0 {
			p.addPartition(t, int32(len(p.topics[t].parts)), 0)
		}
		if n := len(p.topics[t].parts); n > 0 {
			i := r.IntN(n)
			p.topics[t].parts[i].next += 1 + r.Int64N(3)
			if r.IntN(5) > 0 {
				p.last = at{t, i}
			}
		}
		list = append(list, p)
	}
	return list
}

// Within one Run the order is that of delivery; and of places of several Runs,
// what order says is an order.
func TestOrderOfMerges(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		start := newTestPlace(dense(1, 1, make([]int64, r.IntN(4))...), dense(2, 1, make([]int64, r.IntN(3))...))
		first := chain(r, start, 12)
		for i, a := range first {
			for j, b := range first {
				want := cmp.Compare(i, j)
				if less, more, _ := difference(a, b); !less && !more {
					want = 0 // a step that found no partition
				}
				if got, ok := order(a, b); !ok || got != want {
					t.Fatalf("steps %d and %d, %+v and %+v: got %d, %t, want %d, true", i, j, a, b, got, ok, want)
				}
			}
		}
		all := append(first, chain(r, start, 12)...)
		all = append(all, chain(r, first[r.IntN(len(first))], 12)...)
		for range 2000 {
			checkOrdered(t, all[r.IntN(len(all))], all[r.IntN(len(all))], all[r.IntN(len(all))])
		}
	}
}

// checkOrdered checks what holds of all places of one upstream.
func checkOrdered(t *testing.T, a, b, c *place) {
	t.Helper()
	ab, known := order(a, b)
	ba, mirrored := order(b, a)
	if ab != -ba || known != mirrored {
		t.Fatalf("%+v and %+v: got %d, %t one way and %d, %t the other", a, b, ab, known, ba, mirrored)
	}
	bc, next := order(b, c)
	if known && next && ab < 0 && bc < 0 {
		if ac, ok := order(a, c); !ok || ac >= 0 {
			t.Fatalf("%+v, %+v, %+v: got %d, %t for the first and the last of three in order, want -1, true", a, b, c, ac, ok)
		}
	}
	if known && ab <= 0 && !covers(b, a) {
		t.Fatalf("%+v and %+v: got the second, which isn't before the first, without all that the first has", a, b)
	}
}
