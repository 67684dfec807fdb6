package broker

import (
	"slices"
	"sync"
	"time"
)

// A pool keeps idle links, up to a number of them, each for some time. It is
// safe for concurrent use.
type pool struct {
	size    int
	timeout time.Duration

	mu     sync.Mutex
	closed bool        // guarded by mu
	idle   []*idleLink // guarded by mu; the newest last

	timers sync.WaitGroup // those that run, or whose function does
}

type idleLink struct {
	*link
	timer *time.Timer // takes it out
}

// take returns the link to this address that was put in last, or nil.
func (p *pool) take(address string) *link {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, l := range slices.Backward(p.idle) {
		if l.address == address {
			p.remove(i)
			return l.link
		}
	}
	return nil
}

// remove takes the link at i out. The caller holds p.mu.
func (p *pool) remove(i int) {
	if p.idle[i].timer.Stop() {
		p.timers.Done()
	}
	p.idle = slices.Delete(p.idle, i, i+1)
}

// put adds a link, and closes the oldest one if there are too many, or the link
// itself if it isn't usable any more or the pool is closed.
func (p *pool) put(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.broken || p.closed || p.size == 0 {
		l.close()
		return
	}
	if len(p.idle) == p.size {
		p.idle[0].close()
		p.remove(0)
	}
	entry := &idleLink{link: l}
	p.timers.Add(1)
	entry.timer = time.AfterFunc(p.timeout, func() {
		defer p.timers.Done()
		p.expire(entry)
	})
	p.idle = append(p.idle, entry)
}

// expire closes a link whose time is over, unless it has been taken.
func (p *pool) expire(entry *idleLink) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.idle, entry); i >= 0 {
		entry.close()
		p.idle = slices.Delete(p.idle, i, i+1)
	}
}

func (p *pool) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// close closes all links that are in the pool, and those that will be put in.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	for len(p.idle) > 0 {
		p.idle[0].close()
		p.remove(0)
	}
	p.mu.Unlock()
	p.timers.Wait()
}
