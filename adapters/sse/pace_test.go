package sse

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"sidestream/adapters"
)

// TestRetry: the next request waits for as long as the server says, within
// bounds, whatever ended the response; a failure by itself leaves the wait to
// who runs the source.
func TestRetry(t *testing.T) {
	broken := func(text string) *http.Response {
		return reply(http.StatusOK, io.MultiReader(strings.NewReader(text), iotest.ErrReader(io.ErrUnexpectedEOF)))
	}
	refusal := func(status int, retryAfter string) *http.Response {
		r := reply(status, http.NoBody)
		r.Header.Set("Retry-After", retryAfter)
		return r
	}
	in := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
	for _, tt := range []struct {
		name  string
		first func() *http.Response
		want  time.Duration
		why   string
	}{
		{"ends", func() *http.Response { return answer("data: a\n\n") }, 3 * time.Second, "retry"},
		{"ends, told", func() *http.Response { return answer("data: a\n\nretry: 7000\n") }, 7 * time.Second, "retry"},
		{"ends, told twice", func() *http.Response { return answer("retry: 7000\ndata: a\n\nretry: 8000") }, 7 * time.Second, "retry"},
		{"ends, told nothing", func() *http.Response { return answer("data: a\n\nretry: 0\n") }, 100 * time.Millisecond, "retry"},
		{"ends, told too much", func() *http.Response { return answer("data: a\n\nretry: 99999999999999999999\n") }, time.Minute, "retry"},
		{"breaks", func() *http.Response { return broken("data: a\n\n") }, 0, ""},
		{"breaks, told", func() *http.Response { return broken("retry: 7000\ndata: a\n\n") }, 7 * time.Second, "retry"},
		{"empty, told", func() *http.Response { return answer("retry: 7000\n") }, 7 * time.Second, "retry"},
		{"503", func() *http.Response { return refusal(503, "") }, 0, ""},
		{"503, told", func() *http.Response { return refusal(503, "9") }, 9 * time.Second, "retry-after"},
		{"429, told a date", func() *http.Response { return refusal(429, in(20*time.Second)) }, 20 * time.Second, "retry-after"},
		{"503, told a date that is over", func() *http.Response { return refusal(503, in(-time.Hour)) }, 0, ""},
		{"503, told too much", func() *http.Response { return refusal(503, "86400") }, time.Minute, "retry-after"},
		{"503, told nonsense", func() *http.Response { return refusal(503, "soon") }, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, asked := time.Now(), []time.Duration{}
				s := openScript(adapters.Env{}, func(_ *http.Request) (*http.Response, error) {
					asked = append(asked, time.Since(began))
					if len(asked) == 1 {
						return tt.first(), nil
					}
					return reply(http.StatusNoContent, http.NoBody), nil
				}, nil)
				if _, err := all(t, s, ""); err != nil {
					if r := s.Report(); r.Why != tt.why || tt.want > 0 && !r.Next.Equal(began.Add(tt.want)) {
						t.Errorf("got the report %+v, want the next request at %v, %s", r, began.Add(tt.want), tt.why)
					}
					if _, err := all(t, s, ""); err != nil {
						t.Errorf("the second Run: got %v, want the end", err)
					}
				}
				if want := []time.Duration{0, tt.want}; !slices.Equal(asked, want) {
					t.Errorf("got requests at %v, want %v", asked, want)
				}
				if r := s.Report(); r.Last != "204" || !r.Next.IsZero() {
					t.Errorf("got the report %+v, want 204 and no next request", r)
				}
			})
		})
	}
}

// TestSilence: a server that is silent for too long is given up, comments
// being no silence; and one that doesn't begin to answer as well.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var outcomes tally
		s := openScript(outcomes.env(), func(r *http.Request) (*http.Response, error) {
			return reply(http.StatusOK, &beats{hold(r.Context().Done()), 50 * time.Second, 4}), nil
		}, func(o *Options) { o.IdleTimeout = adapters.Duration(time.Minute) })
		got, err := all(t, s, "")
		if adapters.Reason(err) != "upstream is silent" || adapters.IsPermanent(err) || !slices.Equal(words(got), []string{"live"}) {
			t.Errorf("got %q, %v, want it to be silent", words(got), err)
		}
		if got, want := time.Since(began), 4*50*time.Second+time.Minute; got != want {
			t.Errorf("got it after %v, want %v", got, want)
		}
		if want := []string{"200", "silent"}; !slices.Equal(outcomes.get(), want) {
			t.Errorf("got outcomes %q, want %q", outcomes.get(), want)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := openScript(adapters.Env{}, func(r *http.Request) (*http.Response, error) { return held(r, ""), nil },
			func(o *Options) { o.IdleTimeout = 0 })
		ctx, cancel := context.WithTimeout(t.Context(), 1000*time.Hour)
		defer cancel()
		if err := s.Run(ctx, "", func(adapters.Event) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want it to wait for ever", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		var outcomes tally
		began := time.Now()
		s := openScript(outcomes.env(), func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}, nil)
		_, err := all(t, s, "")
		if adapters.Reason(err) != "upstream does not answer" || time.Since(began) != 30*time.Second || !slices.Equal(outcomes.get(), []string{"timeout"}) {
			t.Errorf("got %v after %v, counted as %q, want no answer after 30s", err, time.Since(began), outcomes.get())
		}
	})
}

// beats is a body of comments at intervals, and then of silence.
type beats struct {
	hold
	every time.Duration
	left  int
}

func (b *beats) Read(p []byte) (int, error) {
	if b.left--; b.left >= 0 {
		time.Sleep(b.every)
		return copy(p, ":\n"), nil
	}
	return b.hold.Read(p)
}

// TestLive: what a server had is delivered when it is silent for a while, or
// after a time in which it never is.
func TestLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		s := openScript(adapters.Env{}, func(r *http.Request) (*http.Response, error) {
			return reply(http.StatusOK, io.MultiReader(strings.NewReader("id: 1\ndata: a\n\n"), &stutter{every: 100 * time.Millisecond}, hold(r.Context().Done()))), nil
		}, func(o *Options) { o.IDs = idsPass })
		var live []time.Duration
		events := 0
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		s.Run(ctx, "", func(e adapters.Event) error {
			if events++; e.Live {
				live = append(live, time.Since(began))
				if e.Position != "1" {
					t.Errorf("got it at %q, want 1", e.Position)
				}
			}
			return nil
		})
		// The stutter is of 100 events, and lasts for 10s.
		if want := []time.Duration{5 * time.Second, 10*time.Second + 500*time.Millisecond}; !slices.Equal(live, want) || events != 103 {
			t.Errorf("got it at %v, among %d events, want it at %v, among 103", live, events, want)
		}
	})
}

// stutter is a body of 100 events at intervals.
type stutter struct {
	every time.Duration
	sent  int
}

func (b *stutter) Read(p []byte) (int, error) {
	if b.sent == 100 {
		return 0, io.EOF
	}
	b.sent++
	time.Sleep(b.every)
	return copy(p, "data: b\n\n"), nil
}
