package poll

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sidestream/adapters"
)

// growing are APIs whose lists of numbered items grow: what each answers when
// it has n items, and how it is configured.
var growing = map[string]struct {
	answer func(r *http.Request, n int) *http.Response
	edit   func(*Options)
}{
	"cursor": {
		func(r *http.Request, n int) *http.Response {
			from := n - 3
			fmt.Sscanf(r.URL.Query().Get("since"), "%d", &from)
			to := min(from+3, n)
			return reply(http.StatusOK, fmt.Sprintf(`{"items":[%s],"next":%d}`, numbered(from+1, to), to))
		},
		withCursor,
	},
	"whole": {
		func(_ *http.Request, n int) *http.Response { return reply(http.StatusOK, "["+numbered(1, n)+"]") },
		nil,
	},
	"window": {
		func(_ *http.Request, n int) *http.Response {
			return reply(http.StatusOK, "["+numbered(max(1, n-99), n)+"]")
		},
		nil,
	},
	"pages": {
		func(r *http.Request, n int) *http.Response {
			page := 0
			fmt.Sscanf(r.URL.RawQuery, "page=%d", &page)
			newest := n - 5*page
			resp := reply(http.StatusOK, "["+reversed(max(1, newest-4), newest)+"]")
			if newest > 5 {
				resp.Header.Set("Link", fmt.Sprintf(`<?page=%d>; rel="next"`, page+1))
			}
			return resp
		},
		func(o *Options) { o.Items.Order, o.Pages.Next, o.Pages.Max = newestFirst, nextLink, 30 },
	},
}

// TestListModel: whoever follows a growing list from any place gets each item
// once and in order, while a run that delivers for all fails and goes on, the
// API fails, and clients come back with ids that this source has never heard of.
func TestListModel(t *testing.T) {
	for name := range growing {
		for seed := range uint64(25) {
			t.Run(fmt.Sprint(name, seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { modelList(t, name, seed) })
			})
		}
	}
}

// mostItems bounds a list of the model.
const mostItems = 80

func modelList(t *testing.T, name string, seed uint64) { //nolint:thelper // a test
	api := growing[name]
	rng := rand.New(rand.NewPCG(seed, 0))
	var total atomic.Int64
	var down atomic.Bool
	total.Store(20)
	s := newList(func(r *http.Request) (*http.Response, error) {
		time.Sleep(rand.N(200 * time.Millisecond))
		if down.Load() {
			return reply(http.StatusServiceUnavailable, ""), nil
		}
		return api.answer(r, int(total.Load())), nil
	}, func(o *Options) {
		if api.edit != nil {
			api.edit(o)
		}
		o.Items.Remember = []int{10, 30, 1000}[rng.IntN(3)]
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var all sync.WaitGroup
	defer all.Wait()
	within := func(g *rand.Rand, most time.Duration) time.Duration { return time.Duration(g.Int64N(int64(most))) }
	another := func(do func(g *rand.Rand)) {
		g := rand.New(rand.NewPCG(seed, rng.Uint64()))
		all.Go(func() {
			for ctx.Err() == nil {
				do(g)
			}
		})
	}
	another(func(g *rand.Rand) {
		time.Sleep(time.Second + within(g, time.Second))
		if g.IntN(6) == 0 {
			down.Store(true)
			time.Sleep(within(g, 2*time.Second))
			down.Store(false)
		}
		if total.Load() < mostItems {
			total.Add(1)
		}
	})
	// follow runs s after a place, and returns where it has come to.
	follow := func(g *rand.Rand, who string, after adapters.Position, last int, span time.Duration) (adapters.Position, int) {
		ctx, cancel := context.WithTimeout(ctx, span)
		defer cancel()
		err := s.Run(ctx, after, func(e adapters.Event) error {
			after = e.Position
			if e.Live {
				return nil
			}
			if g.IntN(5) == 0 {
				time.Sleep(within(g, time.Second))
			}
			var n int
			fmt.Sscanf(string(e.Data), `{"id":%d}`, &n)
			if last > 0 && n != last+1 {
				t.Errorf("%s: got %d after %d", who, n, last)
			}
			last = n
			return nil
		})
		if errors.Is(err, adapters.ErrPositionLost) {
			t.Errorf("%s: got %v after %d of %d, want it to go on", who, err, last, total.Load())
		}
		return after, last
	}
	var after adapters.Position
	last := 0
	another(func(g *rand.Rand) {
		after, last = follow(g, "the one for all", after, last, within(g, 40*time.Second))
		time.Sleep(within(g, time.Second))
	})
	for i := range 4 {
		another(func(g *rand.Rand) {
			time.Sleep(within(g, 5*time.Second))
			from := int(total.Load()) - g.IntN(15)
			at := place{mark: markOf(strconv.Itoa(from))}
			if name == "cursor" {
				at.cursor, at.all = strconv.Itoa(from), true
			}
			follow(g, fmt.Sprintf("client %d from %d", i, from), at.position(), from, within(g, 15*time.Second))
		})
	}
}

// TestListAheadOfUs: an id of another replica, which has asked later, is no
// lost position as long as the API lists its item.
func TestListAheadOfUs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var total atomic.Int64
		total.Store(3)
		s := newList(func(r *http.Request) (*http.Response, error) {
			return growing["whole"].answer(r, int(total.Load())), nil
		}, nil)
		inBackground(t, s)
		total.Store(5)
		if got, err := follow(t, s, place{mark: markOf("4")}.position(), 2500*time.Millisecond); data(got) != numbered(5, 5) {
			t.Errorf("got %s, %v, want %s", data(got), err, numbered(5, 5))
		}
	})
}

// TestListLate: an item that shows up before another one that is listed already
// comes after that, for all.
func TestListLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := []string{`{"id":1}`, `{"id":1},{"id":3}`, `{"id":1},{"id":2},{"id":3}`}
		began := time.Now()
		s := newList(func(*http.Request) (*http.Response, error) {
			return reply(http.StatusOK, "["+answers[min(int(time.Since(began)/time.Second), 2)]+"]"), nil
		}, nil)
		inBackground(t, s)
		time.Sleep(3500 * time.Millisecond)
		if got, err := follow(t, s, place{mark: markOf("1")}.position(), 1500*time.Millisecond); data(got) != `{"id":3},{"id":2}` {
			t.Errorf("got %s, %v, want 3 and 2, as the one for all has them", data(got), err)
		}
	})
}
