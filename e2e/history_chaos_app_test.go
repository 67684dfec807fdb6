package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sidestream/e2e/historychaos"
)

// A historyApp is a legacy application whose document has one version after the
// other. It notes who asks, and can be killed and started again.
type historyApp struct {
	address string // host:port
	version atomic.Int64
	server  *http.Server
	serving sync.WaitGroup
	stalls  []historychaos.Pause // in which requests were under way

	mu     sync.Mutex
	random *rand.Rand          // guarded by mu
	polls  []historychaos.Poll // guarded by mu
}

// How long the application takes for an answer.
const (
	mostlyTakes = 50 * time.Millisecond
	rarelyTakes = 800 * time.Millisecond
	rarely      = 30 // one answer of so many
)

func startHistoryApp(tb testing.TB, random *rand.Rand) *historyApp {
	tb.Helper()
	a := &historyApp{address: fmt.Sprintf("127.0.0.1:%d", freePort(tb)), random: random}
	a.version.Store(1)
	a.start(tb)
	tb.Cleanup(a.kill)
	return a
}

// start serves, again if it has been killed.
func (a *historyApp) start(tb testing.TB) {
	tb.Helper()
	ln, err := net.Listen("tcp", a.address)
	if err != nil {
		tb.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(a.serve), ReadHeaderTimeout: time.Minute}
	a.server = s
	a.serving.Go(func() {
		if err := s.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			tb.Errorf("legacy application: %v", err)
		}
	})
}

// kill breaks all connections, and takes no more.
func (a *historyApp) kill() {
	_ = a.server.Close() // what its listener says of that doesn't matter
	a.serving.Wait()
}

func (a *historyApp) serve(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	defer func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.polls = append(a.polls, historychaos.Poll{By: r.Header.Get(docReplica), Start: began, End: time.Now()})
	}()
	a.mu.Lock()
	takes := time.Duration(a.random.Int64N(int64(mostlyTakes)))
	if a.random.IntN(rarely) == 0 {
		takes = rarelyTakes
	}
	a.mu.Unlock()
	pause(r.Context(), nil, takes)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(historychaos.Document(int(a.version.Load()))) // it may have been left
}

// asked returns the polls that are over.
func (a *historyApp) asked() []historychaos.Poll {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]historychaos.Poll(nil), a.polls...)
}

// faults are those of the application. While it is killed it can't be paused.
func (a *historyApp) faults(wires []*wire, random *rand.Rand) []fault {
	well := true
	possible := func() bool { return well }
	network := wireFaults(random, "network to the application", 3*time.Second, wires)
	for i := range network {
		if end := network[i].end; end != nil {
			begin, since := network[i].begin, time.Time{}
			network[i].begin = func(tb testing.TB) { tb.Helper(); since = time.Now(); begin(tb) }
			network[i].end = func(tb testing.TB) {
				tb.Helper()
				end(tb)
				a.stalls = append(a.stalls, historychaos.Pause{From: since, To: time.Now()})
			}
		}
	}
	return append(network,
		fault{
			name: "application kill -9", longest: 3 * time.Second, possible: possible,
			begin: func(testing.TB) { well = false; a.kill() },
			end:   func(tb testing.TB) { tb.Helper(); a.start(tb); well = true },
		})
}
