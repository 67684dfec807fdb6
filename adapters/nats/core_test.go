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

	"sidestream/adapters"
)

// A running source, in tests.
type running struct {
	tb     testing.TB
	cancel context.CancelFunc
	done   chan struct{}

	mu   sync.Mutex
	got  []adapters.Event // guarded by mu; Live notices excluded
	live int              // guarded by mu
	err  error            // set before done is closed
}

// start runs a source and records what it emits. Before each event, hold is
// called, if it is not nil. It is stopped by t.Cleanup.
func start(tb testing.TB, s adapters.Source, after adapters.Position, hold func(adapters.Event)) *running {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{tb: tb, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.err = s.Run(ctx, after, func(e adapters.Event) error {
			if hold != nil && !e.Live {
				hold(e)
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			if e.Live {
				r.live++
			} else {
				r.got = append(r.got, e)
			}
			return nil
		})
	}()
	tb.Cleanup(func() {
		cancel()
		<-r.done
	})
	return r
}

// events returns what has been emitted.
func (r *running) events() []adapters.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

func (r *running) awaitLive() {
	r.tb.Helper()
	r.await("a Live notice", func() bool { return r.live > 0 })
}

// stopLive waits for a Live notice and ends the run.
func (r *running) stopLive() {
	r.tb.Helper()
	r.awaitLive()
	r.cancel()
	<-r.done
}

func (r *running) awaitEvents(n int) []adapters.Event {
	r.tb.Helper()
	r.await(fmt.Sprintf("%d events", n), func() bool { return len(r.got) >= n })
	return r.events()
}

// await waits until ok is true of what has been emitted.
func (r *running) await(what string, ok func() bool) {
	r.tb.Helper()
	await(r.tb, what, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		if ok() {
			return true
		}
		select {
		case <-r.done:
			r.tb.Fatalf("Run returned %v after %d events, want %s", r.err, len(r.got), what)
		default:
		}
		return false
	})
}

// awaitReturn waits until Run has returned by itself, and returns its error.
func (r *running) awaitReturn(within time.Duration) error {
	r.tb.Helper()
	select {
	case <-r.done:
	case <-time.After(within):
		r.tb.Fatalf("Run had not returned after %v", within)
	}
	return r.err
}

// texts returns the payloads of events, and of notices what is missing.
func texts(events []adapters.Event) []string {
	list := make([]string, len(events))
	for i, e := range events {
		list[i] = string(e.Data)
		if e.Gap != nil {
			list[i] = fmt.Sprintf("(%s %d)", e.Gap.Reason, e.Gap.Lost)
		}
	}
	return list
}

func publish(tb testing.TB, nc *natsgo.Conn, subject, data string) {
	tb.Helper()
	if err := nc.Publish(subject, []byte(data)); err != nil {
		tb.Fatalf("publish: %v", err)
	}
}

func flush(tb testing.TB, nc *natsgo.Conn) {
	tb.Helper()
	if err := nc.FlushTimeout(soon); err != nil {
		tb.Fatalf("flush: %v", err)
	}
}

// taken waits until sources of one subject have taken what has come over the
// connection so far.
func taken(tb testing.TB, c *connection) {
	tb.Helper()
	done := make(chan struct{})
	if err := c.Barrier(func() { close(done) }); err != nil {
		tb.Fatal(err)
	}
	<-done
}

// TestCoreDelivers: the messages of a subject with a wildcard and a variable,
// and no others, with what is known about them.
func TestCoreDelivers(t *testing.T) {
	srv := startServer(t)
	f := configure(t, srv.URL(), adapters.Route{Vars: []string{"region"}}, func(o *Options) {
		o.Subject = []string{"orders.{region}.>"}
	})
	r := start(t, open(t, f, adapters.Vars{"region": "eu"}), "", nil)
	r.awaitLive()

	nc := srv.Connect(t)
	publish(t, nc, "orders.us.new", "elsewhere")
	publish(t, nc, "orders.eu", "too short")
	msg := natsgo.NewMsg("orders.eu.new.1")
	msg.Data = []byte("first")
	msg.Header.Set("Nats-Msg-Id", "m1")
	if err := nc.PublishMsg(msg); err != nil {
		t.Fatal(err)
	}
	publish(t, nc, "orders.eu.new.2", "")
	got := r.awaitEvents(2)
	if got, want := texts(got), []string{"first", ""}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	e := got[0]
	if e.Key != "orders.eu.new.1" || e.Position != "" || e.Type != "" || !e.Time.IsZero() {
		t.Errorf("got key %q, position %q, type %q, time %v; want the subject and nothing else", e.Key, e.Position, e.Type, e.Time)
	}
	if got, want := e.Headers["Nats-Msg-Id"], []string{"m1"}; !slices.Equal(got, want) {
		t.Errorf("got header %q, want %q", got, want)
	}
	if got, want := e.Meta["subject"], "orders.eu.new.1"; got != want {
		t.Errorf("got meta subject %v, want %v", got, want)
	}
	if len(got[1].Headers) != 0 {
		t.Errorf("got headers %v of a message without any, want none", got[1].Headers)
	}
}

