package adaptertest

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"sidestream/adapters"
)

// TestMailbox is the suite on the reference of sources that are Receivers.
func TestMailbox(t *testing.T) {
	h := mailHarness()
	h.Start = func(tb testing.TB) *Upstream { tb.Helper(); return mailUpstream(tb, nil) }
	Run(t, h)
}

func mailHarness() Harness { return Harness{Segments: []string{"user"}} }

// mailUpstream returns a mailbox with its harness. replace, if not nil, makes
// of each source another.
func mailUpstream(tb testing.TB, replace func(s *mailSource) adapters.Source) *Upstream {
	tb.Helper()
	m := &Mailbox{In: adapters.Ingest{Path: "/in/{user}", Methods: []string{http.MethodPost}}, Vars: []string{"user"}}
	var factory adapters.Factory = m
	if replace != nil {
		factory = faultyMailbox{m, replace}
	}
	vars := adapters.Vars{"user": "ann"}
	event := func(i int) adapters.Event { return adapters.Event{Data: fmt.Append(nil, i)} }
	return &Upstream{
		Factory: factory, Vars: vars, Number: number, Event: event,
		Publish: func(ctx context.Context, i int) error {
			s, err := m.Open(vars, adapters.Env{})
			if err != nil {
				return err
			}
			return s.(adapters.Receiver).Receive(ctx, []adapters.Event{event(i)})
		},
	}
}

// A faultyMailbox has other sources than a Mailbox.
type faultyMailbox struct {
	*Mailbox
	replace func(s *mailSource) adapters.Source
}

func (f faultyMailbox) Open(vars adapters.Vars, env adapters.Env) (adapters.Source, error) {
	s, err := f.Mailbox.Open(vars, env)
	if err != nil {
		return nil, err
	}
	return f.replace(s.(*mailSource)), nil
}

// faultyReceiver is a source that receives in a way of its own.
type faultyReceiver struct {
	*mailSource
	receive func(ctx context.Context, next *mailSource, events []adapters.Event) error
}

func (f faultyReceiver) Receive(ctx context.Context, events []adapters.Event) error {
	return f.receive(ctx, f.mailSource, events)
}

// receiveFaults are those of sources that are Receivers.
func receiveFaults() []broken {
	type receiveFunc = func(ctx context.Context, next *mailSource, events []adapters.Event) error
	fault := func(name, fails string, made func(tb testing.TB) receiveFunc) broken {
		return broken{name, fails, mailHarness(), func(tb testing.TB, _ int) *Upstream {
			tb.Helper()
			receive := made(tb)
			return mailUpstream(tb, func(s *mailSource) adapters.Source { return faultyReceiver{s, receive} })
		}}
	}
	return []broken{
		fault("says that events are there before they are", "receive receive-error", func(testing.TB) receiveFunc {
			return func(ctx context.Context, next *mailSource, events []adapters.Event) error {
				l := letter{events, make(chan error, 1)}
				select {
				case next.letters <- l:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}),
		fault("delivers the last event first", "receive receive-together", func(testing.TB) receiveFunc {
			return func(ctx context.Context, next *mailSource, events []adapters.Event) error {
				last := len(events) - 1
				return next.Receive(ctx, append([]adapters.Event{events[last]}, events[:last]...))
			}
		}),
		fault("says that all is well when emit has failed", "receive-error", func(testing.TB) receiveFunc {
			return func(ctx context.Context, next *mailSource, events []adapters.Event) error {
				err := next.Receive(ctx, events)
				if ctx.Err() == nil {
					return nil
				}
				return err
			}
		}),
		fault("drops what comes while it receives", "receive-together", func(testing.TB) receiveFunc {
			var one sync.Mutex
			return func(ctx context.Context, next *mailSource, events []adapters.Event) error {
				if !one.TryLock() {
					return nil
				}
				defer one.Unlock()
				return next.Receive(ctx, events)
			}
		}),
		fault("refuses what comes while it receives", "receive-together", func(testing.TB) receiveFunc {
			var one sync.Mutex
			return func(ctx context.Context, next *mailSource, events []adapters.Event) error {
				if !one.TryLock() {
					return adapters.ErrBusy
				}
				defer one.Unlock()
				return next.Receive(ctx, events)
			}
		}),
		fault("waits for a Run whatever its context says", "receive-stop", func(testing.TB) receiveFunc {
			return func(ctx context.Context, next *mailSource, events []adapters.Event) error {
				waiting, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience/2+prompt/2)
				defer cancel()
				return next.Receive(waiting, events)
			}
		}),
		fault("says that nothing is wrong when it gives up", "receive-stop", func(testing.TB) receiveFunc {
			return func(ctx context.Context, next *mailSource, events []adapters.Event) error {
				if err := next.Receive(ctx, events); ctx.Err() == nil {
					return err
				}
				return nil
			}
		}),
		{"is no Receiver", "ingest receive receive-error receive-together receive-stop", mailHarness(), func(tb testing.TB, _ int) *Upstream {
			tb.Helper()
			return mailUpstream(tb, func(s *mailSource) adapters.Source { return runFunc(s.Run) })
		}},
	}
}

// TestMailboxServes: what a request brings, and how it is answered.
func TestMailboxServes(t *testing.T) {
	m := &Mailbox{Vars: []string{"user"}}
	for _, tt := range []struct {
		err    error
		status int
	}{
		{nil, http.StatusAccepted},
		{adapters.ErrBadVariable, http.StatusNotFound},
		{adapters.ErrBusy, http.StatusTooManyRequests},
		{context.DeadlineExceeded, http.StatusServiceUnavailable},
	} {
		var got []string
		rec := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/in/ann", strings.NewReader("1\n2"))
		r.SetPathValue("user", "ann")
		m.ServeIngest(rec, r, func(_ context.Context, vars adapters.Vars, events []adapters.Event) error {
			for _, e := range events {
				got = append(got, vars["user"]+" "+string(e.Data))
			}
			return tt.err
		})
		if want := "ann 1, ann 2"; strings.Join(got, ", ") != want || rec.Code != tt.status {
			t.Errorf("%v: got %v and status %d, want %s and %d", tt.err, got, rec.Code, want, tt.status)
		}
	}
}

// A source that is full says so.
func TestMailboxRoom(t *testing.T) {
	s, err := (&Mailbox{Room: 1}).Open(nil, adapters.Env{})
	if err != nil {
		t.Fatal(err)
	}
	receiver := s.(*mailSource)
	receiver.waiting.Add(1)
	if err := receiver.Receive(t.Context(), nil); err != adapters.ErrBusy { //nolint:errorlint // it is never wrapped
		t.Errorf("got %v, want ErrBusy", err)
	}
}
