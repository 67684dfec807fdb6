package nats

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"sidestream/adapters"
)

// bucketOn returns the source of a route that reads the bucket prices.
func bucketOn(tb testing.TB, url string, change func(*Options)) *noted {
	tb.Helper()
	f := configure(tb, url, adapters.Route{}, func(o *Options) {
		o.Bucket = "prices"
		if change != nil {
			change(o)
		}
	})
	return &noted{Source: open(tb, f, nil)}
}

// prices returns a bucket called prices that keeps that many revisions.
func prices(tb testing.TB, js jetstream.JetStream, revisions uint8) jetstream.KeyValue {
	tb.Helper()
	return mustBucket(tb, js, jetstream.KeyValueConfig{Bucket: "prices", History: revisions})
}

// change puts entries, given as key=value, and deletes keys, given as -key, or
// purges them, given as !key.
func change(tb testing.TB, kv jetstream.KeyValue, changes ...string) {
	tb.Helper()
	for _, c := range changes {
		var err error
		key, value, put := strings.Cut(c, "=")
		switch {
		case put:
			_, err = kv.PutString(tb.Context(), key, value)
		case c[0] == '-':
			err = kv.Delete(tb.Context(), c[1:])
		default:
			err = kv.Purge(tb.Context(), c[1:])
		}
		if err != nil {
			tb.Fatalf("change %s: %v", c, err)
		}
	}
}

// changes returns what events say, in the way of change.
func changes(events []adapters.Event) []string {
	list := make([]string, len(events))
	for i, e := range events {
		list[i] = e.Key + "=" + string(e.Data)
		if e.Type == typeDelete {
			list[i] = "-" + e.Key
		}
	}
	return list
}

func wantChanges(tb testing.TB, got []adapters.Event, want ...string) {
	tb.Helper()
	if !slices.Equal(changes(got), want) {
		tb.Errorf("got %v, want %v", changes(got), want)
	}
}

func TestBucketBegins(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Options)
		want   []string // before the Live notice
		then   []string // after "a=9", "-b", "!c", "b=7"
	}{
		{
			name: "the newest of each key",
			want: []string{"b=3", "c=4", "a=6"}, then: []string{"a=9", "-b", "-c", "b=7"},
		},
		{
			name: "some keys", change: func(o *Options) { o.Keys = []string{"a", "c", "gone"} },
			want: []string{"c=4", "a=6"}, then: []string{"a=9", "-c"},
		},
		{
			name: "a key that isn't there", change: func(o *Options) { o.Keys = []string{"b.>"} },
		},
		{
			name: "ignore deletes", change: func(o *Options) { o.IgnoreDeletes = true },
			want: []string{"b=3", "c=4", "a=6"}, then: []string{"a=9", "b=7"},
		},
		{
			name: "history", change: func(o *Options) { o.History = true },
			want: []string{"a=1", "a=2", "b=3", "c=4", "gone=5", "a=6", "-gone"}, then: []string{"a=9", "-b", "-c", "b=7"},
		},
		{
			name: "history without deletes", change: func(o *Options) { o.History, o.IgnoreDeletes = true, true },
			want: []string{"a=1", "a=2", "b=3", "c=4", "gone=5", "a=6"}, then: []string{"a=9", "b=7"},
		},
		{
			name: "updates only", change: func(o *Options) { o.UpdatesOnly = true },
			then: []string{"a=9", "-b", "-c", "b=7"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := startServer(t)
			kv := prices(t, srv.JetStream(t), 8)
			change(t, kv, "a=1", "a=2", "b=3", "c=4", "gone=5", "a=6", "-gone")
			s := bucketOn(t, srv.URL(), tt.change)
			r := start(t, s, "", nil)
			r.awaitLive()
			wantChanges(t, r.events(), tt.want...)
			if at := s.at(t); at != 7 {
				t.Errorf("got a Live notice at %d, want it at 7, the end", at)
			}
			change(t, kv, "a=9", "-b", "!c", "b=7")
			all := slices.Concat(tt.want, tt.then)
			wantChanges(t, r.awaitEvents(len(all)), all...)
		})
	}
}

