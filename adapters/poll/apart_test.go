package poll

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sidestream/adapters"
)

// TestApart: however many Runs begin at places of clients' making, the API is
// asked little more often than without them, and the regular polls go on.
func TestApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		n, requests := 0, 0
		s := newList(func(_ *http.Request) (*http.Response, error) {
			<-time.After(50 * time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			requests++
			n++ // there is always news
			return reply(http.StatusOK, fmt.Sprintf(`{"items":[{"id":%d}],"next":"c%d"}`, n, n)), nil
		}, func(o *Options) {
			o.Query, o.Cursor.Next, o.Items.Each = map[string]string{"since": "{cursor}"}, ".next", ".items[]"
		})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second+time.Millisecond)
		defer cancel()
		var runs sync.WaitGroup
		regular := 0
		runs.Go(func() {
			s.Run(ctx, "", func(e adapters.Event) error {
				if e.Live {
					regular++
				}
				return nil
			})
		})
		for i := range 50 {
			runs.Go(func() {
				place := place{cursor: fmt.Sprintf("forged %d", i), all: true}
				s.Run(ctx, place.position(), ignore)
			})
		}
		runs.Wait()
		if most := 21 * (1 + apartInInterval); requests > most { // the first and the last among them
			t.Errorf("got %d requests in 20 intervals, want %d at most", requests, most)
		}
		if regular < 15 {
			t.Errorf("got %d looks of the run without a position in 20 intervals, want it to go on", regular)
		}
	})
}

// TestPaceAfterARestart: a stream that begins with a client's id is polled at
// its pace, although there is news each time.
func TestPaceAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, requests := 0, 0
		var mu sync.Mutex
		s := newList(func(_ *http.Request) (*http.Response, error) {
			<-time.After(100 * time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			requests++
			n++
			return reply(http.StatusOK, fmt.Sprintf(`{"items":[{"id":%d}],"next":"c%d"}`, n, n)), nil
		}, func(o *Options) {
			o.Query, o.Cursor.Next, o.Items.Each = map[string]string{"since": "{cursor}"}, ".next", ".items[]"
		})
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		defer cancel()
		var runs sync.WaitGroup
		runs.Go(func() { s.Run(ctx, "", ignore) })
		place := place{cursor: "c0", mark: markOf("0"), all: true}
		runs.Go(func() { follow(t, s, place.position(), 5*time.Second) })
		runs.Wait()
		if most := 60 + apartOfRun + apartOfRun; requests > most {
			t.Errorf("got %d requests in 60 intervals, want %d at most", requests, most)
		}
	})
}

// TestStuckRun: a Run that can't get rid of what it has holds up nobody, also
// if it was the one that asked.
func TestStuckRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		n := 0
		s := newList(func(*http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			n++
			return reply(http.StatusOK, "["+numbered(1, n)+"]"), nil
		}, nil)
		first, _ := follow(t, s, "", 3500*time.Millisecond) // has delivered 2, 3 and 4
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var stuck sync.WaitGroup
		stuck.Go(func() { // alone, so that it is the one that asks
			s.Run(ctx, first[0].Position, func(e adapters.Event) error {
				if string(e.Data) == `{"id":6}` {
					<-ctx.Done()
				}
				return ctx.Err()
			})
		})
		time.Sleep(10 * time.Second) // in the test's own time
		got, _ := follow(t, s, first[1].Position, 5500*time.Millisecond)
		if len(got) < 5 {
			t.Errorf("got %s while another run is stuck, want an item a second", data(got))
		}
		cancel()
		stuck.Wait()
	})
}
