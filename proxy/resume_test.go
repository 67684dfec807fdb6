package proxy

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"sidestream/adapters"
)

func TestResumeFromFeed(t *testing.T) {
	inWorld(t, `routes: [{path: /p, log: {name: p}}]`, func(w *world) {
		first := w.connect("/p")
		defer first.drop()
		w.publish("p", numbers(1, 5)...)
		ids := make([]string, 0, 5)
		for _, e := range first.events {
			ids = append(ids, e.ID)
		}
		for i, id := range ids { // R4: from every place, and in every way
			var want []string
			for _, n := range numbers(i+2, 5) {
				want = append(want, "E-"+n+" "+n)
			}
			for _, c := range []*connection{
				w.connect("/p", "Last-Event-ID: "+id),
				w.connect("/p?lastEventId=" + url.QueryEscape(id)), // C5
				w.connect("/p?last-event-id=" + url.QueryEscape(id)),
				w.connect("/p?last_event_id=" + url.QueryEscape(id)),
				w.connect("/p?lastEventId=nonsense", "Last-Event-ID: "+id), // the header wins
			} {
				c.wants(want...)
				c.drop()
			}
		}
	})
}

func TestResumeAfterHistoryExpired(t *testing.T) {
	inWorld(t, `routes: [{path: /p, log: {name: p}, history: {events: 3}}]`, func(w *world) {
		first := w.connect("/p")
		defer first.drop()
		w.publish("p", "1")
		id := first.lastID()
		w.publish("p", numbers(2, 10)...)
		c := w.connect("/p", "Last-Event-ID: "+id)
		defer c.drop()
		c.wants(
			`E-1 stream.gap {"reason":"expired","requested":"`+id+`","resumed":"`+strings.TrimSuffix(id, "1")+`7","lost":6}`,
			"E-8 8", "E-9 9", "E-10 10")
		if got := w.metric(`sidestream_gaps_total{reason="expired",route="/p"}`); got != "1" {
			t.Errorf("gaps: got %s, want 1", got)
		}
	})
}

func TestResumeWithForeignID(t *testing.T) {
	inWorld(t, `routes: [{path: /p, log: {name: p}}]`, func(w *world) {
		first := w.connect("/p")
		defer first.drop()
		w.publish("p", "1")
		for _, tt := range []struct{ query, requested, id string }{
			{"other-5", "other-5", "other-5"},
			// What can't be an id isn't sent back as one (W3, C3), only
			// named in the payload.
			{"a%0Adata:%20forged", `a\ndata: forged`, ""},
			{"%00", `\u0000`, ""},
			{"caf%C3%A9", "café", ""},
			{"%FF", "\ufffd", ""},
			{strings.Repeat("x", 5000), strings.Repeat("x", 1024), ""},
		} {
			c := w.connect("/p?lastEventId=" + tt.query)
			c.wants(tt.id+` stream.gap {"reason":"unknown","requested":"`+tt.requested+`","resumed":"","lost":null}`, "E-1 1")
			c.drop()
		}
	})
}

func TestResumeByPrivateReplay(t *testing.T) {
	const table = `routes: [{path: /r, log: {name: r}, live_marker: true, history: {events: 4}}]`
	inWorld(t, table, func(w *world) {
		// Another replica, or this one before a restart: no feed yet.
		w.publish("r", numbers(1, 300)...)
		c := w.connect("/r", "Last-Event-ID: r.0.2")
		defer c.drop()
		want := replayed(3, 300)
		want = append(want, "r.0.300 stream.live {}")
		c.wants(want...)
		if got := w.upstream("r").Running(); got != 1 {
			t.Errorf("sources running once the client is in the feed: got %d, want 1", got)
		}
		// What follows comes from the feed, neither missing nor twice.
		w.publish("r", numbers(301, 302)...)
		want = append(want, replayed(301, 302)...)
		c.wants(want...)
		// Idle upstream, id at its very end.
		again := w.connect("/r", "Last-Event-ID: r.0.302")
		defer again.drop()
		again.wants("r.0.302 stream.live {}")
		// Further back than the feed remembers, while it goes on.
		for _, n := range numbers(303, 310) {
			w.publish("r", n)
		}
		old := w.connect("/r", "Last-Event-ID: r.0.299")
		defer old.drop()
		want = append(replayed(300, 310), "r.0.310 stream.live {}")
		old.wants(want...)
	})
}

func TestEveryPositionResumesByReplay(t *testing.T) {
	inWorld(t, `routes: [{path: /r, log: {name: r}, linger: 0s}]`, func(w *world) {
		w.publish("r", numbers(1, 20)...)
		for i := range 21 {
			c := w.connect("/r", fmt.Sprintf("Last-Event-ID: r.0.%d", i))
			c.wants(replayed(i+1, 20)...)
			c.drop()
		}
	})
}

