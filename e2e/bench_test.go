package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// BenchmarkFanOut measures what the server process spends to deliver events
// of about 100 bytes to 1,000 clients on loopback, in deliveries per second of
// its CPU time. "live" is the dear case: each event is written to each client
// by itself, in a system call of its own. In "replay" clients find 2,000
// events waiting, and take them in batches.
func BenchmarkFanOut(b *testing.B) {
	const clients = 1000
	payload := `"data: '{\"n\": {{.N}}, \"pad\": \"` + strings.Repeat("x", 60) + `\"}'"`
	payload = payload[1 : len(payload)-1]
	for _, tt := range []struct {
		name, every string
		events      int
	}{
		{"live", "20ms", 250},
		{"replay", "0s", 2000},
	} {
		b.Run(tt.name, func(b *testing.B) {
			for b.Loop() {
				s := serve(b, fmt.Sprintf(`
routes:
  - path: /events
    max_clients: %d
    history: {events: 10000, bytes: 64MiB, replay: all}
    generate:
      first: after_interval
      every: %s
      count: %d
      %s
`, clients+1, tt.every, tt.events, strings.ReplaceAll(payload, `\"`, `"`)))
				var readers sync.WaitGroup
				before := s.cpu(b)
				for range clients {
					conn := open(b, s, "/events")
					readers.Go(func() {
						defer conn.Close()
						if got := countEvents(conn); got < tt.events {
							b.Errorf("a client got %d events, want %d", got, tt.events)
						}
					})
				}
				readers.Wait()
				used := s.cpu(b) - before
				b.ReportMetric(float64(clients*tt.events)/used.Seconds(), "deliveries/cpu-s")
				b.ReportMetric(0, "ns/op")
				s.kill()
			}
		})
	}
}

// BenchmarkIdleConnections measures the memory of the server process for each
// of 10,000 clients that wait.
func BenchmarkIdleConnections(b *testing.B) {
	const clients = 10_000
	for b.Loop() {
		s := serve(b, `
routes:
  - path: /events
    max_clients: 20000
    generate: {every: 1h, first: after_interval}
`)
		before := s.memory(b)
		conns := make([]net.Conn, 0, clients)
		for range clients {
			conns = append(conns, open(b, s, "/events"))
		}
		s.awaitClients(b, "/events", clients)
		b.ReportMetric(float64(s.memory(b)-before)/clients, "B/connection")
		b.ReportMetric(0, "ns/op")
		for _, c := range conns {
			_ = c.Close()
		}
		s.kill()
	}
}

// open connects to a stream and sends the request.
func open(b *testing.B, s *sidestream, path string) net.Conn {
	b.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		b.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\n\r\n", path); err != nil {
		b.Fatal(err)
	}
	return conn
}

// countEvents reads a stream to its end and returns the number of its events.
func countEvents(conn net.Conn) int {
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	n, last := 0, byte(0)
	buf := make([]byte, 8<<10)
	for {
		k, err := resp.Body.Read(buf)
		n += bytes.Count(buf[:k], []byte("\n\n"))
		if k > 0 {
			if last == '\n' && buf[0] == '\n' {
				n++
			}
			last = buf[k-1]
		}
		if err != nil {
			return n - 1 // stream.end
		}
	}
}

// cpu returns the processor time that the process has used.
func (s *sidestream) cpu(b *testing.B) time.Duration {
	b.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		b.Fatal(err)
	}
	// proc(5): fields 14 and 15, in ticks of 1/100 s; the 2nd ends with the
	// last parenthesis.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
