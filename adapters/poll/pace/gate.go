package pace

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// A gate grants the turns of one host, in the order in which they are asked
// for. What may hold up the first in the queue holds up everybody.
type gate struct {
	mu sync.Mutex // guards all that follows, and the turns and waiters

	members map[Limits]int // how many have joined with which limits
	limits  Limits         // the strictest of those

	queue    list.List // of *waiter
	inFlight int
	next     time.Time // not before, by the rate
	resume   time.Time // not before, by a pause
	circuit  circuit
	timer    *time.Timer // calls dispatch when the first in the queue may go
}

// A waiter is a call of acquire. Once ready is closed it has a turn or an
// error and isn't in the queue.
type waiter struct {
	ready  chan struct{}
	caller *Caller
	wait   bool // even if the host is down

	turn *Turn
	err  error
}

func (g *gate) join(l Limits) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.members[l]++
	g.adjust()
}

// leave returns how many different limits remain.
func (g *gate) leave(l Limits) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.members[l]--; g.members[l] == 0 {
		delete(g.members, l)
	}
	if len(g.members) > 0 {
		g.adjust()
	}
	return len(g.members)
}

// adjust brings the gate in line with its members' limits.
func (g *gate) adjust() {
	g.limits = Limits{InFlight: maxInFlight}
	for l := range g.members {
		g.limits = g.limits.stricter(l)
	}
	if soon := time.Now().Add(g.limits.gap()); g.next.After(soon) {
		g.next = soon // the rate has become higher
	}
	g.dispatch()
}

func (g *gate) acquire(ctx context.Context, caller *Caller, wait bool) (*Turn, error) {
	w := &waiter{ready: make(chan struct{}), caller: caller, wait: wait}
	place, err := g.enqueue(w)
	if err != nil {
		return nil, err
	}
	select {
	case <-w.ready:
	case <-ctx.Done():
	}
	if err := ctx.Err(); err != nil {
		g.withdraw(w, place)
		return nil, err
	}
	return w.turn, w.err
}

func (g *gate) enqueue(w *waiter) (*list.Element, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.circuit.down && !w.wait {
		return nil, ErrDown
	}
	place := g.queue.PushBack(w)
	g.dispatch()
	return place, nil
}

// withdraw takes a cancelled waiter out of the queue, or its turn back, as if
// it had never been granted.
func (g *gate) withdraw(w *waiter, place *list.Element) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if w.turn == nil {
		g.queue.Remove(place)
	} else {
		w.turn.done = true
		g.inFlight--
		g.next = g.next.Add(-g.limits.gap())
		g.circuit.unsent(w.turn)
	}
	g.dispatch()
}

// dispatch grants all turns that can be granted now and sees to it that it is
// called when the next can: by the timer, or by who gives a turn back.
func (g *gate) dispatch() {
	now := time.Now()
	for {
		first := g.queue.Front()
		if first == nil || g.inFlight >= g.limits.InFlight || g.circuit.probe != nil {
			g.stop()
			return
		}
		if at := g.opens(); at.After(now) {
			g.wake(at.Sub(now))
			return
		}
		g.grant(first, now)
	}
}

// opens returns when the next turn can be granted, if one is free.
func (g *gate) opens() time.Time {
	return latest(g.next, latest(g.resume, g.circuit.retry))
}

func (g *gate) grant(place *list.Element, now time.Time) {
	turn := &Turn{gate: g, caller: place.Value.(*waiter).caller, began: now}
	g.inFlight++
	if gap := g.limits.gap(); gap > 0 {
		behind := max(0, smoothing-gap)
		g.next = latest(g.next, now.Add(-behind)).Add(gap)
	}
	g.circuit.sent(turn)
	g.settle(place, turn, nil)
}

// settle ends a waiter's wait.
func (g *gate) settle(place *list.Element, turn *Turn, err error) {
	w := g.queue.Remove(place).(*waiter)
	w.turn, w.err = turn, err
	close(w.ready)
}

// refuse turns away those in the queue who don't wait for a host that is
// down.
func (g *gate) refuse() {
	for place := g.queue.Front(); place != nil; {
		next := place.Next()
		if !place.Value.(*waiter).wait {
			g.settle(place, nil, ErrDown)
		}
		place = next
	}
}

func (g *gate) wake(after time.Duration) {
	if g.timer != nil {
		g.timer.Reset(after)
		return
	}
	g.timer = time.AfterFunc(after, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.dispatch()
	})
}

func (g *gate) stop() {
	if g.timer != nil {
		g.timer.Stop()
	}
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
