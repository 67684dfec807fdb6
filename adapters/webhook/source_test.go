package webhook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/tlsfiles"
)

func openSource(tb testing.TB, pending int) *source {
	tb.Helper()
	f := open(tb, func(o *Options) { o.Pending.Events = pending })
	src, err := f.Open(nil, adapters.Env{})
	if err != nil {
		tb.Fatalf("Open: got error %v, want none", err)
	}
	return src.(*source)
}

// receive starts a call of Receive and returns where its result will be.
func receive(ctx context.Context, s *source, ids ...string) <-chan error {
	result := make(chan error, 1)
	go func() { result <- s.Receive(ctx, events(ids...)) }()
	return result
}

// run starts a Run that ends with ctx, or when an event with the id bad comes.
func run(ctx context.Context, s *source, bad string, got *[]string) <-chan error {
	result := make(chan error, 1)
	go func() {
		result <- s.Run(ctx, "", func(e adapters.Event) error {
			switch {
			case e.Live:
				return nil
			case e.ID == bad:
				return errDown
			}
			*got = append(*got, e.ID)
			return nil
		})
	}()
	return result
}

// returned returns the result of a call that is to have returned by now.
func returned(t *testing.T, what string, result <-chan error) error {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-result:
		return err
	default:
		t.Fatalf("%s has not returned, want it to", what)
		return nil
	}
}

// waits complains of a call that has returned.
func waits(t *testing.T, what string, result <-chan error) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-result:
		t.Fatalf("%s has returned %v, want it to wait", what, err)
	default:
	}
}

// What comes while no Run is under way waits for one, in order.
func TestReceiveWaitsForRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openSource(t, 10)
		var got []string
		var results []<-chan error
		for i := range 3 {
			results = append(results, receive(t.Context(), s, fmt.Sprint(i, "a"), fmt.Sprint(i, "b")))
			waits(t, "Receive without a Run", results[i])
		}
		ctx, cancel := context.WithCancel(t.Context())
		ran := run(ctx, s, "", &got)
		for i, result := range results {
			if err := returned(t, fmt.Sprint("Receive ", i), result); err != nil {
				t.Errorf("Receive %d: got error %v, want none", i, err)
			}
		}
		cancel()
		if err := returned(t, "Run", ran); !errors.Is(err, context.Canceled) {
			t.Errorf("Run: got error %v, want its context's", err)
		}
		if want := []string{"0a", "0b", "1a", "1b", "2a", "2b"}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// What emit fails for is answered with an error, and what waits behind it is
// the next Run's.
func TestReceiveAfterFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openSource(t, 10)
		var got []string
		first := receive(t.Context(), s, "a", "bad", "b")
		waits(t, "the first", first)
		second := receive(t.Context(), s, "c")
		waits(t, "the second", second)
		if err := returned(t, "Run", run(t.Context(), s, "bad", &got)); !errors.Is(err, errDown) {
			t.Errorf("Run: got error %v, want emit's", err)
		}
		if err := returned(t, "the first", first); !errors.Is(err, errDown) {
			t.Errorf("the first: got error %v, want emit's", err)
		}
		waits(t, "the second", second)
		ctx, cancel := context.WithCancel(t.Context())
		ran := run(ctx, s, "", &got)
		if err := returned(t, "the second", second); err != nil {
			t.Errorf("the second: got error %v, want none", err)
		}
		cancel()
		<-ran
		if want := []string{"a", "c"}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// Who has gone away is not waited for: its events are taken back.
func TestReceiveWithdraws(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openSource(t, 2)
		brief, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		gone := receive(brief, s, "a", "b")
		waits(t, "the first", gone)
		if err := s.Receive(t.Context(), events("c")); !errors.Is(err, adapters.ErrBusy) {
			t.Errorf("got error %v while it is full, want ErrBusy", err)
		}
		time.Sleep(time.Second)
		if err := returned(t, "the first", gone); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got error %v, want the context's", err)
		}
		stays := receive(t.Context(), s, "d")
		var got []string
		ctx, stop := context.WithCancel(t.Context())
		ran := run(ctx, s, "", &got)
		if err := returned(t, "the last", stays); err != nil {
			t.Errorf("got error %v, want none", err)
		}
		stop()
		<-ran
		if want := []string{"d"}; !slices.Equal(got, want) || s.waiting != 0 || s.queue.Len() != 0 {
			t.Errorf("got %v, and %d waiting in %d, want %v and nothing", got, s.waiting, s.queue.Len(), want)
		}
		if err := s.Receive(brief, events("e")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got error %v for one who had gone before, want the context's", err)
		}
	})
}