// TestCoreMeta: what nobody reads isn't made.
func TestCoreMeta(t *testing.T) {
	srv := startServer(t)
	f := configure(t, srv.URL(), adapters.Route{}, func(o *Options) { o.Subject = []string{"a"} })
	s, err := f.Open(nil, adapters.Env{})
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, s, "", nil)
	r.awaitLive()
	publish(t, srv.Connect(t), "a", "x")
	if e := r.awaitEvents(1)[0]; e.Meta != nil || e.Headers != nil {
		t.Errorf("got meta %v and headers %v, want none", e.Meta, e.Headers)
	}
}

// TestCoreOverflow: what comes when the inbox is full is missing, is counted
// exactly, and is announced where it is missing; for one subject, and for
// several, which take another way.
func TestCoreOverflow(t *testing.T) {
	for name, subjects := range map[string][]string{"one subject": {"a.*"}, "several": {"a.*", "b"}} {
		t.Run(name, func(t *testing.T) {
			srv := startServer(t)
			f := configure(t, srv.URL(), adapters.Route{}, func(o *Options) {
				o.Subject = subjects
				o.Pending.Messages = 3
			})
			held := make(chan struct{}, 1)
			goOn := make(chan struct{})
			var once sync.Once
			source := open(t, f, nil).(*coreSource)
			r := start(t, source, "", func(adapters.Event) {
				once.Do(func() {
					held <- struct{}{}
					<-goOn
				})
			})
			release := sync.OnceFunc(func() { close(goOn) })
			t.Cleanup(release)
			r.awaitLive()
			nc := srv.Connect(t)
			publish(t, nc, "a.1", "1")
			flush(t, nc)
			<-held
			for i := 2; i <= 20; i++ {
				publish(t, nc, "a."+strconv.Itoa(i), strconv.Itoa(i))
				flush(t, nc)
			}
			// That all has arrived shows on a connection's count of messages.
			c, _, _ := f.joined.state()
			await(t, "20 messages", func() bool { return c.Stats().InMsgs == 20 })
			taken(t, c)
			release()
			r.await("what is missing", func() bool {
				return slices.ContainsFunc(r.got, func(e adapters.Event) bool { return e.Gap != nil })
			})
			publish(t, nc, "a.21", "21")
			r.await("21", func() bool { return string(r.got[len(r.got)-1].Data) == "21" })

			delivered, lost, gapAt := 0, int64(0), -1
			last := 0
			for i, e := range r.events() {
				if e.Gap != nil {
					if e.Gap.Reason != adapters.LostOverflow {
						t.Errorf("got reason %q, want %q", e.Gap.Reason, adapters.LostOverflow)
					}
					lost += e.Gap.Lost
					gapAt = i
					continue
				}
				n, err := strconv.Atoi(string(e.Data))
				if err != nil || n <= last {
					t.Fatalf("got %q after %d, want numbers that grow", e.Data, last)
				}
				if n > last+1 && lost < int64(n-last-1) {
					t.Errorf("got %d after %d, and %d announced as missing before", n, last, lost)
				}
				last = n
				delivered++
			}
			if delivered+int(lost) != 21 {
				t.Errorf("got %d delivered and %d announced as missing, want 21 together: %q", delivered, lost, texts(r.events()))
			}
			if lost == 0 || gapAt < 1 {
				t.Errorf("got %q, want a gap after the first", texts(r.events()))
			}
			if len(subjects) == 1 {
				if got, want := texts(r.events()), []string{"1", "2", "3", "4", "(overflow 16)", "21"}; !slices.Equal(got, want) {
					t.Errorf("got %q, want %q", got, want)
				}
			}
		})
	}
}

