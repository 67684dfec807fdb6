package proxy

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"sidestream/adapters"
	"sidestream/adapters/adaptertest"
	"sidestream/proxy/feed"
	"sidestream/proxy/strictyaml"
)

// BenchmarkMatch measures what an event costs from the source's emit until it
// is in the feed of its key, with 100,000 keys, while clients wait at other
// keys. "source" takes the source's own key, "expression" one of the payload.
// The time of each doesn't depend on the number of clients: 10,000 of them made
// it differ by less than a tenth either way. An expression on a payload of 60
// bytes makes it about 6 times as long, and 20,000 events a second take a sixth
// of a core then.
func BenchmarkMatch(b *testing.B) {
	const keys = 100_000
	for _, tt := range []struct{ name, key string }{{"source", ""}, {"expression", "key: .user, "}} {
		for _, clients := range []int{0, 100, 10_000} {
			b.Run(fmt.Sprintf("key=%s/clients=%d", tt.name, clients), func(b *testing.B) {
				p, ctx, end := benchmarked(b, `routes: [{path: "/u/{user}", log: {}, `+tt.key+`match: "{user}", history: {events: 16}}]`)
				one, err := p.acquire(adapters.Vars{"user": "nobody"}, nil)
				if err != nil {
					b.Fatal(err)
				}
				defer p.release(one)
				var waiting sync.WaitGroup
				for i := range clients {
					at, err := p.acquire(adapters.Vars{"user": "waits" + strconv.Itoa(i)}, nil)
					if err != nil {
						b.Fatal(err)
					}
					waiting.Go(func() {
						defer p.release(at)
						for ctx.Err() == nil {
							n, changed, err := at.feed.Read(&at.start, make([]feed.Entry, 1))
							if n != 0 || err != nil {
								b.Errorf("at another key: got %d events, error %v; want none", n, err)
								return
							}
							select {
							case <-changed: // the source has become fresh
							case <-ctx.Done():
							}
						}
					})
				}
				r := &sourceRun{stream: one.stream, ctx: ctx, refiner: newRefiner(p.Route, nil), sampled: zerolog.Nop()}
				events := make([]adapters.Event, keys)
				for i := range events {
					user := "user" + strconv.Itoa(i)
					events[i] = adapters.Event{
						Key:  user,
						Data: fmt.Appendf(nil, `{"user":%q,"order":{"id":%d,"total":12.5},"kind":"placed"}`, user, i),
					}
				}
				n := 0
				for b.Loop() {
					e := events[n%keys]
					n++
					e.Position = adapters.Position("r.0." + strconv.Itoa(n))
					if err := r.emit(e); err != nil {
						b.Fatal(err)
					}
				}
				b.StopTimer()
				end()
				waiting.Wait()
			})
		}
	}
}

// benchmarked returns the endpoint of the one route of a table, whose source
// says nothing, and a context that end ends.
func benchmarked(b *testing.B, table string) (p *endpoint, ctx context.Context, end func()) {
	b.Helper()
	registry := adapters.NewRegistry(adapters.New("log", func() struct{} { return struct{}{} },
		func(struct{}, adapters.Route) (adapters.Factory, error) {
			factory := (&adaptertest.Log{Name: "r"}).Factory()
			can := factory.Capabilities()
			can.Keyed = true
			return capable{Factory: factory, can: can}, nil
		}))
	config, err := Parse("bench.yaml", []byte(table), registry, strictyaml.References{})
	if err != nil {
		b.Fatal(err)
	}
	s := New(config, Settings{})
	ctx, end = context.WithCancel(context.Background())
	b.Cleanup(func() {
		s.retire()
		s.running.Wait()
	})
	return s.table.Load().endpoints[0], ctx, end
}
