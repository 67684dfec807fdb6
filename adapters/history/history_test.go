package history

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"sidestream/adapters"
)

// TestResumeAfterRestart: what was delivered is delivered again from any
// position, by another program on the same store.
func TestResumeAfterRestart(t *testing.T) {
	for _, name := range []string{"embedded", "external"} {
		t.Run(name, func(t *testing.T) {
			var srv *testServer
			if name == "external" {
				srv = startServer(t)
			}
			r := newReplica(t, srv)
			up := newUpstream(adapters.Capabilities{})
			first := r.keep(up)
			run := start(t, open(t, first), "")
			run.awaitLive()
			var at []adapters.Position
			for i := range 20 {
				up.mustSend(t, strconv.Itoa(i))
				at = append(at, run.want(strconv.Itoa(i)).Position)
			}
			run.stop()
			first.(*closing).close()

			second := r.keep(newUpstream(adapters.Capabilities{}))
			for i, after := range at {
				again := start(t, open(t, second), after)
				for j := i + 1; j < 20; j++ {
					again.want(strconv.Itoa(j))
				}
				again.next("a gap", isGap) // the source was not run meanwhile, and has no positions
				again.awaitLive()
				again.stop()
			}
		})
	}
}

// TestOneRunsTheSource: of several replicas one runs the source, and all deliver
// what it does; another follows at once when it leaves.
func TestOneRunsTheSource(t *testing.T) {
	srv := startServer(t)
	const replicas = 3
	var ups [replicas]*upstream
	var runs [replicas]*running
	for i := range replicas {
		ups[i] = newUpstream(adapters.Capabilities{})
		runs[i] = start(t, open(t, newReplica(t, srv).keep(ups[i])), "")
	}
	gone := [replicas]bool{}
	for left := replicas; left > 0; left-- {
		leader := -1
		began := time.Now()
		await(t, "a replica to run the source", func() bool {
			leading := 0
			for i, up := range ups {
				if n, _, _ := up.count(); n > 0 {
					leader = i
					leading++
				}
			}
			if leading > 1 {
				t.Fatalf("%d replicas run the source", leading)
			}
			return leading == 1
		})
		if took := time.Since(began); left < replicas && took > time.Second {
			t.Errorf("nobody ran the source for %v, although its replica had left in order", took)
		}
		for i, r := range runs {
			if !gone[i] {
				r.awaitLive()
			}
		}
		data := fmt.Sprint("of ", left)
		ups[leader].mustSend(t, data)
		for i, r := range runs {
			if !gone[i] {
				r.next("the event "+data, func(e adapters.Event) bool { return string(e.Data) == data })
			}
		}
		runs[leader].stop()
		gone[leader] = true
	}
}

// TestGapOnHandover: all replicas announce that a source without positions may
// have missed something while nobody ran it, and none of one with state does.
func TestGapOnHandover(t *testing.T) {
	for name, can := range map[string]adapters.Capabilities{
		"plain": {}, "state": {Positions: true, Stateful: true},
	} {
		t.Run(name, func(t *testing.T) {
			srv := startServer(t)
			up := newUpstream(can)
			send := func(data string) {
				t.Helper()
				e := adapters.Event{Data: []byte(data)}
				if can.Stateful {
					e = adapters.NewState(adapters.Position("p"+data), "", []byte(data))
				}
				if err := up.send(t, e); err != nil {
					t.Fatal(err)
				}
			}
			one := start(t, open(t, newReplica(t, srv).keep(up)), "")
			await(t, "the source to be run", func() bool { n, _, _ := up.count(); return n == 1 })
			two := start(t, open(t, newReplica(t, srv).keep(up)), "")
			if !can.Stateful {
				two.awaitLive()
			}
			send("1")
			one.want("1")
			two.want("1")
			one.stop()
			await(t, "the other replica", func() bool { _, _, began := up.count(); return began == 2 })
			if can.Stateful {
				if up.after != "p1" {
					t.Errorf("the source was run from %q, want from where it was: p1", up.after)
				}
				send("2")
				two.want("2")
				return
			}
			send("2")
			if g := two.next("a gap", func(e adapters.Event) bool { return isGap(e) || isEvent(e) }); g.Gap == nil || g.Gap.Reason != adapters.LostUnknown {
				t.Errorf("got %+v, want a gap of unknown extent", g)
			}
			two.want("2")
		})
	}
}

