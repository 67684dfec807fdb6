package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sidestream/proxy/eventstream"
)

// BenchmarkStopPolling measures what it costs to keep 100 front ends up to
// date for 20 seconds with a list of 200 rows, one of which changes each
// second: with each of them polling the API every 2 s, and with Sidestream
// polling it for all. Figures are requests to the API, bytes that it wrote and
// that all front ends received, headers included, nothing compressed, and the
// median time from a change to a front end's knowing it.
func BenchmarkStopPolling(b *testing.B) {
	const (
		fronts = 100
		every  = 2 * time.Second
		lasts  = 20 * time.Second
	)
	for _, tt := range []struct {
		name string
		poll string // of Sidestream; empty: the front ends poll
		etag bool   // what the API gives is used
	}{
		{"direct", "", false},
		{"direct-etag", "", true},
		{"snapshot", "every: 2s, emit: snapshot", true},
		{"patch", "every: 2s, emit: patch", true},
		{"patch-500ms", "every: 500ms, emit: patch", true},
	} {
		b.Run(tt.name, func(b *testing.B) {
			for b.Loop() {
				list := newOrders(b)
				ctx, cancel := context.WithTimeout(context.Background(), lasts)
				f := &frontEnds{list: list, etag: tt.etag}
				front := func() { f.poll(ctx, every) }
				if tt.poll != "" {
					s := serve(b, fmt.Sprintf("upstream: %s\nroutes:\n  - {path: /orders, poll: {%s}}\n", list.url, tt.poll))
					front = func() { f.stream(ctx, s.url) }
				}
				var running sync.WaitGroup
				running.Go(func() { list.change(ctx) })
				for range fronts {
					running.Go(front)
				}
				running.Wait()
				cancel()
				slices.Sort(f.delays)
				if len(f.delays) < fronts {
					b.Fatalf("got %d changes seen by %d front ends, want each to see many", len(f.delays), fronts)
				}
				b.ReportMetric(float64(list.requests.Load()), "requests")
				b.ReportMetric(float64(list.written.Load())/1000, "api-kB")
				b.ReportMetric(float64(f.read.Load())/1000, "clients-kB")
				b.ReportMetric(float64(f.delays[len(f.delays)/2].Milliseconds()), "delay-ms")
				b.ReportMetric(0, "ns/op")
			}
		})
	}
}

// orders is an API with a list. The change number n leaves "vn" in the row.
type orders struct {
	url      string
	requests atomic.Int64
	written  atomic.Int64 // bytes

	mu      sync.Mutex
	rows    []map[string]any
	body    []byte
	changed []time.Time
}

func newOrders(tb testing.TB) *orders {
	tb.Helper()
	o := &orders{}
	for i := range 200 {
		o.rows = append(o.rows, map[string]any{
			"id": 10_000 + i, "customer": fmt.Sprintf("Customer number %d", i), "status": "in transit",
			"cents": 100 * i, "destination": "Port of Rotterdam, terminal 4", "updated": "v0",
		})
	}
	o.update()
	server := httptest.NewUnstartedServer(o)
	server.Listener = countingListener{server.Listener, &o.written}
	server.Start()
	tb.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	o.url = server.URL
	return o
}

func (o *orders) update() {
	o.mu.Lock()
	defer o.mu.Unlock()
	row := o.rows[rand.IntN(len(o.rows))]
	row["cents"], row["updated"] = rand.IntN(100_000), fmt.Sprintf("v%d", len(o.changed))
	o.body, _ = json.Marshal(o.rows)
	o.changed = append(o.changed, time.Now())
}

// change changes a row each second.
func (o *orders) change(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			o.update()
		case <-ctx.Done():
			return
		}
	}
}

func (o *orders) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.requests.Add(1)
	o.mu.Lock()
	body, etag := o.body, fmt.Sprintf(`"%d"`, len(o.changed))
	o.mu.Unlock()
	w.Header().Set("ETag", etag)
	if r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
}

// frontEnds are those who want to know.
type frontEnds struct {
	list *orders
	etag bool
	read atomic.Int64 // bytes

	mu     sync.Mutex
	delays []time.Duration
}

var changeNumber = regexp.MustCompile(`"v(\d+)"`)

// saw notes which changes are news in a text, to whom knew those before
// known.
func (f *frontEnds) saw(text []byte, known int) int {
	newest := known - 1
	for _, found := range changeNumber.FindAllSubmatch(text, -1) {
		n, _ := strconv.Atoi(string(found[1]))
		newest = max(newest, n)
	}
	f.list.mu.Lock()
	changed := slices.Clone(f.list.changed[:newest+1])
	f.list.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, at := range changed[known:] {
		if known > 0 { // what was there at first is no news
			f.delays = append(f.delays, time.Since(at))
		}
	}
	return newest + 1
}

// poll is a front end that polls.
func (f *frontEnds) poll(ctx context.Context, every time.Duration) {
	transport := &http.Transport{DisableCompression: true, DialContext: f.dial}
	defer transport.CloseIdleConnections()
	wait := time.NewTimer(rand.N(every)) // they were not opened at the same moment
	defer wait.Stop()
	known, etag := 0, ""
	for {
		select {
		case <-wait.C:
			wait.Reset(every)
		case <-ctx.Done():
			return
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.list.url+"/orders", http.NoBody)
		if err != nil {
			return
		}
		if f.etag && etag != "" {
			req.Header.Set("If-None-Match", etag)
		}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			return
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		etag, known = resp.Header.Get("ETag"), f.saw(body, known)
	}
}

// stream is a front end with an EventSource.
func (f *frontEnds) stream(ctx context.Context, url string) {
	conn, err := f.dial(ctx, "tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		return
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	_, _ = fmt.Fprint(conn, "GET /orders HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return
	}
	dec, known := eventstream.NewDecoder(resp.Body, nil), 0
	for {
		e, err := dec.Next()
		if err != nil {
			return
		}
		if !strings.HasPrefix(e.Type, "stream.") {
			known = f.saw(e.Data, known)
		}
	}
}

// dial counts what is read of the connection.
func (f *frontEnds) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return countingConn{Conn: conn, read: &f.read, written: new(atomic.Int64)}, nil
}

type countingListener struct {
	net.Listener
	written *atomic.Int64
}

func (l countingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return countingConn{Conn: conn, read: new(atomic.Int64), written: l.written}, nil
}

// countingConn counts the bytes that pass.
type countingConn struct {
	net.Conn
	read, written *atomic.Int64
}

func (c countingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.read.Add(int64(n))
	return n, err
}

func (c countingConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.written.Add(int64(n))
	return n, err
}
