package proxy

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sidestream/adapters"
)

// reporting is a source that says how it is doing.
type reporting struct {
	adapters.Source
	report adapters.Report
}

func (r reporting) Report() adapters.Report { return r.report }

func TestAge(t *testing.T) {
	inWorld(t, `routes: [{path: /s, api: {}}, {path: /r, log: {name: r}}, {path: /on, log: {name: r}, live_marker: true}, {path: /off, api: {}, live_marker: false}]`, func(w *world) {
		first := w.connect("/s")
		defer first.drop()
		first.wants("v0 {}", `v0 stream.live {"age":0}`)
		after(90*time.Second + 1234*time.Microsecond)
		late := w.connect("/s")
		defer late.drop()
		late.wants("v0 {}", `v0 stream.live {"age":90.001}`)
		if got, want := w.metric(`sidestream_source_state_age_seconds{route="/s"}`), "90.001234"; got != want {
			t.Errorf("metric: got %s, want %s", got, want)
		}
		w.api.change(func() {}) // asked again, and nothing has changed
		after(time.Second)
		same := w.connect("/s", "Last-Event-ID: v0")
		defer same.drop()
		same.wants(`v0 stream.live {"age":1}`)
		w.api.answer("", 503)
		after(time.Second)
		stale := w.connect("/s")
		defer stale.drop()
		stale.wants("v0 {}", "v0 stream.stale …", `v0 stream.live {"age":2}`)

		for path, want := range map[string][]string{
			"/r":   {},
			"/on":  {"r.0.0 stream.live {}"},
			"/off": {` stream.stale …`},
		} {
			c := w.connect(path)
			c.wants(want...)
			c.drop()
		}
		if got := w.metric(`sidestream_source_state_age_seconds{route="/r"}`); got != "" {
			t.Errorf("of a source without state: got %s, want nothing", got)
		}
		if got := w.metric(`sidestream_source_state_age_seconds{route="/off"}`); got != "0" {
			t.Errorf("without a state yet: got %s, want 0", got)
		}
	})
}

// A state that can't be delivered doesn't make the one that clients have any
// younger, whatever the upstream says then.
func TestAgeOfWhatClientsHave(t *testing.T) {
	inWorld(t, `routes: [{path: /d, document: {}, max_event_size: 3000B}]`, func(w *world) {
		w.document.replace()
		c := w.connect("/d")
		defer c.drop()
		after(10 * time.Second)
		w.document.finish(3000)
		late := w.connect("/d")
		defer late.drop()
		if got := late.seen(); len(got) != 3 || got[2] != `d1 stream.live {"age":10}` {
			t.Errorf("got %.40q, want the state, a gap, and the age of the state", got)
		}
		w.document.finish(0)
		after(time.Second)
		later := w.connect("/d")
		defer later.drop()
		if got := later.seen(); len(got) != 2 || got[1] != `d3 stream.live {"age":1}` {
			t.Errorf("got %.40q, want the state, and its age", got)
		}
	})
}

func TestStreams(t *testing.T) {
	inWorld(t, `routes: [{path: "/o/{id}", query: [token], log: {name: s}}, {path: /p, log: {name: p}}]`, func(w *world) {
		var conns []*connection
		for _, path := range []string{"/o/2?token=hunter2", "/o/1", "/o/1", "/p"} {
			conns = append(conns, w.connect(path))
		}
		w.publish("s", "one")
		for _, s := range w.server.table.Load().endpoints[1].opened() {
			s.source = reporting{s.source, adapters.Report{Last: "200", At: time.Now(), Next: time.Now().Add(time.Minute), Why: "max-age"}}
		}
		after(2500 * time.Millisecond)
		const since = `"state":"fresh","since":"2000-01-01T00:00:00Z"`
		for query, want := range map[string]string{
			"": `{"open":3,"streams":[` +
				`{"route":"/o/{id}","vars":{"id":"1"},"clients":2,` + since + `,"age":2.5},` +
				`{"route":"/o/{id}","vars":{"id":"2"},"clients":1,` + since + `,"age":2.5},` +
				`{"route":"/p","clients":1,` + since + `,"last":"200","at":"2000-01-01T00:00:00Z","next":"2000-01-01T00:01:00Z","why":"max-age"}]}`,
			"?route=/p&limit=0": `{"open":1,"streams":[]}`,
			"?limit=1":          `{"open":3,"streams":[{"route":"/o/{id}","vars":{"id":"1"},"clients":2,` + since + `,"age":2.5}]}`,
			"?route=/none":      `{"open":0,"streams":[]}`,
		} {
			status, body := w.adminGet("/streams" + query)
			if got := strings.TrimSpace(body); status != 200 || got != want {
				t.Errorf("%s:\ngot  %d %s\nwant 200 %s", query, status, got, want)
			}
		}
		for _, query := range []string{"?limit=x", "?limit=-1"} {
			if status, _ := w.adminGet("/streams" + query); status != 400 {
				t.Errorf("%s: got status %d, want 400", query, status)
			}
		}
		for _, c := range conns {
			c.drop()
		}
	})
}

func TestStreamsAreBounded(t *testing.T) {
	inWorld(t, `routes: [{path: "/{x}", log: {name: p}, max_streams: 2000, linger: 1h}]`, func(w *world) {
		p := w.server.table.Load().endpoints[0]
		for i := range 1100 {
			at, err := p.acquire(adapters.Vars{"x": strconv.Itoa(i)}, nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer p.release(at)
		}
		synctest.Wait()
		for query, want := range map[string]int{"": 100, "?limit=1000000": 1000} {
			var got openStreams
			_, body := w.adminGet("/streams" + query)
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Error(err)
			}
			if len(got.Streams) != want || got.Open != 1100 {
				t.Errorf("%s: got %d of %d streams, want %d of 1100", query, len(got.Streams), got.Open, want)
			}
		}
	})
}