// TestStaleEverywhere: that the upstream has failed is told at every replica,
// and so is that it is well again.
func TestStaleEverywhere(t *testing.T) {
	srv := startServer(t)
	up := newUpstream(adapters.Capabilities{Positions: true, Stateful: true})
	up.hold = make(chan struct{}, 1)
	up.hold <- struct{}{}
	var runs []*running
	for range 2 {
		runs = append(runs, start(t, open(t, newReplica(t, srv).keep(up)), ""))
	}
	if err := up.send(t, adapters.NewState("a", "", []byte("a"))); err != nil {
		t.Fatal(err)
	}
	for _, r := range runs {
		r.want("a")
		r.awaitLive()
	}
	up.end(t, errUpstream)
	for _, r := range runs {
		if e := r.next("that the source is stale", isStale); e.Stale != "upstream is down" {
			t.Errorf("got the reason %q, want that of the failure", e.Stale)
		}
	}
	up.hold <- struct{}{}
	for _, r := range runs { // its next Run says that it is well
		r.awaitLive()
	}
}

// TestFenced: a replica that doesn't know that it has lost the lease can't write
// from the moment on that its successor has begun.
func TestFenced(t *testing.T) {
	srv := startServer(t)
	r := newReplica(t, srv)
	up := newUpstream(adapters.Capabilities{})
	kept := r.keep(up)
	run := start(t, open(t, kept), "")
	run.awaitLive()
	up.mustSend(t, "before")
	run.want("before")

	// A successor's first message.
	js := srv.js()
	stream, err := js.Stream(t.Context(), streamName("sidestream", "/test"))
	if err != nil {
		t.Fatal(err)
	}
	subject := stream.CachedInfo().Config.Subjects[0]
	m, err := (&entry{Mark: markBegin}).message(subject, nil, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.PublishMsg(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if err := up.send(t, adapters.Event{Data: []byte("too late")}); !errors.Is(err, errFenced) {
		t.Fatalf("emit: got %v, want that another replica writes", err)
	}
	up.mustSend(t, "after") // in the next hold
	run.next("a gap", isGap)
	run.want("after")
}

// TestStateIsKept: who comes begins with the newest state, although the log has
// dropped the message that had it.
func TestStateIsKept(t *testing.T) {
	srv := startServer(t)
	up := newUpstream(adapters.Capabilities{Positions: true, Stateful: true})
	r := newReplica(t, srv)
	kept := r.keep(up)
	run := start(t, open(t, kept), "")
	state := strings.Repeat("state ", 2000) // compressed
	if err := up.send(t, adapters.NewState("a", "t", []byte(state))); err != nil {
		t.Fatal(err)
	}
	run.want(state)
	js := srv.js()
	stream, err := js.Stream(t.Context(), streamName("sidestream", "/test"))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, "the state to be written again", func() bool {
		if err := up.send(t, adapters.Event{Live: true, Position: "a"}); err != nil {
			t.Fatal(err)
		}
		m, err := stream.GetLastMsgForSubject(t.Context(), stream.CachedInfo().Config.Subjects[0])
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return false
		}
		x, _, err := readEntry(m.Header, m.Data)
		return err == nil && x.Mark == markState
	})
	other := start(t, open(t, newReplica(t, srv).keep(up)), "")
	e := other.want(state)
	if e.Type != "t" || !e.Whole() {
		t.Errorf("got type %q, whole: %v; want t, true", e.Type, e.Whole())
	}
}

// TestChanges: a change is delivered with the state that it leads to, steps
// without one; who begins gets the state in their place.
func TestChanges(t *testing.T) {
	up := newUpstream(adapters.Capabilities{Positions: true, Stateful: true, Changes: true})
	kept := newReplica(t, nil).keep(up)
	s := open(t, kept)
	run := start(t, s, "")
	run.awaitLive()
	for _, e := range []adapters.Event{
		adapters.NewState("1", "snapshot", []byte(`{"a":1}`)),
		{Position: "2", Type: "patch", Data: []byte("one"), State: &adapters.State{Type: "snapshot", Data: []byte(`{"a":2}`)}},
		{Position: "3", Type: "patch", Data: []byte("half")},
	} {
		if err := up.send(t, e); err != nil {
			t.Fatal(err)
		}
	}
	run.want(`{"a":1}`)
	if e := run.want("one"); e.State == nil || string(e.State.Data) != `{"a":2}` || e.State.Type != "snapshot" {
		t.Errorf("got the state %+v, want that after the change", e.State)
	}
	half := run.want("half")
	if half.State != nil {
		t.Errorf("got a state with a step: %+v", half.State)
	}
	private := start(t, s, "")
	if e := private.want(`{"a":2}`); !e.Whole() || e.Type != "snapshot" {
		t.Errorf("got %+v, want the newest state", e)
	}
	private.want("half")
	if err := up.send(t, adapters.Event{Position: "4", Type: "patch", Data: []byte("whole"), State: &adapters.State{Type: "snapshot", Data: []byte(`{"a":4}`)}}); err != nil {
		t.Fatal(err)
	}
	private.want("whole")
	run.want("whole")
	resumed := start(t, s, half.Position)
	resumed.want("whole")
}

