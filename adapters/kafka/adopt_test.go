package kafka

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"

	"sidestream/adapters"
	"sidestream/adapters/kafka/broker"
)

// before28 are the versions of a broker that has no topic ids.
func before28() kfake.Opt { return kfake.MaxVersions(kversion.V2_7_0()) }

const otherTopic = "RETURNS"

// both has a source read two topics.
func both(o *Options) { o.Topics = []string{topicName, otherTopic} }

// A topic that was deleted and created anew is lost, whatever it holds by then:
// less than before, as much, or more.
func TestTopicRecreatedWhileRunning(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		anew []string
	}{
		{"with less", []string{"0x"}},
		{"with as much", []string{"0x", "0y", "1x", "1y", "2x"}},
		{"with more", []string{"0x", "0y", "0z", "1x", "1y", "1z", "2x", "2y"}},
		{"empty", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			k := startFake(t, 3, kfake.NumBrokers(2))
			s := k.source(t, nil)
			old := []string{"0a", "0b", "1a", "1b", "2a"}
			k.fill(t, old...)
			r := run(t, s, "")
			r.waitValues(old...)
			k.recreate(t, topicName, 3)
			k.fill(t, c.anew...)
			lost := r.lost()
			if lost.Reason != adapters.LostRecreated || lost.Lost != -1 {
				t.Errorf("got %s with %d lost, want %s with -1", lost.Reason, lost.Lost, adapters.LostRecreated)
			}
			checkValues(t, r.seen(), old...)
			r = run(t, s, lost.Resume)
			r.waitLive()
			r.waitValues(c.anew...)
		})
	}
}

// fill writes values, each into the partition that its first letter names.
func (f *fake) fill(t testing.TB, values ...string) {
	t.Helper()
	for _, v := range values {
		f.put(t, &kgo.Record{Topic: topicName, Partition: int32(v[0] - '0'), Value: []byte(v)})
	}
}

func TestTopicRecreatedWhileAway(t *testing.T) {
	t.Parallel()
	k := startFake(t, 3)
	old := []string{"0a", "0b", "1a", "1b", "2a"}
	k.fill(t, old...)
	r := run(t, k.source(t, nil), "")
	r.waitValues(old...)
	at := r.waitLive()
	r.stop()
	k.recreate(t, topicName, 3)
	anew := []string{"0x", "0y", "1x", "1y", "2x", "2y"}
	k.fill(t, anew...)
	for name, s := range map[string]*source{"same": k.source(t, nil), "latest": k.source(t, func(o *Options) { o.Start = Start{} })} {
		lost := run(t, s, at).lost()
		if lost.Reason != adapters.LostRecreated {
			t.Errorf("%s: got %s, want %s", name, lost.Reason, adapters.LostRecreated)
		}
		r := run(t, s, lost.Resume)
		r.waitLive()
		r.waitValues(anew...)
		r.stop()
	}
}

// Of two topics the one that was created anew is read from its start, and the
// other goes on where it was.
func TestOneTopicRecreated(t *testing.T) {
	t.Parallel()
	for _, away := range []bool{false, true} {
		k := startFake(t, 1, kfake.SeedTopics(1, otherTopic), kfake.NumBrokers(2))
		s := k.source(t, both)
		k.fill(t, "0a", "0b")
		k.put(t, &kgo.Record{Topic: otherTopic, Value: []byte("1a")})
		r := run(t, s, "")
		r.waitValues("0a", "0b", "1a")
		at := r.waitLive()
		if away {
			r.stop()
		}
		k.recreate(t, topicName, 1)
		k.fill(t, "0x", "0y", "0z")
		if away {
			r = run(t, s, at)
		}
		lost := r.lost()
		if lost.Reason != adapters.LostRecreated {
			t.Errorf("away: %t: got %s, want %s", away, lost.Reason, adapters.LostRecreated)
		}
		k.put(t, &kgo.Record{Topic: otherTopic, Value: []byte("1b")})
		r = run(t, s, lost.Resume)
		r.waitValues("0x", "0y", "0z", "1b")
		r.stop()
	}
}

