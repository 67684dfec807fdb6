package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sidestream/adapters"
)

func events(data ...string) []adapters.Event {
	var list []adapters.Event
	for _, d := range data {
		list = append(list, adapters.Event{Data: []byte(d)})
	}
	return list
}

// TestExplainRun: what clients would get, of sources that explain themselves
// and of others.
func TestExplainRun(t *testing.T) {
	emit := func(list []adapters.Event, then error) func(context.Context, func(adapters.Event) error) error {
		return func(ctx context.Context, emit func(adapters.Event) error) error {
			for _, e := range list {
				if err := emit(e); err != nil {
					return err
				}
			}
			if then != nil {
				return then
			}
			<-ctx.Done()
			return ctx.Err()
		}
	}
	live := adapters.Event{Live: true}
	stated := adapters.NewState("p1", "", []byte(`{"n":1}`))
	step := []adapters.Step{{Name: "request", Text: "GET /"}}
	broken := errors.New("connection refused")
	many := events(slices.Repeat([]string{"1"}, 30)...)

	for _, tt := range []struct {
		name  string
		route string
		s     *staged
		want  []string      // "id|type|block", or "dropped: why"
		more  int           // events that aren't shown
		err   string        // in Error
		took  time.Duration // of virtual time
	}{
		{name: "state", s: &staged{run: emit([]adapters.Event{stated, live}, nil)}, want: []string{"p1||id: p1\ndata: {\"n\":1}\n\n"}},
		{name: "expressions", route: `, event: {type: .t, where: .n > 1, data: .n}`,
			s:    &staged{run: emit(append(events(`{"n":1}`, `{"n":2,"t":"x"}`, `nonsense`, `{"n":3,"t":"stream.x"}`), live), nil)},
			want: []string{"dropped: left out", "|x|event: x\ndata: 2\n\n", "dropped: refused", "dropped: refused"}},
		{name: "never live", s: &staged{run: emit(events("1", "2"), nil)}, want: []string{"||data: 1\n\n", "||data: 2\n\n"}, took: settle},
		{name: "too many", s: &staged{run: emit(many, nil)}, want: slices.Repeat([]string{"||data: 1\n\n"}, maxExplainedEvents), more: 1},
		{name: "split", route: `, event: {each: "range(25)"}`, s: &staged{run: emit(append(events("{}"), live), nil)},
			want: []string{"||data: 0\n\n", "…"}, more: 5},
		{name: "ended", s: &staged{run: emit(events("1"), errEnough)}, want: []string{"||data: 1\n\n"}},
		{name: "quiet", s: &staged{run: emit([]adapters.Event{live}, nil)}, took: 5 * time.Second},
		{name: "dead", s: &staged{}, err: "not done within 5s", took: 5 * time.Second},
		{name: "failed", s: &staged{run: emit(nil, broken)}, err: "connection refused"},
		{name: "denied", s: &staged{run: emit(nil, &adapters.DeniedError{Status: 401})}, err: "status 401, which is what clients are answered"},
		{name: "panics", s: &staged{run: func(context.Context, func(adapters.Event) error) error { panic("oops") }}, err: "panic: oops"},
		{name: "failed later", s: &staged{run: emit(events("1"), broken)}, want: []string{"||data: 1\n\n"}, err: "connection refused"},
		{name: "not opened", s: &staged{openErr: broken}, err: "the source can't be opened: connection refused"},
		{name: "clipped", s: &staged{run: emit(append(events(strings.Repeat("é", 20)), live), nil)}, want: []string{"||data: ééééééééé"}},
		{name: "not text", s: &staged{run: emit(append(events("\xff"), live), nil)}, want: []string{"dropped: refused"}},
		{name: "explains",
			s: &staged{explain: func(_ context.Context, run bool) (adapters.Explanation, error) {
				if !run {
					return adapters.Explanation{}, errors.New("not to be run")
				}
				return adapters.Explanation{Steps: step, Events: []adapters.Event{stated}}, nil
			}},
			want: []string{"p1||id: p1\ndata: {\"n\":1}\n\n"}},
		{name: "explains a failure",
			s: &staged{explain: func(context.Context, bool) (adapters.Explanation, error) {
				return adapters.Explanation{Steps: step}, broken
			}},
			err: "connection refused"},
		{name: "explains without end",
			s: &staged{explain: func(ctx context.Context, _ bool) (adapters.Explanation, error) {
				<-ctx.Done()
				return adapters.Explanation{Steps: step}, ctx.Err()
			}},
			err: "not done within 5s", took: 5 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				config := stagedTable(t, tt.s, "routes: [{path: /a"+tt.route+", staged: {}}]")
				start := time.Now()
				e := Explain(config, asked(t.Context(), "GET", "/a"), ExplainOptions{Run: true, Timeout: 5 * time.Second, MaxBytes: 24})
				if took := time.Since(start); took != tt.took {
					t.Errorf("it took %v, want %v", took, tt.took)
				}
				got := e.Stream
				if !strings.Contains(got.Error, tt.err) || (got.Error == "") != (tt.err == "") || e.Failed() != (tt.err != "") {
					t.Errorf("got error %q, failed %v; want %q", got.Error, e.Failed(), tt.err)
				}
				if got.More != tt.more {
					t.Errorf("got %d more, want %d", got.More, tt.more)
				}
				wantEvents(t, got.Events, tt.want)
				if tt.s.explain != nil && !slices.Equal(got.Steps, step) || got.Explains != (tt.s.explain != nil && tt.s.openErr == nil) {
					t.Errorf("got explains %v and steps %v, want the adapter's", got.Explains, got.Steps)
				}
				if !tt.s.closed.Load() {
					t.Error("the adapter was not closed")
				}
			})
		})
	}
}

func wantEvents(t *testing.T, got []ExplainedEvent, want []string) {
	t.Helper()
	var list []string
	for _, e := range got {
		if e.Dropped != "" {
			list = append(list, "dropped: "+e.Dropped)
		} else {
			list = append(list, e.ID+"|"+e.Type+"|"+e.Block)
		}
		if clipped := len(e.Data) < e.Size; e.Clipped != clipped && e.Dropped == "" {
			t.Errorf("got clipped %v of %d bytes, shown %q", e.Clipped, e.Size, e.Data)
		}
	}
	if n := len(want); n > 0 && want[n-1] == "…" {
		want, list = want[:n-1], list[:n-1]
	}
	if !slices.EqualFunc(list, want, func(g, w string) bool {
		return g == w || strings.HasPrefix(w, "dropped") && strings.HasPrefix(g, w)
	}) {
		t.Errorf("events:\ngot  %q\nwant %q", list, want)
	}
}

// TestExplainAsksNothing: without being told to, no source is run.
func TestExplainAsksNothing(t *testing.T) {
	ran := 0
	s := &staged{run: func(context.Context, func(adapters.Event) error) error {
		ran++
		return nil
	}}
	e := Explain(stagedTable(t, s, `routes: [{path: "/{id}", query: [user, since], staged: {}}]`), asked(t.Context(), "GET", "/7?user="), ExplainOptions{})
	if ran != 0 || e.Stream.Ran || e.Failed() {
		t.Errorf("got %d runs, ran %v, failed %v; want none", ran, e.Stream.Ran, e.Failed())
	}
	want := `[{"name":"id","value":"7","query":false},{"name":"user","value":"","query":true},{"name":"since","value":null,"query":true}]`
	if got, err := json.Marshal(e.Stream.Variables); string(got) != want {
		t.Errorf("got variables %s (%v), want %s", got, err, want)
	}
}