// TestEnd: when the source has ended for good, all Runs end.
func TestEnd(t *testing.T) {
	srv := startServer(t)
	up := newUpstream(adapters.Capabilities{})
	one := start(t, open(t, newReplica(t, srv).keep(up)), "")
	two := start(t, open(t, newReplica(t, srv).keep(up)), "")
	one.awaitLive()
	two.awaitLive()
	up.mustSend(t, "last")
	up.end(t, nil)
	for _, r := range []*running{one, two} {
		r.want("last")
		select {
		case err := <-r.result:
			if err != nil {
				t.Errorf("Run: got %v, want nil", err)
			}
		case <-time.After(soon):
			t.Error("Run has not returned")
		}
	}
}

// TestPermanent: a failure that won't pass by itself ends the Run of the replica
// that has met with it.
func TestPermanent(t *testing.T) {
	up := newUpstream(adapters.Capabilities{})
	run := start(t, open(t, newReplica(t, nil).keep(up)), "")
	run.awaitLive()
	up.end(t, adapters.Permanent("no such thing", nil))
	select {
	case err := <-run.result:
		if !adapters.IsPermanent(err) || adapters.Reason(err) != "no such thing" {
			t.Errorf("Run: got %v, want the source's error", err)
		}
	case <-time.After(soon):
		t.Error("Run has not returned")
	}
}

// TestTooLarge: an event that doesn't fit into a message is announced; a state
// makes the source stale.
func TestTooLarge(t *testing.T) {
	srv := startServer(t)
	large := noise(t, 3<<20)
	up := newUpstream(adapters.Capabilities{})
	run := start(t, open(t, newReplica(t, srv).keep(up, func(k *adapters.Keep) { k.Route = "/plain" })), "")
	run.awaitLive()
	if err := up.send(t, adapters.Event{Data: large}); err != nil {
		t.Fatalf("emit: got %v, want a gap in its place", err)
	}
	if g := run.next("a gap", isGap); g.Gap.Reason != adapters.LostInvalid || g.Gap.Lost != 1 {
		t.Errorf("got the gap %+v, want one invalid event", g.Gap)
	}
	up.mustSend(t, "small")
	run.want("small")

	doc := newUpstream(adapters.Capabilities{Positions: true, Stateful: true})
	run = start(t, open(t, newReplica(t, srv).keep(doc, func(k *adapters.Keep) { k.Route = "/doc" })), "")
	if err := doc.send(t, adapters.NewState("a", "", large)); err == nil {
		t.Fatal("emit: got no error for a state that can't be kept")
	}
	if e := run.next("that the source is stale", isStale); !strings.Contains(e.Stale, "too large") {
		t.Errorf("got the reason %q", e.Stale)
	}
}

// TestStoreDown: while the servers are away the sources are stale; when they are
// back everything goes on, by itself.
func TestStoreDown(t *testing.T) {
	srv := startServer(t)
	up := newUpstream(adapters.Capabilities{Positions: true, Stateful: true})
	run := start(t, open(t, newReplica(t, srv).keep(up)), "")
	if err := up.send(t, adapters.NewState("a", "", []byte("a"))); err != nil {
		t.Fatal(err)
	}
	run.want("a")
	run.awaitLive()
	srv.Stop()
	run.next("that the source is stale", isStale)
	srv.Start()
	run.awaitLive()
	if err := up.send(t, adapters.NewState("b", "", []byte("b"))); err != nil {
		t.Fatal(err)
	}
	run.want("b")
}

