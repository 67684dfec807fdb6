package nats

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"sidestream/adapters"
)

// supervised runs a source again and again from where it was, as a supervisor
// does, until its test ends. Of lost positions it takes note.
type supervised struct {
	mu    sync.Mutex
	got   []string // guarded by mu
	lost  []error  // guarded by mu
	fails int      // guarded by mu
	after adapters.Position
}

func supervise(t *testing.T, s adapters.Source, after adapters.Position) *supervised {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	v := &supervised{after: after}
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil {
			err := s.Run(ctx, v.after, v.emit)
			var lost *adapters.PositionLostError
			v.mu.Lock()
			switch {
			case errors.As(err, &lost):
				v.lost = append(v.lost, err)
				v.after = lost.Resume
			case adapters.IsPermanent(err):
				t.Errorf("got the permanent error %v, want a transient one", err)
			}
			v.fails++
			v.mu.Unlock()
			adapters.Pause(ctx, 20*time.Millisecond)
		}
	})
	t.Cleanup(func() {
		cancel()
		done.Wait()
	})
	return v
}

func (v *supervised) emit(e adapters.Event) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if e.Position != "" {
		v.after = e.Position
	}
	if !e.Live {
		v.got = append(v.got, string(e.Data))
	}
	return nil
}

func (v *supervised) count() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.got)
}

// The server is killed and started again, several times, while messages are
// published and many read: everybody has every message once, and in order.
func TestStreamRestartsUnderLoad(t *testing.T) {
	const n, kills = 3000, 4
	srv := startServer(t)
	js := srv.JetStream(t)
	orders(t, js, func(c *jetstream.StreamConfig) { c.Duplicates = time.Minute })
	filters := [][]string{nil, {"orders.>"}, {"orders.a", "orders.b"}}
	var all []*supervised
	for _, filter := range filters {
		s := streamOn(t, srv.URL(), func(o *Options) { o.Subject = filter })
		r := start(t, s, "", nil)
		r.stopLive()
		first := s.last() // the same source, run by several
		for range 3 {
			all = append(all, supervise(t, s, first))
		}
	}
	for i := 1; i <= n; i++ {
		if i%(n/(kills+1)) == 0 {
			srv.Kill()
			srv.Restart()
		}
		subject := "orders.a"
		if i%2 == 0 {
			subject = "orders.b"
		}
		publishOnce(t, js, subject, strconv.Itoa(i))
	}
	for i, v := range all {
		await(t, "all messages", func() bool { return v.count() >= n })
		v.mu.Lock()
		for j, text := range v.got {
			if text != strconv.Itoa(j+1) {
				t.Errorf("reader %d: got message %s as number %d, want each once and in order", i, text, j+1)
				break
			}
		}
		if len(v.got) != n || len(v.lost) > 0 || v.fails == 0 {
			t.Errorf("reader %d: got %d messages, %v lost and %d failures, want %d, none and some", i, len(v.got), v.lost, v.fails, n)
		}
		v.mu.Unlock()
	}
	if got := consumers(t, js, "ORDERS"); got > len(all) {
		t.Errorf("got %d consumers after restarts, want at most %d, one for each Run", got, len(all))
	}
}

// publishOnce publishes a message until that is acknowledged. The server drops
// it if it has it already.
func publishOnce(t *testing.T, js jetstream.JetStream, subject, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	for {
		short, stop := context.WithTimeout(ctx, 200*time.Millisecond)
		_, err := js.Publish(short, subject, []byte(text), jetstream.WithMsgID(text))
		stop()
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("publish %s: %v", text, err)
		}
	}
}

// What is published while the server that a Run has begun on is away, before
// the Run has delivered anything, is delivered.
func TestStreamRestartBeforeTheFirstMessage(t *testing.T) {
	for _, filter := range [][]string{nil, {"orders.>"}} {
		srv := startServer(t)
		js := srv.JetStream(t)
		orders(t, js)
		store(t, js, "orders.a", "other")
		s := streamOn(t, srv.URL(), func(o *Options) { o.Subject = filter })
		r := start(t, s, "", nil)
		r.awaitLive()
		if at := s.at(t); at != 2 {
			t.Errorf("got a Live notice at %d, want it at the end of the stream, 2", at)
		}
		srv.Kill()
		if err := r.awaitReturn(soon); adapters.IsPermanent(err) {
			t.Errorf("got error %v, want a transient one", err)
		}
		srv.Restart()
		publishOnce(t, js, "orders.a", "1")
		publishOnce(t, js, "orders.b", "2")
		wantTexts(t, start(t, s, s.last(), nil).awaitEvents(2), count(1, 2))
	}
}

// A server that takes no more notice of a Run is found out within seconds,
// long before the connection is.
func TestStreamStalled(t *testing.T) {
	srv := startServer(t)
	js := srv.JetStream(t)
	orders(t, js)
	way := throughProxy(t, srv)
	s := streamOn(t, way.URL(), nil)
	r := start(t, s, "", nil)
	r.awaitLive()
	way.Stall()
	began := time.Now()
	err := r.awaitReturn(2 * soon)
	if adapters.IsPermanent(err) || adapters.Reason(err) != reasonTimeout {
		t.Errorf("got error %v, want a transient one: %s", err, reasonTimeout)
	}
	if took := time.Since(began); took > silence+deleteTimeout+time.Second {
		t.Errorf("got the error after %v, want it after %v", took, silence)
	}
}

// A stream in memory is gone with its server, and what is created in its place
// is another one.
func TestStreamInMemoryRestart(t *testing.T) {
	srv := startServer(t)
	js := srv.JetStream(t)
	inMemory := func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage }
	orders(t, js, inMemory)
	v := supervise(t, streamOn(t, srv.URL(), func(o *Options) { o.Start = Start{word: startAll} }), "")
	numbered(t, js, "orders.a", 1, 3)
	await(t, "three messages", func() bool { return v.count() == 3 })
	srv.Kill()
	srv.Restart()
	await(t, "the server", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		_, err := js.AccountInfo(ctx)
		return err == nil
	})
	orders(t, js, inMemory)
	numbered(t, js, "orders.a", 4, 9)
	await(t, "all messages", func() bool { return v.count() == 9 })
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.lost) != 1 {
		t.Fatalf("got %v, want one lost position", v.lost)
	}
	wantLost(t, v.lost[0], adapters.LostRecreated, -1)
}
