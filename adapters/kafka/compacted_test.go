package kafka

import (
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"sidestream/adapters"
)

// startCompacted starts a cluster with a compacted topic.
func startCompacted(t testing.TB, partitions int32, config map[string]string, more ...kfake.Opt) *fake {
	t.Helper()
	k := startFake(t, partitions, more...)
	k.remove(t, topicName)
	c := map[string]string{"cleanup.policy": "compact"}
	for name, value := range config {
		c[name] = value
	}
	if err := k.CreateTopic(topicName, partitions, c); err != nil {
		t.Fatal(err)
	}
	return k
}

// state writes the state of a key, or takes it away if there is none.
func (f *fake) state(t testing.TB, partition int32, key, value string, at time.Time) {
	t.Helper()
	r := &kgo.Record{Topic: topicName, Partition: partition, Key: []byte(key), Timestamp: at}
	if value != "" {
		r.Value = []byte(value)
	}
	f.put(t, r)
}

func compacted(o *Options) { o.Compacted, o.Start = true, Start{} }

func TestStates(t *testing.T) {
	t.Parallel()
	k := startCompacted(t, 1, nil)
	now := time.Now()
	k.state(t, 0, "k", "0a", now)
	k.state(t, 0, "l", "0b", now)
	k.state(t, 0, "k", "", now)
	k.put(t, &kgo.Record{Topic: topicName, Key: []byte("m"), Value: []byte{}})
	r := run(t, k.source(t, compacted), "")
	r.wait("four events", func() bool { return len(r.seen()) == 4 })
	events := r.seen()
	for i, want := range []struct {
		key, typ, data string
		gone           bool
	}{
		{"k", "", "0a", false},
		{"l", "", "0b", false},
		{"k", typeDelete, "k", true},
		{"m", "", "", false},
	} {
		e := events[i]
		if e.Key != want.key || e.Type != want.typ || string(e.Data) != want.data || e.State == nil || e.State.Gone != want.gone {
			t.Errorf("got %+v with %+v, want %+v", e, e.State, want)
			continue
		}
		if want.gone != (len(e.State.Data) == 0 && e.State.Type == "") && want.key != "m" {
			t.Errorf("got the state %+v, want it empty: %t", e.State, want.gone)
		}
		if !want.gone && !e.Whole() {
			t.Errorf("got an event that isn't the state of %q itself, want one", e.Key)
		}
	}
}

// knownAtPosition returns since when a position knows what happened.
func knownAtPosition(t testing.TB, s *source, at adapters.Position) time.Time {
	t.Helper()
	p, err := s.factory.places.parse(at)
	if err != nil {
		t.Fatal(err)
	}
	return time.Unix(p.minute*60, 0)
}

func isFresh(at time.Time) bool { return time.Since(at) < 2*time.Minute }

func TestMinuteOfPositions(t *testing.T) {
	t.Parallel()
	k := startCompacted(t, 2, nil)
	old := time.Now().Add(-48 * time.Hour)
	k.state(t, 0, "a", "0a", old)
	k.state(t, 0, "b", "0b", old.Add(time.Hour))
	k.state(t, 0, "c", "0c", old.Add(2*time.Hour))
	k.state(t, 1, "d", "1d", time.Now())
	s := k.source(t, compacted)
	r := run(t, s, "")
	r.waitValues("0a", "0b", "0c", "1d")
	if at := knownAtPosition(t, s, r.waitLive()); !isFresh(at) {
		t.Errorf("got %v as what is known at the end, want now", at)
	}
	for _, e := range r.seen()[:1] {
		if isFresh(knownAtPosition(t, s, e.Position)) && string(e.Data) != "1d" {
			t.Errorf("got a fresh position in the middle of an old backlog, want one as old as its record")
		}
	}
	events := r.seen()
	r.stop()
	i := slices.IndexFunc(events, func(e adapters.Event) bool { return string(e.Data) == "0a" })
	if lost := run(t, s, events[i].Position).lost(); lost.Reason != adapters.LostExpired || lost.Lost != -1 || lost.Resume != "" {
		t.Errorf("got %+v, want expired, all anew", lost)
	}
	again := run(t, s, r.live()[len(r.live())-1])
	again.waitLive()
	if got := again.values(); len(got) > 0 {
		t.Errorf("got %v after a fresh position, want nothing", got)
	}
}

// A reader that has kept up is fresh, however old the times are that producers
// write.
func TestMinuteOfOldRecords(t *testing.T) {
	t.Parallel()
	k := startCompacted(t, 1, nil)
	s := k.source(t, compacted)
	r := run(t, s, "")
	r.waitLive()
	old := time.Now().Add(-48 * time.Hour)
	// In one batch, so that all but the last have others behind them.
	err := k.client.ProduceSync(t.Context(),
		&kgo.Record{Topic: topicName, Key: []byte("a"), Value: []byte("0a"), Timestamp: old},
		&kgo.Record{Topic: topicName, Key: []byte("b"), Value: []byte("0b"), Timestamp: old},
		&kgo.Record{Topic: topicName, Key: []byte("c"), Value: []byte("0c"), Timestamp: old},
	).FirstErr()
	if err != nil {
		t.Fatal(err)
	}
	r.waitValues("0a", "0b", "0c")
	for i, e := range r.stop() {
		if at := knownAtPosition(t, s, e.Position); !isFresh(at) {
			t.Errorf("got %v as what is known at event %d of one who has kept up, want now", at, i)
		}
	}
}

