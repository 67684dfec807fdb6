package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"sidestream/e2e/chaos"
)

// How much there is to hear.
const (
	historyKeys  = 4 // senders of webhooks, and as many kinds of core messages
	hookEvery    = 200 * time.Millisecond
	coreEvery    = 200 * time.Millisecond
	versionEvery = 150 * time.Millisecond
	hookPatience = 3 * time.Second // for an answer, before the same webhook goes to another replica
	flushTimeout = time.Second
)

// A historyLoad sends webhooks, publishes core messages, and has a document
// change. What was accepted, or has reached the server, is noted.
type historyLoad struct {
	tb       testing.TB
	sender   *hookSender
	replicas []string // URLs that webhooks are sent to, through a network that fails
	core     *nats.Conn
	app      *historyApp

	mu        sync.Mutex
	random    *rand.Rand     // guarded by mu
	next      map[string]int // guarded by mu; the number of each key's newest record
	accepted  []chaos.Record // guarded by mu; webhooks
	published []chaos.Record // guarded by mu; core messages that have surely reached the server
	attempts  int            // guarded by mu; to send a webhook
	statuses  map[int]int    // guarded by mu; of answers
}

// start lets all of it begin, until stop is called. A webhook that is not
// accepted by then is the next one of its sender.
func (l *historyLoad) start() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	every := func(d time.Duration, do func()) {
		running.Go(func() {
			tick := time.NewTicker(d)
			defer tick.Stop()
			for ctx.Err() == nil {
				do()
				select {
				case <-tick.C:
				case <-ctx.Done():
				}
			}
		})
	}
	for i := range historyKeys {
		every(hookEvery, func() { l.hook(ctx, hookKey(i)) })
		every(coreEvery, func() { l.publish(coreKey(i)) })
	}
	every(versionEvery, func() { l.app.version.Add(1) })
	stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	l.tb.Cleanup(stop)
	return stop
}

func hookKey(i int) string { return fmt.Sprint("hook", i) }
func coreKey(i int) string { return fmt.Sprint("core", i) }

// number returns the next record of a key.
func (l *historyLoad) number(key string) chaos.Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next[key]++
	return chaos.Record{Key: key, Number: l.next[key]}
}

// hook sends the next webhook of a key, as the same delivery to one replica
// after the other until one has accepted it. If ctx is done before, it is the
// next one again.
func (l *historyLoad) hook(ctx context.Context, key string) {
	r := l.number(key)
	delivery, body := fmt.Sprintf("%s-%d", r.Key, r.Number), r.Payload()
	for ctx.Err() == nil {
		l.mu.Lock()
		url := l.replicas[l.random.IntN(len(l.replicas))]
		l.mu.Unlock()
		attempt, cancel := context.WithTimeout(ctx, hookPatience)
		status, _, err := l.sender.send(attempt, url, delivery, body)
		cancel()
		l.mu.Lock()
		l.attempts++
		if err == nil {
			l.statuses[status]++
		}
		if err == nil && status == http.StatusNoContent {
			l.accepted = append(l.accepted, r)
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
		pause(ctx, nil, 50*time.Millisecond)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next[key]--
}

// publish publishes the next core message of a key. If its connection is lost
// meanwhile, nobody knows whether that has reached the server.
func (l *historyLoad) publish(key string) {
	r := l.number(key)
	if l.core.Publish(coreSubject(key), r.Payload()) == nil && l.core.FlushTimeout(flushTimeout) == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.published = append(l.published, r)
	}
}

func coreSubject(key string) string { return "core." + key }

// round has one more of everything.
func (l *historyLoad) round(ctx context.Context) {
	for i := range historyKeys {
		l.hook(ctx, hookKey(i))
		l.publish(coreKey(i))
	}
	l.app.version.Add(1)
}

// newest returns the number of a key's newest record, whether it has arrived or
// not.
func (l *historyLoad) newest(key string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next[key]
}

// connectCore connects to a server that is killed now and then. What can't be
// published now is not published later.
func connectCore(tb testing.TB, url string) *nats.Conn {
	tb.Helper()
	conn, err := nats.Connect(url, nats.Name("test"), nats.MaxReconnects(-1), nats.ReconnectBufSize(-1),
		nats.ReconnectWait(natsReconnectWait), nats.PingInterval(time.Second), nats.MaxPingsOutstanding(2))
	if err != nil {
		tb.Fatalf("connect to %s: %v", url, err)
	}
	tb.Cleanup(conn.Close)
	return conn
}
