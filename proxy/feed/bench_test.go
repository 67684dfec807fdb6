package feed_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"sidestream/adapters"
	"sidestream/proxy/feed"
)

var payload = []byte(`{"symbol":"QCOM","price":64.31,"volume":120000,"at":"2024-01-02T03:04:05Z"}`)

// BenchmarkAppend appends to a log that is full.
func BenchmarkAppend(b *testing.B) {
	full := []byte(`[` + strings.Repeat(string(payload)+`,`, 10) + `0]`)
	positions := make([]adapters.Position, 4*feed.DefaultEvents)
	for i := range positions {
		positions[i] = adapters.Position(fmt.Sprintf("AAAA%d", i))
	}
	for name, event := range map[string]func(i int) adapters.Event{
		"number":   func(int) adapters.Event { return adapters.Event{Data: payload} },
		"position": func(i int) adapters.Event { return adapters.Event{Data: payload, Position: positions[i]} },
		"state":    func(i int) adapters.Event { return adapters.NewState(positions[i], "", payload) },
		"change": func(i int) adapters.Event {
			return adapters.Event{Data: payload, Position: positions[i], State: &adapters.State{Data: full}}
		},
	} {
		b.Run(name, func(b *testing.B) {
			l := feed.New(feed.Options{})
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				e := event(i % len(positions))
				if err := l.Append(&e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFanOut appends one event, and waits until every reader, each a
// goroutine that waits for it, has it.
func BenchmarkFanOut(b *testing.B) {
	for _, readers := range []int{1, 100, 10000} {
		b.Run(fmt.Sprintf("readers=%d", readers), func(b *testing.B) {
			l := feed.New(feed.Options{})
			var running, reading sync.WaitGroup
			for range readers {
				running.Go(func() {
					c, buf := feed.Cursor{}, make([]feed.Entry, 8)
					for {
						n, changed, err := l.Read(&c, buf)
						if err != nil {
							return
						}
						if n == 0 {
							<-changed
							continue // Add(0) could release Wait a second time
						}
						reading.Add(-n)
					}
				})
			}
			e := adapters.Event{Data: payload}
			b.ReportAllocs()
			for b.Loop() {
				reading.Add(readers)
				if err := l.Append(&e); err != nil {
					b.Fatal(err)
				}
				reading.Wait()
			}
			b.StopTimer()
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(readers), "ns/delivery")
			l.Close()
			running.Wait()
		})
	}
}
