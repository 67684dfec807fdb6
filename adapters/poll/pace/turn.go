package pace

import "time"

// A Result says whether a host has answered a poll.
type Result int

// The results of a turn.
const (
	Abandoned   Result = iota // cancelled, or not sent: says nothing of the host
	Answered                  // with any status
	Unreachable               // no answer: refused, reset, timed out, name not resolved
)

// A Turn is the permission to send one poll.
type Turn struct {
	gate   *gate
	caller *Caller
	began  time.Time
	held   bool
	done   bool
}

// Hold says that the host was reached, and that the API takes its time to
// answer by design: the request no longer counts as in flight, and others need
// not wait for what becomes of it to know that the host is up. Done still
// follows.
func (t *Turn) Hold() {
	g := t.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if t.held || t.done {
		return
	}
	t.held = true
	g.inFlight--
	if g.circuit.down {
		g.circuit.report(t, Answered, time.Now())
	}
	g.dispatch()
}

// Done gives the turn back, with what came of it and what the API asked for
// in its answer. It is called exactly once, as soon as the answer is in or
// given up; a second call does nothing.
func (t *Turn) Done(r Result, a Advice) {
	g := t.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if t.done {
		return
	}
	t.done = true
	if !t.held {
		g.inFlight--
	}
	now := time.Now()
	if pause := min(a.pause(), MaxWait); pause > 0 {
		g.resume = latest(g.resume, now.Add(pause))
	}
	wasDown := g.circuit.down
	g.circuit.report(t, r, now)
	if g.circuit.down && !wasDown {
		g.refuse()
	}
	g.dispatch()
}
