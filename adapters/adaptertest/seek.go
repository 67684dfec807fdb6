package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sidestream/adapters"
)

// checkSeek: Seek finds the place of a time. What a Run delivers from there
// are the events dated then or later, and none that came before them.
func checkSeek(t *trial) {
	if !t.Replayable {
		t.Errorf("got Capabilities with Seekable alone, want Replayable as well")
	}
	src := t.open()
	seeker := t.seeker(src)
	past := time.Unix(0, 0)

	// From where nothing has happened yet comes what happens next.
	s := t.run(src, t.seek(seeker, past, "on an empty upstream"), nil)
	t.awaitLive(s)
	for i := 1; i <= few; i++ {
		t.publish(i, i)
		t.expect(s, i, i)
		<-time.After(2 * time.Millisecond) // so that their times differ, even if they are rounded
	}
	got, _ := s.emitted()
	times := make([]time.Time, few+1)
	for _, r := range events(got) {
		if times[r.number] = r.Time; r.Time.IsZero() {
			t.Fatalf("event %d: got no Time, want the one that Seek goes by", r.number)
		}
	}
	if times[1].Equal(times[few]) {
		t.Fatalf("got events that are all dated %v, want times that differ", times[1])
	}

	t.seeks(seeker, past, times)
	for i := 1; i <= few; i++ {
		t.seeks(seeker, times[i], times)
		if i < few {
			t.seeks(seeker, times[i].Add(times[i+1].Sub(times[i])/2), times)
		}
	}
	future := times[few].Add(24 * time.Hour)
	end := t.seeks(seeker, future, times)
	t.publish(few+1, few+1)
	t.expect(end, few+1, few+1)

	if t.Expire != nil {
		const gone = 2
		t.do("expire events", func(ctx context.Context) error { return t.Expire(ctx, gone) })
		s := t.run(t.open(), t.seek(seeker, past, "on an upstream that has forgotten events"), nil)
		t.expect(s, gone+1, few+1)
	}
}

// checkSeekError: Seek fails as Run does.
func checkSeekError(t *trial) {
	src := t.open()
	seeker := t.seeker(src)
	t.awaitLive(t.run(src, "", nil))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := seeker.Seek(ctx, time.Unix(0, 0)); !errors.Is(err, context.Canceled) {
		t.Errorf("Seek with a context that is done: got error %v, want %v", err, context.Canceled)
	}
	if t.Fail != nil {
		t.do("fail", t.Fail)
		t.isTransient(t.seekAside(seeker, nil))
		t.do("recover", t.Recover)
	}
	if t.Stall != nil {
		t.do("stall", t.Stall)
		err := t.seekAside(seeker, func(cancel context.CancelFunc) {
			<-time.After(20 * time.Millisecond) // a moment for it to get stuck
			cancel()
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Seek, cancelled while the upstream does not answer: got error %v, want %v", err, context.Canceled)
		}
	}
}

// seeker returns src as what Capabilities say that it is.
func (t *trial) seeker(src adapters.Source) adapters.Seeker {
	t.Helper()
	s, ok := src.(adapters.Seeker)
	if !ok {
		t.Fatalf("got a source without Seek, want one, as in Capabilities.Seekable")
	}
	return s
}

// seek returns the place of at.
func (t *trial) seek(s adapters.Seeker, at time.Time, when string) adapters.Position {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	place, err := s.Seek(ctx, at)
	switch {
	case err != nil:
		t.Fatalf("Seek %s: got error %v, want none", when, err)
	case place == "" || !place.Valid():
		t.Fatalf("Seek %s: got position %q, want a valid one", when, place)
	}
	return place
}

// seeks checks what a Run delivers from the place of at, on an upstream with
// numbers of the given times. It returns the Run.
func (t *trial) seeks(s adapters.Seeker, at time.Time, times []time.Time) *session {
	t.Helper()
	last := len(times) - 1
	first := 1
	for first <= last && times[first].Before(at) {
		first++
	}
	when := fmt.Sprintf("before number %d of %d", first, last)
	run := t.run(t.open(), t.seek(s, at, when), nil)
	t.awaitLive(run)
	t.expect(run, first, last)
	got, _ := run.emitted()
	for _, r := range events(got) {
		if r.number < first {
			t.Errorf("Seek %s, to %v: got %v from there, want nothing before number %d", when, at, numbers(got), first)
			break
		}
	}
	return run
}

// seekAside returns the error of a Seek that may get stuck. meanwhile, if not
// nil, can cancel it.
func (t *trial) seekAside(s adapters.Seeker, meanwhile func(cancel context.CancelFunc)) error {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	t.aside.Go(func() {
		_, err := s.Seek(ctx, time.Unix(0, 0))
		done <- err
	})
	if meanwhile != nil {
		meanwhile(cancel)
	}
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		cancel()
		t.Fatalf("Seek had not returned after %v, want it to return", patience)
		return nil
	}
}
