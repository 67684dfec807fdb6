package proxy

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestNobodySeesAnothersStream has thousands of clients with credentials that
// are made to be mixed up come and go at once, while the table is reloaded
// and the upstream goes on. The upstream answers each with the credentials
// that it was asked with.
func TestNobodySeesAnothersStream(t *testing.T) {
	const table = `
limits: {retry: 1s}
drain: {window: 100ms}
routes: [{path: "/{x}", api: {forward: [Authorization, Cookie, X-User]}, linger: %s, max_principals: 60, max_streams: 80}]
`
	const workers, visits = 40, 50
	inWorld(t, fmt.Sprintf(table, "1s"), func(w *world) {
		for i := range 10 {
			w.api.answer(fmt.Sprint("Bearer ", i), []int{401, 403, 503, unanswered}[i%4])
		}
		stop := make(chan struct{})
		var others, all sync.WaitGroup
		others.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				case <-time.After(20 * time.Millisecond):
				}
				w.api.tick()
				if i%10 == 0 {
					w.server.Reload(w.parse(fmt.Sprintf(table, []string{"0s", "1s"}[i/10%2])))
				}
			}
		})
		var mu sync.Mutex
		states, outcomes := 0, map[int]int{}
		for worker := range workers {
			all.Go(func() {
				r := rand.New(rand.NewPCG(uint64(worker), 0))
				for range visits {
					status, n := w.visit(r)
					mu.Lock()
					outcomes[status]++
					states += n
					mu.Unlock()
				}
			})
		}
		all.Wait()
		close(stop)
		others.Wait()
		after(time.Minute)
		t.Logf("%d clients by status: %v; they got %d states", workers*visits, outcomes, states)
		if outcomes[200] < 1000 || outcomes[401] == 0 || outcomes[403] == 0 || states < 1000 {
			t.Error("got fewer answers than the test needs")
		}
		if got := w.api.sources(); got != 0 {
			t.Errorf("sources that are left: got %d, want none", got)
		}
		p := w.server.table.Load().endpoints[0]
		if s, n := w.server.streams.have.Load(), len(p.principals); s != 0 || n != 0 {
			t.Errorf("counted as open: got %d streams and %d principals, want none", s, n)
		}
	})
}

// visit is one client's life. It returns the status that it was answered
// with, and how many states it got.
func (w *world) visit(r *rand.Rand) (status, states int) {
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, "http://example.com/"+pick(r, "a", "b"), http.NoBody)
	if err != nil {
		w.t.Error(err)
		return 0, 0
	}
	req.Header = confusing(r)
	want := echoTo(req.Header, "Authorization", "Cookie", "X-User")
	req.Header["Last-Event-ID"] = []string{pick(r, "", "v0", "v7", "other")}
	resp, err := w.client(w.public).Do(req)
	if err != nil {
		w.t.Error(err)
		return 0, 0
	}
	c := &connection{w: w, resp: resp, done: make(chan struct{})}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return resp.StatusCode, 0
	}
	go c.read()
	select {
	case <-c.done:
	case <-time.After(time.Duration(r.IntN(200)) * time.Millisecond):
	}
	_ = resp.Body.Close()
	<-c.done
	for _, e := range c.events {
		if strings.HasPrefix(e.Type, "stream.") {
			continue
		}
		states++
		if got := string(e.Data); got != want {
			w.t.Errorf("got the stream of %s, want that of %s", got, want)
		}
	}
	return resp.StatusCode, states
}

// confusing returns headers that differ as little as can be from others that
// it returns, or that nobody else has.
func confusing(r *rand.Rand) http.Header {
	h := http.Header{}
	for _, name := range []string{pick(r, "Authorization", "AUTHORIZATION", "authorization"), "Cookie", "X-User", "X-Other"} {
		switch r.IntN(6) {
		case 0: // absent
		case 1:
			h[name] = []string{""}
		case 2:
			h[name] = []string{pick(r, "a", "b", "ab", "a, b", "a,b", "b, a", "a; b", "b; a", "Bearer a", "Bearer  a", "bearer a")}
		case 3:
			h[name] = []string{pick(r, "a", "b", ""), pick(r, "a", "b", "")}
		case 4:
			h[name] = []string{fmt.Sprint("Bearer ", r.IntN(20))}
		default:
			h[name] = []string{strings.Repeat("same prefix ", 20) + strconv.Itoa(r.Int())}
		}
	}
	return h
}

func pick(r *rand.Rand, from ...string) string { return from[r.IntN(len(from))] }