func TestBucketEvent(t *testing.T) {
	srv := startServer(t)
	kv := prices(t, srv.JetStream(t), 1)
	s := bucketOn(t, srv.URL(), nil)
	r := start(t, s, "", nil)
	r.awaitLive()
	for i, c := range []string{"eu.gold=42", "-eu.gold", "!eu.gold"} {
		change(t, kv, c)
		r.awaitEvents(i + 1) // before the next one replaces it
	}
	events := r.events()

	put := events[0]
	if string(put.Data) != "42" || put.Type != "" || put.Key != "eu.gold" || !put.Whole() || time.Since(put.Time) > time.Minute {
		t.Errorf("got %+v, want the entry, which is a whole state", put)
	}
	for i, want := range []string{operationPut, operationDelete, operationPurge} {
		e := events[i]
		meta := map[string]any{
			"subject": "$KV.prices.eu.gold", "stream": "KV_prices", "sequence": uint64(i + 1), "timestamp": e.Time, "pending": e.Meta["pending"],
			"bucket": "prices", "key": "eu.gold", "operation": want,
		}
		if fmt.Sprint(e.Meta) != fmt.Sprint(meta) {
			t.Errorf("event %d: got meta %v, want %v", i, e.Meta, meta)
		}
		if want == operationPut {
			continue
		}
		var data map[string]string
		err := json.Unmarshal(e.Data, &data)
		if err != nil || len(data) != 1 || data["key"] != "eu.gold" || e.Type != "delete" || e.Key != "eu.gold" {
			t.Errorf("event %d: got %+v, want a deletion with the key as JSON", i, e)
		}
		if e.State == nil || !e.State.Gone || e.State.Type != "" || e.State.Data != nil || e.Time.IsZero() {
			t.Errorf("event %d: got state %+v at %v, want one that is gone", i, e.State, e.Time)
		}
	}
}

// What a server's limits remove leaves a marker, if the bucket has them. It is
// a deletion like others.
func TestBucketExpires(t *testing.T) {
	srv := startServer(t)
	kv := mustBucket(t, srv.JetStream(t), jetstream.KeyValueConfig{Bucket: "prices", LimitMarkerTTL: time.Minute})
	s := bucketOn(t, srv.URL(), nil)
	r := start(t, s, "", nil)
	r.awaitLive()
	if _, err := kv.Create(t.Context(), "gold", []byte("42"), jetstream.KeyTTL(time.Second)); err != nil {
		t.Fatal(err)
	}
	events := r.awaitEvents(2)
	wantChanges(t, events, "gold=42", "-gold")
	if e := events[1]; e.Headers[jetstream.MarkerReasonHeader] == nil || e.Meta["operation"] != operationPurge {
		t.Errorf("got %+v, want the server's marker", e)
	}
	r = start(t, s, "", nil)
	r.awaitLive()
	wantChanges(t, r.events())
}

func TestBucketResumes(t *testing.T) {
	srv := startServer(t)
	js := srv.JetStream(t)
	kv := prices(t, js, 1)
	change(t, kv, "old=0", "a=1", "b=2", "c=3")
	s := bucketOn(t, srv.URL(), nil)
	r := start(t, s, "", nil)
	r.awaitLive()
	positions := r.events()
	for i, c := range []string{"a=4", "a=5", "-b", "d=6", "!c", "d=7"} {
		change(t, kv, c)
		r.awaitEvents(len(positions) + i + 1) // before the next one replaces it
	}
	tests := []struct {
		after adapters.Position
		want  []string
	}{
		{positions[0].Position, []string{"a=5", "-b", "-c", "d=7"}},
		{positions[3].Position, []string{"a=5", "-b", "-c", "d=7"}},
		{s.last(), []string{"a=5", "-b", "-c", "d=7"}},
		{r.events()[5].Position, []string{"-b", "-c", "d=7"}},
	}
	for _, tt := range tests {
		fresh := bucketOn(t, srv.URL(), nil) // on another replica
		r := start(t, fresh, tt.after, nil)
		r.awaitLive()
		wantChanges(t, r.events(), tt.want...)
	}
}

