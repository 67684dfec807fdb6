package proxy

import (
	"testing"
	"time"

	"sidestream/adapters"
)

// put sets a key of the bucket called name.
func (w *world) put(name, key, value string) {
	w.upstream(name).Append(adapters.Event{Key: key, Data: []byte(value)})
	after(0)
}

// remove deletes a key of the bucket called name.
func (w *world) remove(name, key string) {
	w.upstream(name).Append(adapters.Event{
		Key: key, Type: "delete", Data: []byte(`{"key":"` + key + `"}`), State: &adapters.State{Gone: true},
	})
	after(0)
}

const bucketTable = `routes: [{path: /b, log: {name: b}, live_marker: true, history: {events: 3}, event: {data: '"\($key)=\(.)"'}}]`

func TestBucket(t *testing.T) {
	inWorld(t, bucketTable, func(w *world) {
		empty := w.connect("/b")
		empty.wants("b.0.0 stream.live …")
		w.put("b", "x", "1")
		empty.wants("b.0.0 stream.live …", "b.0.1 x=1")
		empty.drop()
		w.put("b", "y", "2")
		w.put("b", "x", "3")
		w.put("b", "z", "4")
		w.remove("b", "y")

		c := w.connect("/b")
		defer c.drop()
		c.wants("b.0.3 x=3", "b.0.4 z=4", "b.0.4 stream.live …")
		// A deletion is not for expressions to change, and who comes later
		// never hears of the key.
		w.remove("b", "z")
		c.wants("b.0.3 x=3", "b.0.4 z=4", "b.0.4 stream.live …", `b.0.6 delete {"key":"z"}`)
		// From wherever a client was, it hears of what is gone.
		for id, want := range map[string][]string{
			"b.0.1": {"b.0.3 x=3", "b.0.4 z=4", `b.0.5 delete {"key":"y"}`, `b.0.6 delete {"key":"z"}`},
			"b.0.4": {`b.0.5 delete {"key":"y"}`, `b.0.6 delete {"key":"z"}`},
			"b.0.6": {},
		} {
			back := w.connect("/b", "Last-Event-ID: "+id)
			last := id
			if len(want) > 0 {
				last = "b.0.6"
			}
			back.wants(append(want, last+" stream.live …")...)
			back.drop()
		}
	})
}

// A bucket that began anew is a new state, of which what was before is no
// part: for those who are there, who come back, and who come anew.
func TestBucketRecreated(t *testing.T) {
	inWorld(t, bucketTable, func(w *world) {
		w.put("b", "x", "1")
		w.put("b", "y", "2")
		c := w.connect("/b")
		defer c.drop()
		w.upstream("b").Recreate()
		w.put("b", "y", "3")
		after(time.Minute)
		lost := `stream.gap {"reason":"recreated","requested":"b.0.2","resumed":"b.1.0","lost":null}`
		c.wants("b.0.1 x=1", "b.0.2 y=2", "b.0.2 stream.live …", "b.0.2 "+lost, "b.1.1 y=3")
		fresh := w.connect("/b")
		defer fresh.drop()
		fresh.wants("b.1.1 y=3", "b.1.1 stream.live …")
		back := w.connect("/b", "Last-Event-ID: b.0.1")
		defer back.drop()
		back.wants(`b.0.1 stream.gap {"reason":"recreated","requested":"b.0.1","resumed":"b.1.0","lost":null}`, "b.1.1 y=3", "b.1.1 stream.live …")
	})
}

// Each client of a bucket has the state of its own keys.
func TestBucketOfEach(t *testing.T) {
	const table = `routes: [{path: "/b/{user}", log: {name: b}, live_marker: true, key: '$key | split(".")[0]', match: "{user}"}]`
	inWorld(t, table, func(w *world) {
		w.put("b", "alice.x", `"1"`)
		w.put("b", "bob.x", `"2"`)
		w.put("b", "alice.y", `"3"`)
		w.put("b", "alice.x", `"4"`)
		alice, carol := w.connect("/b/alice"), w.connect("/b/carol")
		defer alice.drop()
		defer carol.drop()
		alice.wants(`b.0.3 "3"`, `b.0.4 "4"`, "b.0.4 stream.live …")
		carol.wants("b.0.4 stream.live …")
		w.remove("b", "alice.y")
		alice.wants(`b.0.3 "3"`, `b.0.4 "4"`, "b.0.4 stream.live …", `b.0.5 delete {"key":"alice.y"}`)
		again := w.connect("/b/alice")
		defer again.drop()
		again.wants(`b.0.4 "4"`, "b.0.4 stream.live …")
	})
}

