package adaptertest

import (
	"context"
	"errors"
	"slices"
	"time"

	"sidestream/adapters"
)

// checkReceive: Receive delivers its events in order, and returns nil when all
// of them are where clients get them from: in the feed, and not before, unless
// the upstream holds them.
func checkReceive(t *trial) {
	src := t.open()
	taken := make(chan struct{}) // by emit, one at a time
	s := t.run(src, "", func(ctx context.Context, e adapters.Event) error {
		if t.isPublished(e) {
			select {
			case <-taken:
			case <-ctx.Done():
			}
		}
		return nil
	})
	t.awaitLive(s)
	for first := 1; first < 2*few; first += few {
		last := first + few - 1
		received := t.receive(t.going, src, first, last)
		early := received
		if t.Replayable {
			early = nil
		}
		for i := first; i <= last; i++ {
			t.await(s, "what was received", func(got []record) bool { return t.complete(s, got, i, i) })
			select {
			case err := <-early:
				t.Fatalf("Receive of %d to %d returned error %v before emit of %d had returned, want it to wait", first, last, err, i)
			case <-time.After(5 * time.Millisecond):
			}
			taken <- struct{}{}
		}
		if err := t.awaitReceived(received, "its events were emitted"); err != nil {
			t.Errorf("Receive of %d to %d: got error %v, want none", first, last, err)
		}
		t.expect(s, first, last)
	}
}

// checkReceiveError: Receive returns no nil for events that emit refused,
// unless a later Run delivers them.
func checkReceiveError(t *trial) {
	src := t.open()
	s := t.run(src, "", func(_ context.Context, e adapters.Event) error {
		if t.isPublished(e) {
			return errors.New("stop")
		}
		return nil
	})
	place := only(live, t.await(s, "a Live notice", func(got []record) bool { return len(only(live, got)) > 0 }))[0].Position
	received := t.receive(t.going, src, 1, few)
	_ = t.awaitReturn(s, patience, "emit failed")
	next := t.run(src, place, nil)
	if err := t.awaitReceived(received, "the source was run again"); err == nil {
		t.expect(next, 1, few)
	}
}

// checkReceiveTogether: Receive may be called concurrently. The events of each
// call are delivered once and in order.
func checkReceiveTogether(t *trial) {
	const calls, each = 8, 5
	src := t.open()
	s := t.run(src, "", nil)
	t.awaitLive(s)
	all := make([]<-chan error, calls)
	for i := range all {
		all[i] = t.receive(t.going, src, i*each+1, (i+1)*each)
	}
	for _, received := range all {
		if err := t.awaitReceived(received, "it was called"); err != nil {
			t.Errorf("Receive, called %d times at once: got error %v, want none", calls, err)
		}
	}
	got := t.await(s, "all that was received", func(got []record) bool { return t.complete(s, got, 1, calls*each) })
	for i := range calls {
		var mine, want []int
		for _, r := range events(got) {
			if (r.number-1)/each == i {
				mine = append(mine, r.number)
			}
		}
		for n := range each {
			want = append(want, i*each+n+1)
		}
		if !slices.Equal(mine, want) {
			t.Errorf("Receive, called %d times at once: got %v of one call emitted, want %v", calls, mine, want)
		}
	}
}

// checkReceiveStop: Receive waits no longer than its context lets it, whether
// the source runs or not, and leaves nothing behind.
func checkReceiveStop(t *trial) {
	src := t.open()
	stopped := func(ctx context.Context, when string) {
		t.Helper()
		select {
		case err := <-t.receive(ctx, src, 1, 1):
			if err == nil && !t.Replayable {
				t.Errorf("Receive %s: got no error, want one, since its event went nowhere", when)
			}
		case <-time.After(prompt):
			t.Fatalf("Receive %s had not returned after %v, want it to return", when, prompt)
		}
	}
	done, cancel := context.WithCancel(context.Background())
	cancel()
	stopped(done, "of a source that does not run, with a context that was done before")
	t.checkGrowth("Receive, cancelled", func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		stopped(ctx, "of a source that does not run, cancelled after a while")
	})
	// What a Run has taken may be waited for, since nobody would know.
	ctx, giveUp := context.WithCancel(t.going)
	defer giveUp()
	s := t.run(src, "", func(ctx context.Context, e adapters.Event) error {
		if t.isPublished(e) {
			giveUp()
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
			}
		}
		return nil
	})
	t.awaitLive(s)
	_ = t.awaitReceived(t.receive(ctx, src, 1, 1), "it was cancelled while emit held its event")
}

// receive has src receive the numbers from first to last, all in one call, and
// returns where its error comes. It gives up when ctx is done, or after a while.
func (t *trial) receive(ctx context.Context, src adapters.Source, first, last int) <-chan error {
	t.Helper()
	receiver, ok := src.(adapters.Receiver)
	if !ok {
		t.Fatalf("got a source that is no Receiver, want one as in Capabilities.Ingest")
	}
	var list []adapters.Event
	for i := first; i <= last; i++ {
		t.publishing(i)
		list = append(list, t.Event(i))
	}
	received := make(chan error, 1)
	t.aside.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		received <- receiver.Receive(ctx, list)
	})
	return received
}

// awaitReceived returns what a Receive has returned.
func (t *trial) awaitReceived(received <-chan error, why string) error {
	t.Helper()
	select {
	case err := <-received:
		return err
	case <-time.After(2 * patience): // it has a bound itself
		t.Fatalf("Receive had not returned %v after %s, want it to return", 2*patience, why)
		return nil
	}
}
