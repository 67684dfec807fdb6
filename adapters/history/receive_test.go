package history

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"sidestream/adapters"
)

func receive(tb testing.TB, s adapters.Source, events ...adapters.Event) error {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), soon)
	defer cancel()
	return s.(adapters.Receiver).Receive(ctx, events)
}

// TestReceivedEverywhere: what one replica has received is delivered at all of
// them, once, although it is sent again, to another one.
func TestReceivedEverywhere(t *testing.T) {
	srv := startServer(t)
	var sources []adapters.Source
	var runs []*running
	for range 3 {
		s := open(t, newReplica(t, srv).keep(pushedFactory{}))
		r := start(t, s, "")
		r.awaitLive()
		sources, runs = append(sources, s), append(runs, r)
	}
	var want []string
	for i := range 30 {
		data := strconv.Itoa(i)
		for _, to := range []int{i % 3, (i + 1) % 3} { // the sender didn't hear the first answer
			if err := receive(t, sources[to], adapters.Event{ID: "id " + data, Type: "t", Data: []byte(data)}); err != nil {
				t.Fatalf("Receive: %v", err)
			}
		}
		want = append(want, data)
	}
	for _, r := range runs {
		r.want(want...)
	}
}

// TestReceivedWithoutARun: what is received while nobody reads is there for who
// comes back.
func TestReceivedWithoutARun(t *testing.T) {
	s := open(t, newReplica(t, nil).keep(pushedFactory{}))
	if err := receive(t, s, adapters.Event{Data: []byte("1")}); err != nil {
		t.Fatal(err)
	}
	run := start(t, s, "")
	at := run.awaitLive().Position
	run.stop()
	if err := receive(t, s, adapters.Event{Data: []byte("2")}, adapters.Event{Data: []byte("3")}); err != nil {
		t.Fatal(err)
	}
	start(t, s, at).want("2", "3")
}

// TestReceiveWhileFull: what can't be stored is refused and clients hear that the
// source is stale; all goes on when there is room, although nobody sends
// anything. Nothing that was taken is lost.
func TestReceiveWhileFull(t *testing.T) {
	srv := startServer(t, func(s *testServer) { s.most = 4 << 20 })
	s := open(t, newReplica(t, srv).keep(pushedFactory{}, func(k *adapters.Keep) { k.Bytes = 0 }))
	run := start(t, s, "")
	run.awaitLive()
	taken := 0
	var err error
	for err == nil {
		if err = receive(t, s, adapters.Event{Data: noise(t, 64<<10)}); err == nil {
			taken++
		}
	}
	if adapters.IsPermanent(err) || adapters.Reason(err) == "" {
		t.Errorf("Receive: got %v, want a failure that may pass, with a reason", err)
	}
	run.next("that the source is stale", isStale)
	js := srv.js()
	stream, err := js.Stream(t.Context(), streamName("sidestream", "/test"))
	if err != nil {
		t.Fatal(err)
	}
	if got := stream.CachedInfo().State.Msgs; got < uint64(taken) {
		t.Errorf("got %d messages in the store, want the %d that were taken", got, taken)
	}
	if err := stream.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	run.next("that the source is well again", isLive)
	if err := receive(t, s, adapters.Event{Data: []byte("room")}); err != nil {
		t.Errorf("Receive: %v", err)
	}
	run.next("the event", func(e adapters.Event) bool { return string(e.Data) == "room" })
}

// TestReceiveBurst: many at once are all stored, or refused.
func TestReceiveBurst(t *testing.T) {
	const senders, each = 100, 20
	srv := startServer(t)
	s := open(t, newReplica(t, srv).keep(pushedFactory{}))
	run := start(t, s, "")
	run.awaitLive()
	var group sync.WaitGroup
	for sender := range senders {
		group.Go(func() {
			for i := range each {
				if err := receive(t, s, adapters.Event{Key: strconv.Itoa(sender), Data: fmt.Appendf(nil, "%d", i)}); err != nil {
					t.Errorf("Receive: %v", err)
				}
			}
		})
	}
	group.Wait()
	next := map[string]int{}
	for range senders * each {
		e := run.next("an event", isEvent)
		if got, _ := strconv.Atoi(string(e.Data)); got != next[e.Key] {
			t.Fatalf("sender %s: got %d, want %d", e.Key, got, next[e.Key])
		}
		next[e.Key]++
	}
}

// TestReceiveUnreachable: while the servers are away events are refused soon.
func TestReceiveUnreachable(t *testing.T) {
	srv := startServer(t)
	s := open(t, newReplica(t, srv).keep(pushedFactory{}))
	if err := receive(t, s, adapters.Event{Data: []byte("1")}); err != nil {
		t.Fatal(err)
	}
	srv.Stop()
	began := time.Now()
	err := receive(t, s, adapters.Event{Data: []byte("2")})
	if err == nil || adapters.IsPermanent(err) {
		t.Errorf("Receive: got %v, want a failure that may pass", err)
	}
	if took := time.Since(began); took > 6*time.Second {
		t.Errorf("it took %v to say so", took)
	}
	srv.Start()
	if err := receive(t, s, adapters.Event{Data: []byte("3")}); err != nil {
		t.Errorf("Receive, with the server back: %v", err)
	}
}