// Once a Run has them, the outcome is waited for, lest nobody knows it.
func TestReceiveKnowsTheOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openSource(t, 2)
		ctx, stop := context.WithCancel(t.Context())
		brief, cancel := context.WithCancel(t.Context())
		release := make(chan struct{})
		ran := make(chan error, 1)
		go func() {
			ran <- s.Run(ctx, "", func(e adapters.Event) error {
				if !e.Live {
					<-release
				}
				return nil
			})
		}()
		result := receive(brief, s, "a")
		synctest.Wait()
		cancel()
		waits(t, "Receive while its event is emitted", result)
		close(release)
		if err := returned(t, "Receive", result); err != nil {
			t.Errorf("got error %v, want none, since it was delivered", err)
		}
		stop()
		<-ran
	})
}

// The bound is on events, and what is more than it may still come alone.
func TestReceiveBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openSource(t, 3)
		large := receive(t.Context(), s, "a", "b", "c", "d")
		waits(t, "a large request by itself", large)
		if err := s.Receive(t.Context(), events("e")); !errors.Is(err, adapters.ErrBusy) {
			t.Errorf("got error %v, want ErrBusy", err)
		}
		if err := s.Receive(t.Context(), nil); err != nil {
			t.Errorf("got error %v for no events, want none", err)
		}
		var got []string
		ctx, stop := context.WithCancel(t.Context())
		ran := run(ctx, s, "", &got)
		if err := returned(t, "the large request", large); err != nil {
			t.Errorf("got error %v, want none", err)
		}
		if err := s.Receive(t.Context(), events("f", "g", "h")); err != nil {
			t.Errorf("got error %v when there is room, want none", err)
		}
		stop()
		<-ran
		if want := []string{"a", "b", "c", "d", "f", "g", "h"}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// A panic in emit is the supervisor's, and no sender waits for it for ever.
func TestReceiveAfterPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openSource(t, 3)
		result := receive(t.Context(), s, "a")
		func() {
			defer func() { _ = recover() }()
			_ = s.Run(t.Context(), "", func(e adapters.Event) error {
				if !e.Live {
					panic("broken")
				}
				synctest.Wait() // until it is there
				return nil
			})
		}()
		if err := returned(t, "Receive", result); !errors.Is(err, errGone) {
			t.Errorf("got error %v, want %v", err, errGone)
		}
	})
}

func TestExplain(t *testing.T) {
	f := open(t, func(o *Options) {
		o.Verify = bearer("s3cret")
		o.Listen = Listen{Address: ":8443", TLS: tlsfiles.ServerOptions{Cert: "a.pem", Key: "a.key", ClientCA: "ca.pem", MinVersion: "1.3"}}
		o.ContentTypes, o.CloudEvents.Mode = []string{"text/*"}, modeRequire
	})
	src, err := f.Open(nil, adapters.Env{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := src.(adapters.Explainer).Explain(t.Context(), true)
	if err != nil || len(got.Events) > 0 {
		t.Fatalf("got error %v and %d events, want none", err, len(got.Events))
	}
	all := fmt.Sprint(got.Steps)
	for _, want := range []string{"POST /in, at :8443, TLS 1.3", "ca.pem", "1MiB, within 10s", "text/*", "only CloudEvents", "10000 events", "within 10m"} {
		if !strings.Contains(all, want) {
			t.Errorf("got %s, want it to say %q", all, want)
		}
	}
	if strings.Contains(all, "s3cret") {
		t.Errorf("got %s, want it without the secret", all)
	}
}
