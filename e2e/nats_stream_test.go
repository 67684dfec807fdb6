package e2e

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// jetstream returns a client of the server's JetStream, for a test's own use.
func (n *natsServer) jetstream(tb testing.TB) jetstream.JetStream {
	tb.Helper()
	conn, err := nats.Connect(n.url, nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond), nats.Name("test"))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		tb.Fatal(err)
	}
	return js
}

// stream creates a stream on files.
func stream(tb testing.TB, js jetstream.JetStream, name string, subjects ...string) jetstream.Stream {
	tb.Helper()
	var s jetstream.Stream
	wait(tb, "a stream", func() (any, bool) { // the server may still be removing one of this name
		var err error
		s, err = js.CreateStream(tb.Context(), jetstream.StreamConfig{Name: name, Subjects: subjects, Storage: jetstream.FileStorage})
		return err, err == nil
	})
	return s
}

// publish stores a message, again and again until the server has said that
// it has it. It is stored once.
func publish(ctx context.Context, js jetstream.JetStream, subject, data string) error {
	for {
		try, cancel := context.WithTimeout(ctx, time.Second)
		_, err := js.Publish(try, subject, []byte(data), jetstream.WithMsgID(subject+" "+data))
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
}

// publishTo stores the numbers from and up to to.
func publishTo(tb testing.TB, js jetstream.JetStream, subject string, from, to int) {
	tb.Helper()
	for i := from; i <= to; i++ {
		if err := publish(tb.Context(), js, subject, strconv.Itoa(i)); err != nil {
			tb.Fatal(err)
		}
	}
}

func numbered(from, to int) (list []string) {
	for i := from; i <= to; i++ {
		list = append(list, strconv.Itoa(i))
	}
	return list
}

// natsTable has the given routes, by the server at url, with short delays.
func natsTable(url, routes string) string {
	return fmt.Sprintf(`
defaults:
  nats: {urls: [%q], reconnect: {min: 20ms, max: 200ms}}
  backoff: {min: 20ms, max: 200ms}
  retry: 50ms
  linger: 200ms
routes:
%s`, url, routes)
}

// However many clients there are, the server has one consumer for the
// stream and one connection for the process, and none when they have left.
func TestStreamIsShared(t *testing.T) {
	n := startNATS(t)
	js := n.jetstream(t)
	stream(t, js, "ORDERS", "orders.>")
	publishTo(t, js, "orders.a", 1, 10)
	s := serve(t, natsTable(n.url, `
  - {path: /orders, nats: {stream: ORDERS}}
  - {path: /all, nats: {stream: ORDERS, start: all}}
`))
	live, leave := gather(t, s.url+"/orders", 200)
	all, leaveToo := gather(t, s.url+"/all", 50)
	s.awaitClients(t, "/orders", 200)
	s.awaitClients(t, "/all", 50)
	waitForConsumers(t, n, "ORDERS", 2)
	publishTo(t, js, "orders.b", 11, 60)
	live.await(t, "60 as its newest message", newest("60"))
	all.await(t, "60 as its newest message", newest("60"))
	for _, c := range live {
		if got, want := c.messages(), numbered(11, 60); !slices.Equal(got, want) {
			t.Fatalf("got messages %q, want %q", got, want)
		}
	}
	// Whoever opens the stream gets all; those who come later join.
	if got, want := all[0].messages()[len(all[0].messages())-50:], numbered(11, 60); !slices.Equal(got, want) {
		t.Errorf("start: all: got %q at the end, want %q", got, want)
	}
	waitForConsumers(t, n, "ORDERS", 2)
	names, err := n.connections()
	if err != nil {
		t.Fatal(err)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name != "sidestream" })
	if len(names) != 1 {
		t.Errorf("got %d connections from the process, want 1 for both routes", len(names))
	}
	leave()
	leaveToo()
	waitForConsumers(t, n, "ORDERS", 0)
}

func waitForConsumers(t *testing.T, n *natsServer, stream string, want int) {
	t.Helper()
	waitFor(t, 2*patience, fmt.Sprintf("%d consumers of %s", want, stream), func() (any, bool) {
		names, err := n.consumers(stream)
		return fmt.Sprint(names, err), err == nil && len(names) == want
	})
}