// A partition that can't be read for the moment makes no position older than the
// one that was gone on from, and none fresher.
func TestMinuteInTrouble(t *testing.T) {
	t.Parallel()
	k := startCompacted(t, 2, nil)
	k.state(t, 1, "z", "1z", time.Now())
	s := k.source(t, compacted)
	r := run(t, s, "")
	at := r.waitLive()
	r.stop()
	p, err := s.factory.places.parse(at)
	if err != nil {
		t.Fatal(err)
	}
	p.minute -= 20 * 60
	old := s.factory.places.position(p)
	k.Fault(kfake.Fault{Keys: keysOf(keyFetch), Topic: topicName, Partitions: []int32{1}, Err: kerr.KafkaStorageError, Count: -1})
	k.state(t, 0, "a", "0a", time.Now())
	for _, c := range []struct {
		name  string
		after adapters.Position
		want  time.Time // about
	}{
		{"from the start", "", time.Now()},
		{"after a fresh position", at, time.Now()},
		{"after an old one", old, time.Unix(p.minute*60, 0)},
	} {
		r := run(t, s, c.after)
		r.waitValues("0a")
		if got := knownAtPosition(t, s, r.seen()[0].Position); c.want.Sub(got).Abs() > 2*time.Minute {
			t.Errorf("%s: got %v as what is known, want %v", c.name, got, c.want)
		}
		r.stop()
	}
}

// A clock that is ahead makes nothing fresh.
func TestMinuteOfRecordsToCome(t *testing.T) {
	t.Parallel()
	k := startCompacted(t, 1, nil)
	old := time.Now().Add(-48 * time.Hour)
	k.state(t, 0, "a", "0a", old)
	k.state(t, 0, "b", "0b", time.Now().Add(time.Hour))
	k.state(t, 0, "c", "0c", old)
	s := k.source(t, compacted)
	r := run(t, s, "")
	r.waitValues("0a", "0b", "0c")
	if at := knownAtPosition(t, s, r.seen()[1].Position); isFresh(at) {
		t.Errorf("got %v as what is known in the middle of an old backlog, want it old", at)
	}
}

// For as long as the topic keeps deletions, and no longer, a position is good.
func TestDeleteRetention(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, retention string
		age             time.Duration
		lost            bool
	}{
		{"by default", "", 23 * time.Hour, false},
		{"by default, too old", "", 25 * time.Hour, true},
		{"short", "600000", 5 * time.Minute, false},
		{"short, too old", "600000", 12 * time.Minute, true},
		{"for ever", "9223372036854775807", 1e5 * time.Hour, false},
		{"not at all", "0", 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			config := map[string]string{}
			if c.retention != "" {
				config["delete.retention.ms"] = c.retention
			}
			k := startCompacted(t, 1, config)
			s := k.source(t, compacted)
			r := run(t, s, "")
			at := r.waitLive()
			r.stop()
			p, err := s.factory.places.parse(at)
			if err != nil {
				t.Fatal(err)
			}
			p.minute = time.Now().Add(-c.age).Unix() / 60
			r = run(t, s, s.factory.places.position(p))
			if c.lost {
				if lost := r.lost(); lost.Reason != adapters.LostExpired {
					t.Errorf("got %s, want %s", lost.Reason, adapters.LostExpired)
				}
				return
			}
			r.waitLive()
		})
	}
}

// Who may not see the topic's settings goes by what they are by default; what
// fails otherwise is a failure.
func TestDeleteRetentionDenied(t *testing.T) {
	t.Parallel()
	k := startCompacted(t, 1, nil)
	s := k.source(t, compacted)
	r := run(t, s, "")
	at := r.waitLive()
	r.stop()
	denied := k.Fault(kfake.Fault{Keys: keysOf(keyDescribeConfigs), Err: kerr.TopicAuthorizationFailed, Count: -1})
	r = run(t, s, at)
	r.waitLive()
	r.stop()
	p, err := s.factory.places.parse(at)
	if err != nil {
		t.Fatal(err)
	}
	p.minute -= 25 * 60
	run(t, s, s.factory.places.position(p)).lost()
	if denied.Hits() < 2 {
		t.Errorf("got %d requests for settings, want 2", denied.Hits())
	}
	denied.Remove()
	k.Fault(kfake.Fault{Keys: keysOf(keyDescribeConfigs), Err: kerr.UnknownServerError, Count: -1})
	if err := run(t, s, at).ended(); err == nil || adapters.IsPermanent(err) || asLost(err) != nil {
		t.Errorf("got %v, want a transient failure", err)
	}
}

// What compaction takes out is no gap, also at the end of the log and where
// nothing is left of a batch.
func TestCompactionHoles(t *testing.T) {
	t.Parallel()
	k := startCompacted(t, 1, map[string]string{"segment.bytes": "200", "min.cleanable.dirty.ratio": "0", "delete.retention.ms": "1000000"})
	s := k.source(t, compacted)
	now := time.Now()
	k.state(t, 0, "first", "0first", now) // stays, since the fake lets the log begin where something is left
	for range 5 {
		for _, key := range []string{"a", "b", "c"} {
			k.state(t, 0, key, "0"+key, now)
		}
	}
	r := run(t, s, "")
	r.wait("all", func() bool { return len(r.seen()) == 16 })
	events := r.stop()
	k.Compact()
	r = run(t, s, "")
	r.waitLive()
	left := r.stop()
	if len(left) >= 16 {
		t.Fatalf("got %d events after compaction, want fewer", len(left))
	}
	for i, e := range events {
		again := run(t, s, e.Position)
		again.waitLive()
		var want []string
		for _, l := range left {
			if order, _ := s.factory.places.compare(e.Position, l.Position); order < 0 {
				want = append(want, string(l.Data))
			}
		}
		if got := payloads(again.stop()); !slices.Equal(got, want) {
			t.Errorf("got %v after event %d, want %v", got, i, want)
		}
	}
}
