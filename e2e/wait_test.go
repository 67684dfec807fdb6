package e2e

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for what should happen soon.
const patience = 20 * time.Second

// wait returns once probe says ok, and fails the test if that takes too long.
// what says what is waited for, got what there is instead.
func wait(tb testing.TB, what string, probe func() (got any, ok bool)) {
	tb.Helper()
	waitFor(tb, patience, what, probe)
}

func waitFor(tb testing.TB, most time.Duration, what string, probe func() (got any, ok bool)) {
	tb.Helper()
	deadline := time.NewTimer(most)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		got, ok := probe()
		if ok {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			tb.Fatalf("after %v: got %v, want %s", most, got, what)
		}
	}
}

// handedOut are the ports that freePort has returned.
var handedOut sync.Map

// freePort returns a loopback TCP port that nobody listens on. It is below
// the range that Linux takes ports of outgoing connections from, so that a
// server can be stopped and started again on it while its clients reconnect.
func freePort(tb testing.TB) int {
	tb.Helper()
	for range 100 {
		port := 10_000 + rand.IntN(22_000)
		if _, taken := handedOut.LoadOrStore(port, true); taken {
			continue // whoever has it may be slow to listen
		}
		ln, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		_ = ln.Close()
		return port
	}
	tb.Fatal("got no free port in 100 attempts, want one")
	return 0
}