func TestReplayOfLostPosition(t *testing.T) {
	inWorld(t, `routes: [{path: /r, log: {name: r}}]`, func(w *world) {
		w.publish("r", numbers(1, 10)...)
		w.upstream("r").Expire(6)
		c := w.connect("/r", "Last-Event-ID: r.0.2")
		defer c.drop()
		want := append([]string{`r.0.2 stream.gap {"reason":"expired","requested":"r.0.2","resumed":"r.0.6","lost":4}`}, replayed(7, 10)...)
		c.wants(want...)
		foreign := w.connect("/r", "Last-Event-ID: nonsense")
		defer foreign.drop()
		foreign.wants(append([]string{`nonsense stream.gap {"reason":"unknown","requested":"nonsense"…`}, replayed(7, 10)...)...)
	})
}

func TestReplayThatFailsIsTriedAgain(t *testing.T) {
	inWorld(t, `routes: [{path: /r, log: {name: r}, retry: 2s}]`, func(w *world) {
		w.publish("r", numbers(1, 3)...)
		live := w.connect("/r")
		defer live.drop()
		w.upstream("r").Fail(errors.New("broken"))
		c := w.connect("/r", "Last-Event-ID: r.0.1")
		if !c.ended() {
			t.Fatal("the client waits for a replay that failed")
		}
		c.wants(`r.0.1 stream.stale {"since":…`)
		if got := retryLines(c.bytes()); len(got) != 2 {
			t.Errorf("retry: got %v, want one at the start and one at the end", got)
		}
		w.upstream("r").Recover()
		after(time.Minute)
		back := w.connect("/r", "Last-Event-ID: r.0.1")
		defer back.drop()
		back.wants(replayed(2, 3)...)
	})
}

func TestTooManyReplays(t *testing.T) {
	inWorld(t, `
limits: {catchups: 2}
routes: [{path: /r, log: {name: r}}]
`, func(w *world) {
		w.publish("r", numbers(1, 3)...)
		w.upstream("r").Stall()
		a, b := w.connect("/r", "Last-Event-ID: r.0.1"), w.connect("/r", "Last-Event-ID: r.0.1")
		defer a.drop()
		defer b.drop()
		c := w.connect("/r", "Last-Event-ID: r.0.1")
		if !c.ended() {
			t.Error("a third replay was let in")
		}
		w.upstream("r").Recover()
		a.wants(replayed(2, 3)...)
		b.wants(replayed(2, 3)...)
	})
}

func replayed(from, to int) []string {
	var list []string
	for _, n := range numbers(from, to) {
		list = append(list, "r.0."+n+" "+n)
	}
	return list
}

func TestState(t *testing.T) {
	inWorld(t, `routes: [{path: /s, log: {name: s}}]`, func(w *world) {
		early := w.connect("/s")
		defer early.drop()
		early.wants() // nothing yet, not even the marker
		w.publish("s", "one")
		early.wants("s.0.1 one", `s.0.1 stream.live {"age":0}`)
		w.publish("s", "two")

		// X7: the latest state at once, and that alone.
		fresh := w.connect("/s")
		defer fresh.drop()
		fresh.wants("s.0.2 two", `s.0.2 stream.live {"age":0}`)
		// The client has it already.
		same := w.connect("/s", "Last-Event-ID: s.0.2")
		defer same.drop()
		same.wants(`s.0.2 stream.live {"age":0}`)
		// In the feed: what follows.
		behind := w.connect("/s", "Last-Event-ID: s.0.1")
		defer behind.drop()
		behind.wants("s.0.2 two", `s.0.2 stream.live {"age":0}`)
		// Anything else: the state, which makes up for what was missed.
		foreign := w.connect("/s", "Last-Event-ID: other")
		defer foreign.drop()
		foreign.wants("s.0.2 two", `s.0.2 stream.live {"age":0}`)
	})
}

func TestStateAfterRestart(t *testing.T) {
	const table = `routes: [{path: /s, log: {name: s}}]`
	inWorld(t, table, func(w *world) {
		w.publish("s", "one")
		w.connect("/s").drop()
		w.shutdown()
		w.boot(table)
		same, changed := w.connect("/s", "Last-Event-ID: s.0.1"), w.connect("/s", "Last-Event-ID: s.0.0")
		defer same.drop()
		defer changed.drop()
		same.wants(`s.0.1 stream.live {"age":0}`)
		changed.wants("s.0.1 one", `s.0.1 stream.live {"age":0}`)
	})
}

