package feed_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"sidestream/adapters"
	"sidestream/proxy/feed"
)

// TestKeyedConcurrent has clients come and go that resume where they were, by
// the id of their last event or of the place where they waited, while keys
// are given up and made again all the time. Whoever is let in has to be given
// the very next event of the key.
func TestKeyedConcurrent(t *testing.T) {
	const events, clients, keys = 20000, 8, 40
	k := feed.NewKeyed(feed.KeyedOptions{Log: feed.Options{Events: 8}, Idle: feed.Idle{Events: 60}})
	var (
		running sync.WaitGroup
		resumed atomic.Int64
		closed  = make(chan struct{})
	)
	for i := range clients {
		running.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 0))
			have := map[string]seen{}
			for {
				key := strconv.Itoa(r.IntN(keys))
				now, again, err := visit(k, key, have[key], 1+r.IntN(20))
				switch {
				case errors.Is(err, io.EOF):
					return
				case err != nil:
					t.Errorf("client %d of key %s: %v", i, key, err)
					return
				case again:
					resumed.Add(1)
				}
				have[key] = now
			}
		})
	}
	running.Go(func() { // whatever else goes on
		for {
			select {
			case <-closed:
				return
			default:
				k.Stats()
				k.Trim()
				k.Wake()
				k.Settle()
				k.Expired("none")
			}
		}
	})
	counts := map[string]int{}
	r := rand.New(rand.NewPCG(99, 0))
	for i := range events {
		key := strconv.Itoa(r.IntN(keys))
		counts[key]++
		if err := k.Append(key, &adapters.Event{Data: []byte(strconv.Itoa(counts[key]))}); err != nil {
			t.Error(err)
		}
		switch i % 1000 {
		case 0:
			if err := k.AppendGap(feed.Gap{}); err != nil {
				t.Error(err)
			}
		case 500:
			k.Mark("mark" + strconv.Itoa(i))
		}
	}
	k.Close()
	close(closed)
	running.Wait()
	t.Logf("%d resumed", resumed.Load())
	if resumed.Load() == 0 {
		t.Error("clients that resumed: got none, want some")
	}
	if got, want := k.Stats(), keys; got.Keys > want || got.IdleKeys != got.Keys {
		t.Errorf("keys: got %d, of which %d idle, want %d at most, all idle", got.Keys, got.IdleKeys, want)
	}
}

// seen is what a client knows of a key: an id, and the count up to which it
// has the key's events.
type seen struct {
	id    string
	count int // 0: unknown
}

// visit reads from key some times, after what was seen if that can be had, and
// returns what is seen then.
func visit(k *feed.Keyed, key string, s seen, times int) (now seen, resumed bool, err error) {
	l := k.Acquire(key)
	defer k.Release(key)
	c, resumed := k.After(key, s.id)
	if !resumed {
		c, s = l.Live(), seen{}
	}
	var buf [3]feed.Entry
	for range times {
		n, _, err := l.Read(&c, buf[:])
		var overrun *feed.OverrunError
		switch {
		case errors.As(err, &overrun):
			c, s = overrun.Resume, seen{}
			continue
		case err != nil:
			return s, resumed, err
		case n == 0:
			if id := k.Marked(key, c); id != "" {
				s.id = id
			}
		}
		for _, e := range buf[:n] {
			if e.Gap != nil {
				continue
			}
			_, data, _ := strings.Cut(string(e.Block), "data: ")
			count, _ := strconv.Atoi(strings.TrimSpace(data))
			if s.count != 0 && count != s.count+1 {
				return s, resumed, fmt.Errorf("after %q: got event %d, want %d", s.id, count, s.count+1)
			}
			s = seen{e.ID, count}
		}
	}
	return s, resumed, nil
}
