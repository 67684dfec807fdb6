package proxy

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/adaptertest"
)

// scripted is a source that emits what a test says, and fails when it says so.
// Without a word it emits nothing.
type scripted struct {
	can   adapters.Capabilities
	words chan word

	mu   sync.Mutex
	seen []adapters.Position // what Run was given
}

// A word is an event, or an error to return.
type word struct {
	event adapters.Event
	err   error
}

func (s *scripted) Capabilities() adapters.Capabilities { return s.can }

func (s *scripted) Open(adapters.Vars, adapters.Env) (adapters.Source, error) { return s, nil }

func (s *scripted) Run(ctx context.Context, after adapters.Position, emit func(adapters.Event) error) error {
	s.mu.Lock()
	s.seen = append(s.seen, after)
	s.mu.Unlock()
	for {
		select {
		case w := <-s.words:
			if w.err != nil {
				return w.err
			}
			if err := emit(w.event); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// runs returns the positions that Runs were given.
func (s *scripted) runs() []adapters.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

// say has the source emit e, and waits until all is done that follows.
func (s *scripted) say(e adapters.Event) {
	s.words <- word{event: e}
	synctest.Wait()
}

// fail has the source return err.
func (s *scripted) fail(err error) {
	s.words <- word{err: err}
	synctest.Wait()
}

func stale(reason string) adapters.Event { return adapters.Event{Stale: reason} }

func live() adapters.Event { return adapters.Event{Live: true} }

// inScript runs f with a server whose route /s reads a scripted source.
func inScript(t *testing.T, can adapters.Capabilities, options string, f func(w *world, s *scripted)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{can: can, words: make(chan word)}
		w := newWorld(t)
		w.registry = adapters.NewRegistry(adapters.New("script", func() struct{} { return struct{}{} },
			func(struct{}, adapters.Route) (adapters.Factory, error) { return s, nil }))
		w.boot(`routes: [{path: /s, script: {}` + options + `}]`)
		f(w, s)
		w.shutdown()
	})
}

const since = `{"since":"2000-01-01T00:00:00Z","reason":`

// Between a Stale notice and the Live one that ends it, events are delivered
// and change nothing of the condition.
func TestStaleNotice(t *testing.T) {
	inScript(t, adapters.Capabilities{}, "", func(w *world, s *scripted) {
		c := w.connect("/s")
		defer c.drop()
		s.say(live())
		s.say(adapters.Event{Data: []byte("1")})
		s.say(stale("no quorum"))
		s.say(adapters.Event{Data: []byte("2")})
		late := w.connect("/s")
		defer late.drop()
		late.wants(` stream.stale ` + since + `"no quorum"}`)
		s.say(adapters.Event{Data: []byte("3")})
		want := []string{"E-1 1", "E-1 stream.stale " + since + `"no quorum"}`, "E-2 2", "E-3 3"}
		c.wants(want...)
		if got := w.metric(`sidestream_sources{route="/s",state="stale"}`); got != "1" {
			t.Errorf("stale sources: got %s, want 1", got)
		}
		s.say(live())
		s.say(adapters.Event{Data: []byte("4")})
		c.wants(append(want, "E-3 stream.fresh "+since+`"no quorum"}`, "E-4 4")...)
		s.say(live()) // again: nobody is told twice
		late.wants(` stream.stale …`, "E-3 3", "E-3 stream.fresh …", "E-4 4")
		if got := s.runs(); len(got) != 1 {
			t.Errorf("got %d Runs, want the one", len(got))
		}
	})
}

// The first thing that a source has to say may be that it isn't well.
func TestStaleNoticeFirst(t *testing.T) {
	inScript(t, adapters.Capabilities{}, "", func(w *world, s *scripted) {
		c := w.connect("/s")
		defer c.drop()
		s.say(stale("disk full"))
		c.wants(` stream.stale ` + since + `"disk full"}`)
		s.say(adapters.Event{Data: []byte("1")})
		c.wants(` stream.stale …`, "E-1 1")
		s.say(live())
		c.wants(` stream.stale …`, "E-1 1", `E-1 stream.fresh …`)
	})
}

func TestStaleNoticeWithAnotherReason(t *testing.T) {
	inScript(t, adapters.Capabilities{}, "", func(w *world, s *scripted) {
		c := w.connect("/s")
		defer c.drop()
		s.say(stale("no quorum"))
		after(time.Minute)
		s.say(stale("disk full"))
		late := w.connect("/s")
		defer late.drop()
		c.wants(` stream.stale ` + since + `"no quorum"}`) // told once
		late.wants(` stream.stale ` + since + `"disk full"}`)
		_, body := w.adminGet("/streams")
		if want := `"state":"stale","since":"2000-01-01T00:00:00Z","reason":"disk full"`; !strings.Contains(body, want) {
			t.Errorf("/streams: got %s, want it to hold %s", body, want)
		}
	})
}

// A failure after a Stale notice gives another reason, and ends nothing: that
// takes a Live notice, of a later Run if need be.
func TestFailureAfterStaleNotice(t *testing.T) {
	inScript(t, adapters.Capabilities{Positions: true}, "", func(w *world, s *scripted) {
		c := w.connect("/s")
		defer c.drop()
		s.say(adapters.Event{Position: "a", Data: []byte("1")})
		s.say(adapters.Event{Stale: "no quorum", Position: "b"})
		s.fail(adapters.Transient("connection refused", errors.New("dial 10.0.0.1")))
		late := w.connect("/s")
		defer late.drop()
		late.wants(` stream.stale ` + since + `"connection refused"}`)
		after(time.Minute)
		if got := s.runs(); len(got) != 2 || got[1] != "b" {
			t.Errorf("Runs after: got %q, want one from the start and one after the notice's position", got)
		}
		s.say(adapters.Event{Position: "c", Data: []byte("2")})
		c.wants("a 1", "a stream.stale "+since+`"no quorum"}`, "c 2")
		s.say(live())
		c.wants("a 1", "a stream.stale …", "c 2", "c stream.fresh …")
	})
}

// Without positions, what was missed in a failure is announced as soon as the
// source delivers again, well or not.
func TestStaleNoticeAndMissedEvents(t *testing.T) {
	inScript(t, adapters.Capabilities{}, "", func(w *world, s *scripted) {
		c := w.connect("/s")
		defer c.drop()
		s.say(adapters.Event{Data: []byte("1")})
		s.fail(errors.New("gone"))
		after(time.Minute)
		s.say(stale("no quorum"))
		want := []string{"E-1 1", "E-1 stream.stale …"}
		c.wants(want...)
		s.say(adapters.Event{Data: []byte("2")})
		c.wants(append(want, `E-1 stream.gap {"reason":"unknown"…`, "E-2 2")...)
	})
}

// A state that comes while the upstream isn't well is confirmed by nobody.
func TestAgeDuringStaleNotice(t *testing.T) {
	inScript(t, adapters.Capabilities{Positions: true, Stateful: true}, ", linger: 1h", func(w *world, s *scripted) {
		c := w.connect("/s")
		defer c.drop()
		age := func(want string) {
			t.Helper()
			if got := w.metric(`sidestream_source_state_age_seconds{route="/s"}`); got != want {
				t.Errorf("age: got %s s, want %s", got, want)
			}
		}
		s.say(adapters.NewState("a", "", []byte("one")))
		s.say(live())
		after(10 * time.Second)
		age("10")
		s.say(stale("no quorum"))
		s.say(adapters.NewState("b", "", []byte("two")))
		age("10")
		s.say(adapters.Event{Stale: "no quorum", Live: true, Position: "b"})
		age("10")
		late := w.connect("/s")
		defer late.drop()
		late.wants("b two", "b stream.stale …", `b stream.live {"age":10}`)
		s.say(live())
		age("0")
		c.wants("a one", `a stream.live {"age":0}`, "a stream.stale …", "b two", "b stream.fresh …")
	})
}

// A Stale notice may also say that all there is has come, so that clients
// begin with that.
func TestStaleNoticeThatIsLive(t *testing.T) {
	can := adapters.Capabilities{Positions: true, Stateful: true, Keyed: true}
	inScript(t, can, "", func(w *world, s *scripted) {
		c := w.connect("/s")
		defer c.drop()
		for _, key := range []string{"x", "y"} {
			e := adapters.NewState(adapters.Position(key), "", []byte(key))
			e.Key = key
			s.say(stale("no quorum"))
			s.say(e)
		}
		told := ` stream.stale ` + since + `"no quorum"}`
		c.wants(told)
		s.say(adapters.Event{Stale: "no quorum", Live: true, Position: "y"})
		c.wants(told, "x x", "y y", "y stream.live {}")
		s.say(live())
		c.wants(told, "x x", "y y", "y stream.live {}", "y stream.fresh …")
	})
}

// A private replay goes on over Stale notices: its client hears of them from
// the shared run.
func TestStaleNoticeInReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		log := &adaptertest.Log{Name: "r"}
		w.registry = adapters.NewRegistry(adapters.New("log", func() struct{} { return struct{}{} },
			func(struct{}, adapters.Route) (adapters.Factory, error) { return fretful{log.Factory()}, nil }))
		for _, d := range []string{"1", "2", "3"} {
			log.Append(adapters.Event{Data: []byte(d)})
		}
		w.boot(`routes: [{path: /r, log: {}}]`)
		c := w.connect("/r", "Last-Event-ID: r.0.1")
		c.wants("r.0.2 2", "r.0.3 3", "r.0.3 stream.stale …")
		log.Append(adapters.Event{Data: []byte("4")})
		c.wants("r.0.2 2", "r.0.3 3", "r.0.3 stream.stale …", "r.0.4 4")
		c.drop()
		w.shutdown()
	})
}