// What a bucket begins with leaves out deletions, so that a client which was
// there before, at another replica say, has to hear of them from the source.
func TestBucketResumesAtFreshStream(t *testing.T) {
	for _, table := range []string{
		`routes: [{path: "/b", log: {name: b}, live_marker: false}]`,
		`routes: [{path: "/b", query: [q], log: {name: b}, live_marker: false, key: '"x"', match: "x"}]`,
	} {
		inWorld(t, table, func(w *world) {
			for _, key := range []string{"a", "b", "c", "d"} {
				w.put("b", key, "1")
			}
			w.remove("b", "a")
			w.remove("b", "b")
			fresh := w.connect("/b")
			defer fresh.drop()
			fresh.wants("b.0.3 1", "b.0.4 1")
			gone := []string{`b.0.5 delete {"key":"a"}`, `b.0.6 delete {"key":"b"}`}
			for id, want := range map[string][]string{
				"b.0.2": append([]string{"b.0.3 1", "b.0.4 1"}, gone...),
				"b.0.4": gone,
				"b.0.5": gone[1:],
				"b.0.6": {},
			} {
				c := w.connect("/b", "Last-Event-ID: "+id)
				c.wants(want...)
				if got := w.upstream("b").Running(); got != 1 {
					t.Errorf("after %s: got %d sources running, want 1", id, got)
				}
				c.drop()
			}
		})
	}
}

// Of a key that was given up, the state comes from the source.
func TestBucketOfManyKeys(t *testing.T) {
	const table = `routes: [{path: "/b/{user}", log: {name: b}, match: "{user}", history: {idle: {events: 3}}}]`
	inWorld(t, table, func(w *world) {
		for _, n := range numbers(1, 20) {
			w.put("b", "u"+n, n)
		}
		stay := w.connect("/b/u20")
		defer stay.drop()
		for _, n := range []string{"1", "7", "20"} {
			c := w.connect("/b/u" + n)
			c.wants("b.0."+n+" "+n, "b.0."+n+" stream.live …")
			c.drop()
		}
		none := w.connect("/b/nobody")
		defer none.drop()
		none.wants("b.0.20 stream.live …")
		w.put("b", "nobody", "x")
		w.put("b", "u7", "y")
		none.wants("b.0.20 stream.live …", "b.0.21 x")
		changed := w.connect("/b/u7")
		defer changed.drop()
		changed.wants("b.0.22 y", "b.0.22 stream.live …")
		if got := w.upstream("b").Running(); got != 1 {
			t.Errorf("sources running: got %d, want 1", got)
		}
	})
}

// A source that has dropped messages says so in the middle, and goes on.
func TestGapNotice(t *testing.T) {
	inWorld(t, `routes: [{path: /p, log: {name: p}}, {path: /r, log: {name: r}}]`, func(w *world) {
		p, r := w.connect("/p"), w.connect("/r")
		defer p.drop()
		defer r.drop()
		for _, name := range []string{"p", "r"} {
			w.publish(name, "1")
			w.upstream(name).Drop(3)
			w.publish(name, "5")
		}
		p.wants("E-1 1", `E-1 stream.gap {"reason":"overflow","requested":"","resumed":"","lost":3}`, "E-2 5")
		gap := `r.0.1 stream.gap {"reason":"overflow","requested":"r.0.1","resumed":"r.0.4","lost":3}`
		r.wants("r.0.1 1", gap, "r.0.5 5")
		for _, c := range []*connection{w.connect("/r", "Last-Event-ID: r.0.1"), w.connect("/r", "Last-Event-ID: r.0.0")} {
			if got := c.seen(); got[len(got)-2] != gap {
				t.Errorf("a client that resumes: got %q, want the gap", got)
			}
			c.drop()
		}
	})
}
