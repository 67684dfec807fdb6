package nats

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sidestream/adapters"
)

// noted is a source that remembers the positions of its Live notices.
type noted struct {
	adapters.Source

	mu    sync.Mutex
	lives []adapters.Position // guarded by mu
}

func (n *noted) Run(ctx context.Context, after adapters.Position, emit func(adapters.Event) error) error {
	return n.Source.Run(ctx, after, func(e adapters.Event) error {
		if e.Live {
			n.mu.Lock()
			n.lives = append(n.lives, e.Position)
			n.mu.Unlock()
		}
		return emit(e)
	})
}

// at returns the sequence of the last Live notice's position.
func (n *noted) at(tb testing.TB) uint64 {
	tb.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.lives) == 0 {
		tb.Fatal("got no Live notice, want one")
	}
	return seqOf(tb, n.lives[len(n.lives)-1])
}

// last returns the position of the last Live notice.
func (n *noted) last() adapters.Position {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.lives[len(n.lives)-1]
}

// seqOf returns the sequence of a position.
func seqOf(tb testing.TB, pos adapters.Position) uint64 {
	tb.Helper()
	p, ok := parsePlace(pos)
	if !ok {
		tb.Fatalf("got position %q, want one of this adapter", pos)
	}
	return p.seq
}

// streamOn returns the source of a route that reads the stream ORDERS.
func streamOn(tb testing.TB, url string, change func(*Options)) *noted {
	tb.Helper()
	f := configure(tb, url, adapters.Route{}, func(o *Options) {
		o.Stream = "ORDERS"
		if change != nil {
			change(o)
		}
	})
	return &noted{Source: open(tb, f, nil)}
}

// orders returns a stream called ORDERS, with the subjects orders.> and other.
func orders(tb testing.TB, js jetstream.JetStream, change ...func(*jetstream.StreamConfig)) jetstream.Stream {
	tb.Helper()
	config := jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>", "other"}}
	for _, f := range change {
		f(&config)
	}
	return mustCreate(tb, js, config)
}

// store publishes messages to subjects, each with its number as payload, and
// returns the sequence of the last.
func store(tb testing.TB, js jetstream.JetStream, subjects ...string) uint64 {
	tb.Helper()
	var last uint64
	for _, subject := range subjects {
		ack, err := js.Publish(tb.Context(), subject, []byte(subject))
		if err != nil {
			tb.Fatalf("publish to %s: %v", subject, err)
		}
		last = ack.Sequence
	}
	return last
}

// numbered publishes messages with the numbers from first to last.
func numbered(tb testing.TB, js jetstream.JetStream, subject string, first, last int) {
	tb.Helper()
	for i := first; i <= last; i++ {
		if _, err := js.Publish(tb.Context(), subject, []byte(strconv.Itoa(i))); err != nil {
			tb.Fatalf("publish %d: %v", i, err)
		}
	}
}

// count returns the texts of the numbers from first to last.
func count(first, last int) []string {
	var list []string
	for i := first; i <= last; i++ {
		list = append(list, strconv.Itoa(i))
	}
	return list
}

func wantTexts(tb testing.TB, got []adapters.Event, want []string) {
	tb.Helper()
	if !slices.Equal(texts(got), want) {
		tb.Errorf("got %.300v, want %.300v", texts(got), want)
	}
}

// wantLost checks that err says that a position is lost, and why, and how
// much.
func wantLost(tb testing.TB, err error, reason adapters.LostReason, n int64) *adapters.PositionLostError {
	tb.Helper()
	var lost *adapters.PositionLostError
	if !errors.As(err, &lost) {
		tb.Fatalf("got error %v, want a PositionLostError", err)
	}
	if lost.Reason != reason || lost.Lost != n {
		tb.Errorf("got %q and %d lost, want %q and %d", lost.Reason, lost.Lost, reason, n)
	}
	return lost
}

// consumers returns how many consumers a stream has.
func consumers(tb testing.TB, js jetstream.JetStream, stream string) int {
	tb.Helper()
	s, err := js.Stream(tb.Context(), stream)
	if err != nil {
		tb.Fatalf("stream %s: %v", stream, err)
	}
	return s.CachedInfo().State.Consumers
}

