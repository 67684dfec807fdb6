package e2e

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A nemesis lets things fail: at random moments, several at a time, each for
// a random while. It is driven by the test's goroutine alone.
type nemesis struct {
	faults []fault
	random *rand.Rand
	count  map[string]int // faults that began, by name
}

// A fault is one way to fail.
type fault struct {
	name     string
	longest  time.Duration // how long it lasts; 0: it is over at once
	possible func() bool
	begin    func(tb testing.TB)
	end      func(tb testing.TB) // nil if it is over at once
}

// trouble is a fault that has begun.
type trouble struct {
	fault
	until time.Time
}

// Between the beginnings of two faults.
const (
	leastCalm = 200 * time.Millisecond
	mostCalm  = 1500 * time.Millisecond
	leastLong = 200 * time.Millisecond // a fault lasts
)

// rage lets things fail for so long, and returns when all is mended. Every
// kind of fault that is possible has its turn before one has another.
func (n *nemesis) rage(tb testing.TB, duration time.Duration) {
	tb.Helper()
	if n.count == nil {
		n.count = map[string]int{}
	}
	var (
		deck  []fault
		going []trouble
		over  = time.Now().Add(duration)
		next  = time.Now()
	)
	for time.Now().Before(over) {
		going = slices.DeleteFunc(going, func(t trouble) bool {
			if time.Now().Before(t.until) {
				return false
			}
			t.end(tb)
			return true
		})
		if !time.Now().Before(next) {
			if len(deck) == 0 {
				deck = slices.Clone(n.faults)
				n.random.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
			}
			if i := slices.IndexFunc(deck, func(f fault) bool { return f.possible() }); i >= 0 {
				f := deck[i]
				deck = slices.Delete(deck, i, i+1)
				n.count[f.name]++
				f.begin(tb)
				if f.end != nil {
					going = append(going, trouble{f, time.Now().Add(n.between(leastLong, f.longest))})
				}
			}
			next = time.Now().Add(n.between(leastCalm, mostCalm))
		}
		wake := min(time.Until(next), time.Until(over))
		for _, t := range going {
			wake = min(wake, time.Until(t.until))
		}
		pause(tb.Context(), nil, wake)
	}
	for _, t := range going {
		t.end(tb)
	}
}

func (n *nemesis) between(least, most time.Duration) time.Duration {
	return least + time.Duration(n.random.Int64N(int64(most-least)))
}

// summary says how often things failed.
func (n *nemesis) summary() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(n.count)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, n.count[name]))
	}
	return strings.Join(parts, ", ")
}

// A server is a process of a cluster.
type server interface {
	kill()
	start(tb testing.TB)
	signal(tb testing.TB, s syscall.Signal)
}

// clusterFaults are those of a cluster's servers, and none before the last one
// is made good for: what two of three servers have lost nobody can give back.
type clusterFaults struct {
	name    string
	servers []server
	most    int         // servers that fail at once
	whole   func() bool // whether the cluster has made up for the last fault
	random  *rand.Rand

	victims []server
}

// well reports whether nothing is amiss.
func (c *clusterFaults) well() bool { return len(c.victims) == 0 && c.whole() }

// choose chooses servers: mostly one.
func (c *clusterFaults) choose() []server {
	n := max(1, c.random.IntN(c.most+2)-1)
	for _, i := range c.random.Perm(len(c.servers))[:n] {
		c.victims = append(c.victims, c.servers[i])
	}
	return c.victims
}

func (c *clusterFaults) faults() []fault {
	return []fault{
		{
			name: c.name + " kill -9", longest: 5 * time.Second, possible: c.well,
			begin: func(testing.TB) {
				for _, s := range c.choose() {
					s.kill()
				}
			},
			end: func(tb testing.TB) {
				tb.Helper()
				for _, s := range c.victims {
					s.start(tb)
				}
				c.victims = nil
			},
		},
		{
			name: c.name + " paused", longest: 8 * time.Second, possible: c.well,
			begin: func(tb testing.TB) {
				tb.Helper()
				for _, s := range c.choose() {
					s.signal(tb, syscall.SIGSTOP)
				}
			},
			end: func(tb testing.TB) {
				tb.Helper()
				for _, s := range c.victims {
					s.signal(tb, syscall.SIGCONT)
				}
				c.victims = nil
			},
		},
	}
}

// wireFaults are those of a network between two sides, at any time.
func wireFaults(random *rand.Rand, name string, longest time.Duration, wires []*wire) []fault {
	var stalled []*wire
	some := func() (chosen []*wire) {
		for _, i := range random.Perm(len(wires))[:1+random.IntN(len(wires))] {
			chosen = append(chosen, wires[i])
		}
		return chosen
	}
	return []fault{
		{
			name: name + " cut", possible: func() bool { return true },
			begin: func(testing.TB) {
				for _, w := range some() {
					w.cut()
				}
			},
		},
		{
			name: name + " stalled", longest: longest, possible: func() bool { return len(stalled) == 0 },
			begin: func(testing.TB) {
				stalled = some()
				for _, w := range stalled {
					w.stall()
				}
			},
			end: func(testing.TB) {
				for _, w := range stalled {
					w.heal()
				}
				stalled = nil
			},
		},
	}
}

// replicaFaults are those of one sidestream process, one at a time. Each
// process that has ended is noted.
func replicaFaults(s *sidestream, ended func(*process)) []fault {
	troubled := false
	well := func() bool { return !troubled }
	again := func(tb testing.TB) {
		tb.Helper()
		ended(s.process)
		s.start(tb)
		troubled = false
	}
	return []fault{
		{
			name: "Sidestream kill -9", longest: 3 * time.Second, possible: well,
			begin: func(testing.TB) { troubled = true; s.kill() },
			end:   again,
		},
		{
			name: "Sidestream SIGTERM", longest: 4 * time.Second, possible: well,
			begin: func(tb testing.TB) { tb.Helper(); troubled = true; s.signal(tb, syscall.SIGTERM) },
			end: func(tb testing.TB) {
				tb.Helper()
				if code := s.exitCode(tb); code != 0 {
					tb.Errorf("got exit code %d after SIGTERM, want 0", code)
				}
				again(tb)
			},
		},
		{
			name: "Sidestream paused", longest: 3 * time.Second, possible: well,
			begin: func(tb testing.TB) { tb.Helper(); troubled = true; s.signal(tb, syscall.SIGSTOP) },
			end: func(tb testing.TB) {
				tb.Helper()
				s.signal(tb, syscall.SIGCONT)
				troubled = false
			},
		},
	}
}
