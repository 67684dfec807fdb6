package nats

import (
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"sidestream/adapters"
)

// small is a prefetch so small that a Run which is held up soon lags.
func small(o *Options) { o.Prefetch = Bound{Messages: 4, Bytes: 1 << 20} }

// A position from which the stream has gone on without its client is lost, and
// how much is lost is said wherever the server can tell.
func TestStreamExpired(t *testing.T) {
	mixed := []string{"orders.a", "other", "orders.b", "orders.a", "other", "orders.a", "orders.b", "other", "orders.a", "orders.b"} // 1 to 10
	tests := []struct {
		name   string
		stream func(*jetstream.StreamConfig)
		filter []string
		expire func(s scene)
		after  uint64
		lost   int64 // 0: it isn't
		want   []uint64
	}{
		{name: "nothing", after: 3, want: []uint64{4, 5, 6, 7, 8, 9, 10}},
		{
			name: "purged up to the position", after: 3, want: []uint64{4, 5, 6, 7, 8, 9, 10},
			expire: func(s scene) { purge(s.t, s.js, 4) },
		},
		{
			name: "purged by one more", after: 3, lost: 1, want: []uint64{5, 6, 7, 8, 9, 10},
			expire: func(s scene) { purge(s.t, s.js, 5) },
		},
		{
			name: "purged", after: 3, lost: 7,
			expire: func(s scene) { s.purge() },
		},
		{
			name: "purged from the beginning", after: 0, lost: 10,
			expire: func(s scene) { s.purge() },
		},
		{
			name: "purged, at the end", after: 10,
			expire: func(s scene) { s.purge() },
		},
		{
			name: "a limit of messages", after: 2, lost: 4, want: []uint64{7, 8, 9, 10},
			stream: func(c *jetstream.StreamConfig) { c.MaxMsgs = 4 },
		},
		{
			name: "a filter of all subjects", after: 2, lost: 4, want: []uint64{7, 8, 9, 10},
			stream: func(c *jetstream.StreamConfig) { c.MaxMsgs = 4 }, filter: []string{"orders.>", "other"},
		},
		{
			name: "a filter", after: 2, lost: -1, want: []uint64{7, 9, 10},
			stream: func(c *jetstream.StreamConfig) { c.MaxMsgs = 4 }, filter: []string{"orders.>"},
		},
		{
			name: "a filter, and nothing lost", after: 6, want: []uint64{7, 9, 10},
			stream: func(c *jetstream.StreamConfig) { c.MaxMsgs = 4 }, filter: []string{"orders.>"},
		},
		{
			name: "deleted one by one", after: 3, want: []uint64{6, 8, 9, 10},
			expire: func(s scene) { s.remove(4, 5, 7) },
		},
		{
			name: "the newest deleted", after: 8,
			expire: func(s scene) { s.remove(9, 10) },
		},
		{
			name: "a limit by subject", after: 4, want: []uint64{8, 9, 10},
			stream: func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 1 },
			lost:   3, // nothing is left before them
		},
		{
			name: "a purge of one subject", after: 2, want: []uint64{5, 8},
			expire: func(s scene) { s.purge(jetstream.WithPurgeSubject("orders.>")) },
			filter: []string{"other"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := startServer(t)
			js := srv.JetStream(t)
			change := tt.stream
			if change == nil {
				change = func(*jetstream.StreamConfig) {}
			}
			stream := orders(t, js, change)
			store(t, js, mixed...)
			if tt.expire != nil {
				tt.expire(scene{t, js, stream})
			}
			info, err := stream.Info(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			after := place{id: identify("ORDERS", info.Created), seq: tt.after}.position()
			s := streamOn(t, srv.URL(), func(o *Options) { o.Subject = tt.filter })
			if tt.lost != 0 {
				lost := wantLost(t, start(t, s, after, nil).awaitReturn(soon), adapters.LostExpired, tt.lost)
				after = lost.Resume
			}
			r := start(t, s, after, nil)
			r.awaitLive()
			var got []uint64
			for _, e := range r.events() {
				got = append(got, seqOf(t, e.Position))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// A scene is a stream in which something is done.
type scene struct {
	t      *testing.T
	js     jetstream.JetStream
	stream jetstream.Stream
}

func (s scene) purge(options ...jetstream.StreamPurgeOpt) {
	s.t.Helper()
	try(s.t, s.stream.Purge(s.t.Context(), options...))
}

func (s scene) remove(sequences ...uint64) {
	s.t.Helper()
	for _, seq := range sequences {
		try(s.t, s.stream.DeleteMsg(s.t.Context(), seq))
	}
}

func try(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A start that is configured as a sequence is a promise like a position.
func TestStreamStartExpired(t *testing.T) {
	srv := startServer(t)
	js := srv.JetStream(t)
	orders(t, js, func(c *jetstream.StreamConfig) { c.MaxMsgs = 4 })
	numbered(t, js, "orders.a", 1, 10)
	s := streamOn(t, srv.URL(), func(o *Options) { o.Start = Start{Sequence: 3} })
	lost := wantLost(t, start(t, s, "", nil).awaitReturn(soon), adapters.LostExpired, 4)
	wantTexts(t, start(t, s, lost.Resume, nil).awaitEvents(4), count(7, 10))

	s = streamOn(t, srv.URL(), func(o *Options) { o.Start = Start{Sequence: 3}; o.Subject = []string{"orders.a"} })
	wantLost(t, start(t, s, "", nil).awaitReturn(soon), adapters.LostExpired, -1)
}

func TestStreamMalformed(t *testing.T) {
	srv := startServer(t)
	js := srv.JetStream(t)
	orders(t, js)
	numbered(t, js, "orders.a", 1, 3)
	s := streamOn(t, srv.URL(), nil)
	r := start(t, s, "", nil)
	r.awaitLive()
	good := s.last()
	for _, pos := range []adapters.Position{"x", "3", good + "x", "0" + good, good + "-1"} {
		lost := wantLost(t, start(t, s, pos, nil).awaitReturn(soon), adapters.LostUnknown, -1)
		wantTexts(t, start(t, s, lost.Resume, nil).awaitEvents(3), count(1, 3))
	}
	// One beyond the end of the stream is of a stream that was set back.
	beyond := "4" + good[1:]
	lost := wantLost(t, start(t, s, beyond, nil).awaitReturn(soon), adapters.LostRecreated, -1)
	wantTexts(t, start(t, s, lost.Resume, nil).awaitEvents(3), count(1, 3))
}

// A stream that is deleted and created again is another one, while a Run waits
// and while nobody does, and however many messages it has then.
func TestStreamRecreated(t *testing.T) {
	for _, n := range []int{0, 2, 5, 9} {
		t.Run(strconv.Itoa(n)+" messages", func(t *testing.T) {
			srv := startServer(t)
			js := srv.JetStream(t)
			orders(t, js)
			s := streamOn(t, srv.URL(), nil)
			r := start(t, s, "", nil)
			r.awaitLive()
			numbered(t, js, "orders.a", 1, 5)
			after := r.awaitEvents(5)[4].Position
			try(t, js.DeleteStream(t.Context(), "ORDERS"))
			orders(t, js)
			numbered(t, js, "orders.a", 101, 100+n)

			if err := r.awaitReturn(soon); adapters.IsPermanent(err) {
				t.Errorf("got error %v, want a transient one", err)
			}
			lost := wantLost(t, start(t, s, after, nil).awaitReturn(soon), adapters.LostRecreated, -1)
			r = start(t, s, lost.Resume, nil)
			r.awaitLive()
			wantTexts(t, r.events(), count(101, 100+n))
		})
	}
}

// What is removed while a Run lags is lost, and told exactly.
func TestStreamOvertaken(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Options)
		purge  uint64 // what is before it is removed while the Run is held up
		lost   int64  // negative: somebody else's messages may be among them
	}{
		{name: "some", purge: 51, lost: 1},
		{name: "all", purge: 101, lost: 1},
		{name: "some of a filter", change: func(o *Options) { o.Subject = []string{"orders.>"} }, purge: 51, lost: -1},
		{name: "all of a filter", change: func(o *Options) { o.Subject = []string{"orders.>"} }, purge: 101, lost: -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := startServer(t)
			js := srv.JetStream(t)
			orders(t, js)
			s := streamOn(t, srv.URL(), func(o *Options) {
				small(o)
				if tt.change != nil {
					tt.change(o)
				}
			})
			gate := make(chan struct{})
			var once sync.Once
			open := func() { once.Do(func() { close(gate) }) }
			defer open()
			r := start(t, s, "", func(adapters.Event) { <-gate })
			r.awaitLive()
			numbered(t, js, "orders.a", 1, 100)
			awaitDelivered(t, js, 4)
			purge(t, js, tt.purge)
			open()

			err := r.awaitReturn(2 * silence)
			got := len(r.events())
			want := tt.lost
			if want > 0 {
				// What had been fetched is delivered; the rest is lost.
				want = int64(tt.purge) - 1 - int64(got)
				wantTexts(t, r.events(), count(1, got))
			}
			lost := wantLost(t, err, adapters.LostExpired, want)
			r = start(t, s, lost.Resume, nil)
			r.awaitLive()
			if tt.lost > 0 {
				wantTexts(t, r.events(), count(int(tt.purge), 100))
			}
		})
	}
}

// awaitDelivered waits until the server has delivered n messages, or more, to
// the only consumer of ORDERS.
func awaitDelivered(t *testing.T, js jetstream.JetStream, n uint64) {
	t.Helper()
	stream, err := js.Stream(t.Context(), "ORDERS")
	if err != nil {
		t.Fatal(err)
	}
	await(t, "messages to be fetched", func() bool {
		for c := range stream.ListConsumers(t.Context()).Info() {
			if c.Delivered.Consumer >= n && c.NumWaiting == 0 {
				return true
			}
		}
		return false
	})
}

// Messages that are taken out of the middle while a Run lags are not missed,
// and cost it nothing but their absence.
func TestStreamHoles(t *testing.T) {
	srv := startServer(t)
	js := srv.JetStream(t)
	stream := orders(t, js)
	s := streamOn(t, srv.URL(), small)
	gate := make(chan struct{})
	r := start(t, s, "", func(adapters.Event) { <-gate })
	r.awaitLive()
	numbered(t, js, "orders.a", 1, 100)
	awaitDelivered(t, js, 4)
	var want []string
	for i := 1; i <= 100; i++ {
		if i > 20 && i%3 == 0 {
			try(t, stream.DeleteMsg(t.Context(), uint64(i)))
		} else {
			want = append(want, strconv.Itoa(i))
		}
	}
	close(gate)
	wantTexts(t, r.awaitEvents(len(want)), want)
}

// That a message was taken out of the middle says nothing about those that
// follow it.
func TestStreamHoleThenOvertaken(t *testing.T) {
	srv := startServer(t)
	js := srv.JetStream(t)
	stream := orders(t, js)
	s := streamOn(t, srv.URL(), small)
	gate, passed := make(chan struct{}), make(chan struct{}, 100)
	r := start(t, s, "", func(adapters.Event) {
		<-gate
		passed <- struct{}{}
	})
	r.awaitLive()
	numbered(t, js, "orders.a", 1, 100)
	awaitDelivered(t, js, 4)
	try(t, stream.DeleteMsg(t.Context(), 10))
	for range 20 {
		gate <- struct{}{}
		<-passed
	}
	awaitDelivered(t, js, 21)
	purge(t, js, 61)
	close(gate)
	err := r.awaitReturn(soon)
	got := r.events()
	last := int(seqOf(t, got[len(got)-1].Position))
	wantLost(t, err, adapters.LostExpired, int64(60-last))
}

// Where a filter's Run was when it learnt that nothing else had come for it
// counts when it lags later: what was removed before that is not lost.
func TestStreamLagsAfterIdle(t *testing.T) {
	srv := startServer(t)
	js := srv.JetStream(t)
	orders(t, js)
	s := streamOn(t, srv.URL(), func(o *Options) { o.Subject = []string{"orders.>"} })
	gate := make(chan struct{})
	r := start(t, s, "", func(adapters.Event) { <-gate })
	r.awaitLive()
	last := store(t, js, "other", "other", "other")
	r.await("a Live notice at the end of the stream", func() bool { return s.at(t) == last })
	purge(t, js, last+1)
	numbered(t, js, "orders.a", 1, 1000) // more than is fetched ahead
	close(gate)
	wantTexts(t, r.awaitEvents(1000), count(1, 1000))
}

// A purge at the live edge loses nothing, and what comes then is delivered.
func TestStreamPurgedAtTheEdge(t *testing.T) {
	for _, filter := range [][]string{nil, {"orders.>"}} {
		srv := startServer(t)
		js := srv.JetStream(t)
		stream := orders(t, js)
		s := streamOn(t, srv.URL(), func(o *Options) { o.Subject = filter })
		r := start(t, s, "", nil)
		r.awaitLive()
		numbered(t, js, "orders.a", 1, 10)
		r.awaitEvents(10)
		try(t, stream.Purge(t.Context()))
		numbered(t, js, "orders.a", 11, 20)
		wantTexts(t, r.awaitEvents(20), count(1, 20))
	}
}

// Deleting the consumer under a Run, as an administrator may, is found out at
// once.
func TestStreamConsumerDeleted(t *testing.T) {
	srv := startServer(t)
	js := srv.JetStream(t)
	stream := orders(t, js)
	s := streamOn(t, srv.URL(), nil)
	r := start(t, s, "", nil)
	r.awaitLive()
	for name := range stream.ConsumerNames(t.Context()).Name() {
		try(t, stream.DeleteConsumer(t.Context(), name))
	}
	err := r.awaitReturn(time.Second)
	if adapters.IsPermanent(err) || adapters.Reason(err) != reasonNoConsumer {
		t.Errorf("got error %v, want a transient one: %s", err, reasonNoConsumer)
	}
}

// What the consumer has delivered and the Run hasn't got, it gets again from
// the next consumer: a message that somebody else has taken, and one that was
// dropped on the way.
func TestStreamStolen(t *testing.T) {
	for name, last := range map[string]int{"followed by others": 9, "the last": 5} {
		t.Run(name, func(t *testing.T) {
			srv := startServer(t)
			js := srv.JetStream(t)
			stream := orders(t, js)
			s := streamOn(t, srv.URL(), nil)
			r := start(t, s, "", nil)
			r.awaitLive()
			numbered(t, js, "orders.a", 1, 3)
			after := r.awaitEvents(3)[2].Position
			steal(t, srv, stream)
			numbered(t, js, "orders.a", 4, last)
			err := r.awaitReturn(2 * silence)
			if adapters.IsPermanent(err) || adapters.Reason(err) != reasonMissed {
				t.Errorf("got error %v, want a transient one: %s", err, reasonMissed)
			}
			if got := r.events(); len(got) > 3 {
				after = got[len(got)-1].Position
			}
			r2 := start(t, s, after, nil)
			r2.await("the last message", func() bool { return len(r.events())+len(r2.got) >= last })
			wantTexts(t, slices.Concat(r.events(), r2.events()), count(1, last))
		})
	}
}

// steal asks the only consumer of the stream for a message, along with its
// owner: they are served in turn.
func steal(t *testing.T, srv *testServer, stream jetstream.Stream) {
	t.Helper()
	nc := srv.Connect(t)
	name := <-stream.ConsumerNames(t.Context()).Name()
	inbox := nc.NewInbox()
	if _, err := nc.SubscribeSync(inbox); err != nil {
		t.Fatal(err)
	}
	try(t, nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT.ORDERS."+name, inbox, []byte(`{"batch":2,"expires":60000000000}`)))
	await(t, "the request to stand", func() bool {
		for c := range stream.ListConsumers(t.Context()).Info() {
			return c.NumWaiting == 2
		}
		return false
	})
}