// Brokers without topic ids give a new topic away by its having fewer records,
// be it in one partition alone. All of it is read then.
func TestTopicRecreatedWithoutIDs(t *testing.T) {
	t.Parallel()
	for _, away := range []bool{false, true} {
		k := startFake(t, 2, before28())
		s := k.source(t, nil)
		k.fill(t, "0a", "0b", "0c", "1a")
		r := run(t, s, "")
		r.waitValues("0a", "0b", "0c", "1a")
		at := r.waitLive()
		if away {
			r.stop()
		}
		k.recreate(t, topicName, 2)
		k.fill(t, "1x", "0x")
		if away {
			r = run(t, s, at)
		}
		lost := r.lost()
		if lost.Reason != adapters.LostRecreated || lost.Lost != -1 {
			t.Errorf("away: %t: got %s with %d lost, want %s with -1", away, lost.Reason, lost.Lost, adapters.LostRecreated)
		}
		r = run(t, s, lost.Resume)
		r.waitLive()
		r.waitValues("0x", "1x")
		r.stop()
	}
}

// Without topic ids, a topic that has come to have fewer partitions is another
// one too, since no topic loses any.
func TestTopicRecreatedSmallerWithoutIDs(t *testing.T) {
	t.Parallel()
	for _, away := range []bool{false, true} {
		k := startFake(t, 3, before28())
		s := k.source(t, nil)
		k.fill(t, "0a", "1a", "2a")
		r := run(t, s, "")
		r.waitValues("0a", "1a", "2a")
		at := r.waitLive()
		if away {
			r.stop()
		}
		k.recreate(t, topicName, 1)
		k.fill(t, "0x", "0y")
		if away {
			r = run(t, s, at)
		}
		if lost := r.lost(); lost.Reason != adapters.LostRecreated {
			t.Errorf("away: %t: got %s, want %s", away, lost.Reason, adapters.LostRecreated)
		}
	}
}

func TestTopicNotThere(t *testing.T) {
	t.Parallel()
	k := startFake(t, 1)
	s := k.source(t, func(o *Options) { o.Topics = []string{otherTopic} })
	err := run(t, s, "").ended()
	if !adapters.IsPermanent(err) || adapters.Reason(err) != reasonNoTopic {
		t.Errorf("got %v of a topic that was never there, want a permanent %q", err, reasonNoTopic)
	}
	k.create(t, otherTopic, 1)
	k.put(t, &kgo.Record{Topic: otherTopic, Value: []byte("0a")})
	run(t, s, "").waitValues("0a")
}

// What was there and is gone may come back: that isn't permanent, and others
// are read meanwhile.
func TestTopicGone(t *testing.T) {
	t.Parallel()
	k := startFake(t, 1)
	s := k.source(t, nil)
	k.fill(t, "0a")
	r := run(t, s, "")
	r.waitValues("0a")
	at := r.waitLive()
	k.remove(t, topicName)
	for range 2 {
		err := r.ended()
		if adapters.IsPermanent(err) || adapters.Reason(err) != reasonGone {
			t.Errorf("got %v, want a transient %q", err, reasonGone)
		}
		r = run(t, s, at)
	}
	k.create(t, topicName, 1)
	if lost := run(t, s, at).lost(); lost.Reason != adapters.LostRecreated {
		t.Errorf("got %s, want %s", lost.Reason, adapters.LostRecreated)
	}
}

