package proxy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sidestream/adapters"
)

// send publishes messages for users: "alice 1" is number 1 for alice.
func (w *world) send(name string, messages ...string) {
	w.t.Helper()
	for _, m := range messages {
		user, n, _ := strings.Cut(m, " ")
		w.publish(name, fmt.Sprintf(`{"user":%q,"n":%s}`, user, n))
	}
}

// users is a route that serves each user with the events of upstream name.
func users(name, more string) string {
	return `routes: [{path: "/u/{user}", log: {name: ` + name + `}, key: .user, match: "{user}", event: {data: .n}` + more + `}]`
}

func TestMatch(t *testing.T) {
	inWorld(t, users("r", ""), func(w *world) {
		alice, bob, again := w.connect("/u/alice"), w.connect("/u/bob"), w.connect("/u/alice")
		defer alice.drop()
		defer bob.drop()
		defer again.drop()
		w.send("r", "alice 1", "bob 2", "carol 3", "alice 4")
		for _, c := range []*connection{alice, again} {
			c.wants("r.0.1 1", "r.0.4 4")
		}
		bob.wants("r.0.2 2")
		if got := w.upstream("r").Running(); got != 1 {
			t.Errorf("sources running for three clients with two keys: got %d, want 1", got)
		}
		if got := w.metric(`sidestream_streams{route="/u/{user}"}`); got != "1" {
			t.Errorf("streams: got %s, want 1", got)
		}
	})
}

// A variable that match doesn't read is the source's.
func TestMatchWithinSources(t *testing.T) {
	const table = `routes: [{path: "/{region}/{user}", query: [q], log: {name: r}, key: .user, match: "{q}-{user}", event: {data: '"\($vars)"'}}]`
	inWorld(t, table, func(w *world) {
		a, b := w.connect("/eu/alice?q=x"), w.connect("/us/alice?q=x")
		defer a.drop()
		defer b.drop()
		w.send("r", "x-alice 1")
		a.wants(`r.0.1 {"region":"eu"}`)
		b.wants(`r.0.1 {"region":"us"}`)
		if got := w.upstream("r").Running(); got != 2 {
			t.Errorf("sources running for two regions: got %d, want 2", got)
		}
	})
}

func TestMatchNobody(t *testing.T) {
	const table = `routes: [{path: /u, query: [user], log: {name: r}, key: .user, match: "{user}", event: {data: .n}}]`
	inWorld(t, table, func(w *world) {
		if got := w.get("/u").StatusCode; got != 404 {
			t.Errorf("a request whose key is empty: got status %d, want 404", got)
		}
		c := w.connect("/u?user=null")
		defer c.drop()
		w.publish("r", `{"n":1}`, `{"user":"","n":2}`, `{"user":null,"n":3}`, `{"user":"null","n":4}`)
		c.wants("r.0.4 4")
	})
}

// From every id, whether the feed is there or has to be made anew, a client
// gets what follows of its key, and the private run that it takes ends.
func TestMatchResume(t *testing.T) {
	inWorld(t, users("r", ", history: {events: 2}"), func(w *world) {
		var messages, want []string
		for i := 1; i <= 30; i++ {
			messages = append(messages, fmt.Sprintf("%s %d", []string{"alice", "bob", "carol"}[i%3], i))
			if i%3 == 0 {
				want = append(want, fmt.Sprintf("r.0.%d %d", i, i))
			}
		}
		w.send("r", messages...)
		check := func(when string) {
			for id := range 31 {
				c := w.connect("/u/alice", fmt.Sprintf("Last-Event-ID: r.0.%d", id))
				c.wants(want[id/3:]...)
				if got := w.upstream("r").Running(); got != 1 {
					t.Errorf("%s, after id %d: got %d sources running once the client is in its feed, want 1", when, id, got)
				}
				c.drop()
				if t.Failed() {
					return
				}
			}
		}
		check("after a restart")
		w.send("r", "alice 31", "bob 32", "alice 33", "alice 34", "alice 36", "bob 37")
		want = append(want, "r.0.31 31", "r.0.33 33", "r.0.34 34", "r.0.35 36")
		check("with events in the feed")
	})
}

