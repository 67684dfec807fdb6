package proxy

import (
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"

	"sidestream/adapters"
)

// errNoRoom says that a bound is reached, which passes by itself.
var errNoRoom = errors.New("no room")

// limit counts things of which there may be so many at a time.
type limit struct {
	most atomic.Int64
	have atomic.Int64
}

func (l *limit) take() bool {
	if l.have.Add(1) > l.most.Load() {
		l.have.Add(-1)
		return false
	}
	return true
}

func (l *limit) full() bool { return l.have.Load() >= l.most.Load() }

func (l *limit) give() { l.have.Add(-1) }

// addressLimit counts by addresses. What it keeps is bounded by how much there
// is to count.
type addressLimit struct {
	most atomic.Int64 // of each address; 0: no bound

	mu   sync.Mutex
	have map[netip.Addr]int // none of which is 0; guarded by mu
}

// take counts one in, if there is room for it.
func (l *addressLimit) take(a netip.Addr) bool {
	if !a.IsValid() {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if most := l.most.Load(); most > 0 && int64(l.have[a]) >= most {
		return false
	}
	l.have[a]++ // without a bound too, as there may be one after a reload
	return true
}

// give undoes take.
func (l *addressLimit) give(a netip.Addr) {
	if !a.IsValid() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.have[a]--; l.have[a] == 0 {
		delete(l.have, a)
	}
}

// addressOf returns by what the clients of an address are counted. It isn't
// valid for a client without one.
func addressOf(remoteAddr string) netip.Addr {
	a, _ := adapters.ParseAddress(remoteAddr)
	return hostOf(a)
}

// hostOf returns by what an address is counted: itself, or the first of its
// network of 64 bits, all of which one host may have (RFC 4291 section 2.5.4).
func hostOf(a netip.Addr) netip.Addr {
	if n, err := a.Prefix(64); err == nil { // not of IPv4
		return n.Addr()
	}
	return a
}
