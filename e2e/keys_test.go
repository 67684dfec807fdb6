package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// X8, R9: thousands of clients on hundreds of keys of one route cost the API
// one poll a key and interval, spread over the interval and not in step. When
// the clients have left, so have the polls, after the linger, and what was
// kept for them.
func TestThousandsOfClientsHundredsOfKeys(t *testing.T) {
	const (
		keys    = 500
		clients = 10 // of each
		every   = time.Second
		linger  = 500 * time.Millisecond
		watched = 4 * time.Second
	)
	polls := &pollLog{at: map[string][]time.Time{}}
	upstream := app(t, func(w http.ResponseWriter, r *http.Request) {
		polls.note(r.URL.Path)
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"path":%q}`, r.URL.Path)
	})
	s := serve(t, fmt.Sprintf(`
upstream: %s
drain: {window: 100ms, timeout: 1s}
defaults: {linger: %v, retry: 100ms}
routes:
  - {path: "/items/{id}", poll: {every: %v}}
`, upstream, linger, every))
	quiet := s.metric(t, "go_goroutines")
	before := s.memory(t)

	var peak [2]int64
	for wave := range peak {
		var stops []func()
		var all crowd
		for k := range keys {
			some, stop := gather(t, fmt.Sprintf("%s/items/%d", s.url, k), clients)
			all, stops = append(all, some...), append(stops, stop)
		}
		for k := range keys {
			all[k*clients:(k+1)*clients].await(t, "its own item", newest(fmt.Sprintf(`{"path":"/items/%d"}`, k)))
		}
		if wave == 0 {
			polls.check(t, keys, every, watched)
		}
		peak[wave] = s.memory(t)
		t.Logf("wave %d: %d MiB, %v goroutines, %v open files", wave, peak[wave]>>20, s.metric(t, "go_goroutines"), s.metric(t, "process_open_fds"))

		left := time.Now()
		for _, stop := range stops {
			stop()
		}
		s.awaitClients(t, "/items/{id}", 0)
		gone := time.Now()
		wait(t, "all streams closed", func() (any, bool) {
			open := s.metric(t, `sidestream_streams{route="/items/{id}"}`)
			return open, open == 0
		})
		closed := time.Now()
		t.Logf("left in %v, closed %v after that", gone.Sub(left), closed.Sub(gone))
		wait(t, "the goroutines that there were at first", func() (any, bool) {
			now := s.metric(t, "go_goroutines")
			return now - quiet, now <= quiet+100 // of idle connections to the API, which are kept for a while
		})
		for path, at := range polls.all() {
			if last := at[len(at)-1]; last.After(gone.Add(linger + 200*time.Millisecond)) {
				t.Errorf("%s: got a poll %v after the clients had left, want none after %v", path, last.Sub(gone), linger)
			}
		}
	}
	t.Logf("%d MiB at first, %v after, %v goroutines before and %v after",
		before>>20, s.memory(t)>>20, quiet, s.metric(t, "go_goroutines"))
	// The runtime gives memory back to the system slowly; what leaks adds up.
	if peak[1] > peak[0]+peak[0]/2 {
		t.Errorf("got %d MiB with the second %d clients, want about as much as with the first, %d", peak[1]>>20, keys*clients, peak[0]>>20)
	}
}

// A pollLog notes when an API was asked for what.
type pollLog struct {
	mu sync.Mutex
	at map[string][]time.Time
}

func (l *pollLog) note(path string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at[path] = append(l.at[path], time.Now())
}

func (l *pollLog) all() map[string][]time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[string][]time.Time{}
	for path, at := range l.at {
		all[path] = slices.Clone(at)
	}
	return all
}

// check watches polls of so many keys for a while: each key is polled once an
// interval, and all of them together are spread over it.
func (l *pollLog) check(t *testing.T, keys int, every, watched time.Duration) {
	t.Helper()
	const slot = 100 * time.Millisecond
	// The first intervals of all are longer, which is what spreads the polls.
	wait(t, "three polls of each key", func() (any, bool) {
		all := l.all()
		maps.DeleteFunc(all, func(_ string, at []time.Time) bool { return len(at) >= 3 })
		return len(all), len(all) == 0
	})
	from := time.Now()
	waitFor(t, watched+patience, "the polls of "+watched.String(), func() (any, bool) { return nil, time.Since(from) > watched })
	slots, total := make([]int, watched/slot), 0
	var gaps []time.Duration
	all := l.all()
	if len(all) != keys {
		t.Errorf("got polls of %d keys, want %d", len(all), keys)
	}
	for path, at := range all {
		n := 0
		for i := range at {
			if i > 0 && at[i].After(from) {
				gaps = append(gaps, at[i].Sub(at[i-1]))
			}
			if since := at[i].Sub(from); since >= 0 && since < watched {
				slots[since/slot]++
				n++
			}
		}
		total += n
		// By default an interval is a tenth longer or shorter.
		if most := int(watched*10/(every*9)) + 2; n > most || n < int(watched/every)-1 {
			t.Errorf("%s: got %d polls in %v, want one each %v", path, n, watched, every)
		}
	}
	slices.Sort(gaps)
	least := every - every/10
	t.Logf("%d polls in %v (%.2f a key and interval); apart: least %v, median %v, most %v; in slots of %v: %v",
		total, watched, float64(total)/float64(keys)/watched.Seconds()*every.Seconds(),
		gaps[0], gaps[len(gaps)/2], gaps[len(gaps)-1], slot, strings.Trim(fmt.Sprint(slots), "[]"))
	// Requests are noted as they arrive, which a busy machine delays.
	if gaps[0] < least-300*time.Millisecond || gaps[len(gaps)/100] < least-50*time.Millisecond {
		t.Errorf("got polls of a key %v apart, and a hundredth of them less than %v, want at least %v", gaps[0], gaps[len(gaps)/100], least)
	}
	mean := total / len(slots)
	odd := 0
	for _, n := range slots {
		if n < mean/3 || n > mean*3 {
			odd++
		}
	}
	if odd > len(slots)/8 {
		t.Errorf("got %d of %d slots far from the mean of %d polls, want them spread evenly: %v", odd, len(slots), mean, slots)
	}
}