// What comes for others doesn't make a client of a quiet key resume from the
// source, nor lose its place.
func TestMatchQuiet(t *testing.T) {
	inWorld(t, users("p", ", history: {events: 3}"), func(w *world) {
		alice := w.connect("/u/alice")
		w.send("p", "alice 1")
		id := alice.lastID()
		for i := range 50 {
			w.send("p", fmt.Sprintf("bob %d", i))
		}
		c := w.connect("/u/alice", "Last-Event-ID: "+id)
		defer c.drop()
		alice.drop()
		c.wants()
		w.send("p", "alice 2")
		c.wants("E-52 2")
	})
}

// Events of keys that nobody reads are remembered, within bounds.
func TestMatchIdle(t *testing.T) {
	inWorld(t, users("p", ", history: {idle: {events: 10}}"), func(w *world) {
		stay := w.connect("/u/bob")
		defer stay.drop()
		alice := w.connect("/u/alice")
		w.send("p", "alice 1")
		id := alice.lastID()
		alice.drop()
		w.send("p", "bob 2", "alice 3", "carol 4", "alice 5")
		alice = w.connect("/u/alice", "Last-Event-ID: "+id)
		alice.wants("E-3 3", "E-5 5")
		id = alice.lastID()
		alice.drop()

		for i := 6; i < 30; i++ {
			w.send("p", fmt.Sprintf("user%d %d", i, i))
		}
		alice = w.connect("/u/alice", "Last-Event-ID: "+id)
		defer alice.drop()
		alice.wants(`E-5 stream.gap {"reason":"expired","requested":"` + id + `","resumed":"","lost":null}`)
		w.send("p", "alice 30")
		if got := len(alice.seen()); got != 2 {
			t.Errorf("after the gap: got %d events, want the gap and what is new", got)
		}
	})
}

// An event that can't be made concerns those it is for, if one can tell.
func TestMatchRefused(t *testing.T) {
	const table = `routes: [{path: "/u/{user}", log: {name: r}, key: .user, match: "{user}", event: {data: .n + 1}}]`
	inWorld(t, table, func(w *world) {
		alice, bob := w.connect("/u/alice"), w.connect("/u/bob")
		defer alice.drop()
		defer bob.drop()
		w.send("r", "alice 1", `alice "x"`, "bob 3")
		refused := ` stream.gap {"reason":"invalid","requested":"r.0.1","resumed":"r.0.2","lost":1}`
		alice.wants("r.0.1 2", "r.0.1"+refused)
		bob.wants("r.0.3 4")
		w.publish("r", "no JSON")
		unclear := ` stream.gap {"reason":"invalid","requested":"r.0.3","resumed":"r.0.4","lost":null}`
		alice.wants("r.0.1 2", "r.0.1"+refused, "r.0.1"+unclear)
		bob.wants("r.0.3 4", "r.0.3"+unclear)

		late := w.connect("/u/bob", "Last-Event-ID: r.0.0")
		defer late.drop()
		late.wants("r.0.3 4", "r.0.3"+unclear)
	})
}

func TestMatchRestart(t *testing.T) {
	inWorld(t, users("r", ", backoff: {min: 1s, max: 1s}"), func(w *world) {
		alice := w.connect("/u/alice")
		defer alice.drop()
		w.send("r", "alice 1")
		w.upstream("r").Fail(adapters.Transient("gone", nil))
		after(0)
		w.send("r", "bob 2", "alice 3")
		w.upstream("r").Recover()
		after(3 * time.Second)
		alice.wants("r.0.1 1", "r.0.1 stream.stale …", "r.0.1 stream.fresh …", "r.0.3 3")
	})
}

