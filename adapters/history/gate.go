package history

import (
	"context"
	"sync"

	"sidestream/adapters"
	"sidestream/adapters/nats"
)

// A gate is what a run's events go through. Two have something to say: who
// reads the log, and who knows how the upstream is doing.
type gate struct {
	form    form
	fail    context.CancelCauseFunc
	private bool // how the upstream is doing isn't told

	mu     sync.Mutex
	emit   func(adapters.Event) error // guarded by mu
	failed error                      // guarded by mu; what it has returned
	at     adapters.Position          // guarded by mu; of the stream; up to there all is delivered
	lives  bool                       // guarded by mu; and that is all there is
	known  bool                       // guarded by mu; how the upstream is doing
	fresh  uint64                     // guarded by mu; what it had, when it was last said to be well, is stored up to this sequence
	stale  string                     // guarded by mu; why it isn't well, or ""
	unable string                     // guarded by mu; why the log can't be read, or ""
	told   string                     // guarded by mu; what of this was last told
	calm   bool                       // guarded by mu; and that was that all is well
}

// say emits e. g.mu is held.
func (g *gate) say(e adapters.Event) error {
	if g.failed == nil {
		g.failed = g.emit(e)
	}
	return g.failed
}

// begin notes where the run has begun.
func (g *gate) begin(at adapters.Position) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.at = at
}

// reached returns the position that the run has come to, or "".
func (g *gate) reached() adapters.Position {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.form.with(g.at)
}

// pass notes a place of the stream without an event. last says that there is no
// more for the moment.
func (g *gate) pass(at adapters.Position, last bool) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.reach(at, last)
}

// event delivers an event or a gap, behind which is the place at of the stream.
func (g *gate) event(e adapters.Event, at adapters.Position, last bool) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	e.Position = g.form.with(at)
	if err := g.say(e); err != nil {
		return err
	}
	return g.reach(at, last)
}

// reach notes that all is delivered up to a place. g.mu is held.
func (g *gate) reach(at adapters.Position, last bool) error {
	g.at, g.lives, g.unable = at, last, ""
	if last && !g.calm {
		return g.tell()
	}
	return nil
}

// live delivers that there is no more up to a position of the stream.
func (g *gate) live(at adapters.Position) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.at, g.lives, g.unable = at, true, ""
	return g.tell()
}

// unread notes that the log can't be read, for a reason that clients may see.
func (g *gate) unread(why string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lives, g.unable = false, why
	return g.tell()
}

// condition notes how the upstream is doing: why it isn't well, or "", and then
// up to which sequence the log has what it had.
func (g *gate) condition(stale string, fresh uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.known && g.stale == stale && g.fresh == fresh {
		return
	}
	g.known, g.stale, g.fresh = true, stale, fresh
	if err := g.tell(); err != nil {
		g.fail(ended{err})
	}
}

// tell delivers a notice of how all is. g.mu is held.
func (g *gate) tell() error {
	e := adapters.Event{Live: g.lives}
	if e.Live {
		e.Position = g.form.with(g.at)
	}
	if !g.private {
		if e.Stale = g.unable; e.Stale == "" {
			e.Stale = g.stale
		}
		if seq, ok := nats.SequenceOf(g.at); e.Stale == "" && (!g.known || ok && seq < g.fresh) {
			return nil // as soon as more is known, or read
		}
	}
	if !e.Live && (e.Stale == "" || e.Stale == g.told) {
		return nil
	}
	g.told, g.calm = e.Stale, e.Live && e.Stale == ""
	return g.say(e)
}