func TestOneTopicGone(t *testing.T) {
	t.Parallel()
	k := startFake(t, 1, kfake.SeedTopics(1, otherTopic), kfake.NumBrokers(2))
	s := k.source(t, both)
	k.fill(t, "0a")
	r := run(t, s, "")
	r.waitValues("0a")
	at := r.waitLive()
	k.remove(t, topicName)
	other := func(v string) { k.put(t, &kgo.Record{Topic: otherTopic, Value: []byte(v)}) }
	other("1a")
	r.waitValues("0a", "1a")
	other("1b")
	r.waitValues("0a", "1a", "1b")

	// One who comes while it is gone goes on with the other too.
	late := run(t, s, at)
	late.waitValues("1a", "1b")
	after := late.seen()[1].Position
	late.stop()

	k.create(t, topicName, 1)
	k.fill(t, "0x")
	for name, r := range map[string]*running{"before": r, "after": run(t, s, after)} {
		lost := r.lost()
		if lost.Reason != adapters.LostRecreated {
			t.Errorf("%s: got %s, want %s", name, lost.Reason, adapters.LostRecreated)
		}
		r = run(t, s, lost.Resume)
		r.waitLive()
		r.waitValues("0x")
		r.stop()
	}
}

// One who begins while a topic is gone has lost nothing when it comes back.
func TestBegunWhileTopicGone(t *testing.T) {
	t.Parallel()
	k := startFake(t, 1, kfake.SeedTopics(1, otherTopic))
	s := k.source(t, both)
	r := run(t, s, "")
	r.waitLive()
	r.stop()
	k.remove(t, topicName)
	r = run(t, s, "")
	r.waitLive()
	k.create(t, topicName, 1)
	k.fill(t, "0x")
	r.waitValues("0x")
}

func TestPartitionsAdded(t *testing.T) {
	t.Parallel()
	k := startFake(t, 2, kfake.NumBrokers(2))
	s := k.source(t, func(o *Options) { o.Start = Start{} })
	k.fill(t, "0old", "1old")
	r := run(t, s, "")
	at := r.waitLive()
	k.fill(t, "0a")
	r.waitValues("0a")
	k.grow(t, topicName, 4)
	k.fill(t, "3a", "2a", "0b", "3b", "1a")
	want := []string{"0a", "0b", "1a", "2a", "3a", "3b"}
	r.waitValues(want...)
	events := r.stop()

	// Who was away meanwhile gets the same.
	away := run(t, s, at)
	away.waitValues(want...)
	away.stop()
	for i, e := range events {
		again := run(t, s, e.Position)
		again.waitValues(payloads(events)[i+1:]...)
		again.waitLive()
		again.stop()
	}
}

// A key moves to another partition when some are added. Its records are found in
// both.
func TestKeyMoves(t *testing.T) {
	t.Parallel()
	key := movingKey(t, 2, 3, 2)
	k := startFake(t, 2)
	s := k.source(t, func(o *Options) { o.RecordKey = key })
	here := partitionerMurmur2.partition([]byte(key), 2)
	put := func(p int32, value string) {
		k.put(t, &kgo.Record{Topic: topicName, Partition: p, Key: []byte(key), Value: []byte(value)},
			&kgo.Record{Topic: topicName, Partition: p, Key: []byte("other"), Value: []byte("noise")})
	}
	put(here, "0a")
	r := run(t, s, "")
	r.waitValues("0a")
	at := r.waitLive()
	put(here, "0b")
	k.grow(t, topicName, 3)
	put(2, "1a")
	put(here, "0c") // of a producer that doesn't know yet
	r.waitValues("0a", "0b", "0c", "1a")
	r.stop()
	away := run(t, s, at)
	away.waitValues("0b", "0c", "1a")
	for i, e := range away.stop() {
		again := run(t, s, e.Position)
		again.waitValues(payloads(away.seen())[i+1:]...)
		again.waitLive()
		again.stop()
	}
}

// movingKey returns a key that is in another partition when there are more, then
// in this one.
func movingKey(t testing.TB, from, to int, in int32) string {
	t.Helper()
	for c := 'a'; c <= 'z'; c++ {
		for d := 'a'; d <= 'z'; d++ {
			key := string([]rune{c, d})
			if partitionerMurmur2.partition([]byte(key), to) == in && partitionerMurmur2.partition([]byte(key), from) != in {
				return key
			}
		}
	}
	t.Fatal("got no key that moves, want one")
	return ""
}