func TestPatchReachesOnlyWhoHasItsState(t *testing.T) {
	inWorld(t, `routes: [{path: /s, log: {name: s}, live_marker: false, history: {events: 2}, slow: skip}]`, func(w *world) {
		w.upstream("s").Append(adapters.NewState("", "snapshot", []byte("0")))
		first := w.connect("/s")
		defer first.drop()
		w.patch("s", "+1", "1")
		w.patch("s", "+2", "3")
		first.wants("s.0.1 snapshot 0", "s.0.2 patch +1", "s.0.3 patch +2")
		inFeed := w.connect("/s", "Last-Event-ID: s.0.2")
		defer inFeed.drop()
		inFeed.wants("s.0.3 patch +2")
		fresh := w.connect("/s")
		defer fresh.drop()
		fresh.wants("s.0.3 snapshot 3")
		w.patch("s", "+3", "6")
		w.patch("s", "+4", "10")
		lostTrack := w.connect("/s", "Last-Event-ID: s.0.1")
		defer lostTrack.drop()
		lostTrack.wants("s.0.5 snapshot 10")
	})
}

// After a change that could not be delivered, or was not to be, the next one
// comes as the state that it leads to.
func TestNoChangeToAStateThatWasNotDelivered(t *testing.T) {
	for name, options := range map[string]string{
		"filtered":  `event: {decode: text, where: '. != "+22222"'}`,
		"too large": `max_event_size: 5B`,
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, `routes: [{path: /s, log: {name: s}, live_marker: false, `+options+`}]`, func(w *world) {
				w.upstream("s").Append(adapters.NewState("", "snapshot", []byte("0")))
				c := w.connect("/s")
				defer c.drop()
				w.patch("s", "+1", "1")
				w.patch("s", "+22222", "3")
				w.patch("s", "+3", "6")
				w.patch("s", "+4", "10")
				want := []string{"s.0.1 snapshot 0", "s.0.2 patch +1", "s.0.4 snapshot 6", "s.0.5 patch +4"}
				if name == "too large" {
					want = slices.Insert(want, 2, "s.0.2 stream.gap …")
				}
				c.wants(want...)
			})
		})
	}
}

// More refusals in a row than the history holds push the newest event out.
// A client that has it is not sent in circles.
func TestResumeBehindNothingButGaps(t *testing.T) {
	inWorld(t, `routes: [{path: /p, log: {name: p}, history: {events: 5}, event: {data: .a}}]`, func(w *world) {
		first := w.connect("/p")
		w.publish("p", `{"a":1}`)
		id := first.lastID()
		for range 12 {
			w.publish("p", "broken")
		}
		first.drop()
		back := w.connect("/p", "Last-Event-ID: "+id)
		defer back.drop()
		if back.ended() {
			t.Fatal("the client was sent away")
		}
		w.publish("p", `{"a":2}`)
		got := back.seen()
		if len(got) < 2 || !strings.Contains(got[0], "stream.gap") || got[len(got)-1] != "E-2 2" {
			t.Errorf("got %q, want gaps and the event", got)
		}
	})
}

func TestReplayToTheEnd(t *testing.T) {
	inWorld(t, `routes: [{path: /r, log: {name: r}}]`, func(w *world) {
		w.publish("r", numbers(1, 3)...)
		w.upstream("r").End()
		c := w.connect("/r", "Last-Event-ID: r.0.1")
		c.wants(append(replayed(2, 3), "-1 stream.end {}")...)
		if !c.ended() {
			t.Error("the response goes on after the end")
		}
	})
}

// The id of a part of a source's very first message names no place.
func TestPartOfTheFirstMessage(t *testing.T) {
	inWorld(t, `routes: [{path: /r, log: {name: r}}]`, func(w *world) {
		w.publish("r", "1")
		c := w.connect("/r", "Last-Event-ID: ~1")
		defer c.drop()
		c.wants(`~1 stream.gap {"reason":"unknown"…`)
	})
}

// What is over goes when its linger is over, whoever looks in meanwhile.
func TestEndedStreamDoesNotLingerForVisitors(t *testing.T) {
	inWorld(t, `routes: [{path: /r, log: {name: r}, linger: 10s}]`, func(w *world) {
		w.upstream("r").Fail(adapters.Permanent("no such topic", nil))
		w.connect("/r")
		w.upstream("r").Recover()
		for range 3 {
			after(4 * time.Second)
			w.connect("/r")
		}
		c := w.connect("/r")
		defer c.drop()
		if c.ended() {
			t.Error("12s after the failure, and mended, the stream is still the failed one")
		}
	})
}