// TestCoreFlood: with a source that is slower than its subject, each message
// is either delivered or counted.
func TestCoreFlood(t *testing.T) {
	const count = 200_000
	for name, subjects := range map[string][]string{"one subject": {"flood.>"}, "several": {"flood.a", "flood.b"}} {
		t.Run(name, func(t *testing.T) {
			srv := startServer(t)
			f := configure(t, srv.URL(), adapters.Route{}, func(o *Options) {
				o.Subject = subjects
				o.Pending = Bound{Messages: 1000, Bytes: 1 << 20}
			})
			var mu sync.Mutex
			delivered, lost, last := 0, int64(0), 0
			wrong := ""
			// The source is held up until four times as much was published.
			pace := make(chan struct{}, count)
			free := sync.OnceFunc(func() { close(pace) })
			r := start(t, open(t, f, nil), "", func(e adapters.Event) {
				mu.Lock()
				defer mu.Unlock()
				if e.Gap != nil {
					lost += e.Gap.Lost
					return
				}
				delivered++
				n, _ := strconv.Atoi(string(e.Data))
				// Nothing is missing yet that wasn't announced.
				if wrong == "" && (n <= last || int64(n) > int64(delivered)+lost) {
					wrong = fmt.Sprintf("got %d after %d, with %d delivered and %d announced as missing", n, last, delivered, lost)
				}
				last = n
				if delivered%64 == 0 {
					mu.Unlock()
					<-pace
					mu.Lock()
				}
			})
			t.Cleanup(free)
			r.awaitLive()
			nc := srv.Connect(t)
			for i := 1; i <= count; i++ {
				publish(t, nc, [...]string{"flood.a", "flood.b"}[i%2], strconv.Itoa(i))
				if i%256 == 0 {
					pace <- struct{}{}
				}
			}
			flush(t, nc)
			free()
			await(t, "everything", func() bool {
				mu.Lock()
				defer mu.Unlock()
				return int64(delivered)+lost >= count
			})
			mu.Lock()
			defer mu.Unlock()
			if wrong != "" || int64(delivered)+lost != count {
				t.Errorf("got %d delivered and %d missing, want %d together; %s", delivered, lost, count, wrong)
			}
			t.Logf("%d delivered, %d missing", delivered, lost)
		})
	}
}

// TestCoreOrder: several subjects keep the order in which messages come.
func TestCoreOrder(t *testing.T) {
	const count = 3000
	srv := startServer(t)
	f := configure(t, srv.URL(), adapters.Route{}, func(o *Options) { o.Subject = []string{"a", "b", "c.>"} })
	r := start(t, open(t, f, nil), "", nil)
	r.awaitLive()
	nc := srv.Connect(t)
	for i := range count {
		publish(t, nc, [...]string{"a", "b", "c.d"}[i%3], strconv.Itoa(i))
	}
	for i, e := range r.awaitEvents(count) {
		if string(e.Data) != strconv.Itoa(i) {
			t.Fatalf("got %q as event %d, want upstream order", e.Data, i)
		}
	}
}

// TestCoreSlow: a source that is held up doesn't hold up another one of the
// same connection.
func TestCoreSlow(t *testing.T) {
	srv := startServer(t)
	adapter := Adapter()
	subscribe := func(subject string, hold func(adapters.Event)) *running {
		f := configureOn(t, adapter, srv.URL(), adapters.Route{}, func(o *Options) { o.Subject = []string{subject} })
		r := start(t, open(t, f, nil), "", hold)
		r.awaitLive()
		return r
	}
	goOn := make(chan struct{})
	slow := subscribe("slow", func(adapters.Event) { <-goOn })
	t.Cleanup(func() { close(goOn) })
	quick := subscribe("quick", nil)
	nc := srv.Connect(t)
	for i := range 100 {
		publish(t, nc, "slow", strconv.Itoa(i))
		publish(t, nc, "quick", strconv.Itoa(i))
	}
	quick.awaitEvents(100)
	if n := len(slow.events()); n != 0 {
		t.Errorf("got %d events of a source that is held up, want none", n)
	}
}

// TestCoreQueue: members of a queue group share the messages, others get all.
func TestCoreQueue(t *testing.T) {
	const count = 200
	srv := startServer(t)
	run := func(queue string) *running {
		f := configure(t, srv.URL(), adapters.Route{}, func(o *Options) { o.Subject, o.Queue = []string{"work"}, queue })
		r := start(t, open(t, f, nil), "", nil)
		r.awaitLive()
		return r
	}
	one, two, all := run("workers"), run("workers"), run("")
	nc := srv.Connect(t)
	for i := range count {
		publish(t, nc, "work", strconv.Itoa(i))
	}
	all.awaitEvents(count)
	await(t, "all messages", func() bool { return len(one.events())+len(two.events()) >= count })
	seen := map[string]bool{}
	for _, text := range append(texts(one.events()), texts(two.events())...) {
		if seen[text] {
			t.Errorf("got %s twice, want it once in the group", text)
		}
		seen[text] = true
	}
	if len(seen) != count || len(one.events()) == 0 || len(two.events()) == 0 {
		t.Errorf("got %d and %d, want %d shared by both", len(one.events()), len(two.events()), count)
	}
}

// users returns an option with users, each allowed what it lists.
func users(password string, permissions map[string]*server.Permissions) func(*server.Options) {
	return func(o *server.Options) {
		o.Users = nil
		for name, p := range permissions {
			o.Users = append(o.Users, &server.User{Username: name, Password: password, Permissions: p})
		}
	}
}

func allow(subjects ...string) *server.Permissions {
	return &server.Permissions{Subscribe: &server.SubjectPermission{Allow: subjects}}
}