// A key may move to a partition that is old, whose first records, of other
// keys, are gone. Nothing is lost with them.
func TestKeyMovesToTrimmedPartition(t *testing.T) {
	t.Parallel()
	key := movingKey(t, 2, 3, 1)
	k := startFake(t, 2)
	s := k.source(t, func(o *Options) { o.RecordKey = key })
	put := func(p int32, key, value string) {
		k.put(t, &kgo.Record{Topic: topicName, Partition: p, Key: []byte(key), Value: []byte(value)})
	}
	put(0, key, "0a")
	put(1, "other", "noise")
	put(1, "other", "noise")
	if err := k.DeleteRecords(topicName, 1, 1); err != nil {
		t.Fatal(err)
	}
	r := run(t, s, "")
	r.waitValues("0a")
	at := r.waitLive()
	k.grow(t, topicName, 3)
	put(1, key, "1a")
	away := run(t, s, at)
	away.waitValues("1a")
	r.waitValues("0a", "1a")
}

// Records of a key that were in the partition before it moved may be gone too,
// and that is a loss.
func TestKeyExpiredWhereItWas(t *testing.T) {
	t.Parallel()
	key := movingKey(t, 1, 2, 1)
	k := startFake(t, 1)
	s := k.source(t, func(o *Options) { o.RecordKey = key })
	put := func(p int32, value string) {
		k.put(t, &kgo.Record{Topic: topicName, Partition: p, Key: []byte(key), Value: []byte(value)})
	}
	put(0, "0a")
	r := run(t, s, "")
	r.waitValues("0a")
	at := r.waitLive()
	r.stop()
	put(0, "0b")
	put(0, "0c")
	put(0, "0d")
	k.grow(t, topicName, 2)
	put(1, "1a")
	if err := k.DeleteRecords(topicName, 0, 3); err != nil {
		t.Fatal(err)
	}
	lost := run(t, s, at).lost()
	if lost.Reason != adapters.LostExpired || lost.Lost != -1 {
		t.Errorf("got %s with %d lost, want %s with -1", lost.Reason, lost.Lost, adapters.LostExpired)
	}
	run(t, s, lost.Resume).waitValues("0d", "1a")
}

// What is looked up again and again without a change changes nothing.
func TestLayoutUnchanged(t *testing.T) {
	t.Parallel()
	k := startFake(t, 3, kfake.NumBrokers(3))
	s := k.source(t, func(o *Options) { o.MetadataAge = adapters.Duration(minMetadata) })
	looks := k.Fault(kfake.Fault{Keys: keysOf(keyMetadata), Topic: topicName, Observe: true, Count: -1})
	r := run(t, s, "")
	r.waitLive()
	eventually(t, "ten looks at the layout", func() bool { return looks.Hits() > 10 })
	k.fill(t, "0a", "1a", "2a")
	r.waitValues("0a", "1a", "2a")
}

func TestNodeOfPartition(t *testing.T) {
	nodes := map[int32]broker.Node{1: {ID: 1}, 2: {ID: 2}}
	r := &reader{layout: &layout{brokers: nodes}}
	for _, c := range []struct {
		name string
		part part
		want int32 // -1: none
	}{
		{"its leader", part{leader: 1, replica: -1}, 1},
		{"a leader that isn't known", part{leader: 3, replica: -1}, -1},
		{"no leader", part{leader: -1, replica: -1}, -1},
		{"a replica whose time is over", part{leader: 1, replica: 2}, 1},
	} {
		got, ok := r.node(&c.part)
		if ok != (c.want >= 0) || ok && got.ID != c.want {
			t.Errorf("%s: got %v, %t, want %d", c.name, got, ok, c.want)
		}
	}
}
