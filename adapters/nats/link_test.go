package nats

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"

	"sidestream/adapters"
)

// subscribeTo returns the source of a route of adapter a that subscribes.
func subscribeTo(t *testing.T, a adapters.Adapter, url, subject string, edit func(*Options)) (*factory, adapters.Source) {
	t.Helper()
	f := configureOn(t, a, url, adapters.Route{}, func(o *Options) {
		o.Subject = []string{subject}
		if edit != nil {
			edit(o)
		}
	})
	return f, open(t, f, nil)
}

// TestLinkShared: routes with equal connection options share a connection,
// which is made by the first run and closed with the last factory; others
// have their own.
func TestLinkShared(t *testing.T) {
	srv := startServer(t)
	adapter := Adapter()
	one, first := subscribeTo(t, adapter, srv.URL(), "a", nil)
	two, second := subscribeTo(t, adapter, srv.URL(), "b", func(o *Options) { o.Pending.Messages = 7 })
	three, third := subscribeTo(t, adapter, srv.URL(), "c", func(o *Options) { o.Connection.Name = "another" })
	count := func() int { return srv.Server().NumClients() }
	if n := count(); n != 0 {
		t.Fatalf("got %d connections before anything ran, want none", n)
	}
	var runs []*running
	for i, s := range []adapters.Source{first, second, third} {
		r := start(t, s, "", nil)
		r.awaitLive()
		runs = append(runs, r)
		if got, want := count(), []int{1, 1, 2}[i]; got != want {
			t.Errorf("got %d connections with %d sources, want %d", got, i+1, want)
		}
	}
	for _, r := range runs {
		r.cancel()
		<-r.done
	}
	for i, f := range []*factory{three, one, two} {
		if err := f.Close(); err != nil {
			t.Errorf("Close: got %v, want no error", err)
		}
		want := []int{1, 1, 0}[i]
		await(t, strconv.Itoa(want)+" connections", func() bool { return count() == want })
	}
	if err := one.Close(); err != nil {
		t.Errorf("Close a second time: got %v, want no error", err)
	}
	if err := start(t, first, "", nil).awaitReturn(soon); err == nil || adapters.IsPermanent(err) {
		t.Errorf("Run after Close: got %v, want a transient error", err)
	}
}

