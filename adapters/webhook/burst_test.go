package webhook

import (
	"context"
	"encoding/json"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"sidestream/adapters"
)

// TestBurst sends 10,000 requests by senders that all begin at once, and each
// of which waits for the answer to one before it sends the next. A third is
// sent twice by another sender at the same time. What is acknowledged is
// emitted, once and in a sender's order; what isn't is refused with 429 and
// not emitted.
func TestBurst(t *testing.T) {
	for name, pending := range map[string]int{"room for all": 10_000, "room for few": 20} {
		t.Run(name, func(t *testing.T) {
			// The race detector has no room for 10,000 goroutines.
			const senders, each = 2500, 4
			f := open(t, func(o *Options) {
				o.Pending.Events = pending
				o.AcceptTimeout = adapters.Duration(5 * 60e9)
			})
			src, err := f.Open(nil, adapters.Env{})
			if err != nil {
				t.Fatal(err)
			}
			s := src.(*source)

			type message struct{ Sender, N int }
			var emitted []message // by the one Run
			ctx, stop := context.WithCancel(t.Context())
			ran := make(chan error, 1)
			ready := make(chan struct{})
			go func() {
				ran <- s.Run(ctx, "", func(e adapters.Event) error {
					if e.Live {
						close(ready)
						return nil
					}
					var m message
					if err := json.Unmarshal(e.Data, &m); err != nil {
						return err
					}
					emitted = append(emitted, m)
					if len(emitted)%64 == 0 {
						runtime.Gosched()
					}
					return nil
				})
			}()
			<-ready
			mount := handler(f, func(ctx context.Context, _ adapters.Vars, events []adapters.Event) error {
				return s.Receive(ctx, events)
			})

			statuses := make([][each]int, senders)
			send := func(sender, n int) int {
				body, _ := json.Marshal(message{sender, n})
				r := post(string(body), "Content-Type", "application/json", "Ce-Specversion", "1.0",
					"Ce-Source", "/"+strconv.Itoa(sender), "Ce-Id", strconv.Itoa(n), "Ce-Type", "t")
				w := newStatus()
				mount.ServeHTTP(w, r)
				return w.status
			}
			begin := make(chan struct{})
			var all sync.WaitGroup
			for sender := range senders {
				all.Go(func() {
					<-begin
					for n := range each {
						statuses[sender][n] = send(sender, n)
					}
				})
				if sender%3 == 0 {
					all.Go(func() {
						<-begin
						if got := send(sender, 0); got != http.StatusNoContent && got != http.StatusTooManyRequests {
							t.Errorf("got status %d for a duplicate, want 204 or 429", got)
						}
					})
				}
			}
			close(begin)
			all.Wait()
			stop()
			<-ran

			times := make(map[message]int)
			last := make(map[int]int)
			for _, m := range emitted {
				times[m]++
				if times[m] > 1 {
					t.Errorf("got %+v emitted %d times, want once", m, times[m])
				}
				if before, ok := last[m.Sender]; ok && m.N < before && m.N > 0 { // the first has two senders
					t.Errorf("got %+v after number %d, want a sender's order", m, before)
				}
				last[m.Sender] = m.N
			}
			counts := make(map[int]int)
			for sender := range statuses {
				for n, status := range statuses[sender] {
					counts[status]++
					delivered := times[message{sender, n}] == 1
					twice := n == 0 && sender%3 == 0
					switch {
					case status == http.StatusNoContent && !delivered:
						t.Errorf("sender %d, number %d: got 204, want it emitted", sender, n)
					case status == http.StatusTooManyRequests && delivered && !twice:
						t.Errorf("sender %d, number %d: got 429, want it not emitted", sender, n)
					case status != http.StatusNoContent && status != http.StatusTooManyRequests:
						t.Errorf("sender %d, number %d: got status %d, want 204 or 429", sender, n, status)
					}
				}
			}
			t.Logf("%v, %d emitted", counts, len(emitted))
			switch refused := counts[http.StatusTooManyRequests]; {
			case pending < senders && refused == 0:
				t.Error("got none refused, want some where there is room for few")
			case pending > senders && refused > 0:
				t.Errorf("got %d refused, want none where there is room for all", refused)
			}
		})
	}
}

// status is a writer that keeps nothing but the status.
type status struct {
	header http.Header
	status int
}

func newStatus() *status { return &status{header: make(http.Header)} }

func (s *status) Header() http.Header { return s.header }

func (s *status) Write(p []byte) (int, error) { return len(p), nil }

func (s *status) WriteHeader(code int) { s.status = code }
