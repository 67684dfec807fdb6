package kafka

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"sidestream/adapters"
)

// dated writes records of these times, in milliseconds after noon, each with a
// value that names its partition and that time.
func (f *fake) dated(t testing.TB, partition int32, after ...int) {
	t.Helper()
	for _, ms := range after {
		f.put(t, &kgo.Record{
			Topic: topicName, Partition: partition, Timestamp: noon.Add(time.Duration(ms) * time.Millisecond),
			Value: []byte(strconv.Itoa(int(partition)) + "@" + strconv.Itoa(ms)),
		})
	}
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestStart(t *testing.T) {
	t.Parallel()
	k := startFake(t, 4, kfake.NumBrokers(2))
	k.dated(t, 0, 10, 20, 30, 40)
	k.dated(t, 1, 20, 20, 20)
	k.dated(t, 2, 5) // and 3 is empty
	k.trim(t, 0, 1)
	at := func(ms int) Start { return Start{Time: noon.Add(time.Duration(ms) * time.Millisecond)} }
	from := func(offset int64) Start { return Start{Offset: &offset} }
	all := []string{"0@20", "0@30", "0@40", "1@20", "1@20", "1@20", "2@5"}
	for _, c := range []struct {
		name  string
		start Start
		want  []string
	}{
		{"not said", Start{}, nil},
		{"latest", Start{word: startLatest}, nil},
		{"earliest", Start{word: startEarliest}, all},
		{"a time before all", at(-1000), all},
		{"the time of several", at(20), all[:6]},
		{"a time between", at(21), all[1:3]},
		{"the last time", at(40), all[2:3]},
		{"a time after all", at(41), nil},
		{"offset 0, which is gone in one", from(0), all},
		{"offset 2", from(2), []string{"0@30", "0@40", "1@20"}},
		{"an offset beyond all", from(1000), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := k.source(t, func(o *Options) { o.Start = c.start })
			r := run(t, s, "")
			r.waitLive()
			r.waitValues(c.want...)
			r.waitLive()
			checkValues(t, r.stop(), c.want...)
		})
	}
}

func TestSeek(t *testing.T) {
	t.Parallel()
	k := startFake(t, 4, kfake.NumBrokers(2))
	k.dated(t, 0, 10, 20, 30, 40)
	k.dated(t, 1, 20, 20, 20)
	k.dated(t, 2, 5)
	s := k.source(t, nil)
	r := run(t, s, "")
	r.wait("all", func() bool { return len(r.seen()) == 8 })
	r.waitLive()
	events := r.stop()
	for _, ms := range []int{-1 << 40, 0, 5, 6, 10, 19, 20, 21, 30, 40, 41, 1 << 40} {
		when := noon.Add(time.Duration(ms) * time.Millisecond)
		at, err := s.Seek(t.Context(), when)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, e := range events {
			if !e.Time.Before(when) {
				want = append(want, string(e.Data))
			}
		}
		r := run(t, k.source(t, nil), at)
		r.waitLive()
		checkValues(t, r.stop(), want...)
	}
}