// TestCorePermission: a subject that the user may not subscribe to is a
// permanent failure, at the start and when the permission is taken away, and
// of nobody else.
func TestCorePermission(t *testing.T) {
	for name, subjects := range map[string][]string{"one subject": {"secret.x"}, "several": {"open.y", "secret.x"}} {
		for _, queue := range []string{"", "group"} {
			t.Run(name+" "+queue, func(t *testing.T) {
				srv := startServer(t, users("pw", map[string]*server.Permissions{"u": allow("open.>", "secret.>")}))
				adapter := Adapter()
				url := strings.Replace(srv.URL(), "://", "://u:pw@", 1)
				source := func(subjects ...string) adapters.Source {
					f := configureOn(t, adapter, url, adapters.Route{}, func(o *Options) { o.Subject, o.Queue = subjects, queue })
					return open(t, f, nil)
				}
				other := start(t, source("open.x"), "", nil)
				other.awaitLive()
				r := start(t, source(subjects...), "", nil)
				r.awaitLive()
				srv.Reload(users("pw", map[string]*server.Permissions{"u": allow("open.>")}))
				check := func(r *running) {
					t.Helper()
					err := r.awaitReturn(soon)
					if !adapters.IsPermanent(err) || adapters.Reason(err) != reasonForbidden {
						t.Errorf("got error %v, want a permanent one, %q", err, reasonForbidden)
					}
				}
				check(r)
				again := start(t, source(subjects...), "", nil)
				check(again)
				if again.live > 0 {
					t.Error("got a Live notice of a subscription that was refused, want none")
				}
				publish(t, srv.Connect(t, natsgo.UserInfo("u", "pw")), "open.x", "still here")
				if got := texts(other.awaitEvents(1)); got[0] != "still here" {
					t.Errorf("another source of the connection: got %q", got)
				}
				srv.Reload(users("pw", map[string]*server.Permissions{"u": allow("open.>", "secret.>")}))
				start(t, source(subjects...), "", nil).awaitLive()
			})
		}
	}
}

// TestCoreLimit: too many subscriptions are a failure that may pass.
func TestCoreLimit(t *testing.T) {
	srv := startServer(t, func(o *server.Options) { o.MaxSubs = 1 })
	adapter := Adapter()
	source := func(subject string) adapters.Source {
		return open(t, configureOn(t, adapter, srv.URL(), adapters.Route{}, func(o *Options) { o.Subject = []string{subject} }), nil)
	}
	first := start(t, source("a"), "", nil)
	first.awaitLive()
	err := start(t, source("b"), "", nil).awaitReturn(soon)
	if err == nil || adapters.IsPermanent(err) || adapters.Reason(err) != reasonFull {
		t.Errorf("got error %v, want a transient one, %q", err, reasonFull)
	}
	publish(t, srv.Connect(t), "a", "still here")
	first.awaitEvents(1)
}

// TestCorePosition: there are none.
func TestCorePosition(t *testing.T) {
	srv := startServer(t)
	f := configure(t, srv.URL(), adapters.Route{}, func(o *Options) { o.Subject = []string{"a"} })
	err := open(t, f, nil).Run(t.Context(), "12-abc", func(adapters.Event) error { return nil })
	var lost *adapters.PositionLostError
	if !errors.As(err, &lost) || lost.Reason != adapters.LostUnknown || lost.Lost >= 0 || lost.Resume != "" {
		t.Errorf("got %v, want a position that is unknown", err)
	}
}

// TestCoreNothingLeft: a run leaves no subscription behind.
func TestCoreNothingLeft(t *testing.T) {
	srv := startServer(t)
	for name, subjects := range map[string][]string{"one subject": {"a"}, "several": {"a", "b"}} {
		t.Run(name, func(t *testing.T) {
			f := configure(t, srv.URL(), adapters.Route{}, func(o *Options) { o.Subject = subjects })
			s := open(t, f, nil)
			for range 3 {
				r := start(t, s, "", nil)
				r.awaitLive()
				r.cancel()
				if err := r.awaitReturn(soon); !errors.Is(err, context.Canceled) {
					t.Errorf("got %v, want %v", err, context.Canceled)
				}
			}
			c, _, _ := f.joined.state()
			if n := c.NumSubscriptions(); n != 0 {
				t.Errorf("got %d subscriptions after the runs, want none", n)
			}
			flush(t, c.Conn)
			if n := subscriptions(t, srv); n != 0 {
				t.Errorf("got %d subscriptions at the server, want none", n)
			}
		})
	}
}

// subscriptions returns how many subscriptions the server has of its clients.
func subscriptions(t *testing.T, srv *testServer) (n uint32) {
	t.Helper()
	conns, err := srv.Server().Connz(&server.ConnzOptions{Subscriptions: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range conns.Conns {
		n += c.NumSubs
	}
	return n
}
