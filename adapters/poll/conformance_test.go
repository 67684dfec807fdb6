package poll

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/adaptertest"
	"sidestream/adapters/poll/payload"
)

// TestConformance runs the suite in every way to emit.
func TestConformance(t *testing.T) {
	for name, edit := range map[string]func(*Options){
		"snapshot":   nil,
		"adaptive":   func(o *Options) { o.Every.Max = 5 * o.Every.Min },
		"long poll":  func(o *Options) { o.LongPoll = true },
		"patch":      func(o *Options) { o.Emit = emitPatch },
		"merge":      func(o *Options) { o.Emit = emitMerge },
		"items":      func(o *Options) { o.Emit, o.Items.Each, o.Items.Key = emitItems, ".", `"the one"` },
		"raw":        func(o *Options) { o.Emit = emitRaw },
		"select":     func(o *Options) { o.Select, o.Ignore = "del(.noise)", []string{"/time", "del(.date)"} },
		"text":       func(o *Options) { o.Answer.Format = payload.Text },
		"long lists": func(o *Options) { o.Emit, o.Pages.Next, o.Select = emitPatch, nextLink, "[.]" },
		"pages": func(o *Options) {
			o.URL, o.Pages.Next, o.Select = "/state/{v}/{rest...}?as=pages", nextLink, "[.]"
		},
		"many items": func(o *Options) {
			o.URL, o.Emit, o.Items.Key = "/state/{v}/{rest...}?as=items", emitItems, ".id"
		},
	} {
		t.Run(name, func(t *testing.T) {
			adaptertest.Run(t, adaptertest.Harness{
				Start: func(tb testing.TB) *adaptertest.Upstream {
					tb.Helper()
					return startLegacy(tb, edit)
				},
				Segments: []string{"v"},
				Hostile:  []adapters.Vars{{"rest": ""}, {"rest": "a/../b"}, {"rest": "a//b"}, {"rest": "a\r\nb"}},
			})
		})
	}
}

func startLegacy(tb testing.TB, edit func(*Options)) *adaptertest.Upstream {
	tb.Helper()
	app := new(legacy)
	upstream := serve(tb, app.ServeHTTP)
	return &adaptertest.Upstream{
		Factory: configure(tb, adapters.Route{
			Path: "/state/{v}/{rest...}", Vars: []string{"v", "rest"}, Upstream: upstream,
		}, func(o *Options) {
			often(o)
			o.Client.MaxConnections = 2 // which stay, whatever becomes of requests
			if edit != nil {
				edit(o)
			}
		}),
		Vars:    adapters.Vars{"v": "a", "rest": "b/c"},
		Publish: func(_ context.Context, i int) error { return app.set(func() { app.state = i }) },
		Number: func(e adapters.Event) (int, error) {
			_, digits, _ := strings.Cut(string(e.State.Data), `"number":`)
			digits, _, _ = strings.Cut(digits, "}")
			return strconv.Atoi(strings.TrimSpace(digits))
		},
		Fail:    func(context.Context) error { return app.set(func() { app.failing = true }) },
		Recover: func(context.Context) error { return app.set(func() { app.failing = false }) },
		Stall:   func(context.Context) error { return app.set(func() { app.stalled = true }) },
		End:     func(context.Context) error { return app.set(func() { app.ended = true }) },
		Private: []string{upstream.Host, "state"},
	}
}

// legacy is an application whose state is a number. It ends after its last
// state was fetched.
type legacy struct {
	mu                      sync.Mutex // guards what follows
	state, fetched          int
	failing, stalled, ended bool
}

func (l *legacy) set(f func()) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	return nil
}

func (l *legacy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	etag := fmt.Sprintf(`W/"%d"`, l.state)
	switch {
	case l.stalled:
		l.mu.Unlock()
		<-r.Context().Done()
		l.mu.Lock()
	case l.failing:
		w.WriteHeader(http.StatusServiceUnavailable)
	case l.ended && l.fetched == l.state:
		w.WriteHeader(http.StatusGone)
	case r.FormValue("as") == "pages" && r.FormValue("page") != "3":
		serveFirstPages(w, r)
	case r.Header.Get("If-None-Match") == etag:
		w.WriteHeader(http.StatusNotModified)
	case r.FormValue("as") == "items":
		l.fetched = l.state
		w.Header().Set("ETag", etag)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, l.items())
	default:
		l.fetched = l.state
		w.Header().Set("ETag", etag)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"filler": "this is here so that a change is smaller than the whole", "filling": [1, 2, 3, 4, 5, 6, 7, 8, 9], "number": %d}`, l.state)
	}
}

// serveFirstPages serves the pages before the one that has the number. They
// stay as they are.
func serveFirstPages(w http.ResponseWriter, r *http.Request) {
	next := map[string]string{"": "2", "2": "3"}[r.FormValue("page")]
	w.Header().Set("ETag", `"page"`)
	w.Header().Set("Link", fmt.Sprintf(`<?as=pages&page=%s>; rel="next"`, next))
	if r.Header.Get("If-None-Match") != "" {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"before": %s}`, next)
}

// items are the state as a collection, in which a number changes several items,
// some come and go, and others stay.
func (l *legacy) items() string {
	var list []string
	for i := range 10 {
		list = append(list, fmt.Sprintf(`{"id": "kept %d", "filler": "this is here so that a change is smaller"}`, i))
	}
	for i := range l.state % 3 {
		list = append(list, fmt.Sprintf(`{"id": "guest %d"}`, i))
	}
	for _, id := range []string{"a", "b", "z"} {
		list = append(list, fmt.Sprintf(`{"id": %q, "number": %d}`, id, l.state))
	}
	return "[" + strings.Join(list, ", ") + "]"
}