// TestLinkShows: the server sees the configured name, and no echo is wanted.
func TestLinkShows(t *testing.T) {
	srv := startServer(t)
	f, s := subscribeTo(t, Adapter(), srv.URL(), ">", func(o *Options) { o.Connection.Name = "orders gateway" })
	r := start(t, s, "", nil)
	r.awaitLive()
	conns, err := srv.Server().Connz(nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(conns.Conns) != 1 || conns.Conns[0].Name != "orders gateway" {
		t.Fatalf("got connections %+v, want one by its name", conns.Conns)
	}
	c, _, _ := f.joined.state()
	publish(t, c.Conn, "own", "1")
	flush(t, c.Conn)
	publish(t, srv.Connect(t), "other", "2")
	if got := texts(r.awaitEvents(1)); got[0] != "2" {
		t.Errorf("got %q first, want what others publish only", got)
	}
}

// TestLinkLost: a run says at once that the connection is lost; the next one
// that there is none, after a while; and the one after it waits, and goes on
// when the server is back.
func TestLinkLost(t *testing.T) {
	srv := startServer(t)
	_, s := subscribeTo(t, Adapter(), srv.URL(), "a", nil)
	r := start(t, s, "", nil)
	r.awaitLive()
	srv.Kill()
	check := func(err error, reason string) {
		t.Helper()
		if err == nil || adapters.IsPermanent(err) || adapters.Reason(err) != reason {
			t.Errorf("got error %v, want a transient one, %q", err, reason)
		}
	}
	check(r.awaitReturn(2*time.Second), reasonLost)
	begun := time.Now()
	check(start(t, s, "", nil).awaitReturn(2*patience), "connection refused")
	if took := time.Since(begun); took < patience {
		t.Errorf("gave up after %v, want %v", took, patience)
	}
	waiting := start(t, s, "", nil)
	select {
	case <-waiting.done:
		t.Fatalf("the run after that returned %v, want it to wait", waiting.err)
	case <-time.After(patience + patience/2):
	}
	srv.Restart()
	waiting.awaitLive()
	publish(t, srv.Connect(t), "a", "x")
	waiting.awaitEvents(1)

	srv.Kill() // and the story begins anew
	check(waiting.awaitReturn(2*time.Second), reasonLost)
	if err := start(t, s, "", nil).awaitReturn(2 * patience); err == nil || adapters.IsPermanent(err) {
		t.Errorf("got error %v, want a transient one", err)
	}
}

// TestLinkDelivers: what has arrived before the connection was lost is
// delivered before that is said.
func TestLinkDelivers(t *testing.T) {
	srv := startServer(t)
	f, s := subscribeTo(t, Adapter(), srv.URL(), "a", nil)
	goOn := make(chan struct{})
	var once sync.Once
	r := start(t, s, "", func(adapters.Event) { once.Do(func() { <-goOn }) })
	r.awaitLive()
	nc := srv.Connect(t)
	for i := range 50 {
		publish(t, nc, "a", strconv.Itoa(i))
	}
	flush(t, nc)
	c, _, _ := f.joined.state()
	await(t, "all messages", func() bool { return c.Stats().InMsgs == 50 })
	taken(t, c)
	srv.Kill()
	await(t, "the loss", func() bool { return c.IsClosed() })
	close(goOn)
	if err := r.awaitReturn(soon); adapters.Reason(err) != reasonLost {
		t.Errorf("got error %v, want %q", err, reasonLost)
	}
	if n := len(r.events()); n != 50 {
		t.Errorf("got %d events before the error, want 50", n)
	}
}

// TestLinkHalfOpen: a connection over which nothing comes any more is found
// out by pings, after two without an answer.
func TestLinkHalfOpen(t *testing.T) {
	srv := startServer(t)
	way := throughProxy(t, srv)
	const interval = 200 * time.Millisecond
	_, s := subscribeTo(t, Adapter(), way.URL(), "a", func(o *Options) {
		o.Connection.PingInterval = adapters.Duration(interval)
		o.Connection.ConnectTimeout = adapters.Duration(500 * time.Millisecond)
	})
	r := start(t, s, "", nil)
	r.awaitLive()
	way.Stall()
	begun := time.Now()
	if err := r.awaitReturn(soon); adapters.Reason(err) != reasonLost {
		t.Errorf("got error %v, want %q", err, reasonLost)
	}
	took := time.Since(begun)
	if most := (maxPings+1)*interval + 500*time.Millisecond; took > most {
		t.Errorf("found out after %v, want %v at most", took, most)
	}
	if err := start(t, s, "", nil).awaitReturn(soon); err == nil || adapters.IsPermanent(err) {
		t.Errorf("on a way that is stalled: got %v, want a transient error", err)
	}
	way.Heal()
	start(t, s, "", nil).awaitLive()
}

// TestLinkDefaultPing: with the default interval, that is within 20 seconds.
func TestLinkDefaultPing(t *testing.T) {
	if worst := (maxPings + 1) * time.Duration(defaults().Connection.PingInterval); worst > 20*time.Second {
		t.Errorf("a half-open connection is found out after %v, want 20s at most", worst)
	}
}

// TestLinkStalled: a server that takes connections and says nothing is one
// that does not answer in time; and neither a run nor Close hangs on it.
func TestLinkStalled(t *testing.T) {
	for _, scheme := range []string{schemeNATS, schemeTLS, schemeWS, schemeWSS} {
		t.Run(scheme, func(t *testing.T) {
			silent, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { silent.Close() })
			url := scheme + "://" + silent.Addr().String()
			_, s := subscribeTo(t, Adapter(), url, "a", func(o *Options) {
				o.Connection.ConnectTimeout = adapters.Duration(100 * time.Millisecond)
			})
			err = start(t, s, "", nil).awaitReturn(2 * patience)
			if adapters.IsPermanent(err) || adapters.Reason(err) != "timeout" {
				t.Errorf("got error %v, want a transient one, %q", err, "timeout")
			}

			f, s := subscribeTo(t, Adapter(), url, "a", func(o *Options) {
				o.Connection.ConnectTimeout = adapters.Duration(time.Minute)
			})
			r := start(t, s, "", nil)
			await(t, "the run to want a connection", func() bool {
				f.mu.Lock()
				defer f.mu.Unlock()
				return f.joined != nil
			})
			r.cancel()
			if err := r.awaitReturn(time.Second); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want %v", err, context.Canceled)
			}
			begun := time.Now()
			f.Close()
			if took := time.Since(begun); took > time.Second {
				t.Errorf("Close took %v while a server did not answer", took)
			}
		})
	}
}

