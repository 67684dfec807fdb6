package proxy

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sidestream/adapters"
)

// running returns how often the logs with these names are read.
func (w *world) running(names ...string) []int {
	synctest.Wait()
	list := make([]int, 0, len(names))
	for _, name := range names {
		list = append(list, w.upstream(name).Running())
	}
	return list
}

func TestAlways(t *testing.T) {
	const before = `routes: [{path: /a, log: {name: s1, always: true}, live_marker: false}, {path: /b, log: {name: s2}}]`
	const next = `routes: [{path: /a, log: {name: s1, always: true}, live_marker: false}, {path: /b, log: {name: s2, always: true}}]`
	inWorld(t, before, func(w *world) {
		runs := func(want ...int) {
			t.Helper()
			if got := w.running("s1", "s2"); got[0] != want[0] || got[1] != want[1] {
				t.Errorf("sources running: got %v, want %v", got, want)
			}
		}
		runs(1, 0)
		w.publish("s1", "one")
		after(time.Hour)
		c := w.connect("/a")
		c.wants("s1.0.1 one") // it was there
		c.drop()
		after(time.Hour)
		runs(1, 0)
		w.server.Reload(w.parse(next))
		runs(1, 1)
		if got := strings.Count(w.log.String(), `"route":"/a","message":"stream opened"`); got != 1 {
			t.Errorf("the stream was opened %d times, want once, since its route is as it was", got)
		}
		w.server.Reload(w.parse(before))
		runs(1, 0)
		c = w.connect("/a")
		w.server.Reload(w.parse(`routes: [{path: /b, log: {name: s2}}]`))
		after(time.Minute)
		if !c.ended() {
			t.Error("the client of a route that is gone stays")
		}
		runs(0, 0)
	})
}

// What is over is left to the next client, as with any stream.
func TestAlwaysUntilTheEnd(t *testing.T) {
	for name, end := range map[string]func(w *world){
		"ended":  func(w *world) { w.upstream("s").End() },
		"failed": func(w *world) { w.upstream("s").Fail(adapters.Permanent("gone", errors.New("gone"))) },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, `routes: [{path: /a, log: {name: s, always: true}, linger: 5s}]`, func(w *world) {
				end(w)
				after(time.Minute)
				w.server.Reload(w.parse(`routes: [{path: /a, log: {name: s, always: true}, linger: 5s}]`))
				after(time.Minute)
				if got := strings.Count(w.log.String(), "stream opened"); got != 1 {
					t.Errorf("the stream was opened %d times, want once", got)
				}
				if got := w.metric(`sidestream_streams{route="/a"}`); got != "0" {
					t.Errorf("streams: got %s, want 0", got)
				}
				w.upstream("s").Recover()
				w.connect("/a").drop()
				after(time.Minute)
				want := map[string]int{"ended": 0, "failed": 1}[name]
				if got := w.running("s")[0]; got != want {
					t.Errorf("sources running after a client's visit: got %d, want %d", got, want)
				}
			})
		})
	}
}

// A stream that has no room at the start is opened when there is some.
func TestAlwaysWithoutRoom(t *testing.T) {
	inWorld(t, `{limits: {streams: 1}, routes: [{path: /p, log: {name: p}, linger: 0s}, {path: /a, log: {name: r}}]}`, func(w *world) {
		c := w.connect("/p")
		w.server.Reload(w.parse(`{limits: {streams: 1}, routes: [{path: /p, log: {name: p}, linger: 0s}, {path: /a, log: {name: r, always: true}}]}`))
		after(time.Minute)
		if got := strings.Count(w.log.String(), `"level":"error"`); got != 1 {
			t.Errorf("got %d complaints in a minute, want one:\n%s", got, w.log)
		}
		c.drop()
		after(tidyInterval)
		if got := w.running("r")[0]; got != 1 {
			t.Errorf("sources running once there is room: got %d, want 1", got)
		}
		turnedAway(t, w.connect("/p"), 15000, 30000) // it doesn't make room for others
	})
}