// A record that comes while Seek asks, dated after the time, is behind the
// place.
func TestSeekWhileProducing(t *testing.T) {
	t.Parallel()
	k := startFake(t, 1)
	k.dated(t, 0, 10)
	s := k.source(t, nil)
	// The fake answers one request after the other. The record comes in between
	// those of Seek, whichever they are.
	second := make(chan struct{})
	written := make(chan struct{})
	requests := 0
	k.ControlKey(int16(keyListOffsets), kfakeControl(k, func() {
		if requests++; requests == 2 {
			close(second)
			k.SleepControl(func() { <-written })
		}
	}))
	go func() {
		defer close(written)
		<-second
		_ = k.client.ProduceSync(context.Background(), &kgo.Record{Topic: topicName, Timestamp: noon.Add(time.Second), Value: []byte("0new")}).FirstErr()
	}()
	at, err := s.Seek(t.Context(), noon.Add(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	<-written
	run(t, s, at).waitValues("0new")
}

// A Live notice comes at once, and again every now and then.
func TestLiveAgain(t *testing.T) {
	t.Parallel()
	k := startFake(t, 3, kfake.NumBrokers(2))
	begun := time.Now()
	r := run(t, k.source(t, func(o *Options) { o.Start = Start{} }), "")
	at := r.waitLive()
	if took := time.Since(begun); took > beat {
		t.Errorf("got a Live notice after %v, want it at once", took)
	}
	for range 2 {
		begun = time.Now()
		if got := r.waitNextLive(); got != at {
			t.Errorf("got %s, want %s, since nothing has happened", got, at)
		}
		if took := time.Since(begun); took > 3*beat {
			t.Errorf("got the next Live notice after %v, want about %v", took, beat)
		}
	}
	if n := len(r.live()); n > 3 {
		t.Errorf("got %d Live notices, want 3", n)
	}
}

// Positions that say nothing lead to where a Run begins that has none.
func TestBeginAtUnknownPosition(t *testing.T) {
	t.Parallel()
	k := startFake(t, 2, kfake.SeedTopics(1, otherTopic))
	k.fill(t, "0a", "1a")
	s := k.source(t, nil)
	other := run(t, k.source(t, func(o *Options) { o.Topics = []string{otherTopic} }), "")
	kept := "." + positionText.EncodeToString(make([]byte, len(digest{})))
	for _, c := range []struct {
		name string
		at   adapters.Position
		want adapters.LostReason
	}{
		{"no position at all", "x", adapters.LostUnknown},
		{"of another topic", other.waitLive(), adapters.LostUnknown},
		{"forgotten", adapters.Position(kept), adapters.LostExpired},
	} {
		lost := run(t, s, c.at).lost()
		if lost.Reason != c.want || lost.Lost != -1 {
			t.Errorf("%s: got %s with %d lost, want %s with -1", c.name, lost.Reason, lost.Lost, c.want)
		}
		r := run(t, s, lost.Resume)
		r.waitValues("0a", "1a")
		r.stop()
	}
}

// A topic that was added to the route begins where a Run without a position
// does, and the others go on.
func TestTopicAddedToRoute(t *testing.T) {
	t.Parallel()
	for start, want := range map[string][]string{startEarliest: {"0b", "1a", "1b"}, startLatest: {"0b", "1b"}} {
		k := startFake(t, 1, kfake.SeedTopics(1, otherTopic))
		k.fill(t, "0a")
		k.put(t, &kgo.Record{Topic: otherTopic, Value: []byte("1a")})
		begin := func(o *Options) { o.Start = Start{word: start} }
		r := run(t, k.source(t, begin), "")
		at := r.waitLive()
		r.stop()
		k.fill(t, "0b")
		r = run(t, k.source(t, func(o *Options) { begin(o); both(o) }), at)
		r.waitLive()
		k.put(t, &kgo.Record{Topic: otherTopic, Value: []byte("1b")})
		if start == startEarliest {
			r.waitValues(append([]string{"0a"}, want...)[1:]...)
		} else {
			r.waitValues(want...)
		}
		// And back again.
		at = r.waitLive()
		r.stop()
		k.fill(t, "0c")
		r = run(t, k.source(t, begin), at)
		r.waitValues("0c")
		r.stop()
	}
}

// A partition that isn't there is a mistake of the configuration.
func TestPartitionNotThere(t *testing.T) {
	t.Parallel()
	k := startFake(t, 2)
	err := run(t, k.source(t, func(o *Options) { o.Partitions = []int32{0, 2} }), "").ended()
	if !adapters.IsPermanent(err) || adapters.Reason(err) != reasonNoPartition {
		t.Errorf("got %v, want a permanent %q", err, reasonNoPartition)
	}
}

// Missing permissions are permanent, and clients don't learn of what.
func TestDenied(t *testing.T) {
	t.Parallel()
	for _, key := range keysOf(keyFetch, keyListOffsets, keyMetadata) {
		k := startFake(t, 1)
		k.Fault(kfake.Fault{Keys: keysOf(key), Topic: topicName, Err: kerr.TopicAuthorizationFailed, Count: -1})
		err := run(t, k.source(t, nil), "").ended()
		if !adapters.IsPermanent(err) {
			t.Errorf("%s: got %v, want a permanent failure", key.Name(), err)
		}
	}
}

// Where a partition has no leader, or doesn't answer, there is no telling where
// a first Run is to begin: it fails, and another one doesn't.
func TestBeginInTrouble(t *testing.T) {
	t.Parallel()
	k := startFake(t, 2)
	trouble := k.Fault(kfake.Fault{Keys: keysOf(keyListOffsets), Topic: topicName, Partitions: []int32{1}, Err: kerr.OffsetNotAvailable, Count: -1})
	s := k.source(t, func(o *Options) { o.Start = Start{} })
	if err := run(t, s, "").ended(); err == nil || adapters.IsPermanent(err) {
		t.Errorf("got %v, want a transient failure", err)
	}
	trouble.Remove()
	run(t, s, "").waitLive()
}

// One who has a position goes on with what can be read.
func TestResumeInTrouble(t *testing.T) {
	t.Parallel()
	k := startFake(t, 2)
	s := k.source(t, func(o *Options) { o.Start = Start{} })
	r := run(t, s, "")
	at := r.waitLive()
	r.stop()
	k.fill(t, "0a", "1a")
	trouble := k.Fault(kfake.Fault{Keys: keysOf(keyListOffsets, keyFetch), Topic: topicName, Partitions: []int32{1}, Err: kerr.OffsetNotAvailable, Count: -1})
	r = run(t, s, at)
	r.waitValues("0a")
	k.fill(t, "0b")
	r.waitValues("0a", "0b")
	trouble.Remove()
	r.waitValues("0a", "0b", "1a")
}
