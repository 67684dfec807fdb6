package kafka

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"sidestream/adapters"
)

// trim deletes the records before an offset.
func (f *fake) trim(t testing.TB, partition int32, before int64) {
	t.Helper()
	if err := f.DeleteRecords(topicName, partition, before); err != nil {
		t.Fatal(err)
	}
}

func TestExpiredWhileAway(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*Options)
		lost   int64
	}{
		{"all records", nil, 3},
		{"uncommitted too", func(o *Options) { o.Isolation = isolationUncommitted }, 3},
		{"some partitions", func(o *Options) { o.Partitions = []int32{1, 2} }, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			k := startFake(t, 3, kfake.NumBrokers(2))
			k.fill(t, "0a", "1a", "2a")
			s := k.source(t, c.change)
			r := run(t, s, "")
			at := r.waitLive()
			r.stop()
			k.fill(t, "0b", "0c", "0d", "1b", "1c", "2b")
			k.trim(t, 0, 3) // b and c are gone
			k.trim(t, 1, 2) // and b here
			lost := run(t, s, at).lost()
			if lost.Reason != adapters.LostExpired || lost.Lost != c.lost {
				t.Errorf("got %s with %d lost, want %s with %d", lost.Reason, lost.Lost, adapters.LostExpired, c.lost)
			}
			want := []string{"1c", "2b"}
			if len(s.factory.options.Partitions) == 0 {
				want = append(want, "0d")
			}
			r = run(t, s, lost.Resume)
			r.waitLive()
			r.waitValues(want...)
		})
	}
}

// What retention takes that was read, or isn't there to be read, is no loss.
func TestNotExpired(t *testing.T) {
	t.Parallel()
	k := startFake(t, 2)
	k.fill(t, "0a", "0b", "1a")
	s := k.source(t, nil)
	r := run(t, s, "")
	at := r.waitLive()
	r.waitValues("0a", "0b", "1a")
	before := r.seen()
	r.stop()
	k.trim(t, 0, 2)
	k.trim(t, 1, 1)
	k.fill(t, "0c")
	r = run(t, s, at)
	r.waitValues("0c")
	r.stop()
	// And one who wasn't as far has lost the difference.
	for i, e := range before {
		lost := run(t, s, e.Position).lost()
		if got, want := lost.Lost, int64(len(before)-1-i); got != want && i < len(before)-1 {
			t.Errorf("got %d lost after event %d, want %d", got, i, want)
		}
		if i == len(before)-2 {
			break
		}
	}
}

// Retention overtakes a Run whose events are taken slowly: what it had got hold
// of is delivered, and what is gone is told.
func TestExpiredWhileRunning(t *testing.T) {
	t.Parallel()
	k := startFake(t, 2)
	s := k.source(t, func(o *Options) { o.Fetch.MaxBytes, o.Fetch.MaxPartitionBytes = 1024, 1024 })
	k.fill(t, "0first")
	reached, goOn := make(chan struct{}), make(chan struct{})
	r := runWith(t, s, "", func(e adapters.Event) error {
		if string(e.Data) == "0first" {
			close(reached)
			<-goOn
		}
		return nil
	})
	<-reached
	var all []string
	for i := range 200 {
		all = append(all, fmt.Sprintf("0%03d-%0100d", i, 0))
	}
	k.fill(t, all...)
	k.fill(t, "1a")
	k.trim(t, 0, 151) // of 201
	close(goOn)
	lost := r.lost()
	got := 0
	for _, e := range r.seen() {
		if e.Data[0] == '0' {
			got++
		}
	}
	if want := int64(151 - got); lost.Reason != adapters.LostExpired || lost.Lost != want || got > 100 {
		t.Errorf("got %s with %d lost after %d records, want %s with %d", lost.Reason, lost.Lost, got, adapters.LostExpired, want)
	}
	had := len(r.seen()) - got // whether 1a has come
	r = run(t, s, lost.Resume)
	want := all[150:]
	if had == 0 {
		want = append([]string{"1a"}, want...)
	}
	r.waitLive()
	r.waitValues(want...)
}

// A log that is shorter than the position isn't the log that it was: it was cut
// off when a replica that hadn't all of it came to lead (unclean election).
func TestLogCutOff(t *testing.T) {
	t.Parallel()
	k := startFake(t, 1, before28())
	s := k.source(t, nil)
	k.fill(t, "0a", "0b", "0c")
	r := run(t, s, "")
	r.waitValues("0a", "0b", "0c")
	at := r.waitLive()
	r.stop()
	k.recreate(t, topicName, 1)
	k.fill(t, "0a")
	lost := run(t, s, at).lost()
	if lost.Reason != adapters.LostRecreated || lost.Lost != -1 {
		t.Errorf("got %s with %d lost, want %s with -1", lost.Reason, lost.Lost, adapters.LostRecreated)
	}
	r = run(t, s, lost.Resume)
	r.waitValues("0a")
	r.waitLive()
}

// With a key, what is lost in its partition may be of other keys.
func TestExpiredOfKey(t *testing.T) {
	t.Parallel()
	k := startFake(t, 2)
	const key = "a"
	p := partitionerMurmur2.partition([]byte(key), 2)
	put := func(value string) {
		k.put(t, &kgo.Record{Topic: topicName, Partition: p, Key: []byte(key), Value: []byte(value)})
	}
	s := k.source(t, func(o *Options) { o.RecordKey = key })
	put("0a")
	r := run(t, s, "")
	r.waitValues("0a")
	at := r.waitLive()
	r.stop()
	put("0b")
	put("0c")
	k.trim(t, p, 2)
	lost := run(t, s, at).lost()
	if lost.Reason != adapters.LostExpired || lost.Lost != -1 {
		t.Errorf("got %s with %d lost, want %s with -1", lost.Reason, lost.Lost, adapters.LostExpired)
	}
	run(t, s, lost.Resume).waitValues("0c")
}

// The same happens while a Run is under way that has read nothing of the
// partition yet, since its broker was in trouble.
func TestExpiredOfKeyWhileRunning(t *testing.T) {
	t.Parallel()
	const key = "a"
	k := startFake(t, 1)
	s := k.source(t, func(o *Options) { o.RecordKey = key })
	put := func(value string) {
		k.put(t, &kgo.Record{Topic: topicName, Key: []byte(key), Value: []byte(value)})
	}
	r := run(t, s, "")
	r.waitLive()
	trouble := k.Fault(kfake.Fault{Keys: keysOf(keyFetch), Topic: topicName, Err: kerr.KafkaStorageError, Count: -1})
	put("0a")
	if err := trouble.Wait(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	put("0b")
	k.trim(t, 0, 1)
	trouble.Remove()
	lost := r.lost()
	if lost.Reason != adapters.LostExpired || lost.Lost != -1 {
		t.Errorf("got %s with %d lost, want %s with -1", lost.Reason, lost.Lost, adapters.LostExpired)
	}
	run(t, s, lost.Resume).waitValues("0b")
}
