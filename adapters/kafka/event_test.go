package kafka

import (
	"encoding/json"
	"errors"
	"reflect"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sidestream/adapters"
	"sidestream/adapters/kafka/record"
)

func TestEventOfRecord(t *testing.T) {
	t.Parallel()
	k := startFake(t, 2)
	k.put(t, &kgo.Record{
		Topic: topicName, Partition: 1, Timestamp: noon, Key: []byte("k"), Value: []byte("1a"),
		Headers: []kgo.RecordHeader{
			{Key: "trace", Value: []byte("1")}, {Key: "Other", Value: nil}, {Key: "trace", Value: []byte{0xff}}, {Key: "", Value: []byte("x")},
		},
	})
	f := k.factory(t, adapters.Route{}, func(o *Options) { o.Start = Start{word: startEarliest} })
	for _, meta := range []bool{true, false} {
		s, err := f.Open(nil, adapters.Env{Meta: meta})
		if err != nil {
			t.Fatal(err)
		}
		r := run(t, s, "")
		r.waitValues("1a")
		e := r.seen()[0]
		r.stop()
		want := adapters.Event{Position: e.Position, Data: []byte("1a"), Key: "k", Time: noon}
		if meta {
			want.Headers = map[string][]string{"trace": {"1", "/w=="}, "Other": {""}, "": {"x"}}
			want.Meta = map[string]any{"topic": topicName, "partition": int64(1), "offset": int64(0), "timestamp": noon}
		}
		if !reflect.DeepEqual(e, want) {
			t.Errorf("meta: %t: got %+v, want %+v", meta, e, want)
		}
	}
}

// Null and empty are told apart where that means something: a record without a
// value takes its key away.
func TestNullAndEmpty(t *testing.T) {
	t.Parallel()
	for _, compacted := range []bool{false, true} {
		k := startFake(t, 1)
		k.put(t,
			&kgo.Record{Topic: topicName, Key: []byte("k"), Value: []byte{}},
			&kgo.Record{Topic: topicName, Key: []byte("k"), Value: nil},
			&kgo.Record{Topic: topicName, Key: nil, Value: []byte("v")},
			&kgo.Record{Topic: topicName, Key: []byte{}, Value: []byte("w")},
			&kgo.Record{Topic: topicName, Key: []byte{0xff, 0}, Value: nil},
		)
		s := k.source(t, func(o *Options) {
			if o.Compacted = compacted; compacted {
				o.Start = Start{}
			}
		})
		r := run(t, s, "")
		r.wait("five events", func() bool { return len(r.seen()) == 5 })
		for i, want := range []struct {
			key, typ, data string
		}{
			{"k", "", ""}, {"k", typeDelete, "k"}, {"", "", "v"}, {"", "", "w"}, {"/wA=", typeDelete, "/wA="},
		} {
			e := r.seen()[i]
			if e.Key != want.key || e.Type != want.typ || string(e.Data) != want.data {
				t.Errorf("compacted: %t: got %q of type %q with %q, want %+v", compacted, e.Key, e.Type, e.Data, want)
			}
			if got := e.State != nil; got != compacted {
				t.Errorf("compacted: %t: got a state: %t, want that", compacted, got)
			}
			if compacted && e.State.Gone != (want.typ == typeDelete) {
				t.Errorf("got gone: %t of %q, want %t", e.State.Gone, e.Data, !e.State.Gone)
			}
		}
	}
}

// Times that producers may write, but RFC 3339 can't, are none.
func TestTimeOfEvent(t *testing.T) {
	r := &reader{source: &source{factory: &factory{options: new(Options), places: newPlaces(minKept)}, topics: []string{topicName}, env: adapters.Env{Meta: true}}, at: newPlace()}
	r.encoder = r.factory.places.encoder()
	for _, c := range []struct {
		ms   int64
		want bool
	}{
		{0, true}, {-2, true}, {253402300799999, true}, {253402300800000, false}, {1 << 62, false}, {-62135596799999, true}, {-62167219200001, false}, {-1 << 62, false},
	} {
		e, err := r.event(t.Context(), &part{}, &record.Record{Time: time.UnixMilli(c.ms).UTC(), Value: []byte("x")})
		if err != nil {
			t.Fatal(err)
		}
		if got := !e.Time.IsZero(); got != c.want {
			t.Errorf("%d ms: got the time %v, want one: %t", c.ms, e.Time, c.want)
		}
		if _, err := json.Marshal(e.Meta); err != nil {
			t.Errorf("%d ms: got %v of facts as JSON, want no error", c.ms, err)
		}
	}
	e, err := r.event(t.Context(), &part{}, &record.Record{Value: []byte("x")})
	if _, has := e.Meta["timestamp"]; err != nil || has || !e.Time.IsZero() {
		t.Errorf("got %+v, %v of a record without a time, want none", e, err)
	}
}

// A state outlives what it came in, of which it must not keep all. This test
// measures memory, so that no other runs beside it.
func TestStateHasItsOwnMemory(t *testing.T) { //nolint:paralleltest // see above
	const batches, size = 40, 500 << 10
	k := startFake(t, 1)
	for i := range batches {
		// Both are in one batch.
		err := k.client.ProduceSync(t.Context(),
			&kgo.Record{Topic: topicName, Key: []byte("small" + strconv.Itoa(i)), Value: []byte("0")},
			&kgo.Record{Topic: topicName, Key: []byte("large"), Value: make([]byte, size)},
		).FirstErr()
		if err != nil {
			t.Fatal(err)
		}
	}
	s := k.source(t, compacted)
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	var small []adapters.Event
	err := s.Run(t.Context(), "", func(e adapters.Event) error {
		if e.Live {
			return errEnough
		}
		if len(e.Data) == 1 {
			small = append(small, e)
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Fatal(err)
	}
	if got := heap() - before; got > batches*size/4 {
		t.Errorf("got %d bytes kept for %d small states, want next to nothing of %d", got, len(small), batches*size)
	}
	if len(small) != batches {
		t.Errorf("got %d small states, want %d", len(small), batches)
	}
}
