package history

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sidestream/adapters"
)

// TestRereadIsApart: a client that catches up slowly holds up nobody, and nothing
// depends on whether it stays.
func TestRereadIsApart(t *testing.T) {
	srv := startServer(t)
	up := newUpstream(adapters.Capabilities{})
	kept := newReplica(t, srv).keep(up)
	first := start(t, open(t, kept), "")
	at := first.awaitLive().Position
	up.mustSend(t, "a")
	first.want("a")
	first.stop()

	s := open(t, kept)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	blocked, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- s.(adapters.Rereader).Reread(ctx, at, func(adapters.Event) error {
			close(blocked)
			<-ctx.Done()
			return ctx.Err()
		})
	}()
	<-blocked
	if n, _, _ := up.count(); n != 0 {
		t.Errorf("got %d Runs of the source for a client that catches up, want none", n)
	}
	shared := start(t, s, "")
	shared.awaitLive()
	up.mustSend(t, "b")
	shared.want("b")
	cancel()
	if err := <-done; err == nil {
		t.Error("Reread: got no error, want emit's")
	}
	up.mustSend(t, "c")
	shared.want("c")
	if _, _, began := up.count(); began != 2 {
		t.Errorf("the source was run %d times, want 2", began)
	}
}

// TestTermsBeginAnew: a writer is no other one, although all leases are gone, so
// that nothing which it writes is taken for what was written before.
func TestTermsBeginAnew(t *testing.T) {
	srv := startServer(t)
	up := newUpstream(adapters.Capabilities{Positions: true})
	run := start(t, open(t, newReplica(t, srv).keep(up)), "")
	run.awaitLive()
	up.mustSend(t, "before")
	run.want("before")
	if err := srv.js().DeleteKeyValue(t.Context(), "sidestream-leases"); err != nil {
		t.Fatal(err)
	}
	await(t, "another Run of the source", func() bool { _, _, n := up.count(); return n > 1 })
	for i := range 10 {
		data := strconv.Itoa(i)
		up.mustSend(t, data)
		run.want(data)
	}
}