// TestLinkServers: of several servers, the first of which is dead, one that
// answers is found, and another one when it goes away.
func TestLinkServers(t *testing.T) {
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := dead.Addr().String()
	dead.Close()
	one, two := startServer(t), startServer(t)
	_, s := subscribeTo(t, Adapter(), "", "a", func(o *Options) {
		o.Connection.URLs = urls("nats://"+address, one.URL(), two.URL())
	})
	r := start(t, s, "", nil)
	r.awaitLive()
	up, other := one, two
	if up.Server().NumClients() == 0 {
		up, other = two, one
	}
	up.Kill()
	if err := r.awaitReturn(soon); adapters.Reason(err) != reasonLost {
		t.Errorf("got error %v, want %q", err, reasonLost)
	}
	r = start(t, s, "", nil)
	r.awaitLive()
	publish(t, other.Connect(t), "a", "x")
	r.awaitEvents(1)
}

// TestLinkLearns: a server of the cluster that isn't configured is used when
// the one that is has gone, with the same credentials.
func TestLinkLearns(t *testing.T) {
	cluster := func(routes ...string) func(*server.Options) {
		return func(o *server.Options) {
			o.JetStream = false
			o.Username, o.Password = "u", "pw"
			o.Cluster = server.ClusterOpts{Name: "c", Host: "127.0.0.1", Port: server.RANDOM_PORT, NoAdvertise: false}
			o.Routes = server.RoutesFromStr(strings.Join(routes, ","))
		}
	}
	one := startServer(t, cluster())
	two := startServer(t, cluster("nats://"+one.Server().ClusterAddr().String()))
	await(t, "a cluster", func() bool { return one.Server().NumRoutes() > 0 && two.Server().NumRoutes() > 0 })
	_, s := subscribeTo(t, Adapter(), strings.Replace(one.URL(), "://", "://u:pw@", 1), "a", nil)
	r := start(t, s, "", nil)
	r.awaitLive()
	witness := one.Connect(t, natsgo.UserInfo("u", "pw")) // which hears the same, later
	await(t, "word of the other server", func() bool { return len(witness.DiscoveredServers()) > 0 })
	one.Kill()
	<-r.done
	r = start(t, s, "", nil)
	r.awaitLive()
	publish(t, two.Connect(t, natsgo.UserInfo("u", "pw")), "a", "x")
	r.awaitEvents(1)
}

// TestLinkRefused: a refusal is permanent and isn't repeated without use, but
// who asks again gets a fresh answer.
func TestLinkRefused(t *testing.T) {
	var attempts atomic.Int64
	srv := startServer(t, func(o *server.Options) {
		o.CustomClientAuthentication = counting{&attempts}
	})
	_, s := subscribeTo(t, Adapter(), strings.Replace(srv.URL(), "://", "://u:wrong@", 1), "a", nil)
	for i := range int64(3) {
		begun := time.Now()
		err := start(t, s, "", nil).awaitReturn(soon)
		if !adapters.IsPermanent(err) || adapters.Reason(err) != reasonRefused {
			t.Errorf("got error %v, want a permanent one, %q", err, reasonRefused)
		}
		if took := time.Since(begun); took > time.Second {
			t.Errorf("took %v to say so, want it at once", took)
		}
		if got := attempts.Load(); got != i+1 {
			t.Errorf("got %d attempts after %d runs, want one each", got, i+1)
		}
		if strings.Contains(err.Error(), "wrong") {
			t.Errorf("got error %q, want it without the password", err)
		}
	}
}

