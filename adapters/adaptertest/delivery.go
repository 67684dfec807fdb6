package adaptertest

import (
	"context"
	"time"

	"sidestream/adapters"
)

const (
	few  = 5  // events, for checks that look at each
	many = 40 // events, for checks that look at the crowd
)

// checkOrder: everything published while a source runs is delivered, once
// and in upstream order.
func checkOrder(t *trial) {
	s := t.run(t.open(), "", nil)
	t.awaitLive(s)
	t.publish(1, many)
	t.expect(s, 1, many)
}

// checkSlowEmit: an emit that holds up the source loses and reorders nothing.
func checkSlowEmit(t *trial) {
	// The first event is held until all others are published, or for a while
	// if the upstream waits for it before it takes them.
	const atLeast, atMost = 20 * time.Millisecond, 200 * time.Millisecond
	rest := make(chan (<-chan struct{}), 1)
	held := false
	s := t.run(t.open(), "", func(ctx context.Context, e adapters.Event) error {
		if held || !t.isPublished(e) {
			return nil
		}
		held = true
		enough := time.After(atMost)
		select {
		case published := <-rest:
			<-time.After(atLeast)
			select {
			case <-published:
			case <-enough:
			}
		case <-ctx.Done():
		}
		return nil
	})
	t.awaitLive(s)
	t.publishAside(1, 1)
	t.await(s, "number 1", func(got []record) bool { return t.complete(s, got, 1, 1) })
	rest <- t.publishAside(2, many)
	t.expect(s, 1, many)
}

// isPublished reports whether e is an event that the suite has published.
func (t *trial) isPublished(e adapters.Event) bool {
	if t.kindOf(e) != numbered {
		return false
	}
	n, err := t.Number(e)
	return err == nil && n > 0
}

// checkLive: once the upstream has nothing more, and not before, a Live
// notice says so. That of a replayable source names the place, and always by
// the same position.
func checkLive(t *trial) {
	if !t.resumes() {
		t.awaitLive(t.run(t.open(), "", nil))
		return
	}
	positions := t.fill(few)
	var place adapters.Position
	for i := 1; i <= few; i++ {
		s := t.run(t.open(), positions[i], nil)
		t.awaitLive(s)
		got := t.stop(s)
		if i < few && !t.complete(s, beforeLive(got), i+1, few) {
			t.Errorf("Run after event %d: got %v, want no Live notice before number %d", i, numbers(got), few)
		}
		switch at := only(live, got)[0].Position; {
		case !t.Replayable:
		case at == "":
			t.Errorf("Run after event %d: got a Live notice without a position, want one", i)
		case i > 1 && at != place:
			t.Errorf("Run after event %d: got a Live notice at %q, want the same place as before, %q", i, at, place)
		default:
			place = at
		}
	}
	if place != "" {
		s := t.run(t.open(), place, nil)
		t.awaitLive(s)
		t.publish(few+1, few+1)
		t.expect(s, few+1, few+1)
		if got := events(t.stop(s)); got[0].number != few+1 {
			t.Errorf("Run after a Live notice at %q: got %v, want number %d alone", place, numbers(got), few+1)
		}
	}
}
