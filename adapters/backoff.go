package adapters

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"
)

// A Backoff is the pauses between attempts at something that fails: each is
// random, up to a bound that doubles from Min to Max ("full jitter").
type Backoff struct {
	Min, Max time.Duration // above 0

	bound time.Duration // of the next pause; 0: Min
}

// Wait pauses, and reports whether ctx is still not done then.
func (b *Backoff) Wait(ctx context.Context) bool {
	bound := max(b.bound, b.Min)
	b.bound = min(2*bound, b.Max)
	return Pause(ctx, rand.N(bound)+1)
}

// Well notes for how long an attempt went well. If that is longer than the
// next pause could be, pauses begin with Min again.
func (b *Backoff) Well(d time.Duration) {
	if d > b.bound {
		b.bound = b.Min
	}
}

// Pause waits for d and reports whether ctx is still not done then.
func Pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Guard calls f and makes an error of a panic, so that a mistake in what it
// does is a failure like another.
func Guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}
