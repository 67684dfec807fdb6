package kafka

import (
	"reflect"
	"testing"
)

// Two names with one hash, as about one pair of 80,000 names has.
const (
	twin      = "topic-5841"
	otherTwin = "topic-22932"
)

func TestHashName(t *testing.T) {
	// The beginnings of SHA-256 sums, as sha256sum(1) prints them: positions
	// outlive a release.
	for name, want := range map[string]uint32{
		"":       0xe3b0c442,
		"orders": 0x1c168adb,
	} {
		if got := hashName(name); got != want {
			t.Errorf("hashName(%q): got %#x, want %#x", name, got, want)
		}
	}
	if a, b := hashName(twin), hashName(otherTwin); a != b {
		t.Errorf("got hashes %#x of %q and %#x of %q, want one", a, twin, b, otherTwin)
	}
}

// An identity is that of an id if there is one, and otherwise that of a cluster
// and a name, and of nothing else that reads alike.
func TestHashIdentity(t *testing.T) {
	id := func(b byte) (id [16]byte) {
		id[15] = b
		return id
	}
	base := hashIdentity(id(1), "c", "orders")
	if got := hashIdentity(id(1), "d", "orders"); got != base {
		t.Errorf("got %#x with the id of a topic whose cluster got another name, want %#x", got, base)
	}
	seen := map[uint32]string{base: "an id"}
	for name, got := range map[string]uint32{
		"another id":      hashIdentity(id(2), "c", "orders"),
		"no id":           hashIdentity([16]byte{}, "c", "orders"),
		"another cluster": hashIdentity([16]byte{}, "d", "orders"),
		"another topic":   hashIdentity([16]byte{}, "c", "users"),
		"another border":  hashIdentity([16]byte{}, "co", "rders"),
		"no cluster":      hashIdentity([16]byte{}, "", "orders"),
	} {
		if other, twice := seen[got]; twice {
			t.Errorf("got one identity for %s and for %s, want two", name, other)
		}
		seen[got] = name
	}
}

// newTestPlace returns the place of topics, whose partitions from 0 on are at
// those offsets. Its last event is that of no partition.
func newTestPlace(topics ...topicPlace) *place {
	p := newPlace()
	p.topics = topics
	return p
}

// dense returns the place in a topic whose partitions, from 0 on, are there.
func dense(name, id uint32, next ...int64) topicPlace {
	t := topicPlace{name: name, id: id}
	for i, n := range next {
		t.parts = append(t.parts, partPlace{int32(i), n})
	}
	return t
}

func TestPlaceGrows(t *testing.T) {
	p := newPlace()
	if i := p.addTopic(20, 2); i != 0 {
		t.Fatalf("addTopic: got %d, want 0", i)
	}
	p.addPartition(0, 5, 50)
	p.last = at{0, 0}
	event := func() partPlace { return p.topics[p.last.topic].parts[p.last.index] }

	steps := []struct {
		what string
		do   func() int
		want int
	}{
		{"a partition behind", func() int { return p.addPartition(0, 9, 90) }, 1},
		{"a partition before", func() int { return p.addPartition(0, 0, 1) }, 0},
		{"a partition between", func() int { return p.addPartition(0, 7, 70) }, 2},
		{"a topic behind", func() int { return p.addTopic(30, 3) }, 1},
		{"a topic before", func() int { return p.addTopic(10, 1) }, 0},
		{"its partition", func() int { return p.addPartition(0, 0, 7) }, 0},
	}
	for _, s := range steps {
		if got := s.do(); got != s.want {
			t.Errorf("%s: got index %d, want %d", s.what, got, s.want)
		}
		if got, want := event(), (partPlace{5, 50}); got != want {
			t.Errorf("%s: got %+v as that of the last event, want %+v", s.what, got, want)
		}
	}
	want := []topicPlace{
		{10, 1, []partPlace{{0, 7}}},
		{20, 2, []partPlace{{0, 1}, {5, 50}, {7, 70}, {9, 90}}},
		{30, 3, nil},
	}
	if !reflect.DeepEqual(p.topics, want) {
		t.Errorf("got %+v, want %+v", p.topics, want)
	}

	empty := newPlace()
	empty.addTopic(1, 1)
	empty.addPartition(0, 0, 0)
	if want := (at{topic: none}); empty.last != want {
		t.Errorf("got %+v as the last event of a place that no event led to, want %+v", empty.last, want)
	}
}

func TestPlaceFind(t *testing.T) {
	sparse := topicPlace{parts: []partPlace{{1, 0}, {2, 0}, {1 << 30, 0}}}
	full := dense(0, 0, 1, 2, 3)
	for _, c := range []struct {
		topic     topicPlace
		partition int32
		index     int
		found     bool
	}{
		{sparse, 0, 0, false},
		{sparse, 1, 0, true},
		{sparse, 2, 1, true},
		{sparse, 3, 2, false},
		{sparse, 1 << 30, 2, true},
		{sparse, 1<<31 - 1, 3, false},
		{full, 0, 0, true},
		{full, 2, 2, true},
		{full, 3, 3, false},
		{full, -1, 0, false},
		{topicPlace{}, 0, 0, false},
	} {
		index, found := c.topic.find(c.partition)
		if index != c.index || found != c.found {
			t.Errorf("find(%d) in %v: got %d, %t, want %d, %t", c.partition, c.topic.parts, index, found, c.index, c.found)
		}
	}
	p := newTestPlace(topicPlace{name: 10}, topicPlace{name: 30})
	for _, c := range []struct {
		name  uint32
		index int
		found bool
	}{{5, 0, false}, {10, 0, true}, {20, 1, false}, {30, 1, true}, {40, 2, false}} {
		index, found := p.topic(c.name)
		if index != c.index || found != c.found {
			t.Errorf("topic(%d): got %d, %t, want %d, %t", c.name, index, found, c.index, c.found)
		}
	}
}

func TestPlaceClone(t *testing.T) {
	p := newTestPlace(dense(1, 1, 10, 20), dense(2, 2, 30))
	p.last, p.minute = at{1, 0}, 7
	q := p.clone()
	if !reflect.DeepEqual(p, q) {
		t.Errorf("got %+v, want %+v", q, p)
	}
	q.topics[0].parts[0].next = 99
	q.topics[1].id = 99
	q.addPartition(1, 1, 5)
	want := newTestPlace(dense(1, 1, 10, 20), dense(2, 2, 30))
	want.last, want.minute = at{1, 0}, 7
	if !reflect.DeepEqual(p, want) {
		t.Errorf("got %+v after its copy was changed, want %+v", p, want)
	}
}
