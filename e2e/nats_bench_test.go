package e2e

import (
	"bufio"
	"bytes"
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// BenchmarkNATSLatency measures the time from before a message is given to
// nats.go until a client has read it from its socket, at 1,000 messages a
// second into a stream on files, with 10 clients. The producer, the NATS
// server, Sidestream and the clients share the machine.
func BenchmarkNATSLatency(b *testing.B) {
	const rate, seconds, clients = 1000, 10, 10
	n := startNATS(b)
	js := n.jetstream(b)
	stream(b, js, "BENCH", "bench")
	s := serve(b, natsTable(n.url, "  - {path: /bench, nats: {stream: BENCH}}\n"))
	for b.Loop() {
		var (
			readers sync.WaitGroup
			mu      sync.Mutex
			took    []time.Duration
		)
		for range clients {
			conn := open(b, s, "/bench")
			readers.Go(func() {
				resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					b.Error(err)
					return
				}
				defer resp.Body.Close()
				defer conn.Close() // first: closing the body alone would wait for its end
				lines, mine := bufio.NewScanner(resp.Body), []time.Duration{}
				for len(mine) < rate*seconds && lines.Scan() {
					if text, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
						sent, err := strconv.ParseInt(text[:strings.IndexByte(text, ' ')], 10, 64)
						if err != nil {
							b.Error(err)
							return
						}
						mine = append(mine, time.Since(time.Unix(0, sent)))
					}
				}
				mu.Lock()
				defer mu.Unlock()
				took = append(took, mine...)
			})
		}
		s.awaitClients(b, "/bench", clients)
		wait(b, "the source", func() (any, bool) {
			return nil, s.metric(b, `sidestream_sources{route="/bench",state="fresh"}`) == 1
		})
		pad := strings.Repeat("x", 80)
		tick := time.NewTicker(time.Second / rate)
		for range rate * seconds {
			<-tick.C
			if _, err := js.PublishAsync("bench", []byte(strconv.FormatInt(time.Now().UnixNano(), 10)+" "+pad)); err != nil {
				b.Fatal(err)
			}
		}
		tick.Stop()
		<-js.PublishAsyncComplete()
		readers.Wait()
		slices.Sort(took)
		if len(took) != clients*rate*seconds {
			b.Fatalf("got %d messages, want %d", len(took), clients*rate*seconds)
		}
		b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "max-ms")
		b.ReportMetric(0, "ns/op")
		s.awaitClients(b, "/bench", 0)
	}
}

// BenchmarkNATSThroughput compares, in one run, how fast a stream of 300,000
// messages of 100 bytes is read by a bare loop over nats.go's consumer, and
// by 10 clients of one route without expressions.
func BenchmarkNATSThroughput(b *testing.B) {
	const messages, clients = 300_000, 10
	n := startNATS(b)
	js := n.jetstream(b)
	stream(b, js, "BENCH", "bench")
	payload := bytes.Repeat([]byte{'x'}, 100)
	for range messages {
		if _, err := js.PublishAsync("bench", payload); err != nil {
			b.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
	table := natsTable(n.url, `
  - path: /bench
    nats: {stream: BENCH, start: all}
    history: {events: 1000000, bytes: 1GiB, replay: all}
`)
	for b.Loop() {
		bare := consume(b, n.url, messages)
		s := serve(b, table)
		var readers sync.WaitGroup
		began := time.Now()
		for range clients {
			conn := open(b, s, "/bench")
			readers.Go(func() {
				resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 64<<10), nil)
				if err != nil {
					b.Error(err)
					return
				}
				defer resp.Body.Close()
				defer conn.Close()
				buf, events, last := make([]byte, 64<<10), 0, byte(0)
				for events < messages {
					k, err := resp.Body.Read(buf)
					if err != nil {
						b.Error(err)
						return
					}
					events += bytes.Count(buf[:k], []byte("\n\n"))
					if last == '\n' && buf[0] == '\n' {
						events++
					}
					last = buf[k-1]
				}
			})
		}
		readers.Wait()
		took := time.Since(began)
		b.ReportMetric(messages/bare.Seconds(), "bare-msgs/s")
		b.ReportMetric(messages/took.Seconds(), "msgs/s")
		b.ReportMetric(bare.Seconds()/took.Seconds(), "of-bare")
		b.ReportMetric(0, "ns/op")
		s.kill()
	}
}

// consume reads n messages by a bare consumer and returns how long it took.
func consume(b *testing.B, url string, n int) time.Duration {
	b.Helper()
	conn, err := nats.Connect(url)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	consumer, err := js.CreateConsumer(context.Background(), "BENCH", jetstream.ConsumerConfig{AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true})
	if err != nil {
		b.Fatal(err)
	}
	it, err := consumer.Messages()
	if err != nil {
		b.Fatal(err)
	}
	defer it.Stop()
	for range n {
		if _, err := it.Next(); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(began)
}