func TestStreamEvent(t *testing.T) {
	srv := startServer(t)
	js := srv.JetStream(t)
	orders(t, js)
	s := streamOn(t, srv.URL(), nil)
	r := start(t, s, "", nil)
	r.awaitLive()
	before := time.Now()
	m := &natsgo.Msg{Subject: "orders.eu", Data: []byte("one"), Header: natsgo.Header{"Nats-Msg-Id": {"id-1"}, "x": {"a", "b"}}}
	if _, err := js.PublishMsg(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	e := r.awaitEvents(1)[0]
	if string(e.Data) != "one" || e.Type != "" || e.Key != "orders.eu" || e.State != nil || seqOf(t, e.Position) != 1 {
		t.Errorf("got %+v, want the message", e)
	}
	if e.Time.Before(before.Add(-time.Second)) || e.Time.After(time.Now().Add(time.Second)) || e.Time.Location() != time.UTC {
		t.Errorf("got time %v, want when it was stored, in UTC", e.Time)
	}
	if got, want := fmt.Sprint(e.Headers["Nats-Msg-Id"], e.Headers["x"]), "[id-1] [a b]"; got != want {
		t.Errorf("got headers %s, want %s", got, want)
	}
	want := map[string]any{"subject": "orders.eu", "stream": "ORDERS", "sequence": uint64(1), "timestamp": e.Time, "pending": uint64(0)}
	if fmt.Sprint(e.Meta) != fmt.Sprint(want) {
		t.Errorf("got meta %v, want %v", e.Meta, want)
	}

	f := configure(t, srv.URL(), adapters.Route{}, func(o *Options) { o.Stream, o.Start = "ORDERS", Start{word: startAll} })
	bare, err := f.Open(nil, adapters.Env{})
	if err != nil {
		t.Fatal(err)
	}
	if e := start(t, bare, "", nil).awaitEvents(1)[0]; e.Headers != nil || e.Meta != nil {
		t.Errorf("got headers %v and meta %v although nobody reads them, want none", e.Headers, e.Meta)
	}
}

func TestStreamStart(t *testing.T) {
	srv := startServer(t)
	js := srv.JetStream(t)
	orders(t, js)
	store(t, js, "orders.a", "orders.b", "other", "orders.a") // 1 to 4
	middle := time.Now()
	<-time.After(2 * time.Millisecond) // the server's clock is this one
	store(t, js, "orders.b", "other", "orders.c", "other")
	tests := []struct {
		name    string
		start   Start
		subject []string
		want    string // sequences of what comes first
		live    uint64 // and what the Live notice names
	}{
		{"new", Start{word: startNew}, nil, "", 8},
		{"new of a filter", Start{word: startNew}, []string{"orders.>"}, "", 8},
		{"all", Start{word: startAll}, nil, "1 2 3 4 5 6 7 8", 8},
		{"all of a filter", Start{word: startAll}, []string{"orders.a", "orders.c"}, "1 4 7", 7},
		{"all of nothing", Start{word: startAll}, []string{"orders.x"}, "", 8},
		{"last", Start{word: startLast}, nil, "8", 8},
		{"last of a filter", Start{word: startLast}, []string{"orders.>"}, "7", 7},
		{"last of several filters", Start{word: startLast}, []string{"orders.a", "orders.b"}, "5", 5},
		{"last of nothing", Start{word: startLast}, []string{"orders.x"}, "", 8},
		{"last per subject", Start{word: startLastPerSubject}, nil, "4 5 7 8", 8},
		{"last per subject of filters", Start{word: startLastPerSubject}, []string{"orders.a", "orders.b"}, "4 5", 5},
		{"last per subject of nothing", Start{word: startLastPerSubject}, []string{"orders.x"}, "", 8},
		{"sequence", Start{Sequence: 6}, nil, "6 7 8", 8},
		{"sequence of a filter", Start{Sequence: 5}, []string{"orders.a", "orders.c"}, "7", 7},
		{"a sequence to come", Start{Sequence: 1000}, nil, "", 8},
		{"time", Start{Time: middle}, nil, "5 6 7 8", 8},
		{"time of a filter", Start{Time: middle}, []string{"orders.a", "orders.c"}, "7", 7},
		{"a time before", Start{Time: time.Unix(1, 0)}, nil, "1 2 3 4 5 6 7 8", 8},
		{"a time to come", Start{Time: time.Now().Add(time.Hour)}, nil, "", 8},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := streamOn(t, srv.URL(), func(o *Options) { o.Start, o.Subject = tt.start, tt.subject })
			r := start(t, s, "", nil)
			r.awaitLive()
			var got []string
			for _, e := range r.events() {
				got = append(got, strconv.FormatUint(seqOf(t, e.Position), 10))
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got sequences %v, want %s", got, tt.want)
			}
			if at := s.at(t); at != tt.live {
				t.Errorf("got a Live notice at %d, want it at %d", at, tt.live)
			}
		})
	}
}

