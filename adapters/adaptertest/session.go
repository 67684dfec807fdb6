package adaptertest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"sidestream/adapters"
)

// A session is one Run of a source, or a Replay, and what it has emitted.
type session struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when Run has returned
	err    error         // what Run returned, once done is closed

	mu      sync.Mutex    // guards what follows
	records []record      // in the order in which emit was called
	changed chan struct{} // closed and replaced when there is another record
	late    int           // calls of emit after Run had returned
	live    bool          // a Live notice was emitted
	begun   int           // the last number that was published before it
}

// A record is an event as it was emitted.
type record struct {
	adapters.Event // as the source handed it over
	copy           adapters.Event
	kind           kind
	whole          bool
	number         int // of a numbered event; otherwise 0
}

// A kind says what an event stands for.
type kind int

const (
	numbered kind = iota // for a number
	step                 // for a part of a change, and not the last
	deletion             // for the end of a key
	live                 // for a Live notice
	gap                  // for a Gap notice
	unwell               // for a Stale notice that is no Live one
)

// kindOf tells what e stands for.
func (p profile) kindOf(e adapters.Event) kind {
	switch {
	case e.Gap != nil:
		return gap
	case e.Live:
		return live
	case e.Stale != "":
		return unwell
	case e.State != nil && e.State.Gone:
		return deletion
	case p.Stateful && e.State == nil:
		return step
	default:
		return numbered
	}
}

// A hook is called within emit, after the event was recorded. Its error is
// emit's.
type hook func(ctx context.Context, e adapters.Event) error

// run starts a Run of src, to be ended by [trial.stop] or with the trial.
// h may be nil.
func (t *trial) run(src adapters.Source, after adapters.Position, h hook) *session {
	return t.runIn(context.Background(), src, after, h)
}

// runIn is run with a context to begin with.
func (t *trial) runIn(ctx context.Context, src adapters.Source, after adapters.Position, h hook) *session {
	return t.begin(ctx, func(ctx context.Context, emit func(adapters.Event) error) error {
		return src.Run(ctx, after, emit)
	}, h)
}

// begin starts what emits events.
func (t *trial) begin(ctx context.Context, run func(context.Context, func(adapters.Event) error) error, h hook) *session {
	ctx, cancel := context.WithCancel(ctx)
	s := &session{
		cancel:  cancel,
		done:    make(chan struct{}),
		changed: make(chan struct{}),
	}
	t.sessions = append(t.sessions, s)
	emit := func(e adapters.Event) error {
		if err := s.record(e, t); err != nil {
			return err
		}
		if h == nil {
			return nil
		}
		return h(ctx, e)
	}
	go func() {
		defer close(s.done)
		s.err = run(ctx, emit)
	}()
	return s
}

// record adds e to what was emitted.
func (s *session) record(e adapters.Event, t *trial) error {
	r := record{Event: e, copy: clone(e), kind: t.kindOf(e), whole: e.Whole()}
	if r.kind == numbered {
		n, err := t.Number(e)
		if err != nil {
			return fmt.Errorf("the harness finds no number in %q: %w", e.Data, err)
		}
		r.number = n
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.done:
		s.late++
	default:
	}
	if r.kind == live && !s.live {
		s.live, s.begun = true, t.published()
	}
	s.records = append(s.records, r)
	close(s.changed)
	s.changed = make(chan struct{})
	return nil
}

// until waits until ok holds of what s has emitted, its Run has returned or
// the time is up. It returns what s has emitted, and whether ok holds of it.
func (s *session) until(limit time.Duration, ok func(got []record) bool) (got []record, holds bool) {
	timeout := time.After(limit)
	for {
		got, changed := s.emitted()
		if ok(got) {
			return got, true
		}
		select {
		case <-changed:
		case <-s.done:
			got, _ = s.emitted()
			return got, ok(got)
		case <-timeout:
			return got, false
		}
	}
}

// emitted returns what was emitted so far, and a channel that is closed when
// there is more.
func (s *session) emitted() ([]record, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clip(s.records), s.changed // append leaves alone what is there
}

// precedes reports whether number n was published before s had caught up.
func (s *session) precedes(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.live || n <= s.begun
}

// events returns the records that stand for numbers.
func events(got []record) []record { return only(numbered, got) }

// only returns the records of a kind.
func only(k kind, got []record) []record {
	return slices.DeleteFunc(slices.Clone(got), func(r record) bool { return r.kind != k })
}

// beforeLive returns the records before the first Live notice, or all if there
// is none.
func beforeLive(got []record) []record {
	if i := slices.IndexFunc(got, func(r record) bool { return r.kind == live }); i >= 0 {
		return got[:i]
	}
	return got
}

// numbers returns what to show of got in a message.
func numbers(got []record) []string {
	list := make([]string, 0, len(got))
	for _, r := range got {
		switch r.kind {
		case live:
			list = append(list, "live")
		case step:
			list = append(list, "step")
		case deletion:
			list = append(list, "deletion")
		case unwell:
			list = append(list, "stale")
		case gap:
			list = append(list, fmt.Sprintf("gap of %d", r.Gap.Lost))
		case numbered:
			list = append(list, strconv.Itoa(r.number))
		}
	}
	return list
}