// The server is killed and restarted while messages are published: every
// client gets every message that was stored, once and in order, and is told
// in between that the server is away.
func TestNATSKilledUnderLoad(t *testing.T) {
	n := startNATS(t)
	js := n.jetstream(t)
	stream(t, js, "LOAD", "load")
	s := serve(t, natsTable(n.url, `
  - {path: /load, nats: {stream: LOAD}, history: {events: 100000, bytes: 64MiB}}
`))
	clients, _ := gather(t, s.url+"/load", 100)
	s.awaitClients(t, "/load", 100)
	waitForConsumers(t, n, "LOAD", 1)

	var stored int
	var producer sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	producer.Go(func() {
		for ctx.Err() == nil && publish(context.WithoutCancel(ctx), js, "load", strconv.Itoa(stored+1)) == nil {
			stored++
		}
	})
	for range 3 {
		before := clients[0].messages()
		wait(t, "more messages", func() (any, bool) {
			have := len(clients[0].messages())
			return have, have > len(before)+100
		})
		n.kill()
		n.start(t)
	}
	n.awaitHealthy(t)
	stop()
	producer.Wait()
	publishTo(t, js, "load", stored+1, stored+1)
	clients.await(t, "the last message", newest(strconv.Itoa(stored+1)))
	want := numbered(1, stored+1)
	for i, c := range clients {
		if got := c.messages(); !slices.Equal(got, want) {
			t.Fatalf("client %d: got %d messages, want each of %d once and in order", i, len(got), len(want))
		}
		if c.has("stream.gap") {
			t.Fatalf("client %d: got a gap, want none since nothing was lost", i)
		}
		if len(c.conns()) != 1 {
			t.Fatalf("client %d: got %d connections, want 1: the server's death is no reason to cut it", i, len(c.conns()))
		}
	}
	if !clients[0].has("stream.stale") || !clients[0].has("stream.fresh") {
		t.Error("got no stream.stale or no stream.fresh, want clients to know that the server was away")
	}
}

// A client that has an id of one replica goes on at another, or at the same
// one after a restart, right behind it.
func TestStreamResumesAnywhere(t *testing.T) {
	for _, path := range []string{"/orders", "/users/alice"} {
		t.Run(path, func(t *testing.T) {
			n := startNATS(t)
			js := n.jetstream(t)
			stream(t, js, "ORDERS", "orders.>")
			table := natsTable(n.url, `
  - {path: /orders, nats: {stream: ORDERS, subject: "orders.eu.>"}}
  - {path: "/users/{user}", nats: {stream: ORDERS}, key: '$subject | split(".")[2]', match: "{user}"}
`)
			a, b := serve(t, table), serve(t, table)
			first := follow(t, a.url+path)
			a.awaitClients(t, strings.Replace(path, "alice", "{user}", 1), 1)
			waitForConsumers(t, n, "ORDERS", 1)
			mine := func(from, to int) {
				for i := from; i <= to; i++ {
					publishTo(t, js, "orders.us.bob", i, i)
					publishTo(t, js, "orders.eu.alice", i, i)
				}
			}
			mine(1, 20)
			first.awaitMessage(t, "20")
			ids := first.events()
			for _, at := range []int{0, 7, 19} {
				for _, s := range []*sidestream{a, b} {
					c := follow(t, s.url+path, ids[at].ID)
					if at < 19 {
						c.awaitMessage(t, "20")
					}
					if got, want := c.messages(), numbered(at+2, 20); !slices.Equal(got, want) {
						t.Errorf("%s after %s: got %q, want %q", path, ids[at].ID, got, want)
					}
				}
			}
			b.kill()
			mine(21, 30)
			b.start(t)
			c := follow(t, b.url+path, ids[19].ID)
			c.awaitMessage(t, "30")
			if got, want := c.messages(), numbered(21, 30); !slices.Equal(got, want) {
				t.Errorf("%s after a restart: got %q, want %q", path, got, want)
			}
			if err := js.DeleteStream(t.Context(), "ORDERS"); err != nil {
				t.Fatal(err)
			}
			stream(t, js, "ORDERS", "orders.>")
			publishTo(t, js, "orders.eu.alice", 1, 3)
			for _, s := range []*sidestream{a, b} {
				c := follow(t, s.url+path, ids[19].ID)
				c.awaitMessage(t, "3")
				// What the replica remembers of the former stream comes before.
				events := c.events()
				gap := slices.IndexFunc(events, func(e received) bool { return e.Type == "stream.gap" })
				if gap < 0 || !strings.Contains(events[gap].Data, `"recreated"`) || count(c, "message") < 3 ||
					slices.ContainsFunc(events[:gap], func(e received) bool { return e.Data == "1" }) {
					t.Errorf("%s after the stream was recreated: got %v, want a gap that says so, and 1 to 3", path, events)
				}
			}
		})
	}
}

// Hundreds of users on one subscription.
func TestStreamOfEachUser(t *testing.T) {
	const users, messages = 300, 10
	n := startNATS(t)
	js := n.jetstream(t)
	stream(t, js, "ORDERS", "orders.>")
	s := serve(t, natsTable(n.url, `
  - {path: "/users/{user}", nats: {stream: ORDERS, subject: "orders.*"}, key: '$subject | split(".")[1]', match: "{user}"}
`))
	clients := make(crowd, users)
	for i := range clients {
		clients[i] = follow(t, fmt.Sprintf("%s/users/u%d", s.url, i))
	}
	s.awaitClients(t, "/users/{user}", users)
	waitForConsumers(t, n, "ORDERS", 1)
	for m := range messages {
		for i := range users {
			publishTo(t, js, fmt.Sprintf("orders.u%d", i), m+1, m+1)
		}
	}
	clients.await(t, "its last message", newest(strconv.Itoa(messages)))
	for i, c := range clients {
		if got, want := c.messages(), numbered(1, messages); !slices.Equal(got, want) {
			t.Fatalf("user %d: got %q, want %q", i, got, want)
		}
	}
	waitForConsumers(t, n, "ORDERS", 1)
}