// TestFirstReadFails: who begins gets the state, although the first attempt to
// read it has failed.
func TestFirstReadFails(t *testing.T) {
	srv := startServer(t)
	js := srv.js()
	name := streamName("sidestream", "/test")
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{name + ".all"}, MaxConsumers: 1})
	if err != nil {
		t.Fatal(err)
	}
	x, payload := stateMark(&adapters.State{Data: []byte("state")})
	m, err := x.message(name+".all", payload, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.PublishMsg(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	taken, err := stream.CreateConsumer(t.Context(), jetstream.ConsumerConfig{}) // the only one
	if err != nil {
		t.Fatal(err)
	}
	up := newUpstream(adapters.Capabilities{Positions: true, Stateful: true})
	run := start(t, open(t, newReplica(t, srv).keep(up)), "")
	run.next("that the source is stale", isStale)
	if err := stream.DeleteConsumer(t.Context(), taken.CachedInfo().Name); err != nil {
		t.Fatal(err)
	}
	if e := run.next("the state, or a Live notice", func(e adapters.Event) bool { return isEvent(e) || isLive(e) }); !e.Whole() || string(e.Data) != "state" {
		t.Errorf("got %+v, want the state first", e)
	}
}

// TestStateMidChange: a state that was dropped is not written once more in the
// midst of a change that replaces it; who begins there waits for the next.
func TestStateMidChange(t *testing.T) {
	srv := startServer(t)
	up := newUpstream(adapters.Capabilities{Positions: true, Stateful: true})
	few := func(k *adapters.Keep) { k.Events = 5 }
	s := open(t, newReplica(t, srv).keep(up, few))
	h, err := s.(*source).factory.home()
	if err != nil {
		t.Fatal(err)
	}
	h.look = 0 // with each message
	run := start(t, s, "")
	send := func(e adapters.Event) {
		t.Helper()
		if err := up.send(t, e); err != nil {
			t.Fatal(err)
		}
	}
	send(adapters.NewState("0", "snapshot", []byte("old")))
	run.want("old")
	for i := range 9 {
		send(adapters.Event{Position: adapters.Position(fmt.Sprint("1.", i)), Type: "step", Data: fmt.Append(nil, i)})
	}
	other := start(t, open(t, newReplica(t, srv).keep(newUpstream(up.can), few)), "")
	other.awaitLive()
	send(adapters.Event{Position: "2", Type: "step", Data: []byte("9"), State: &adapters.State{Type: "snapshot", Data: []byte("new")}})
	if e := other.next("the state", isEvent); !e.Whole() || string(e.Data) != "new" {
		t.Errorf("got %+v, want the new state first", e)
	}
}

// TestNoAnswer: that the store doesn't answer is told to clients, although the
// sender's time is over just then.
func TestNoAnswer(t *testing.T) {
	srv := startServer(t)
	s := open(t, newReplica(t, srv).keep(pushedFactory{}))
	run := start(t, s, "")
	run.awaitLive()
	name := streamName("sidestream", "/test")
	stream, err := srv.js().Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := stream.CachedInfo().Config
	elsewhere.Subjects = []string{name + ".elsewhere"}
	if _, err := srv.js().UpdateStream(t.Context(), elsewhere); err != nil {
		t.Fatal(err)
	}
	nc, err := natsgo.Connect(srv.URL().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := nc.SubscribeSync(name + ".all"); err != nil { // takes what is written, and says nothing
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := s.(adapters.Receiver).Receive(ctx, []adapters.Event{{Data: []byte("a")}}); err == nil {
		t.Fatal("Receive: got no error, although nobody has answered")
	}
	run.next("that the source is stale", isStale)
}

// TestTooLargeForRoute: what the route's own bound would drop at once is refused.
func TestTooLargeForRoute(t *testing.T) {
	s := open(t, newReplica(t, nil).keep(pushedFactory{}, func(k *adapters.Keep) { k.Bytes = 64 << 10 }))
	if err := receive(t, s, adapters.Event{Data: noise(t, 70<<10)}); err == nil {
		t.Error("Receive: got no error for an event that can't stay")
	}
	if err := receive(t, s, adapters.Event{Data: noise(t, 40<<10)}); err != nil {
		t.Errorf("Receive: %v", err)
	}
}

// TestLaggingReader: when messages are dropped before they are read, that is a
// gap for who reads, and nothing to the source.
func TestLaggingReader(t *testing.T) {
	srv := startServer(t)
	up := newUpstream(adapters.Capabilities{})
	s := open(t, newReplica(t, srv).keep(up, func(k *adapters.Keep) { k.Events = 20 }))
	hold := make(chan struct{})
	got := make(chan adapters.Event, 1000)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() {
		done <- s.Run(ctx, "", func(e adapters.Event) error {
			got <- e
			if isEvent(e) {
				<-hold
			}
			return nil
		})
	}()
	defer func() { cancel(); <-done }()
	payload := string(noise(t, 200<<10)) // so that the reader has not fetched all
	for i := range 200 {
		up.mustSend(t, fmt.Sprint(i, " ", payload))
	}
	close(hold)
	timeout := time.After(soon)
	for gaps, last := 0, ""; last != "199"; {
		select {
		case e := <-got:
			if e.Gap != nil {
				gaps++
			} else if isEvent(e) {
				_, _ = fmt.Sscan(string(e.Data), &last)
			}
			if last == "199" && gaps == 0 {
				t.Error("got all but those that were dropped, and no gap")
			}
		case <-timeout:
			t.Fatalf("waited %v for the newest event, got up to %s", soon, last)
		}
	}
	if _, _, began := up.count(); began != 1 {
		t.Errorf("the source was run %d times, want once", began)
	}
}

// TestRereadEnds: a client that catches up is told of a store that is away by the
// end of its Reread, and not kept waiting.
func TestRereadEnds(t *testing.T) {
	srv := startServer(t)
	up := newUpstream(adapters.Capabilities{})
	s := open(t, newReplica(t, srv).keep(up))
	run := start(t, s, "")
	at := run.awaitLive().Position
	done, live := make(chan error, 1), make(chan struct{}, 100)
	go func() {
		done <- s.(adapters.Rereader).Reread(t.Context(), at, func(e adapters.Event) error {
			if e.Live {
				live <- struct{}{}
			}
			return nil
		})
	}()
	<-live
	srv.Stop()
	select {
	case err := <-done:
		if err == nil || adapters.IsPermanent(err) {
			t.Errorf("Reread: got %v, want a failure that may pass", err)
		}
	case <-time.After(soon):
		t.Error("Reread has not returned")
	}
	run.next("that the source is stale", isStale)
}

// TestSourceLosesPosition: when a source can't go on from where it was, there is
// a gap for everybody, and it goes on from where it can; a panic of it is a
// failure like another.
func TestSourceLosesPosition(t *testing.T) {
	up := newUpstream(adapters.Capabilities{Positions: true})
	run := start(t, open(t, newReplica(t, nil).keep(up)), "")
	run.awaitLive()
	if err := up.send(t, adapters.Event{Position: "1", Data: []byte("a")}); err != nil {
		t.Fatal(err)
	}
	run.want("a")
	up.end(t, &adapters.PositionLostError{Reason: adapters.LostRecreated, Resume: "7", Lost: 3})
	if g := run.next("a gap", isGap); g.Gap.Reason != adapters.LostRecreated || g.Gap.Lost != 3 {
		t.Errorf("got the gap %+v, want the source's", g.Gap)
	}
	up.mustSend(t, "b")
	run.want("b")
	up.mu.Lock()
	after := up.after
	up.mu.Unlock()
	if after != "7" {
		t.Errorf("the source was run from %q, want 7", after)
	}
	select {
	case up.deliver <- func() { panic("boom") }:
	case <-time.After(soon):
		t.Fatal("no Run has taken it")
	}
	run.next("that the source is stale", isStale)
	up.mustSend(t, "c")
	run.want("c")
}

// TestBoundsChange: a route whose bounds were changed keeps what is there, within
// the new ones.
func TestBoundsChange(t *testing.T) {
	srv := startServer(t)
	few := func(n int64) func(*adapters.Keep) { return func(k *adapters.Keep) { k.Events = n } }
	s := open(t, newReplica(t, srv).keep(pushedFactory{}, few(100)))
	for i := range 10 {
		if err := receive(t, s, adapters.Event{Data: []byte(strconv.Itoa(i))}); err != nil {
			t.Fatal(err)
		}
	}
	run := start(t, open(t, newReplica(t, srv).keep(pushedFactory{}, func(k *adapters.Keep) { k.Events, k.Begin = 3, -1 })), "")
	run.awaitLive()
	stream, err := srv.js().Stream(t.Context(), streamName("sidestream", "/test"))
	if err != nil {
		t.Fatal(err)
	}
	if info := stream.CachedInfo(); info.Config.MaxMsgs != 3 || info.State.Msgs != 3 {
		t.Errorf("got %d messages, of at most %d, want 3 of 3", info.State.Msgs, info.Config.MaxMsgs)
	}
}
