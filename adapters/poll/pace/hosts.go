package pace

import (
	"context"
	"errors"
	"sync"
	"time"
)

// ErrDown says that a host is down and that the caller didn't want to wait.
var ErrDown = errors.New("host is down")

// Hosts are the hosts that a process polls. The zero value is ready for use,
// by several goroutines at once.
type Hosts struct {
	mu    sync.Mutex
	gates map[string]*gate // by name; none without a member
}

// A Host is one member's share in a host: a route's, or a source's. Its
// methods may be called by several goroutines at once.
type Host struct {
	gate   *gate
	hosts  *Hosts
	name   string
	limits Limits
	left   bool // guarded by hosts.mu
}

// Join adds a member to the host of this name: "https://api.example.com:443",
// say, and more than that where quotas are counted by something more. All
// members of one name share turns, pauses and state, and the strictest of
// their limits holds for all. Each Join is to be followed by a Leave.
func (h *Hosts) Join(name string, l Limits) *Host {
	h.mu.Lock()
	defer h.mu.Unlock()
	g := h.gates[name]
	if g == nil {
		g = &gate{members: make(map[Limits]int)}
		if h.gates == nil {
			h.gates = make(map[string]*gate)
		}
		h.gates[name] = g
	}
	l = l.effective()
	g.join(l)
	return &Host{gate: g, hosts: h, name: name, limits: l}
}

// Leave ends the membership. It comes after the member's last turn is done;
// when the last member has left, the host is forgotten. Leaving twice is
// leaving once.
func (h *Host) Leave() {
	h.hosts.mu.Lock()
	defer h.hosts.mu.Unlock()
	if h.left {
		return
	}
	h.left = true
	if h.gate.leave(h.limits) == 0 {
		delete(h.hosts.gates, h.name)
	}
}

// Acquire waits for the caller's turn to send one poll: for those who asked
// before, the rate, the number under way, a pause that the API asked for, and
// a host that is down. It fails with ctx's error when ctx is done.
//
// It is for a caller that asks once, and whose failure is taken to be the
// host's.
//
// Unless wait is set, it fails with [ErrDown] as soon as the host is known to
// be down. Somebody has to wait, though, for the host to be tried again.
func (h *Host) Acquire(ctx context.Context, wait bool) (*Turn, error) {
	return h.gate.acquire(ctx, &Caller{gate: h.gate, answered: true}, wait)
}

// A Caller is one of those who ask a host: a poll of one key, say. What fails
// for one caller alone says nothing of the host.
type Caller struct {
	gate     *gate
	answered bool // guarded by gate.mu
}

// Caller returns a new one.
func (h *Host) Caller() *Caller { return &Caller{gate: h.gate} }

// Acquire is [Host.Acquire], for this caller.
func (c *Caller) Acquire(ctx context.Context, wait bool) (*Turn, error) {
	return c.gate.acquire(ctx, c, wait)
}

// Paused returns until when the host has asked not to be polled; the zero
// time if it hasn't.
func (h *Host) Paused() time.Time {
	h.gate.mu.Lock()
	defer h.gate.mu.Unlock()
	if h.gate.resume.After(time.Now()) {
		return h.gate.resume
	}
	return time.Time{}
}

// Down reports whether the host is known to be down, and if so, since when it
// has given no answer.
func (h *Host) Down() (since time.Time, down bool) {
	h.gate.mu.Lock()
	defer h.gate.mu.Unlock()
	return h.gate.circuit.state()
}
