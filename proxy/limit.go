package proxy

import (
	"errors"
	"sync/atomic"
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