// TestForm: a state is sent again to who has it in another form.
func TestForm(t *testing.T) {
	up := newUpstream(adapters.Capabilities{Positions: true, Stateful: true})
	kept := newReplica(t, nil).keep(up)
	one, err := kept.Open(nil, adapters.Env{Form: "one", Log: zerolog.New(zerolog.NewTestWriter(t))})
	if err != nil {
		t.Fatal(err)
	}
	run := start(t, one, "")
	if err := up.send(t, adapters.NewState("a", "", []byte("a"))); err != nil {
		t.Fatal(err)
	}
	at := run.want("a").Position
	two, err := kept.Open(nil, adapters.Env{Form: "two"})
	if err != nil {
		t.Fatal(err)
	}
	var lost *adapters.PositionLostError
	if err := two.Run(t.Context(), at, func(adapters.Event) error { return nil }); !errors.As(err, &lost) {
		t.Errorf("Run: got %v, want that the position is lost", err)
	}
}

// TestHole: a message that was removed from the midst is missed, and clients are
// told; those of a state get that.
func TestHole(t *testing.T) {
	for name, can := range map[string]adapters.Capabilities{
		"plain": {}, "state": {Positions: true, Stateful: true},
	} {
		t.Run(name, func(t *testing.T) {
			srv := startServer(t)
			up := newUpstream(can)
			kept := newReplica(t, srv).keep(up)
			run := start(t, open(t, kept), "")
			run.awaitLive()
			var at []adapters.Position
			for _, data := range []string{"a", "b", "c"} {
				e := adapters.Event{Data: []byte(data)}
				if can.Stateful {
					e = adapters.NewState(adapters.Position(data), "", []byte(data))
				}
				if err := up.send(t, e); err != nil {
					t.Fatal(err)
				}
				at = append(at, run.want(data).Position)
			}
			stream, err := srv.js().Stream(t.Context(), streamName("sidestream", "/test"))
			if err != nil {
				t.Fatal(err)
			}
			info := stream.CachedInfo()
			if err := stream.DeleteMsg(t.Context(), info.State.LastSeq-1); err != nil { // b
				t.Fatal(err)
			}
			again := start(t, open(t, kept), at[0])
			if can.Stateful {
				var lost *adapters.PositionLostError
				if err := <-again.result; !errors.As(err, &lost) || lost.Reason != adapters.LostExpired {
					t.Errorf("Run: got %v, want that the position has expired", err)
				}
				return
			}
			if g := again.next("a gap", func(e adapters.Event) bool { return isGap(e) || isEvent(e) }); g.Gap == nil || g.Gap.Reason != adapters.LostExpired {
				t.Errorf("got %+v, want a gap", g)
			}
			again.want("c")
		})
	}
}

// TestBeginning: who comes without a position begins with as many of the newest
// events as the route says.
func TestBeginning(t *testing.T) {
	for n, want := range map[int64][]string{0: nil, 2: {"3", "4"}, 100: {"0", "1", "2", "3", "4"}, -1: {"0", "1", "2", "3", "4"}} {
		s := open(t, newReplica(t, nil).keep(pushedFactory{}, func(k *adapters.Keep) { k.Begin = n }))
		for i := range 5 {
			if err := receive(t, s, adapters.Event{Data: []byte(strconv.Itoa(i))}); err != nil {
				t.Fatal(err)
			}
		}
		run := start(t, s, "")
		run.want(want...)
		run.awaitLive()
		if err := receive(t, s, adapters.Event{Data: []byte("new")}); err != nil {
			t.Fatal(err)
		}
		run.want("new")
		run.stop()
	}
}

// TestRefused: what can't be kept is said when the routing table is read.
func TestRefused(t *testing.T) {
	for name, test := range map[string]struct {
		can  adapters.Capabilities
		keep adapters.Keep
		path string
	}{
		"credentials": {can: adapters.Capabilities{Forward: []string{"Authorization"}}, path: "durable"},
		"replayable":  {can: adapters.Capabilities{Positions: true, Replayable: true}, path: "durable"},
		"states":      {can: adapters.Capabilities{Stateful: true, Keyed: true}, path: "durable"},
		"replicas":    {keep: adapters.Keep{Replicas: 3}, path: "replicas"},
		"bytes":       {keep: adapters.Keep{Bytes: 2 << 30}, path: "bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			store, err := NATS(zerolog.Nop()).Configure(func(any) error { return nil })
			if err != nil {
				t.Fatal(err)
			}
			_, err = store.Keep(newUpstream(test.can), test.keep)
			var o *adapters.OptionError
			if !errors.As(err, &o) || o.Path != test.path {
				t.Errorf("Keep: got %v, want a complaint about %s", err, test.path)
			}
		})
	}
}