func TestLatest(t *testing.T) {
	const table = `routes: [{path: /all, log: {name: p}, key: .user, latest: true, live_marker: true, event: {data: .n}}]`
	inWorld(t, table, func(w *world) {
		first := w.connect("/all")
		defer first.drop()
		w.send("p", "alice 1", "bob 2", "alice 3", "alice 4", "carol 5")
		first.wants(" stream.live {}", "E-1 1", "E-2 2", "E-3 3", "E-4 4", "E-5 5")
		c := w.connect("/all")
		defer c.drop()
		c.wants("E-2 2", "E-4 4", "E-5 5", "E-5 stream.live {}")
		w.send("p", "bob 6")
		c.wants("E-2 2", "E-4 4", "E-5 5", "E-5 stream.live {}", "E-6 6")
		// Whoever has an id goes on from there.
		back := w.connect("/all", "Last-Event-ID: "+c.lastID())
		defer back.drop()
		w.send("p", "bob 7")
		back.wants("E-6 stream.live {}", "E-7 7")
		// With one that says nothing, it is told, and begins anew.
		lost := w.connect("/all", "Last-Event-ID: x")
		defer lost.drop()
		lost.wants(`x stream.gap {"reason":"unknown","requested":"x","resumed":"","lost":null}`, "E-4 4", "E-5 5", "E-7 7", "E-7 stream.live {}")
	})
}

// A new client waits until the source has delivered what there was.
func TestLatestOfReplay(t *testing.T) {
	const table = `routes: [{path: /all, log: {name: r, start: oldest}, key: .user, latest: true, live_marker: true, event: {data: .n}}]`
	inWorld(t, table, func(w *world) {
		w.send("r", "alice 1", "bob 2", "alice 3")
		c := w.connect("/all")
		defer c.drop()
		c.wants("r.0.2 2", "r.0.3 3", "r.0.3 stream.live {}")
	})
}

func TestLatestOfOneKey(t *testing.T) {
	inWorld(t, users("p", ", latest: true, live_marker: true"), func(w *world) {
		stay := w.connect("/u/bob")
		defer stay.drop()
		w.send("p", "alice 1", "bob 2", "alice 3")
		alice := w.connect("/u/alice")
		defer alice.drop()
		alice.wants("E-3 3", "E-3 stream.live {}")
		none := w.connect("/u/carol")
		defer none.drop()
		none.wants("E-3 stream.live {}")
		w.send("p", "carol 4", "alice 5")
		alice.wants("E-3 3", "E-3 stream.live {}", "E-5 5")
		none.wants("E-3 stream.live {}", "E-4 4")
	})
}

// A message that is split for several users: from each part's id a client gets
// the rest of its own, by a private run too.
func TestMatchSplit(t *testing.T) {
	const table = `routes: [{path: "/u/{user}", log: {name: r}, key: .user, match: "{user}", event: {each: ".[]", data: .n}}]`
	inWorld(t, table, func(w *world) {
		w.publish("r", `[{"user":"alice","n":0}]`, `[{"n":1},{"user":"alice","n":2},{"user":"alice","n":3},{"user":"bob","n":4}]`)
		for id, want := range map[string][]string{
			"r.0.0":   {"r.0.1 0", "r.0.1~2 2", "r.0.1~3 3"},
			"r.0.1":   {"r.0.1~2 2", "r.0.1~3 3"},
			"r.0.1~2": {"r.0.1~3 3"},
			"r.0.1~3": {},
		} {
			c := w.connect("/u/alice", "Last-Event-ID: "+id)
			c.wants(want...)
			c.drop()
		}
	})
}