// fretful is a factory of sources that are never well: each thing they emit
// comes with that, and so does what they have to say of being live.
type fretful struct{ adapters.Factory }

func (f fretful) Open(vars adapters.Vars, env adapters.Env) (adapters.Source, error) {
	s, err := f.Factory.Open(vars, env)
	return fretfulSource{s}, err
}

type fretfulSource struct{ adapters.Source }

func (s fretfulSource) Run(ctx context.Context, after adapters.Position, emit func(adapters.Event) error) error {
	return s.Source.Run(ctx, after, func(e adapters.Event) error {
		if err := emit(stale("no quorum")); err != nil {
			return err
		}
		if e.Live {
			e.Stale = "no quorum"
		}
		return emit(e)
	})
}

// What `explain --run` says of a source that isn't well, and has nothing.
func TestExplainStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			name   string
			events []adapters.Event
			want   string // the error
			shown  int
		}{
			{"nothing", []adapters.Event{stale("no quorum")}, "not done within 1m0s: no quorum: context deadline exceeded", 0},
			{"something", []adapters.Event{stale("no quorum"), {Data: []byte("1")}, {Stale: "no quorum", Live: true}}, "", 1},
		} {
			s := &staged{run: func(ctx context.Context, emit func(adapters.Event) error) error {
				for _, e := range tt.events {
					if err := emit(e); err != nil {
						return err
					}
				}
				<-ctx.Done()
				return ctx.Err()
			}}
			e := Explain(stagedTable(t, s, `routes: [{path: /a, staged: {}}]`), asked(t.Context(), "GET", "/a"), ExplainOptions{Run: true, Timeout: time.Minute})
			if e.Stream.Error != tt.want || len(e.Stream.Events) != tt.shown {
				t.Errorf("%s: got %d events, error %q, want %d and %q", tt.name, len(e.Stream.Events), e.Stream.Error, tt.shown, tt.want)
			}
		}
	})
}
