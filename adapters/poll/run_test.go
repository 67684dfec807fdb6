package poll

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/poll/payload"
)

func TestSnapshots(t *testing.T) {
	answers := []string{`{"a": 1, "b": 2}`, `{"b":2,"a":1}`, "{\n\"a\":1,\"b\":2}", `{"a":1,"b":3}`, `{"a":1,"b":2}`}
	var polls atomic.Int64
	upstream := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		i := min(int(polls.Add(1)), len(answers)) - 1
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, answers[i])
	})
	var counted tally
	s := open(t, upstream, counted.env(), func(o *Options) { o.Type = "order" })

	var got []string
	for _, e := range take(t, s, "", 9) {
		switch {
		case e.Live && (e.Data != nil || e.State != nil || e.Type != ""):
			t.Errorf("got notice %+v, want nothing but a position", e)
		case e.Live:
			got = append(got, "live "+string(e.Position))
		default:
			if !e.Whole() || e.Type != "order" || e.Headers != nil || e.Meta != nil {
				t.Errorf("got %+v, want a state of type order, without headers", e)
			}
			got = append(got, string(e.Data)+" "+string(e.Position))
		}
	}
	p, q := string(positionOf([]byte(`{"a":1,"b":2}`))), string(positionOf([]byte(`{"a":1,"b":3}`)))
	want := []string{
		`{"a":1,"b":2} ` + p, "live " + p,
		"live " + p, // other order
		"live " + p, // other layout
		`{"a":1,"b":3} ` + q, "live " + q,
		`{"a":1,"b":2} ` + p, "live " + p,
		"live " + p,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if want := slices.Repeat([]string{"200"}, 6); !slices.Equal(counted.get(), want) {
		t.Errorf("counted: got %v, want %v", counted.get(), want)
	}
}

func TestResume(t *testing.T) {
	upstream := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, "[1]")
	})
	now := positionOf([]byte("[1]"))
	tests := []struct {
		name  string
		after adapters.Position
		event bool
	}{
		{"from the start", "", true},
		{"from the current state", now, false},
		{"from another state", positionOf([]byte("[2]")), true},
		{"from nowhere", "what?", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fresh := open(t, upstream, adapters.Env{}, nil)
			used := open(t, upstream, adapters.Env{}, nil)
			take(t, used, "", 2)
			for name, s := range map[string]*stateSource{"fresh": fresh, "used": used} {
				e := take(t, s, tt.after, 1)[0]
				if e.Live == tt.event || e.Position != now {
					t.Errorf("%s source: got live %v at %q, want %v at %q", name, e.Live, e.Position, !tt.event, now)
				}
			}
		})
	}
}

func TestEmptyDocument(t *testing.T) {
	for _, status := range []int{http.StatusNoContent, http.StatusResetContent} {
		for _, format := range []payload.Format{"auto", "json"} {
			upstream := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(status)
			})
			s := open(t, upstream, adapters.Env{}, func(o *Options) { o.Answer.Format = format })
			e := take(t, s, "", 1)[0]
			if e.Live || len(e.Data) != 0 || !e.Whole() || e.Position == "" {
				t.Errorf("%d, %s: got %+v, want an empty state with a position", status, format, e)
			}
			if e := take(t, s, e.Position, 1)[0]; !e.Live {
				t.Errorf("%d, %s: got %+v, want a notice", status, format, e)
			}
		}
	}
}

func TestGone(t *testing.T) {
	upstream := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) })
	var counted tally
	if err := fail(t, open(t, upstream, counted.env(), nil)); err != nil {
		t.Errorf("got %v, want nil: the upstream has ended", err)
	}
	if got := counted.get(); !slices.Equal(got, []string{"410"}) {
		t.Errorf("counted: got %v, want [410]", got)
	}
}

func TestRequest(t *testing.T) {
	tests := []struct {
		format payload.Format
		accept string
	}{
		{"auto", "application/json, */*;q=0.5"},
		{"json", "application/json, */*;q=0.5"},
		{"text", "text/plain, text/*;q=0.9, */*;q=0.5"},
		{"bytes", "*/*"},
	}
	for _, tt := range tests {
		seen := make(chan *http.Request, 1)
		upstream := serve(t, func(w http.ResponseWriter, r *http.Request) {
			seen <- r
			fmt.Fprint(w, "{}")
		})
		take(t, open(t, upstream, adapters.Env{}, func(o *Options) { o.Answer.Format = tt.format }), "", 1)
		r := <-seen
		want := http.Header{"Accept": {tt.accept}, "User-Agent": {"sidestream/poll"}, "Accept-Encoding": {payload.AcceptEncoding}}
		if r.Method != http.MethodGet || fmt.Sprint(r.Header) != fmt.Sprint(want) {
			t.Errorf("%s: got %s %v, want GET %v", tt.format, r.Method, r.Header, want)
		}
	}
}

