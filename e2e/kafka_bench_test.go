package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// BenchmarkKafkaLatency measures the time from before a record is given to a
// producer (franz-go's, which doesn't linger) until a client has read it from
// its socket, at 1,000 records a second, with 10 clients. The producer, Kafka,
// Sidestream and the clients share the machine: two cores gave a p50 of 0.8 ms
// and a p99 of 2.6 to 5.5 ms.
func BenchmarkKafkaLatency(b *testing.B) {
	const rate, seconds, clients = 1000, 10, 10
	bench := buildKafkaBench(b)
	k := sharedKafka(b)
	send := func(topic string, n, rate int) {
		b.Helper()
		if out, err := exec.Command(bench, "send", k.brokers[0], topic, strconv.Itoa(n), strconv.Itoa(rate)).CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
	}
	send(k.createTopic(b, topicOptions{}), 40_000, 4*rate) // until Kafka's code is compiled
	topic := k.createTopic(b, topicOptions{})
	s := serve(b, kafkaTable(k.brokers, "  - {path: /bench, kafka: {topics: ["+topic+"]}}\n"))
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
				mine, err := readAges(resp.Body, rate*seconds)
				if err != nil {
					b.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				took = append(took, mine...)
			})
		}
		s.awaitClients(b, "/bench", clients)
		s.awaitSource(b, "/bench", "fresh")
		send(topic, rate*seconds, rate)
		readers.Wait()
		slices.Sort(took)
		if len(took) != clients*rate*seconds {
			b.Fatalf("got %d records, want %d", len(took), clients*rate*seconds)
		}
		b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "max-ms")
		b.ReportMetric(0, "ns/op")
		s.awaitClients(b, "/bench", 0)
	}
}

// readAges reads n events of a stream, whose data begin with the times at which
// they were made, and returns how old each was.
func readAges(r io.Reader, n int) (ages []time.Duration, err error) {
	for lines := bufio.NewScanner(r); len(ages) < n; {
		if !lines.Scan() {
			return ages, fmt.Errorf("got %d events, want %d: %w", len(ages), n, lines.Err())
		}
		text, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		made, _, _ := strings.Cut(text, " ")
		ns, err := strconv.ParseInt(made, 10, 64)
		if err != nil {
			return ages, err
		}
		ages = append(ages, time.Since(time.Unix(0, ns)))
	}
	return ages, nil
}

// BenchmarkKafkaThroughput compares, in one run, how fast one partition's
// 300,000 records of 100 bytes are read by a bare loop over kafka-go's Reader,
// and by clients of one route without expressions. Both processes have one
// processor (GOMAXPROCS=1). A backlog was there before; what is live is read
// while it is produced, which is as fast as the producer is.
//
// In messages a second one client got 0.21 of the bare loop, and ten got 0.04 of
// a backlog (0.4 counted in deliveries) and 0.12 of what was live (1.2): more
// than half of the time goes into the kernel, for a socket of each client.
func BenchmarkKafkaThroughput(b *testing.B) {
	const messages = 300_000
	bench := buildKafkaBench(b)
	b.Setenv("GOMAXPROCS", "1") // of what is started; this process has its own already
	k := sharedKafka(b)
	produce := func(b *testing.B, topic string) {
		b.Helper()
		k.startBulk(b, topic, bulkOptions{Count: messages, Keys: 1000, Size: 100, Compression: "lz4", Quiet: true}).wait(b)
	}
	for _, tt := range []struct {
		name    string
		clients int
		live    bool
	}{{"backlog/1", 1, false}, {"backlog/10", 10, false}, {"live/10", 10, true}} {
		b.Run(tt.name, func(b *testing.B) {
			for b.Loop() {
				topic := k.createTopic(b, topicOptions{})
				during := func() { produce(b, topic) }
				if !tt.live {
					during()
					during = func() {}
				}
				bare := readBare(b, bench, k.brokers[0], topic, messages, during)
				if tt.live {
					topic = k.createTopic(b, topicOptions{})
				}
				s := serve(b, kafkaTable(k.brokers, fmt.Sprintf(`
  - path: /bench
    kafka: {topics: [%s], start: earliest}
    history: {events: 1000000, bytes: 1GiB, replay: all}
`, topic)))
				relayed := readRelayed(b, s, tt.clients, messages, during)
				s.kill()
				b.ReportMetric(messages/bare.took.Seconds(), "bare-msgs/s")
				b.ReportMetric(messages/relayed.took.Seconds(), "msgs/s")
				b.ReportMetric(messages/bare.cpu.Seconds(), "bare-msgs/cpu-s")
				b.ReportMetric(messages/relayed.cpu.Seconds(), "msgs/cpu-s")
				b.ReportMetric(bare.took.Seconds()/relayed.took.Seconds(), "of-bare")
				b.ReportMetric(0, "ns/op")
			}
		})
	}
}

// A cost is what something took, and what it used of processors.
type cost struct{ took, cpu time.Duration }

// readBare reads records by a bare loop, while something goes on.
func readBare(b *testing.B, bench, broker, topic string, messages int, during func()) cost {
	b.Helper()
	cmd := exec.Command(bench, "read", broker, topic, strconv.Itoa(messages))
	cmd.Stderr = os.Stderr
	began := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	during()
	if err := cmd.Wait(); err != nil {
		b.Fatal(err)
	}
	return cost{time.Since(began), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
}

// readRelayed has clients of /bench read events, while something goes on.
func readRelayed(b *testing.B, s *sidestream, clients, messages int, during func()) cost {
	b.Helper()
	var readers sync.WaitGroup
	before, began := s.cpu(b), time.Now()
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
			if err := readEvents(resp.Body, messages); err != nil {
				b.Error(err)
			}
		})
	}
	during()
	readers.Wait()
	return cost{time.Since(began), s.cpu(b) - before}
}

// readEvents reads n events of a stream.
func readEvents(r io.Reader, n int) error {
	buf, events, last := make([]byte, 64<<10), 0, byte(0)
	for events < n {
		k, err := r.Read(buf)
		if err != nil {
			return fmt.Errorf("got %d events, want %d: %w", events, n, err)
		}
		events += bytes.Count(buf[:k], []byte("\n\n"))
		if last == '\n' && buf[0] == '\n' {
			events++
		}
		last = buf[k-1]
	}
	return nil
}

// buildKafkaBench builds the program in testdata/kafkabench.
func buildKafkaBench(b *testing.B) (path string) {
	b.Helper()
	path = filepath.Join(b.TempDir(), "kafkabench")
	cmd := exec.Command("go", "build", "-o", path, "e2e/testdata/kafkabench/main.go")
	cmd.Dir = ".." // the program's module
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}
