package kafka

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// BenchmarkPosition makes the positions of a Run, one an event.
func BenchmarkPosition(b *testing.B) {
	for _, n := range []int{1, 12, 100, 1000, 10_000} {
		b.Run(fmt.Sprintf("partitions=%d", n), func(b *testing.B) {
			p := benchmarkPlace(n)
			e := newPlaces(64 << 20).encoder()
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				p.last.index = i % n
				p.topics[0].parts[i%n].next++
				if e.position(p) == "" {
					b.Fatal("got no position, want one")
				}
			}
		})
	}
}

// BenchmarkCompare compares two positions of a Run.
func BenchmarkCompare(b *testing.B) {
	for _, n := range []int{1, 12, 100, 1000} {
		b.Run(fmt.Sprintf("partitions=%d", n), func(b *testing.B) {
			places := newPlaces(64 << 20)
			p := benchmarkPlace(n)
			first := places.position(p)
			p.topics[0].parts[n-1].next++
			second := places.position(p)
			b.ReportAllocs()
			for b.Loop() {
				if order, ok := places.compare(first, second); !ok || order != -1 {
					b.Fatalf("got %d, %t, want -1, true", order, ok)
				}
			}
		})
	}
}

// benchmarkPlace returns a place in the n partitions of a topic, after about a
// million records of each.
func benchmarkPlace(n int) *place {
	r := rand.New(rand.NewPCG(9, 10))
	next := make([]int64, n)
	for i := range next {
		next[i] = 1_000_000 + r.Int64N(1_000_000)
	}
	return newTestPlace(dense(hashName("orders"), 1, next...))
}