// Who may have missed a deletion that has left no trace is told so; nobody
// else is.
func TestBucketMissed(t *testing.T) {
	tests := []struct {
		name   string
		before []string
		do     func(s shop)
		away   time.Duration // how long ago the position was
		same   bool          // the source is the one that gave the position
		lost   bool
		want   []string
	}{
		{
			name: "nothing happened", before: []string{"a=1", "b=2"}, away: time.Hour,
			do: func(shop) {},
		},
		{
			name: "entries were added", before: []string{"a=1", "b=2"}, away: time.Hour,
			do:   func(s shop) { s.change("c=3", "d=4") },
			want: []string{"c=3", "d=4"},
		},
		{
			name: "a key was deleted", before: []string{"a=1", "b=2"}, away: time.Hour,
			do:   func(s shop) { s.change("-a") },
			want: []string{"-a"},
		},
		{
			name: "an entry was replaced twice", before: []string{"a=1", "b=2"},
			do:   func(s shop) { s.change("a=3", "a=4") },
			want: []string{"a=4"},
		},
		{
			name: "an entry was replaced twice, long ago", before: []string{"a=1", "b=2"}, away: time.Hour,
			do:   func(s shop) { s.change("a=3", "a=4") },
			lost: true, want: []string{"b=2", "a=4"},
		},
		{
			name: "a deletion was forgotten", before: []string{"a=1", "b=2"},
			do: func(s shop) {
				s.change("-a")
				s.purgeDeletes()
			},
			lost: true, want: []string{"b=2"},
		},
		{
			name: "a deletion was forgotten, and more happened, long ago", before: []string{"a=1", "b=2"}, away: time.Hour,
			do: func(s shop) {
				s.change("-a")
				s.purgeDeletes()
				s.change("c=3")
			},
			lost: true, want: []string{"b=2", "c=3"},
		},
		{
			name: "all was purged", before: []string{"a=1", "b=2", "c=3"},
			do: func(s shop) {
				s.change("a=4")
				s.purge()
			},
			lost: true,
		},
		{
			name: "all was purged, and more happened", before: []string{"a=1", "b=2", "c=3"},
			do: func(s shop) {
				s.change("a=4")
				s.purge()
				s.change("b=5")
			},
			lost: true, want: []string{"b=5"},
		},
		{
			name: "all was purged, and more happened, as the source can tell", before: []string{"a=1", "b=2", "c=3"}, same: true,
			do: func(s shop) {
				s.purge()
				s.change("b=5", "b=6")
			},
			lost: true, want: []string{"b=6"},
		},
		{
			name: "all was replaced", before: []string{"a=1", "b=2"},
			do:   func(s shop) { s.change("a=3", "b=4", "a=5") },
			lost: true, want: []string{"b=4", "a=5"},
		},
		{
			name: "all was replaced, as the source can tell", before: []string{"a=1", "b=2"}, same: true,
			do:   func(s shop) { s.change("a=3", "b=4", "a=5") },
			want: []string{"b=4", "a=5"},
		},
		{
			name: "an empty bucket was filled", away: time.Hour,
			do:   func(s shop) { s.change("a=1", "a=2", "-b", "b=3") },
			want: []string{"a=2", "b=3"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := startServer(t)
			js := srv.JetStream(t)
			kv := prices(t, js, 1)
			change(t, kv, tt.before...)
			s := bucketOn(t, srv.URL(), nil)
			start(t, s, "", nil).stopLive()
			at, ok := parsePlace(s.last())
			if !ok || int(at.seq) != len(tt.before) {
				t.Fatalf("got a Live notice at %q, want it at %d", s.last(), len(tt.before))
			}
			if at.seq > 0 {
				at.at -= int64(tt.away / time.Second)
			}
			tt.do(shop{t, js, kv})
			if !tt.same {
				s = bucketOn(t, srv.URL(), nil)
			}
			after := at.position()
			if tt.lost {
				after = wantLost(t, start(t, s, after, nil).awaitReturn(soon), adapters.LostExpired, -1).Resume
			}
			r := start(t, s, after, nil)
			r.awaitLive()
			wantChanges(t, r.events(), tt.want...)
		})
	}
}

// A shop is a bucket called prices in which something is done.
type shop struct {
	t  *testing.T
	js jetstream.JetStream
	kv jetstream.KeyValue
}

func (s shop) change(changes ...string) {
	s.t.Helper()
	change(s.t, s.kv, changes...)
}

// purgeDeletes removes the markers of all deletions.
func (s shop) purgeDeletes() {
	s.t.Helper()
	try(s.t, s.kv.PurgeDeletes(s.t.Context(), jetstream.DeleteMarkersOlderThan(-1)))
}

// purge removes all messages of the bucket, as no client of buckets does.
func (s shop) purge() {
	s.t.Helper()
	stream, err := s.js.Stream(s.t.Context(), "KV_prices")
	try(s.t, err)
	try(s.t, stream.Purge(s.t.Context()))
}