func TestMeta(t *testing.T) {
	upstream := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Version", "7")
		w.WriteHeader(http.StatusNonAuthoritativeInfo)
		fmt.Fprint(w, "{}")
	})
	f := configure(t, adapters.Route{Upstream: upstream}, func(o *Options) { o.URL = "/a%20b?key=hunter2" })
	s, err := f.Open(nil, adapters.Env{Meta: true})
	if err != nil {
		t.Fatal(err)
	}
	e := take(t, s, "", 1)[0]
	if got := http.Header(e.Headers).Get("X-Version"); got != "7" {
		t.Errorf("header: got %q, want 7", got)
	}
	if got, want := fmt.Sprint(e.Meta), "map[path:/a%20b status:203]"; got != want {
		t.Errorf("meta: got %s, want %s", got, want)
	}
}

func TestEmitError(t *testing.T) {
	upstream := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") })
	s := open(t, upstream, adapters.Env{}, nil)
	for n := 1; n <= 3; n++ {
		if got := len(take(t, s, "", n)); got != n {
			t.Errorf("got %d calls of emit, want %d: none after the one that failed", got, n)
		}
	}
}

func TestIndependentSources(t *testing.T) {
	stuck := make(chan struct{}, 1)
	upstream := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stuck" {
			stuck <- struct{}{}
			<-r.Context().Done()
			return
		}
		fmt.Fprint(w, r.URL.Path)
	})
	f := configure(t, adapters.Route{Path: "/{v}", Vars: []string{"v"}, Upstream: upstream}, often)
	open := func(v string, env adapters.Env) adapters.Source {
		s, err := f.Open(adapters.Vars{"v": v}, env)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	var counted tally
	go func() { done <- open("stuck", counted.env()).Run(ctx, "", func(adapters.Event) error { return nil }) }()
	<-stuck
	if got := string(take(t, open("free", adapters.Env{}), "", 3)[0].Data); got != "/free" {
		t.Errorf("got %q, want /free", got)
	}
	// Cancelled in the middle of a request, Run returns at once.
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	} else if u := new(adapters.UpstreamError); errors.As(err, &u) {
		t.Errorf("got %v, want the context's error, not a failure of the upstream", err)
	}
	if got := counted.get(); len(got) != 0 {
		t.Errorf("counted: got %v, want nothing for a poll that was called off", got)
	}
}

// TestClose: what a factory has left open it closes, and not before.
func TestClose(t *testing.T) {
	closed := make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") }))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			close(closed) // panics if there is a second connection
		}
	}
	server.Start()
	defer server.Close()
	upstream, _ := url.Parse(server.URL)
	f := configure(t, adapters.Route{Path: "/", Upstream: upstream}, often)
	for range 2 {
		s, err := f.Open(nil, adapters.Env{})
		if err != nil {
			t.Fatal(err)
		}
		take(t, s, "", 3)
	}
	select {
	case <-closed:
		t.Error("got a closed connection, want it kept for the next poll")
	default:
	}
	if err := f.Close(); err != nil {
		t.Errorf("Close: got %v, want nil", err)
	}
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Error("got an open connection, want it closed")
	}
}

// TestBodyClosed: whatever becomes of an answer, its body is closed.
func TestBodyClosed(t *testing.T) {
	for _, status := range []int{200, 204, 302, 304, 410, 503} {
		body := &closeNoter{Reader: strings.NewReader("{}")}
		s := newTestSource(script(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Header: http.Header{"Location": {"http://elsewhere.test"}}, Body: body}, nil
		}), often)
		s.Run(t.Context(), "", func(adapters.Event) error { return errEnough })
		if !body.closed {
			t.Errorf("%d: got an open body, want it closed", status)
		}
	}
}

type closeNoter struct {
	io.Reader
	closed bool
}

func (c *closeNoter) Close() error {
	c.closed = true
	return nil
}

func TestCancelBeforeRun(t *testing.T) {
	s := newTestSource(script(func(*http.Request) (*http.Response, error) {
		t.Error("got a request, want none")
		return nil, errors.New("no")
	}), nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx, "", func(adapters.Event) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestOpenDoesNothing(t *testing.T) {
	nowhere := &url.URL{Scheme: "http", Host: "127.0.0.1:1"}
	open(t, nowhere, adapters.Env{Result: func(o string) { t.Errorf("got outcome %s, want no exchange", o) }}, nil)
}
