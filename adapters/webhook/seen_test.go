package webhook

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"sidestream/adapters"
)

// events returns events with these ids.
func events(ids ...string) []adapters.Event {
	list := make([]adapters.Event, len(ids))
	for i, id := range ids {
		list[i] = adapters.Event{ID: id}
	}
	return list
}

// ids returns those of events.
func ids(events []adapters.Event) []string {
	list := []string{}
	for _, e := range events {
		list = append(list, e.ID)
	}
	return list
}

// take returns a function that takes events for good, or fails with err, and
// notes them in got.
func take(got *[]string, err error) func([]adapters.Event) error {
	return func(events []adapters.Event) error {
		*got = append(*got, ids(events)...)
		return err
	}
}

func TestSeenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeen(time.Minute, 3)
		for _, step := range []struct {
			after time.Duration
			scope string
			ids   []string
			fails error
			want  []string
		}{
			{0, "x", []string{"a"}, nil, []string{"a"}},
			{0, "x", []string{"a"}, nil, nil},
			{0, "y", []string{"a"}, nil, []string{"a"}}, // of another stream
			{0, "x", []string{"", ""}, nil, []string{"", ""}},
			{0, "x", []string{"", ""}, nil, []string{"", ""}},
			{59 * time.Second, "x", []string{"a", "b", "b", ""}, nil, []string{"b", ""}},
			{time.Second, "x", []string{"a", "b"}, nil, []string{"a"}}, // a minute after it was delivered
			{0, "x", []string{"c"}, errDown, []string{"c"}},
			{0, "x", []string{"c", "b"}, nil, []string{"c"}},           // b, a, c are known
			{0, "x", []string{"d"}, nil, []string{"d"}},                // a, c, d are
			{0, "x", []string{"b", "d"}, nil, []string{"b"}},           // c, d, b
			{0, "x", []string{"c", "d", "b"}, nil, nil},                //
			{time.Hour, "x", []string{"b"}, nil, []string{"b"}},        //
			{0, "", []string{"xb", "x b"}, nil, []string{"xb", "x b"}}, // no id goes over into a scope
		} {
			time.Sleep(step.after)
			var got []string
			err := s.once(t.Context(), []string{step.scope}, events(step.ids...), take(&got, step.fails))
			if !errors.Is(err, step.fails) || !slices.Equal(got, step.want) {
				t.Errorf("%v: got %v taken and error %v, want %v and %v", step, got, err, step.want, step.fails)
			}
		}
		if len(s.known) > 3 || len(s.settled) > 3 {
			t.Errorf("got %d and %d entries, want at most 3", len(s.known), len(s.settled))
		}
	})
}

func TestSeenNothing(t *testing.T) {
	s := newSeen(0, 1)
	var got []string
	for range 2 {
		if err := s.once(t.Context(), nil, events("a"), take(&got, nil)); err != nil {
			t.Errorf("got error %v, want none", err)
		}
	}
	if want := []string{"a", "a"}; !slices.Equal(got, want) || len(s.known) > 0 {
		t.Errorf("got %v taken and %d remembered, want %v and none", got, len(s.known), want)
	}
}

// Events that come while the same are being delivered wait for the outcome. If
// that is a failure, one of them is tried, and so on.
func TestSeenConcurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeen(time.Minute, 10)
		var (
			calls   int
			outcome = make(chan error)
			results = make(chan error, 10)
		)
		call := func() {
			results <- s.once(t.Context(), nil, events("a"), func([]adapters.Event) error {
				calls++
				return <-outcome
			})
		}
		for range 10 {
			go call()
		}
		synctest.Wait()
		if calls != 1 {
			t.Fatalf("got %d calls at once, want one", calls)
		}
		outcome <- errDown
		synctest.Wait()
		if err := <-results; calls != 2 || !errors.Is(err, errDown) {
			t.Fatalf("after a failure: got %d calls and error %v, want the next to be tried, and the failure", calls, err)
		}
		outcome <- nil
		synctest.Wait()
		for range 9 {
			if err := <-results; err != nil {
				t.Errorf("got error %v, want none", err)
			}
		}
		if calls != 2 {
			t.Errorf("got %d calls, want 2", calls)
		}
	})
}

// One who waits for another's outcome leaves when its own time is up, and takes
// nothing with it.
func TestSeenWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeen(time.Minute, 10)
		leave, left := make(chan struct{}), make(chan error)
		go func() {
			left <- s.once(t.Context(), nil, events("a"), func([]adapters.Event) error { <-leave; return errDown })
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var got []string
		if err := s.once(ctx, nil, events("b", "a"), take(&got, nil)); !errors.Is(err, context.DeadlineExceeded) || got != nil {
			t.Errorf("got error %v and %v taken, want the context's error and nothing", err, got)
		}
		if err := s.once(t.Context(), nil, events("b"), take(&got, nil)); err != nil || len(got) != 1 {
			t.Errorf("got error %v and %v taken, want what waited to be free", err, got)
		}
		close(leave)
		<-left
	})
}

// Requests that have events in common, in any order, don't wait for one another
// for ever.
func TestSeenOverlapping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeen(time.Minute, 1000)
		counts := make(map[string]int)
		done := make(chan error)
		for i := range 50 {
			go func() {
				list := events(strconv.Itoa(i%5), strconv.Itoa((i+1)%5), strconv.Itoa((i+3)%5))
				if i%2 == 0 {
					slices.Reverse(list)
				}
				done <- s.once(t.Context(), nil, list, func(fresh []adapters.Event) error {
					time.Sleep(time.Second)
					s.mu.Lock()
					defer s.mu.Unlock()
					for _, e := range fresh {
						counts[e.ID]++
					}
					return nil
				})
			}()
		}
		for range 50 {
			if err := <-done; err != nil {
				t.Errorf("got error %v, want none", err)
			}
		}
		for id, n := range counts {
			if n != 1 {
				t.Errorf("got %s taken %d times, want once", id, n)
			}
		}
		if len(counts) != 5 {
			t.Errorf("got %d events taken, want 5", len(counts))
		}
	})
}

// What panics has delivered nothing.
func TestSeenPanic(t *testing.T) {
	s := newSeen(time.Minute, 10)
	func() {
		defer func() { _ = recover() }()
		_ = s.once(t.Context(), nil, events("a"), func([]adapters.Event) error { panic("broken") })
	}()
	var got []string
	if err := s.once(t.Context(), nil, events("a"), take(&got, nil)); err != nil || len(got) != 1 {
		t.Errorf("got error %v and %v taken, want it tried again", err, got)
	}
}