// What follows the newest message of each subject follows without a hole.
func TestStreamLastPerSubjectGoesOn(t *testing.T) {
	srv := startServer(t)
	js := srv.JetStream(t)
	orders(t, js)
	store(t, js, "orders.a", "orders.a", "orders.b", "orders.a")
	s := streamOn(t, srv.URL(), func(o *Options) { o.Start = Start{word: startLastPerSubject} })
	r := start(t, s, "", nil)
	r.awaitLive()
	store(t, js, "orders.b", "orders.b", "orders.a")
	wantTexts(t, r.awaitEvents(5), []string{"orders.b", "orders.a", "orders.b", "orders.b", "orders.a"})
}

// A route whose clients are to start with the newest of each key does so.
func TestStreamLatest(t *testing.T) {
	srv := startServer(t)
	js := srv.JetStream(t)
	orders(t, js)
	store(t, js, "orders.a", "orders.a", "orders.b")
	f := configure(t, srv.URL(), adapters.Route{Latest: true}, func(o *Options) { o.Stream = "ORDERS" })
	r := start(t, open(t, f, nil), "", nil)
	r.awaitLive()
	wantTexts(t, r.events(), []string{"orders.a", "orders.b"})
}

func TestStreamMirrorAndSources(t *testing.T) {
	srv := startServer(t)
	js := srv.JetStream(t)
	origin := mustCreate(t, js, jetstream.StreamConfig{Name: "ORIGIN", Subjects: []string{"orders.>"}})
	numbered(t, js, "orders.a", 1, 10)
	if err := origin.DeleteMsg(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	for _, config := range []jetstream.StreamConfig{
		{Name: "ORDERS", Mirror: &jetstream.StreamSource{Name: "ORIGIN"}},
		{Name: "ORDERS", Sources: []*jetstream.StreamSource{{Name: "ORIGIN"}}},
		{Name: "ORDERS", Mirror: &jetstream.StreamSource{Name: "ORIGIN", FilterSubject: "orders.a"}},
	} {
		mustCreate(t, js, config)
		s := streamOn(t, srv.URL(), func(o *Options) { o.Start = Start{word: startAll} })
		r := start(t, s, "", nil)
		want := append(count(1, 3), count(5, 10)...)
		wantTexts(t, r.awaitEvents(9), want)
		r.stopLive()
		r = start(t, s, r.events()[1].Position, nil)
		wantTexts(t, r.awaitEvents(7), want[2:])
		r.cancel()
		<-r.done
		if err := js.DeleteStream(t.Context(), "ORDERS"); err != nil {
			t.Fatal(err)
		}
	}
}

// A message that is larger than what may be fetched ahead is fetched alone,
// and between others in its place.
func TestStreamLargeMessages(t *testing.T) {
	srv := startServer(t)
	js := srv.JetStream(t)
	orders(t, js)
	s := streamOn(t, srv.URL(), func(o *Options) { o.Prefetch = Bound{Messages: 10, Bytes: 4 << 10} })
	r := start(t, s, "", nil)
	r.awaitLive()
	sizes := []int{10, 20 << 10, 5 << 10, 1, 4 << 10, 3 << 10, 3 << 10, 100, 500 << 10, 2 << 10, 0}
	for range 3 {
		for _, n := range sizes {
			if _, err := js.Publish(t.Context(), "orders.a", make([]byte, n)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, e := range r.awaitEvents(3 * len(sizes)) {
		if got, want := len(e.Data), sizes[i%len(sizes)]; got != want || seqOf(t, e.Position) != uint64(i+1) {
			t.Errorf("event %d: got %d bytes at %s, want %d", i+1, got, e.Position, want)
		}
	}
}

// Requests whose bytes are used up to the last one are followed by others.
func TestStreamExactBytes(t *testing.T) {
	srv := startServer(t)
	js := srv.JetStream(t)
	orders(t, js)
	const n = 500
	numbered(t, js, "orders.a", 100, 100+n-1)
	// The size that the server reckons with is that of subject, payload, and
	// a reply subject whose length varies with its numbers, so that among
	// many bounds some are hit exactly.
	for bytes := 1000; bytes < 1100; bytes += 7 {
		s := streamOn(t, srv.URL(), func(o *Options) {
			o.Start = Start{word: startAll}
			o.Prefetch = Bound{Messages: 100, Bytes: adapters.Size(bytes)}
		})
		began := time.Now()
		r := start(t, s, "", nil)
		wantTexts(t, r.awaitEvents(n), count(100, 100+n-1))
		r.stopLive()
		if took := time.Since(began); took > beatInterval {
			t.Errorf("with %d bytes ahead: got all after %v, want no pause", bytes, took)
		}
	}
}

// While nothing comes for a filter, the position follows the stream, so that
// what expires meanwhile is not taken for lost.
func TestStreamLiveAdvances(t *testing.T) {
	srv := startServer(t)
	js := srv.JetStream(t)
	orders(t, js)
	s := streamOn(t, srv.URL(), func(o *Options) { o.Subject = []string{"orders.>"} })
	r := start(t, s, "", nil)
	r.awaitLive()
	store(t, js, "orders.a")
	r.awaitEvents(1)
	last := store(t, js, "other", "other", "other")
	r.await("a Live notice at the end of the stream", func() bool { return s.at(t) == last })
	r.cancel()
	<-r.done

	purge(t, js, last+1)
	r = start(t, s, s.last(), nil)
	r.awaitLive()
	store(t, js, "orders.b")
	wantTexts(t, r.awaitEvents(1), []string{"orders.b"})
}

// purge removes what is before the sequence.
func purge(tb testing.TB, js jetstream.JetStream, before uint64) {
	tb.Helper()
	s, err := js.Stream(tb.Context(), "ORDERS")
	if err == nil {
		err = s.Purge(tb.Context(), jetstream.WithPurgeSequence(before))
	}
	if err != nil {
		tb.Fatalf("purge: %v", err)
	}
}

func TestStreamNoConsumersLeft(t *testing.T) {
	srv := startServer(t)
	js := srv.JetStream(t)
	orders(t, js)
	numbered(t, js, "orders.a", 1, 2000)
	s := streamOn(t, srv.URL(), func(o *Options) { o.Start = Start{word: startAll} })
	failure := errors.New("emit failed")
	ends := map[string]func(ctx context.Context, cancel context.CancelFunc) error{
		"cancelled before": func(ctx context.Context, cancel context.CancelFunc) error {
			cancel()
			return s.Run(ctx, "", func(adapters.Event) error { return nil })
		},
		"cancelled while it begins": func(ctx context.Context, cancel context.CancelFunc) error {
			go cancel()
			return s.Run(ctx, "", func(adapters.Event) error { return nil })
		},
		"cancelled within": func(ctx context.Context, cancel context.CancelFunc) error {
			n := 0
			return s.Run(ctx, "", func(adapters.Event) error {
				if n++; n == 700 {
					cancel()
				}
				return nil
			})
		},
		"emit failed": func(ctx context.Context, _ context.CancelFunc) error {
			return s.Run(ctx, "", func(adapters.Event) error { return failure })
		},
		"position lost": func(ctx context.Context, _ context.CancelFunc) error {
			return s.Run(ctx, "x", func(adapters.Event) error { return nil })
		},
	}
	for name, run := range ends {
		for range 5 {
			ctx, cancel := context.WithCancel(t.Context())
			if err := run(ctx, cancel); err == nil {
				t.Errorf("%s: got no error, want one", name)
			}
			cancel()
			if n := consumers(t, js, "ORDERS"); n != 0 {
				t.Errorf("%s: got %d consumers, want none", name, n)
			}
		}
	}
	if _, err := s.Source.(adapters.Seeker).Seek(t.Context(), time.Now()); err != nil || consumers(t, js, "ORDERS") != 0 {
		t.Errorf("after Seek: got error %v and %d consumers, want none", err, consumers(t, js, "ORDERS"))
	}
}

// A consumer that a broken connection has left behind is deleted by the next
// Run, and by the server if there is none.
func TestStreamOrphans(t *testing.T) {
	srv := startServer(t)
	js := srv.JetStream(t)
	stream := orders(t, js)
	way := throughProxy(t, srv)
	s := streamOn(t, way.URL(), nil)
	r := start(t, s, "", nil)
	r.awaitLive()
	for info := range stream.ListConsumers(t.Context()).Info() {
		c := info.Config
		if c.InactiveThreshold != idleThreshold || !c.MemoryStorage || c.Replicas != 1 || c.AckPolicy != jetstream.AckNonePolicy {
			t.Errorf("got a consumer with %+v, want one in memory that the server deletes after %v", c, idleThreshold)
		}
	}
	way.Reset()
	if err := r.awaitReturn(soon); adapters.IsPermanent(err) || adapters.Reason(err) != reasonLost {
		t.Errorf("got error %v, want that the connection is lost", err)
	}
	if n := consumers(t, js, "ORDERS"); n != 1 {
		t.Errorf("got %d consumers, want the one that could not be deleted", n)
	}
	way.Heal()
	r = start(t, s, "", nil)
	r.awaitLive()
	await(t, "the former consumer to be deleted", func() bool { return consumers(t, js, "ORDERS") == 1 })
	r.cancel()
	<-r.done
	if n := consumers(t, js, "ORDERS"); n != 0 {
		t.Errorf("got %d consumers, want none", n)
	}
}

// The clients of a stream share one consumer: a Run has one, and needs no
// other.
func TestStreamManyRuns(t *testing.T) {
	srv := startServer(t)
	js := srv.JetStream(t)
	orders(t, js)
	const runs, before, n = 20, 300, 600
	numbered(t, js, "orders.a", 1, before)
	s := streamOn(t, srv.URL(), func(o *Options) { o.Start = Start{word: startAll} })
	first := start(t, s, "", nil)
	positions := first.awaitEvents(before)
	all := make([]*running, runs)
	for i := range all {
		all[i] = start(t, s, positions[i*10].Position, nil)
	}
	numbered(t, js, "orders.a", before+1, n)
	for i, r := range all {
		wantTexts(t, r.awaitEvents(n-i*10-1), count(i*10+2, n))
	}
	wantTexts(t, first.awaitEvents(n), count(1, n))
	if got := consumers(t, js, "ORDERS"); got != runs+1 {
		t.Errorf("got %d consumers for %d Runs, want one each", got, runs+1)
	}
	for _, r := range all {
		r.cancel()
		<-r.done
	}
	if got := consumers(t, js, "ORDERS"); got != 1 {
		t.Errorf("got %d consumers for one Run, want one", got)
	}
}

func TestStreamPermanent(t *testing.T) {
	type refusal struct {
		name, reason string
		server       func(*server.Options)
		change       func(*Options)
	}
	deny := func(subjects ...string) func(*server.Options) {
		return users("secret", map[string]*server.Permissions{
			"admin": allow(">"),
			"app": {
				Publish:   &server.SubjectPermission{Allow: []string{">"}, Deny: subjects},
				Subscribe: &server.SubjectPermission{Allow: []string{">"}},
			},
		})
	}
	tests := []refusal{
		{"no such stream", reasonNoStream, nil, func(o *Options) { o.Stream = "ORDER" }},
		{"no such bucket", reasonNoBucket, nil, func(o *Options) { o.Stream, o.Bucket = "", "prices" }},
		{"may not look at the stream", reasonForbidden, deny("$JS.API.STREAM.INFO.>"), nil},
		{"may not create a consumer", reasonForbidden, deny("$JS.API.CONSUMER.CREATE.>"), nil},
		{"may not fetch messages", reasonForbidden, deny("$JS.API.CONSUMER.MSG.NEXT.>"), nil},
		{"may not get answers", reasonForbidden, users("secret", map[string]*server.Permissions{
			"admin": allow(">"),
			"app": {
				Publish:   &server.SubjectPermission{Allow: []string{">"}},
				Subscribe: &server.SubjectPermission{Allow: []string{"orders.>"}},
			},
		}), nil},
		{"a work queue", reasonRetention, nil, func(o *Options) { o.Stream = "WORK" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var changes []func(*server.Options)
			url := func(srv *testServer) string { return srv.URL() }
			admin := []natsgo.Option(nil)
			if tt.server != nil {
				changes = append(changes, tt.server)
				url = func(srv *testServer) string { return withUser(srv.URL(), "app:secret") }
				admin = append(admin, natsgo.UserInfo("admin", "secret"))
			}
			srv := startServer(t, changes...)
			js, err := jetstream.New(srv.Connect(t, admin...))
			if err != nil {
				t.Fatal(err)
			}
			orders(t, js)
			mustCreate(t, js, jetstream.StreamConfig{Name: "WORK", Subjects: []string{"work"}, Retention: jetstream.WorkQueuePolicy})
			s := streamOn(t, url(srv), tt.change)
			began := time.Now()
			err = start(t, s, "", nil).awaitReturn(soon)
			if !adapters.IsPermanent(err) || adapters.Reason(err) != tt.reason {
				t.Errorf("got error %v (permanent: %t), want a permanent one: %s", err, adapters.IsPermanent(err), tt.reason)
			}
			if took := time.Since(began); took > requestTimeout-time.Second {
				t.Errorf("got the error after %v, want it as soon as the server has said so", took)
			}
		})
	}
}

// One who may not delete consumers leaves them to the server, and isn't held
// up by that.
func TestStreamMayNotDelete(t *testing.T) {
	srv := startServer(t, users("secret", map[string]*server.Permissions{
		"admin": allow(">"),
		"app": {
			Publish:   &server.SubjectPermission{Allow: []string{">"}, Deny: []string{"$JS.API.CONSUMER.DELETE.>"}},
			Subscribe: &server.SubjectPermission{Allow: []string{">"}},
		},
	}))
	js, err := jetstream.New(srv.Connect(t, natsgo.UserInfo("admin", "secret")))
	if err != nil {
		t.Fatal(err)
	}
	orders(t, js)
	s := streamOn(t, withUser(srv.URL(), "app:secret"), nil)
	r := start(t, s, "", nil)
	r.awaitLive()
	r.cancel()
	if err := r.awaitReturn(deleteTimeout / 2); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want %v", err, context.Canceled)
	}
}

func TestStreamWithoutJetStream(t *testing.T) {
	t.Run("server", func(t *testing.T) {
		srv := startServer(t, func(o *server.Options) { o.JetStream = false })
		err := start(t, streamOn(t, srv.URL(), nil), "", nil).awaitReturn(soon)
		if err == nil || adapters.IsPermanent(err) || adapters.Reason(err) != reasonNoResponder {
			t.Errorf("got error %v, want a transient one: %s", err, reasonNoResponder)
		}
	})
	t.Run("account", func(t *testing.T) {
		account := server.NewAccount("APP")
		srv := startServer(t, func(o *server.Options) {
			o.Accounts = []*server.Account{account}
			o.Users = []*server.User{{Username: "app", Password: "secret", Account: account}}
		})
		err := start(t, streamOn(t, withUser(srv.URL(), "app:secret"), nil), "", nil).awaitReturn(soon)
		if !adapters.IsPermanent(err) || adapters.Reason(err) != reasonNoJetStream {
			t.Errorf("got error %v, want a permanent one: %s", err, reasonNoJetStream)
		}
	})
}

// A stream that was there is waited for: somebody creates it anew.
func TestStreamGone(t *testing.T) {
	srv := startServer(t)
	js := srv.JetStream(t)
	orders(t, js)
	numbered(t, js, "orders.a", 1, 5)
	s := streamOn(t, srv.URL(), func(o *Options) { o.Start = Start{word: startAll} })
	r := start(t, s, "", nil)
	last := r.awaitEvents(5)[4].Position
	if err := js.DeleteStream(t.Context(), "ORDERS"); err != nil {
		t.Fatal(err)
	}
	if err := r.awaitReturn(soon); adapters.IsPermanent(err) || adapters.Reason(err) != reasonNoConsumer {
		t.Errorf("got error %v, want that the consumer is gone", err)
	}
	if err := start(t, s, last, nil).awaitReturn(soon); adapters.IsPermanent(err) || adapters.Reason(err) != reasonGone {
		t.Errorf("got error %v, want that the stream is gone", err)
	}
	orders(t, js)
	wantLost(t, start(t, s, last, nil).awaitReturn(soon), adapters.LostRecreated, -1)
}
