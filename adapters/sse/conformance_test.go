package sse

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/adaptertest"
)

// TestConformance runs the suite on servers of several kinds.
func TestConformance(t *testing.T) {
	for _, tt := range []struct {
		name string
		kind kind
		edit func(*Options)
	}{
		{"without ids", kind{}, nil},
		{"with ids", kind{ids: true}, nil},
		{"with ids it doesn't resume by", kind{ids: true, deaf: true}, nil},
		{"pass", kind{ids: true, sidestream: true}, func(o *Options) { o.IDs = idsPass }},
		{"replay", kind{ids: true, sidestream: true}, func(o *Options) { o.IDs = idsReplay }},
		{"replay unclean ids", kind{ids: true, sidestream: true, suffix: "~é"}, func(o *Options) { o.IDs = idsReplay }},
		{"replay by parameter", kind{ids: true, sidestream: true, suffix: "\x01 &"}, func(o *Options) { o.IDs, o.LastEventIDParam = idsReplay, "since" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			adaptertest.Run(t, adaptertest.Harness{
				Start: func(tb testing.TB) *adaptertest.Upstream {
					tb.Helper()
					return startHub(tb, &hub{kind: tt.kind}, tt.edit)
				},
				Segments: []string{"v"},
				Hostile:  []adapters.Vars{{"rest": ""}, {"rest": "a/../b"}, {"rest": "a//b"}, {"rest": "a\r\nb"}},
			})
		})
	}
}

func startHub(tb testing.TB, h *hub, edit func(*Options)) *adaptertest.Upstream {
	tb.Helper()
	h.changed, h.cut = make(chan struct{}), make(chan struct{})
	h.name = fmt.Sprintf("hub%d", hubs.Add(1))
	server := httptest.NewUnstartedServer(h)
	// Connections that were made for a request which was cancelled meanwhile
	// are not to stay.
	server.Config.ReadHeaderTimeout = 2 * time.Second
	server.Start()
	tb.Cleanup(server.Close)
	upstream, err := url.Parse(server.URL)
	if err != nil {
		tb.Fatal(err)
	}
	u := &adaptertest.Upstream{
		Factory: configure(tb, adapters.Route{Path: "/events/{v}/{rest...}", Vars: []string{"v", "rest"}, Upstream: upstream}, edit),
		Vars:    adapters.Vars{"v": "a", "rest": "b/c"},
		Publish: func(_ context.Context, i int) error { return h.set(func() { h.events = append(h.events, i) }) },
		Number:  func(e adapters.Event) (int, error) { return strconv.Atoi(string(e.Data)) },
		Fail:    func(context.Context) error { return h.disrupt(func() { h.status = http.StatusServiceUnavailable }) },
		Recover: func(context.Context) error { return h.set(func() { h.status = 0 }) },
		Stall:   func(context.Context) error { return h.set(func() { h.stalled = true }) },
		Break:   func(context.Context) error { return h.set(func() { h.typ = "text/html" }) },
		End:     func(context.Context) error { return h.set(func() { h.ended = true }) },
		Private: []string{upstream.Host, "events"},

		FromStart: true,
	}
	if h.sidestream {
		u.Expire = func(_ context.Context, n int) error { return h.set(func() { h.expire(n) }) }
		u.Recreate = func(context.Context) error {
			return h.set(func() { h.incarnation, h.expired, h.events = h.incarnation+1, 0, nil })
		}
	}
	return u
}

var hubs atomic.Int64

// A kind says what a hub can do.
type kind struct {
	ids        bool   // its events have ids
	deaf       bool   // by which it doesn't resume
	sidestream bool   // it says so if it can't, and when the stream has ended
	suffix     string // of all ids
}

// A hub is a server of a stream of numbers.
type hub struct {
	kind
	name string

	mu          sync.Mutex // guards what follows
	incarnation int
	expired     int   // how many events are gone
	events      []int // those at hand
	status      int   // of its answers; 0: 200
	typ         string
	stalled     bool
	ended       bool
	changed     chan struct{} // closed and replaced when something has
	cut         chan struct{} // closed and replaced to end what is under way
}

func (h *hub) set(f func()) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
	close(h.changed)
	h.changed = make(chan struct{})
	return nil
}

func (h *hub) disrupt(f func()) error {
	return h.set(func() {
		f()
		close(h.cut)
		h.cut = make(chan struct{})
	})
}

// expire forgets the numbers up to n.
func (h *hub) expire(n int) {
	keep := slices.IndexFunc(h.events, func(i int) bool { return i > n })
	h.expired += keep
	h.events = h.events[keep:]
}

// id returns the id of the nth event.
func (h *hub) id(n int) string {
	return fmt.Sprintf("%s.%d.%d%s", h.name, h.incarnation, n, h.suffix)
}

// find returns the number of the event with this id or, if what follows that
// isn't at hand, a control event that says so. mu is held.
func (h *hub) find(id string) (n int, gap string) {
	reason, lost, resumed := "unknown", any(nil), h.expired
	parts := strings.Split(strings.TrimSuffix(id, h.suffix), ".")
	switch {
	case len(parts) != 3, !strings.HasPrefix(parts[0], "hub"):
		resumed += len(h.events)
	case parts[0] == h.name:
		n, _ = strconv.Atoi(parts[2])
		switch {
		case parts[1] != strconv.Itoa(h.incarnation):
			reason = "recreated"
		case n < h.expired:
			reason, lost = "expired", h.expired-n
		default:
			return n, ""
		}
	}
	said, _ := json.Marshal(map[string]any{"reason": reason, "requested": id, "resumed": h.id(resumed), "lost": lost})
	return resumed, fmt.Sprintf("id: %s\nevent: stream.gap\ndata: %s\n\n", id, said)
}

func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	cut, at := h.cut, h.expired+len(h.events)
	var gap string
	id := r.Header.Get("Last-Event-ID") + r.FormValue("since")
	if id != "" && h.ids && !h.deaf {
		at, gap = h.find(id)
	}
	status, typ, stalled, over := h.status, h.typ, h.stalled, h.ended && h.expired+len(h.events) == at
	h.mu.Unlock()
	switch {
	case stalled:
		<-r.Context().Done()
		return
	case status != 0:
		w.WriteHeader(status)
		return
	case typ != "":
		w.Header().Set("Content-Type", typ)
		return
	case over:
		w.WriteHeader(http.StatusNoContent)
		return
	}
	begin(w, "\uFEFFretry: 1\n: welcome\n\n"+gap)
	for {
		h.mu.Lock()
		text, ended, broken := h.after(&at), h.ended, h.typ != ""
		changed := h.changed
		h.mu.Unlock()
		if ended && h.sidestream {
			text += "id: -1\nevent: stream.end\ndata: {}\n\n"
		}
		io.WriteString(w, text)
		w.(http.Flusher).Flush()
		if ended || broken {
			return
		}
		select {
		case <-changed:
		case <-cut:
			panic(http.ErrAbortHandler)
		case <-r.Context().Done():
			return
		}
	}
}

// after returns the events behind the nth, and moves n. mu is held.
func (h *hub) after(n *int) string {
	var b strings.Builder
	*n = max(*n, h.expired)
	for ; *n < h.expired+len(h.events); *n++ {
		if h.ids {
			fmt.Fprintf(&b, "id: %s\n", h.id(*n+1))
		}
		fmt.Fprintf(&b, "data: %d\n\n", h.events[*n-h.expired])
	}
	return b.String()
}
