package feed_test

import (
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"sidestream/adapters"
	"sidestream/proxy/feed"
)

const benchKeys = 100_000

func keyNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = "user-" + strconv.Itoa(i)
	}
	return names
}

// BenchmarkKeyed appends to 100,000 keys in turn, all of them at hand, while
// readers wait, each on another key. An event takes 1.8 times as long as in
// BenchmarkAppend, whether there are 0, 100 or 10,000 readers (1.0 to 1.0 to
// 1.05).
func BenchmarkKeyed(b *testing.B) {
	names := keyNames(benchKeys)
	for _, readers := range []int{0, 100, 10000} {
		b.Run(fmt.Sprintf("readers=%d", readers), func(b *testing.B) {
			k := feed.NewKeyed(feed.KeyedOptions{Log: feed.Options{Events: 2}, Idle: feed.Idle{Events: 1 << 20, Bytes: 1 << 30}})
			e := adapters.Event{Data: payload}
			for range 4 {
				for _, name := range names {
					if err := k.Append(name, &e); err != nil {
						b.Fatal(err)
					}
				}
			}
			var running sync.WaitGroup
			for i := range readers {
				key := "reader-" + strconv.Itoa(i)
				l := k.Acquire(key)
				running.Go(func() {
					defer k.Release(key)
					c, buf := l.Live(), make([]feed.Entry, 8)
					for {
						n, changed, err := l.Read(&c, buf)
						if err != nil {
							return
						}
						if n == 0 {
							<-changed
						}
					}
				})
			}
			runtime.GC()
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := k.Append(names[i%len(names)], &e); err != nil {
					b.Fatal(err)
				}
			}
			k.Close()
			running.Wait()
		})
	}
}

// BenchmarkKeyedGivesUp appends to twice as many keys as there is room for, in
// turn, so that each event gives one up and makes one anew: 3.8 times as long
// as in BenchmarkAppend.
func BenchmarkKeyedGivesUp(b *testing.B) {
	names := keyNames(2 * benchKeys)
	k := feed.NewKeyed(feed.KeyedOptions{Idle: feed.Idle{Events: benchKeys}})
	e := adapters.Event{Data: payload}
	for _, name := range names {
		if err := k.Append(name, &e); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := k.Append(names[i%len(names)], &e); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkKeyedMemory reports what a key that nobody reads takes, with one
// event, beside the event's block: two thirds of a KiB, or a whole one if the
// event carries state.
func BenchmarkKeyedMemory(b *testing.B) {
	for _, kind := range []string{"event", "state"} {
		b.Run(kind, func(b *testing.B) {
			for b.Loop() {
				b.ReportMetric(memoryPerKey(b, benchKeys, kind == "state"), "B/key")
			}
		})
	}
}

// TestIdleKeysAreLight keeps what a key costs within bounds.
func TestIdleKeysAreLight(t *testing.T) {
	for kind, most := range map[string]float64{"event": 768, "state": 1536} {
		if got := memoryPerKey(t, 20000, kind == "state"); got > most {
			t.Errorf("bytes of a key with one %s: got %.0f, want %.0f at most", kind, got, most)
		}
	}
}

func memoryPerKey(tb testing.TB, keys int, state bool) float64 {
	tb.Helper()
	names := keyNames(keys)
	k := feed.NewKeyed(feed.KeyedOptions{Idle: feed.Idle{Bytes: 1 << 30}})
	before := heap()
	for _, name := range names {
		e := adapters.Event{Data: payload}
		if state {
			e = adapters.NewState("", "", payload)
		}
		if err := k.Append(name, &e); err != nil {
			tb.Fatal(err)
		}
	}
	took, s := heap()-before, k.Stats()
	if s.IdleKeys != keys {
		tb.Fatalf("idle keys: got %d, want %d", s.IdleKeys, keys)
	}
	runtime.KeepAlive(names)
	var blocks float64
	var buf [1]feed.Entry
	l := k.Acquire(names[0])
	c := l.Tail(-1)
	if n, _, err := l.Read(&c, buf[:]); n == 1 && err == nil {
		blocks = float64(cap(buf[0].Block))
	}
	return float64(took)/float64(keys) - blocks
}
