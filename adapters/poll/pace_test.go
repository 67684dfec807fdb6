package poll

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/poll/pace"
)

func ignore(adapters.Event) error { return nil }

// starts records when requests start, counted from its making.
type starts struct {
	epoch time.Time
	list  []time.Duration
}

func (s *starts) note() { s.list = append(s.list, time.Since(s.epoch)) }

func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		polls := starts{epoch: time.Now()}
		s := newTestSource(script(func(*http.Request) (*http.Response, error) {
			polls.note()
			<-time.After(300 * time.Millisecond) // an exchange takes its time
			return reply(http.StatusOK, "{}"), nil
		}), func(o *Options) { o.Every, o.Jitter = evenly(time.Second), 0 })
		if err := until(t, s, 3500*time.Millisecond, ignore); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want context.DeadlineExceeded", err)
		}
		want := []time.Duration{0, time.Second, 2 * time.Second, 3 * time.Second}
		if !slices.Equal(polls.list, want) {
			t.Errorf("polls: got %v, want %v", polls.list, want)
		}
	})
}

func TestJitter(t *testing.T) {
	for _, jitter := range []float64{0.5, 1} {
		synctest.Test(t, func(t *testing.T) {
			polls := starts{epoch: time.Now()}
			s := newTestSource(script(func(*http.Request) (*http.Response, error) {
				polls.note()
				return reply(http.StatusOK, "{}"), nil
			}), func(o *Options) { o.Every, o.Jitter = evenly(time.Second), adapters.Fraction(jitter) })
			until(t, s, 1000*time.Second, ignore)
			spread := time.Duration(jitter * float64(time.Second))
			var least, most time.Duration = time.Hour, 0
			for i := range polls.list[1:] {
				gap := polls.list[i+1] - polls.list[i]
				least, most = min(least, gap), max(most, gap)
			}
			low := max(pace.MinEvery, time.Second-spread)
			if least < low || most > time.Second+spread || most-least < spread {
				t.Errorf("intervals: got %v to %v, want them spread from %v to %v", least, most, low, time.Second+spread)
			}
			if n := len(polls.list); n < 900 || n > 1100 {
				t.Errorf("got %d polls in 1000 s, want about 1000", n)
			}
		})
	}
}

// TestPaceOfRetries: however soon Run is called again, the upstream is asked
// once in an interval.
func TestPaceOfRetries(t *testing.T) {
	failures := map[string]func() (*http.Response, error){
		"no connection": func() (*http.Response, error) { return nil, io.ErrUnexpectedEOF },
		"status":        func() (*http.Response, error) { return reply(http.StatusServiceUnavailable, ""), nil },
		"unreadable": func() (*http.Response, error) {
			resp := reply(http.StatusOK, "{")
			resp.Header.Set("Content-Type", "application/json")
			return resp, nil
		},
		"emit fails": func() (*http.Response, error) { return reply(http.StatusOK, "{}"), nil },
	}
	for name, answer := range failures {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				polls := starts{epoch: time.Now()}
				s := newTestSource(script(func(*http.Request) (*http.Response, error) {
					polls.note()
					return answer()
				}), func(o *Options) { o.Every, o.Jitter = evenly(time.Second), 0 })
				ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
				defer cancel()
				for ctx.Err() == nil {
					s.Run(ctx, "", func(adapters.Event) error { return errEnough })
				}
				if want := []time.Duration{0, time.Second, 2 * time.Second}; !slices.Equal(polls.list, want) {
					t.Errorf("polls: got %v, want %v", polls.list, want)
				}
			})
		})
	}
}

// TestSlowUpstream: an exchange that is longer than the interval is followed
// by the next, never joined by it.
func TestSlowUpstream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		polls := starts{epoch: time.Now()}
		s := newTestSource(script(func(*http.Request) (*http.Response, error) {
			polls.note()
			<-time.After(1500 * time.Millisecond)
			return reply(http.StatusOK, "{}"), nil
		}), func(o *Options) { o.Every, o.Jitter = evenly(time.Second), 0 })
		until(t, s, 4*time.Second, ignore)
		if want := []time.Duration{0, 1500 * time.Millisecond, 3 * time.Second}; !slices.Equal(polls.list, want) {
			t.Errorf("polls: got %v, want %v", polls.list, want)
		}
	})
}

// TestConcurrentRuns: a mistaken second Run waits; the source still asks once
// an interval, one request at a time.
func TestConcurrentRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		polls := starts{epoch: time.Now()}
		s := newTestSource(script(func(*http.Request) (*http.Response, error) {
			polls.note()
			return reply(http.StatusOK, "{}"), nil
		}), func(o *Options) { o.Every, o.Jitter = evenly(time.Second), 0 })
		var runs sync.WaitGroup
		for range 3 {
			runs.Go(func() { until(t, s, 1500*time.Millisecond, ignore) })
		}
		runs.Wait()
		if want := []time.Duration{0, time.Second}; !slices.Equal(polls.list, want) {
			t.Errorf("polls: got %v, want %v", polls.list, want)
		}
	})
}

// TestSlowEmit: while the feed doesn't take an event there is no poll.
func TestSlowEmit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		polls := starts{epoch: time.Now()}
		s := newTestSource(script(func(*http.Request) (*http.Response, error) {
			polls.note()
			return reply(http.StatusOK, polls.list[len(polls.list)-1].String()), nil
		}), func(o *Options) { o.Every, o.Jitter = evenly(time.Second), 0 })
		until(t, s, 12*time.Second, func(e adapters.Event) error {
			if !e.Live {
				<-time.After(5 * time.Second)
			}
			return nil
		})
		if want := []time.Duration{0, 5 * time.Second, 10 * time.Second}; !slices.Equal(polls.list, want) {
			t.Errorf("polls: got %v, want %v", polls.list, want)
		}
	})
}

// TestCancelBetweenPolls: Run returns in no time at all.
func TestCancelBetweenPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		s := newTestSource(script(func(*http.Request) (*http.Response, error) {
			return reply(http.StatusOK, "{}"), nil
		}), func(o *Options) { o.Every = evenly(time.Hour) })
		err := until(t, s, time.Minute, ignore)
		if took := time.Since(begin); !errors.Is(err, context.DeadlineExceeded) || took != time.Minute {
			t.Errorf("got %v after %v, want context.DeadlineExceeded after 1m", err, took)
		}
	})
}
