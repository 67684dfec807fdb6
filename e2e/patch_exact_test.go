package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"sidestream/proxy/eventstream"
)

// ledgerTable returns a table with a route for each way in which changes of a
// ledger are told: /keyed, /plain, /merge and /items.
func ledgerTable(l *ledger, every time.Duration) string {
	return fmt.Sprintf(`
upstream: %s
drain: {window: 100ms, timeout: 1s}
defaults: {retry: 50ms, linger: 2s, backoff: {min: 20ms, max: 100ms}, poll: {url: /ledger, every: %v, jitter: 0}}
routes:
  - {path: /keyed, poll: {emit: patch, array_keys: {/rows: id}}}
  - {path: /plain, poll: {emit: patch}}
  - {path: /merge, poll: {emit: merge}}
  - {path: /items, poll: {emit: items, items: {each: ".rows[]", key: .id}}}
`, l.url, every)
}

func ledgerRoutes() []string { return []string{"keyed", "plain", "merge", "items"} }

// settled waits until a new client of a route is given the current document
// of a ledger that doesn't change any more, and returns its id.
func (l *ledger) settled(tb testing.TB, s *sidestream, route string) (id string) {
	tb.Helper()
	m := newMirror(l, route)
	want := m.view(l.now())
	wait(tb, "the current document for a new client of "+route, func() (any, bool) {
		events, _ := receive(tb, s.url+"/"+route, "", noLimit, live)
		got, err := m.replay(events)
		if len(events) > 0 {
			id = events[0].ID
		}
		return fmt.Sprintf("%.200q, %v", got, err), err == nil && got == want
	})
	return id
}

// R4, C1: a client that is cut at every single byte of a stream, and comes
// back with the id of the last event that it has received completely, applies
// each change to exactly what the change was made from, and has everything in
// the end.
func TestPatchCutAtEveryByte(t *testing.T) {
	l := newLedger(t, 3, exactNumbers())
	s := serve(t, ledgerTable(l, 10*time.Millisecond))
	for _, route := range ledgerRoutes() {
		t.Run(route, func(t *testing.T) {
			url := s.url + "/" + route
			c := follow(t, url)
			first := c.await(t, 1)[0]
			for have := 1; have < 9; have = len(states(c.events())) {
				view, before := newMirror(l, route).view, l.now()
				if l.change(); view(before) != view(l.now()) {
					wait(t, "an event for the change", func() (any, bool) { return have, len(states(c.events())) > have })
				}
			}
			l.settled(t, s, route)

			m := newMirror(l, route)
			want := m.view(l.now())
			connections := 0
			for _, had := range [][]received{nil, {first}} {
				_, length := receive(t, url, lastID(had), noLimit, live)
				each(length, 16, func(k int) {
					events := had[:len(had):len(had)]
					for _, limit := range []int{k, noLimit} {
						more, _ := receive(t, url, lastID(events), limit, live)
						events = append(events, more...)
					}
					if got, err := m.replay(events); err != nil || got != want {
						t.Errorf("cut after byte %d of %d: got %.200q (%v), want %.200q", k, length, got, err, want)
					}
				})
				connections += 2 * length
			}
			t.Logf("%d connections over %v", connections, types(c.events()))
		})
	}
}

// R4, C1: the same while the document changes all the time, in a chain of
// connections, of which the k-th is cut after byte k.
func TestPatchCutWhileChanging(t *testing.T) {
	const (
		clients = 40
		length  = 2000
	)
	l := newLedger(t, 20, exactNumbers())
	s := serve(t, ledgerTable(l, 10*time.Millisecond))
	for _, route := range ledgerRoutes() {
		follow(t, s.url+"/"+route) // keeps the stream open
	}
	stop := l.keepChanging(t, 5*time.Millisecond)
	chains := make([][]received, clients)
	each(clients-1, clients, func(i int) {
		for k := i; k < length; k += clients {
			limit, until := k, never
			if len(chains[i]) == 0 {
				limit, until = noLimit, live // the state is larger than that
			}
			more, _ := receive(t, s.url+"/"+ledgerRoutes()[i%4], lastID(chains[i]), limit, until)
			chains[i] = append(chains[i], more...)
		}
	})
	stop()
	for r, route := range ledgerRoutes() {
		l.settled(t, s, route)
		m, all := newMirror(l, route), []received(nil)
		for i := r; i < clients; i += 4 {
			more, _ := receive(t, s.url+"/"+route, lastID(chains[i]), noLimit, live)
			chains[i] = append(chains[i], more...)
			if got, err := m.replay(chains[i]); err != nil || got != m.view(l.now()) {
				t.Errorf("%s: got %.200q (%v), want the current document", route, got, err)
			}
			all = append(all, chains[i]...)
		}
		t.Logf("%s: %v", route, types(all))
	}
}

const noLimit = 1 << 30

func live(e received) bool { return e.Type == "stream.live" } // everything was sent
func never(received) bool  { return false }

// receive connects to a stream with an id, if there is one, and reads until
// it has limit bytes of the stream, or a certain event, and cuts the
// connection. It returns the events that it has received completely, and the
// number of bytes read.
func receive(tb testing.TB, url, id string, limit int, until func(received) bool) (events []received, length int) {
	tb.Helper()
	host, path, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
	conn, err := net.Dial("tcp", host)
	if err != nil {
		tb.Error(err)
		return nil, 0
	}
	defer conn.Close()
	_ = conn.(*net.TCPConn).SetLinger(0) // thousands of connections leave nothing behind
	_ = conn.SetDeadline(time.Now().Add(patience))
	if id != "" {
		id = "Last-Event-ID: " + id + "\r\n"
	}
	_, _ = fmt.Fprintf(conn, "GET /%s HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n%s\r\n", path, id)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != http.StatusOK {
		tb.Errorf("got response %v (%v), want a stream", resp, err)
		return nil, 0
	}
	body := &counted{Reader: io.LimitReader(resp.Body, int64(limit))}
	dec := eventstream.NewDecoder(body, nil)
	for {
		e, err := dec.Next()
		if err != nil {
			if body.n < limit {
				tb.Errorf("got an end (%v) after %d bytes, want %d or a certain event", err, body.n, limit)
			}
			return events, body.n
		}
		events = append(events, received{ID: e.ID, Type: e.Type, Data: string(e.Data)})
		if until(events[len(events)-1]) {
			return events, body.n
		}
	}
}

// counted counts what is read.
type counted struct {
	io.Reader
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}

// lastID returns the last event id after events.
func lastID(events []received) string {
	if len(events) == 0 {
		return ""
	}
	return events[len(events)-1].ID
}

// each calls do with every number from 0 to n, with a few at a time.
func each(n, atATime int, do func(int)) {
	next := make(chan int)
	var running sync.WaitGroup
	for range atATime {
		running.Go(func() {
			for k := range next {
				do(k)
			}
		})
	}
	for k := range n + 1 {
		next <- k
	}
	close(next)
	running.Wait()
}
