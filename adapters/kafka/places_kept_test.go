package kafka

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"sidestream/adapters"
)

// What was used last is kept, within the room that there is.
func TestKept(t *testing.T) {
	const fits = 4
	// Each place by itself, as by encoders of their own.
	room := fits * (len(largePlace(0).appendTo(nil)) + placeSize + stretchSize)
	places := newPlaces(adapters.Size(room))
	position := func(i int) adapters.Position { return places.position(largePlace(i)) }
	has := func(pos adapters.Position, i int) bool {
		p, err := places.parse(pos)
		if err == nil && fmt.Sprint(p) != fmt.Sprint(largePlace(i)) {
			t.Errorf("got %v for place %d, want that one", p, i)
		}
		return err == nil
	}
	var list []adapters.Position
	for i := range fits {
		list = append(list, position(i))
	}
	for i, pos := range list {
		if !has(pos, i) {
			t.Errorf("got place %d forgotten, want it kept, since all fit", i)
		}
	}
	has(list[0], 0)                             // used, by whoever came back with it
	if again := position(1); again != list[1] { // used, by another Run
		t.Errorf("got %q and %q for one place, want one position", list[1], again)
	}
	list = append(list, position(fits), position(fits+1))
	for i, want := range []bool{true, true, false, false, true, true} {
		if got := has(list[i], i); got != want {
			t.Errorf("place %d: got it kept: %t, want %t", i, got, want)
		}
	}
	k := places.kept
	if k.size > int64(room) || k.used.Len() != fits || len(k.byDigest) != fits {
		t.Errorf("got %d bytes, %d and %d places, want at most %d and %d", k.size, k.used.Len(), len(k.byDigest), room, fits)
	}

	tight := newPlaces(1)
	for i := range 3 {
		pos := tight.position(largePlace(i))
		if _, err := tight.parse(pos); err != nil {
			t.Errorf("got %v for the last place, want it kept even if it is larger than the room", err)
		}
	}
	if n := tight.kept.used.Len(); n != 1 {
		t.Errorf("got %d places where there is room for none, want the last one", n)
	}
}

// The size that is counted is that of what is kept, whatever has come and gone.
func TestKeptSize(t *testing.T) {
	const room = 100 << 10
	places := newPlaces(room)
	r := rand.New(rand.NewPCG(11, 12))
	start := largePlace(0)
	type run struct {
		at      *place
		encoder *encoder
	}
	runs := []run{}
	for range 3 {
		runs = append(runs, run{start.clone(), places.encoder()})
	}
	var positions []adapters.Position
	for range 1000 {
		c := &runs[r.IntN(len(runs))]
		if r.IntN(50) == 0 {
			c.at, c.encoder = start.clone(), places.encoder()
		}
		for range r.IntN(3) {
			c.at.topics[0].parts[r.IntN(4)].next++
		}
		positions = append(positions, c.encoder.position(c.at))
		places.parse(positions[max(0, len(positions)-1-r.IntN(100))]) // which is used, then
	}
	want, users := int64(0), map[*stretch]int{}
	for _, e := range places.kept.byDigest {
		want += placeSize
		users[e.Value.(keptPlace).stretch]++
	}
	for s, n := range users {
		if s.users != n {
			t.Errorf("got a stretch with %d users, want %d", s.users, n)
		}
		want += int64(len(s.first) + stretchSize + len(s.steps)*stepSize)
	}
	if got := places.kept.size; got != want || got > room {
		t.Errorf("got %d bytes kept, want %d, and at most %d", got, want, room)
	}
}

// The memory that kept places take is about what is counted.
func TestKeptMemory(t *testing.T) {
	const room = 2 << 20
	var took int64
	for range 5 { // what other tests have left may be freed meanwhile
		if took = keptMemory(t, room); took >= room/2 && took <= room*5/4 {
			return
		}
	}
	t.Errorf("got %d bytes in use, want about %d", took, room)
}

func keptMemory(t *testing.T, room int64) (took int64) {
	t.Helper()
	before := heap()
	places := newPlaces(adapters.Size(room))
	p := benchmarkPlace(1000)
	e := places.encoder()
	for i := range 15_000 {
		p.topics[0].parts[i%1000].next++
		p.last = at{0, i % 1000}
		e.position(p)
	}
	took = heap() - before
	if n := places.kept.used.Len(); int64(n) < room/400 {
		t.Errorf("got %d places kept in %d bytes, want one in 400", n, room)
	}
	runtime.KeepAlive(places)
	return took
}

func heap() int64 {
	for range 4 { // pools are emptied by the second, and what they held may hold more
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
