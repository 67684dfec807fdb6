package adaptertest

import (
	"context"
	"time"

	"sidestream/adapters"
)

// checkOverflow: a source that loses events while it is held up in emit says
// so where they are missing, says how many there were, and goes on.
func checkOverflow(t *trial) {
	t.lossy = true
	release := make(chan struct{})
	held := false
	s := t.run(t.open(), "", func(ctx context.Context, e adapters.Event) error {
		if held || !t.isPublished(e) {
			return nil
		}
		held = true
		select {
		case <-release:
		case <-ctx.Done():
		}
		return nil
	})
	t.awaitLive(s)
	t.publishAside(1, 1)
	t.await(s, "number 1", func(got []record) bool { return t.complete(s, got, 1, 1) })
	last := t.overflow(2)
	close(release)
	last = t.publishUntilHeard(s, last+1)
	t.publish(last+1, last+few)
	t.expect(s, last+1, last+few)
	got := t.stop(s)
	t.checkTokens(only(gap, got))
	t.checkGaps(got)
	t.checkResumeBehindGap(got)
}

// overflow makes the source lose some numbers from first on, and returns the
// last that was published.
func (t *trial) overflow(first int) (last int) {
	t.Helper()
	t.do("make the source lose events", func(ctx context.Context) (err error) {
		last, err = t.Overflow(ctx, first)
		return err
	})
	t.publishing(last)
	return last
}

// publishUntilHeard publishes numbers from first on until s delivers one, and
// returns that. A source may find out that it has lost something only by what
// comes next, and it may lose that as well for as long as it has no room.
func (t *trial) publishUntilHeard(s *session, first int) int {
	t.Helper()
	const pause = 50 * time.Millisecond
	timeout := time.After(patience)
	for n := first; ; n++ {
		t.publish(n, n)
		if _, heard := s.until(pause, func(got []record) bool { return t.complete(s, got, n, n) }); heard {
			return n
		}
		select {
		case <-s.done:
			got, _ := s.emitted()
			t.Fatalf("after a loss: got %v, then Run returned %v; want the source to go on", numbers(got), s.err)
		case <-timeout:
			got, _ := s.emitted()
			t.Fatalf("after a loss: got %v in %v, want the source to go on with a number from %d on", numbers(got), patience, first)
		default:
		}
	}
}

// checkGaps checks that the Gap notices in got stand where numbers are
// missing, and for as many as are.
func (t *trial) checkGaps(got []record) {
	t.Helper()
	delivered := make(map[int]bool)
	for _, r := range got {
		delivered[r.number] = true
	}
	var announced, missing int64
	looked := 1 // for missing numbers, before this one
	for _, r := range got {
		switch r.kind {
		case gap:
			announced += r.Gap.Lost
			if r.Gap.Reason != adapters.LostOverflow || r.Gap.Lost <= 0 {
				t.Errorf("got the Gap notice %+v, want the reason %q and the number of events that are missing", *r.Gap, adapters.LostOverflow)
				return
			}
		case numbered:
			for ; looked < r.number; looked++ {
				if !delivered[looked] {
					missing++
				}
			}
			if announced != missing {
				t.Errorf("up to number %d: got Gap notices for %d events, want %d, as many as are missing; all: %v",
					r.number, announced, missing, numbers(got))
				return
			}
		case live, step, deletion, unwell:
		}
	}
	switch {
	case missing == 0:
		t.Errorf("got all numbers, want the harness to make the source lose some; all: %v", numbers(got))
	case announced != missing:
		t.Errorf("got a Gap notice for %d events behind all others, want none where nothing is missing", announced-missing)
	}
}

// checkResumeBehindGap checks that a Run can go on from where a Gap notice of
// a replayable source says.
func (t *trial) checkResumeBehindGap(got []record) {
	t.Helper()
	for i, r := range got {
		rest := events(got[i+1:])
		if r.kind != gap || r.Position == "" || !t.Replayable || len(rest) == 0 {
			continue
		}
		s := t.run(t.open(), r.Position, nil)
		first := events(t.await(s, "what follows a gap", func(got []record) bool { return len(events(got)) > 0 }))[0]
		if first.number != rest[0].number {
			t.Errorf("Run after a Gap notice at %q: got number %d first, want %d", r.Position, first.number, rest[0].number)
		}
		t.stop(s)
	}
}