// That a bucket was purged reaches a Run which waits for changes, although the
// server sends nothing.
func TestBucketPurgedAtTheEdge(t *testing.T) {
	srv := startServer(t)
	js := srv.JetStream(t)
	kv := prices(t, js, 1)
	change(t, kv, "a=1", "b=2")
	s := bucketOn(t, srv.URL(), nil)
	r := start(t, s, "", nil)
	r.awaitLive()
	shop{t, js, kv}.purge()
	lost := wantLost(t, r.awaitReturn(2*lookInterval), adapters.LostExpired, -1)
	r = start(t, s, lost.Resume, nil)
	r.awaitLive()
	wantChanges(t, r.events())
	change(t, kv, "a=3")
	wantChanges(t, r.awaitEvents(1), "a=3")
}

func TestBucketMarkersKept(t *testing.T) {
	tests := []struct {
		config jetstream.StreamConfig
		want   time.Duration
	}{
		{jetstream.StreamConfig{}, markerAge},
		{jetstream.StreamConfig{MaxAge: time.Minute}, time.Minute},
		{jetstream.StreamConfig{MaxAge: time.Hour}, markerAge},
		{jetstream.StreamConfig{MaxAge: time.Hour, SubjectDeleteMarkerTTL: time.Second}, time.Second},
	}
	for _, tt := range tests {
		if got := markersKept(&tt.config); got != tt.want {
			t.Errorf("markersKept of %v and %v: got %v, want %v", tt.config.MaxAge, tt.config.SubjectDeleteMarkerTTL, got, tt.want)
		}
	}
}

func TestBucketRecreated(t *testing.T) {
	srv := startServer(t)
	js := srv.JetStream(t)
	kv := prices(t, js, 1)
	change(t, kv, "a=1", "b=2")
	s := bucketOn(t, srv.URL(), nil)
	r := start(t, s, "", nil)
	r.awaitLive()
	try(t, js.DeleteKeyValue(t.Context(), "prices"))
	kv = prices(t, js, 1)
	change(t, kv, "c=1", "d=2", "e=3")
	if err := r.awaitReturn(soon); adapters.IsPermanent(err) {
		t.Errorf("got error %v, want a transient one", err)
	}
	lost := wantLost(t, start(t, s, s.last(), nil).awaitReturn(soon), adapters.LostRecreated, -1)
	r = start(t, s, lost.Resume, nil)
	r.awaitLive()
	wantChanges(t, r.events(), "c=1", "d=2", "e=3")
}

// A mirror of a bucket has the keys of its origin.
func TestBucketMirror(t *testing.T) {
	srv := startServer(t)
	js := srv.JetStream(t)
	kv := mustBucket(t, js, jetstream.KeyValueConfig{Bucket: "origin", History: 5})
	change(t, kv, "a=1", "b=2", "a=3", "-b")
	mustBucket(t, js, jetstream.KeyValueConfig{Bucket: "prices", Mirror: &jetstream.StreamSource{Name: "origin"}})
	r := start(t, bucketOn(t, srv.URL(), nil), "", nil)
	// What the mirror has not copied when it is read comes as a change.
	r.await("the newest value", func() bool { return slices.Contains(changes(r.got), "a=3") })
	change(t, kv, "c=4")
	r.await("the change", func() bool { return slices.Contains(changes(r.got), "c=4") })
}

// A position of a stream is none of a bucket, even of the same messages.
func TestBucketPositionOfStream(t *testing.T) {
	srv := startServer(t)
	js := srv.JetStream(t)
	change(t, prices(t, js, 1), "a=1", "b=2")
	f := configure(t, srv.URL(), adapters.Route{}, func(o *Options) { o.Stream, o.Start = "KV_prices", Start{word: startAll} })
	ofStream := start(t, open(t, f, nil), "", nil).awaitEvents(2)[0].Position
	s := bucketOn(t, srv.URL(), nil)
	wantLost(t, start(t, s, ofStream, nil).awaitReturn(soon), adapters.LostUnknown, -1)
	ofBucket := start(t, s, "", nil).awaitEvents(2)[0].Position
	wantLost(t, start(t, open(t, f, nil), ofBucket, nil).awaitReturn(soon), adapters.LostUnknown, -1)
}