// ?since= begins at a time, at any replica.
func TestStreamSince(t *testing.T) {
	n := startNATS(t)
	js := n.jetstream(t)
	stream(t, js, "ORDERS", "orders.>")
	publishTo(t, js, "orders.a", 1, 3)
	info, err := js.Stream(t.Context(), "ORDERS")
	if err != nil {
		t.Fatal(err)
	}
	second, err := info.GetMsg(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, natsTable(n.url, "  - {path: /orders, nats: {stream: ORDERS}, since: true}\n"))
	for _, since := range []string{
		second.Time.Format(time.RFC3339Nano),
		strconv.FormatInt(second.Time.UnixMilli(), 10),
	} {
		c := follow(t, s.url+"/orders?since="+url.QueryEscape(since))
		c.awaitMessage(t, "3")
		// A millisecond may hold the first message, too.
		if got := c.messages(); !slices.Equal(got[max(0, len(got)-2):], numbered(2, 3)) {
			t.Errorf("since %s: got %q, want the messages from the second one on", since, got)
		}
	}
	c := follow(t, s.url+"/orders?since="+url.QueryEscape(second.Time.Format(time.RFC3339Nano)), c0(t, s))
	publishTo(t, js, "orders.a", 4, 4)
	c.awaitMessage(t, "4")
	if got, want := c.messages(), numbered(4, 4); !slices.Equal(got, want) {
		t.Errorf("with an id, which prevails: got %q, want %q", got, want)
	}
	if code, body, _ := fetch(s.url + "/orders?since=yesterday"); code != 400 || !strings.Contains(body, "RFC 3339") {
		t.Errorf("since=yesterday: got %d %q, want 400 and what would be right", code, body)
	}
}

// c0 returns the id of the newest message of /orders.
func c0(t *testing.T, s *sidestream) string {
	t.Helper()
	c := follow(t, s.url+"/orders?since=0")
	c.awaitMessage(t, "3")
	events := c.events()
	return events[len(events)-1].ID
}

// What can't be right by waiting is said, to clients and in the log.
func TestStreamThatIsNotThere(t *testing.T) {
	n := startNATS(t)
	js := n.jetstream(t)
	s := serve(t, "limits: {retry: 100ms}\n"+natsTable(n.url, "  - {path: /orders, nats: {stream: ORDERS}}\n"))
	c := follow(t, s.url+"/orders")
	wait(t, "clients to be told", func() (any, bool) { return c.events(), c.has("stream.stale") })
	if e := c.events()[0]; !strings.Contains(e.Data, "stream not found") {
		t.Errorf("got %v, want the reason in it", e)
	}
	s.awaitLog(t, "source failed for good", 1)
	stream(t, js, "ORDERS", "orders.>")
	wait(t, "the client to come back", func() (any, bool) {
		return c.conns(), s.metric(t, `sidestream_sources{route="/orders",state="fresh"}`) == 1
	})
	publishTo(t, js, "orders.a", 1, 1)
	c.awaitMessage(t, "1")
}

// What new clients begin with is a selection; who comes back with an earlier
// id gets all that followed it.
func TestStreamResumesBeforeSelection(t *testing.T) {
	n := startNATS(t)
	js := n.jetstream(t)
	stream(t, js, "ORDERS", "orders.>")
	s := serve(t, natsTable(n.url, `
  - {path: /latest, nats: {stream: ORDERS}, latest: true}
  - {path: "/latest/{name}", nats: {stream: ORDERS}, key: '$subject | split(".")[1]', match: "{name}", latest: true}
  - {path: /all, nats: {stream: ORDERS, start: all}}
`))
	publishTo(t, js, "orders.a", 1, 30)
	publishTo(t, js, "orders.b", 31, 60)
	all := follow(t, s.url+"/all")
	all.awaitMessage(t, "60")
	ids := all.events()
	for path, want := range map[string][]string{"/latest": {"30", "60"}, "/latest/a": {"30"}, "/latest/b": {"60"}} {
		c := follow(t, s.url+path)
		wait(t, "stream.live", func() (any, bool) { return c.events(), c.has("stream.live") })
		if got := c.messages(); !slices.Equal(got, want) {
			t.Errorf("%s: a new client got %q, want %q", path, got, want)
		}
	}
	for path, want := range map[string][]string{"/latest": numbered(26, 60), "/latest/a": numbered(26, 30), "/latest/b": numbered(31, 60)} {
		c := follow(t, s.url+path, ids[24].ID)
		c.awaitMessage(t, want[len(want)-1])
		if got := c.messages(); !slices.Equal(got, want) {
			t.Errorf("%s after 25: got %q, want %q", path, got, want)
		}
	}
}