// What nobody can match is dropped, and its key not kept, even if it fails.
func TestMatchUnreachable(t *testing.T) {
	const table = `routes: [{path: "/u/{user}", log: {name: r}, key: .user, match: "{user}", event: {data: .n + 1}}]`
	inWorld(t, table, func(w *world) {
		c := w.connect("/u/alice")
		defer c.drop()
		long := strings.Repeat("x", maxKey+1)
		w.publish("r", `{"n":"x"}`, `{"user":"`+long+`","n":"x"}`, `{"user":"`+long+`","n":1}`)
		c.wants()
		if _, body := w.adminGet("/streams"); !strings.Contains(body, `"keys":{"read":1,"idle":0,"events":0}`) {
			t.Errorf("got %s, want nothing kept of those keys", body)
		}
	})
}

// One user's event that can't be written is no concern of the others.
func TestMatchUnwritable(t *testing.T) {
	const table = `routes: [{path: "/u/{user}", log: {name: r}, key: .user, match: "{user}", event: {type: .t}}]`
	inWorld(t, table, func(w *world) {
		alice, bob := w.connect("/u/alice"), w.connect("/u/bob")
		defer alice.drop()
		defer bob.drop()
		w.publish("r", `{"user":"alice","t":"a\nb"}`)
		alice.wants(` stream.gap {"reason":"invalid","requested":"r.0.0","resumed":"r.0.1","lost":1}`)
		bob.wants()
	})
}

// Different variables never make the same key.
func TestMatchIsUnambiguous(t *testing.T) {
	const table = `routes: [{path: "/{tenant}/{user}", log: {name: r}, key: .user, match: "{tenant}-{user}"}]`
	inWorld(t, table, func(w *world) {
		for path, want := range map[string]int{"/acme/x-y": 200, "/acme-x/y": 404, "/acme/y": 200} {
			resp := w.do("HEAD", path)
			_ = resp.Body.Close()
			if resp.StatusCode != want {
				t.Errorf("%s: got status %d, want %d", path, resp.StatusCode, want)
			}
		}
	})
}

// A new stream's first client that hasn't received all yet isn't told so.
func TestLiveMarkerAfterReplay(t *testing.T) {
	inWorld(t, `routes: [{path: /r, log: {name: r, start: oldest}, live_marker: true, history: {events: 5000}}]`, func(w *world) {
		for _, n := range numbers(1, 3000) {
			w.upstream("r").Append(adapters.Event{Data: []byte(n)})
		}
		c := w.connect("/r")
		defer c.drop()
		if got := c.seen(); len(got) != 3001 || got[3000] != "r.0.3000 stream.live {}" {
			t.Errorf("got %d events, the last %q, want 3000 and stream.live", len(got), got[len(got)-1])
		}
	})
}

// What is older than a gap may not be the newest of its key any more.
func TestLatestAfterGap(t *testing.T) {
	const table = `routes: [{path: /all, log: {name: p}, key: .user, latest: true, event: {data: .n}}]`
	inWorld(t, table, func(w *world) {
		first := w.connect("/all")
		defer first.drop()
		w.send("p", "alice 1", "bob 2")
		w.upstream("p").Drop(3)
		w.send("p", "bob 6")
		c := w.connect("/all")
		defer c.drop()
		c.wants(` stream.gap {"reason":"overflow","requested":"","resumed":"","lost":null}`, "E-1 1", "E-3 6", "E-3 stream.live {}")
		w.send("p", "alice 7")
		whole := w.connect("/all")
		defer whole.drop()
		whole.wants("E-3 6", "E-4 7", "E-4 stream.live {}")
	})
}

func TestLatestRecreated(t *testing.T) {
	const table = `routes: [{path: /all, log: {name: r}, key: .user, latest: true, live_marker: false, event: {data: .n}}]`
	inWorld(t, table, func(w *world) {
		first := w.connect("/all")
		defer first.drop()
		w.send("r", "alice 1", "bob 2")
		w.upstream("r").Recreate()
		w.send("r", "bob 3")
		after(time.Minute)
		c := w.connect("/all")
		defer c.drop()
		c.wants("r.1.1 3")
	})
}