// TestConformanceOfLists runs the suite on lists that grow, with and without
// a cursor, in both orders, and in pages.
func TestConformanceOfLists(t *testing.T) {
	for name, edit := range map[string]func(*Options, *journal){
		"whole":        func(*Options, *journal) {},
		"newest first": func(o *Options, j *journal) { j.reverse, o.Items.Order = true, newestFirst },
		"cursor": func(o *Options, _ *journal) {
			o.Query, o.Cursor.Next = map[string]string{"after": "{cursor}"}, ".next"
		},
		"cursor and pages": func(o *Options, j *journal) {
			j.page = 3
			o.Query, o.Cursor.Next = map[string]string{"after": "{cursor}"}, ".next"
			o.Pages.Next, o.Pages.Param, o.Pages.Max = "if .more then .next else null end", "after", 2
			o.Select = ".items"
			o.Items.Each = ".[]"
		},
		"newest first with a cursor": func(o *Options, j *journal) {
			j.reverse, o.Items.Order = true, newestFirst
			o.Query, o.Cursor.Next = map[string]string{"after": "{cursor}"}, ".next"
		},
		"held": func(o *Options, j *journal) {
			j.held, o.LongPoll, o.Client.MaxConnections = time.Second/4, true, 3
			o.Query, o.Cursor.Next = map[string]string{"after": "{cursor}"}, ".next"
		},
		"pages by link": func(o *Options, j *journal) {
			j.page = 7
			o.Pages.Next, o.Pages.Max = nextLink, 100
			o.Select = ".items"
			o.Items.Each = ".[]"
		},
	} {
		t.Run(name, func(t *testing.T) {
			adaptertest.Run(t, adaptertest.Harness{Start: func(tb testing.TB) *adaptertest.Upstream {
				tb.Helper()
				return startJournal(tb, edit)
			}})
		})
	}
}

func startJournal(tb testing.TB, edit func(*Options, *journal)) *adaptertest.Upstream {
	tb.Helper()
	app := &journal{changed: make(chan struct{})}
	upstream := serve(tb, app.ServeHTTP)
	app.name = upstream.Host
	return &adaptertest.Upstream{
		Factory: configure(tb, adapters.Route{Path: "/journal", Upstream: upstream}, func(o *Options) {
			often(o)
			o.Client.MaxConnections = 2
			o.Emit, o.Items.Each, o.Items.Key, o.Items.Type = emitAppend, ".items[]", ".id", ".kind"
			edit(o, app)
		}),
		Publish: func(_ context.Context, i int) error { return app.set(func() { app.entries = append(app.entries, i) }) },
		Number: func(e adapters.Event) (int, error) {
			var entry struct{ Number int }
			err := json.Unmarshal(e.Data, &entry)
			return entry.Number, err
		},
		Fail:    func(context.Context) error { return app.set(func() { app.failing = true }) },
		Recover: func(context.Context) error { return app.set(func() { app.failing = false }) },
		Stall:   func(context.Context) error { return app.set(func() { app.stalled = true }) },
		Private: []string{upstream.Host},
	}
}

// A journal is an application with a list that grows. Its cursors are of no
// use with another journal.
type journal struct {
	name    string
	reverse bool
	page    int           // entries of a page; 0: all
	held    time.Duration // how long a request without news is held

	mu               sync.Mutex // guards what follows
	changed          chan struct{}
	entries          []int
	failing, stalled bool
}

func (j *journal) set(f func()) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	f()
	close(j.changed)
	j.changed = make(chan struct{})
	return nil
}

// end is the cursor behind the last entry.
func (j *journal) end() string { return fmt.Sprintf("%s/%d", j.name, len(j.entries)) }

// hold waits until something happens to the journal, or for a while.
func (j *journal) hold(r *http.Request) {
	changed := j.changed
	j.mu.Unlock()
	defer j.mu.Lock()
	enough := time.NewTimer(j.held)
	defer enough.Stop()
	select {
	case <-changed:
	case <-enough.C:
	case <-r.Context().Done():
	}
}

func (j *journal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.held > 0 && !j.failing && r.URL.RawQuery == "after="+url.QueryEscape(j.end()) {
		j.hold(r)
	}
	switch {
	case j.stalled:
		j.mu.Unlock()
		<-r.Context().Done()
		j.mu.Lock()
		return
	case j.failing:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	from := 0
	if after := r.URL.Query().Get("after"); after != "" {
		name, number, _ := strings.Cut(after, "/")
		var err error
		if from, err = strconv.Atoi(number); err != nil || name != j.name || from > len(j.entries) {
			w.WriteHeader(http.StatusGone)
			return
		}
	}
	rest := j.entries[from:]
	to := len(rest)
	if j.page > 0 {
		to = min(to, j.page)
	}
	var items []string
	for i, n := range rest[:to] {
		item := fmt.Sprintf(`{"id":"%s %d","kind":"entry","number":%d}`, j.name, from+i, n)
		if j.reverse {
			items = append([]string{item}, items...)
		} else {
			items = append(items, item)
		}
	}
	if next := fmt.Sprintf("%s/%d", j.name, from+to); to < len(rest) {
		w.Header().Set("Link", fmt.Sprintf(`</other>; rel="prev", <?after=%s>; rel="next"`, next))
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"items":[%s],"next":"%s/%d","more":%v}`, strings.Join(items, ","), j.name, from+to, to < len(rest))
}