// TestLinkMended: when what was refused has been mended, a run that asks finds
// out, although the last word was that it is of no use.
func TestLinkMended(t *testing.T) {
	srv := startServer(t, func(o *server.Options) { o.Username, o.Password = "u", "pw" })
	_, s := subscribeTo(t, Adapter(), withUser(srv.URL(), "u:other"), "a", nil)
	if err := start(t, s, "", nil).awaitReturn(soon); !adapters.IsPermanent(err) {
		t.Errorf("got error %v, want a permanent one", err)
	}
	srv.Reload(func(o *server.Options) { o.Password = "other" })
	start(t, s, "", nil).awaitLive()
}

// TestLinkRest: between two rounds passes at least the shortest delay, and then
// the rest of it unless somebody asks; and, after a failure that won't pass,
// all the time until then.
func TestLinkRest(t *testing.T) {
	const shortest, delay = 100 * time.Millisecond, 4 * time.Second
	synctest.Test(t, func(t *testing.T) {
		o := defaults().Connection
		l := &link{options: &o, wanted: make(chan struct{}, 1)}
		rest := func(ctx context.Context, idle bool, wanted time.Duration) (time.Duration, bool) {
			begun := time.Now()
			if wanted > 0 {
				timer := time.AfterFunc(wanted, l.want)
				defer timer.Stop()
			}
			again := l.rest(ctx, delay, idle)
			return time.Since(begun), again
		}
		if took, again := rest(t.Context(), false, 0); took < delay/2 || took > delay || !again {
			t.Errorf("nobody asks: took %v, again %v, want %v to %v", took, again, delay/2, delay)
		}
		if took, _ := rest(t.Context(), false, time.Second); took != time.Second {
			t.Errorf("somebody asks after 1s: took %v", took)
		}
		if took, _ := rest(t.Context(), false, time.Millisecond); took != shortest {
			t.Errorf("somebody asks after 1ms: took %v, want %v", took, shortest)
		}
		if took, again := rest(t.Context(), true, time.Hour); took != time.Hour || !again {
			t.Errorf("it is of no use, and somebody asks after 1h: took %v, again %v", took, again)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if took, again := rest(ctx, true, 0); took != time.Minute || again {
			t.Errorf("closed after 1m: took %v, again %v, want no other round", took, again)
		}
	})
}

// counting refuses everybody.
type counting struct{ attempts *atomic.Int64 }

func (c counting) Check(server.ClientAuthentication) bool {
	c.attempts.Add(1)
	return false
}

// TestLinkManyRuns: runs of many sources, all at once, share the connection
// through its loss and return.
func TestLinkManyRuns(t *testing.T) {
	srv := startServer(t)
	adapter := Adapter()
	var sources []adapters.Source
	for i := range 50 {
		_, s := subscribeTo(t, adapter, srv.URL(), "many."+strconv.Itoa(i), nil)
		sources = append(sources, s)
	}
	for range 2 {
		var runs []*running
		for _, s := range sources {
			runs = append(runs, start(t, s, "", nil))
		}
		for _, r := range runs {
			r.awaitLive()
		}
		if n := srv.Server().NumClients(); n != 1 {
			t.Errorf("got %d connections, want 1", n)
		}
		srv.Kill()
		for _, r := range runs {
			if err := r.awaitReturn(soon); adapters.Reason(err) != reasonLost {
				t.Errorf("got error %v, want %q", err, reasonLost)
			}
		}
		srv.Restart()
	}
}
