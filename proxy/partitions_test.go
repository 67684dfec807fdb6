package proxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/adaptertest"
)

// A topic is an upstream with partitions. Each of its messages says which
// number it is in its partition, from 1, and has a few items.
type topic struct {
	*adaptertest.Partitions
	published []int // by partition
}

// topicAdapter returns the adapter "topic", which reads w's topics.
func (w *world) topicAdapter() adapters.Adapter {
	type options struct {
		Name string `yaml:"name"`
	}
	return adapters.New("topic",
		func() options { return options{Name: "t"} },
		func(o options, _ adapters.Route) (adapters.Factory, error) { return w.topic(o.Name).Factory(), nil })
}

// topic returns the topic called name, with three partitions to begin with.
func (w *world) topic(name string) *topic {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.topics[name] == nil {
		t := &topic{Partitions: &adaptertest.Partitions{Name: name, Oldest: strings.HasPrefix(name, "oldest")}}
		t.grow(3)
		w.topics[name] = t
	}
	return w.topics[name]
}

func (t *topic) grow(n int) {
	t.Add(n)
	t.published = append(t.published, make([]int, n)...)
}

// publish appends messages to partitions, and takes a while for each.
func (t *topic) publish(partitions ...int) {
	for _, p := range partitions {
		t.published[p]++
		n := t.published[p]
		data := fmt.Sprintf(`{"p":%d,"n":%d,"items":[1,2,3]}`, p, n)
		t.Append(p, adapters.Event{Key: strconv.Itoa(p), Data: []byte(data)})
	}
}

// A hopper is a client that comes and goes, and checks that it gets every
// message of every partition in order, none twice.
type hopper struct {
	w     *world
	path  string
	only  int // the partition that it gets; -1: all
	parts int // events for a message
	c     *connection
	id    string
	read  int // how many events of c are looked at
	got   []int
	part  int // of the message that it is in
}

func (h *hopper) connect() {
	headers := []string{}
	if h.id != "" {
		headers = append(headers, "Last-Event-ID: "+h.id)
	}
	h.c, h.read = h.w.connect(h.path, headers...), 0
}

func (h *hopper) drop() {
	h.c.drop()
	h.look()
	h.c = nil
}

// leave notices that the server has ended the connection.
func (h *hopper) leave() {
	if h.c != nil && h.c.ended() {
		h.drop()
	}
}

// look checks what has come.
func (h *hopper) look() {
	h.w.t.Helper()
	h.c.mu.Lock()
	defer h.c.mu.Unlock()
	for _, e := range h.c.events[h.read:] {
		h.read++
		h.id = e.ID
		switch {
		case e.Type == typeStale, e.Type == typeFresh:
			continue
		case strings.HasPrefix(e.Type, "stream."):
			h.w.t.Errorf("got %s %s, want nothing to be lost", e.Type, e.Data)
			continue
		}
		var m struct{ P, N, Part int }
		if err := json.Unmarshal(e.Data, &m); err != nil {
			h.w.t.Fatal(err)
		}
		for m.P >= len(h.got) {
			h.got = append(h.got, 0)
		}
		h.part++
		if want := h.got[m.P] + 1; m.N != want || h.parts > 1 && m.Part != h.part {
			h.w.t.Errorf("partition %d: got message %d, part %d, at %q; want message %d, part %d", m.P, m.N, m.Part, e.ID, want, h.part)
		}
		if h.parts <= 1 || h.part == h.parts {
			h.got[m.P], h.part = m.N, 0
		}
	}
}

// complete checks that everything has come.
func (h *hopper) complete(published []int) {
	h.w.t.Helper()
	h.look()
	for p, want := range published {
		if h.only >= 0 && p != h.only {
			continue
		}
		got := 0
		if p < len(h.got) {
			got = h.got[p]
		}
		if got != want {
			h.w.t.Errorf("partition %d: got messages up to %d, want all %d", p, got, want)
		}
	}
}

// TestPartitions: whatever happens to clients and servers, each client gets
// every message once, in the order of its partition.
func TestPartitions(t *testing.T) {
	for name, kind := range map[string]struct {
		route string
		parts int
		match bool
	}{
		"one feed":            {`{path: /t, topic: {name: %s}%s}`, 1, false},
		"a feed for each key": {`{path: "/t/{p}", topic: {name: %s}, key: $key, match: "{p}"%s}`, 1, true},
		"filtered":            {`{path: /t, topic: {name: %s}, event: {where: '.p != 9'}%s}`, 1, false},
		"split":               {`{path: /t, topic: {name: %s}, event: {each: '. as $m | range(3) | {p: $m.p, n: $m.n, part: (. + 1)}'}%s}`, 3, false},
		"split, by key":       {`{path: "/t/{p}", topic: {name: %s}, key: $key, match: "{p}", event: {each: '. as $m | range(3) | {p: $m.p, n: $m.n, part: (. + 1)}'}%s}`, 3, true},
	} {
		for seed := range uint64(25) {
			t.Run(fmt.Sprintf("%s/%d", name, seed), func(t *testing.T) {
				r := rand.New(rand.NewPCG(seed, 1))
				more := fmt.Sprintf(`, history: {events: %d}, linger: %s, backoff: {min: 1ms, max: 1ms}`, 9+r.IntN(20), pick(r, "0s", "1h"))
				table := "routes: [" + fmt.Sprintf(kind.route, pick(r, "oldest", "t"), more) + "]"
				inWorld(t, table, func(w *world) {
					top := w.topic("oldest")
					if strings.Contains(table, "name: t}") {
						top = w.topic("t")
					}
					top.Seed = seed
					hoppers := []*hopper{}
					for i := range 3 {
						h := &hopper{w: w, path: "/t", only: -1, parts: kind.parts}
						if kind.match {
							h.path, h.only = fmt.Sprintf("/t/%d", i), i
						}
						h.connect() // before the first message
						hoppers = append(hoppers, h)
					}
					top.publish(0, 1, 2) // so that all have an id to come back with
					synctest.Wait()
					for range 60 {
						for _, h := range hoppers {
							h.leave()
						}
						switch h := hoppers[r.IntN(3)]; r.IntN(8) {
						case 0, 1:
							if h.c == nil {
								h.connect()
							} else {
								h.drop()
							}
						case 2:
							top.Fail(errors.New("trouble"))
							after(time.Duration(r.IntN(30)) * time.Millisecond)
							top.Recover()
						case 3:
							if r.IntN(4) == 0 {
								for _, h := range hoppers {
									if h.c != nil {
										h.drop()
									}
								}
								w.shutdown()
								w.boot(table)
							}
						case 4:
							if len(top.published) < 5 && r.IntN(3) == 0 {
								top.grow(1)
							}
						case 5:
							after(time.Duration(r.IntN(3000)) * time.Millisecond)
						default:
							for range r.IntN(20) {
								top.publish(r.IntN(len(top.published)))
								if r.IntN(3) == 0 {
									synctest.Wait()
								}
							}
						}
						if t.Failed() {
							return
						}
					}
					for range 3 { // one that falls behind comes back
						for _, h := range hoppers {
							if h.leave(); h.c == nil {
								h.connect()
							}
						}
						after(10 * time.Second)
					}
					for p := range top.published {
						top.publish(p)
						after(time.Second)
					}
					for _, h := range hoppers {
						h.complete(top.published)
						h.drop()
					}
					if !strings.Contains(more, "linger: 0s") && top.Running() > 1 {
						t.Errorf("got %d sources running once all clients are in the feed, want one", top.Running())
					}
				})
			})
		}
	}
}
