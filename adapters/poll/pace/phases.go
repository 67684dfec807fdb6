package pace

import (
	"math/bits"
	"sync/atomic"
)

// Phases hands out phases for [NewSchedule], so that polls that start
// together don't stay together. The zero value is ready for use, by several
// goroutines at once.
type Phases struct{ count atomic.Uint64 }

// Next returns the next of 0, 1/2, 1/4, 3/4, 1/8, 5/8 … (the van der Corput
// sequence to the base 2): the first poll of all is not shifted, and any run
// of them divides the interval evenly.
func (p *Phases) Next() float64 {
	n := p.count.Add(1) - 1
	return float64(bits.Reverse64(n)>>11) / (1 << 53)
}
