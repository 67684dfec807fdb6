package chaos

import (
	"math"
	"slices"
)

// gaps are those that were announced at one place.
type gaps struct {
	announced []Gap
	lacking   int // records that are missing there

	// Where ids are opaque, a gap ends in each partition with the next record
	// of that.
	open  map[int]uint64 // where the client was in those of which none has come
	vague bool           // it isn't known where it was in all of them
}

// until returns the sequence up to which the gaps say that records are
// missing, or open if one of them doesn't say.
func (g *gaps) until(open uint64) (until uint64) {
	for _, one := range g.announced {
		resumed, _, err := Sequence(one.Resumed)
		if err != nil {
			return open
		}
		until = max(until, resumed)
	}
	return min(until, math.MaxUint64-1)
}

// reasons that a gap may have.
var reasons = []string{"expired", "recreated", "overflow", "invalid", "unknown"}

func (w *walk) gap(g Gap) {
	w.control(g.ID, "stream.gap")
	if w.client.Complete {
		w.fail(WrongGap, "%s after %q, and nothing may be lost", g.Reason, w.id)
	}
	if !slices.Contains(reasons, g.Reason) {
		w.fail(WrongGap, "got reason %q, want one of %q", g.Reason, reasons)
	}
	if g.Lost != nil && *g.Lost < 0 {
		w.fail(WrongGap, "got %d lost, want a number or null", *g.Lost)
	}
	if g.Resumed != "" && !w.client.Opaque {
		at, placed := w.at.at(0)
		if resumed, _, err := Sequence(g.Resumed); err != nil {
			w.fail(WrongGap, "resumed: %v", err)
		} else if placed && resumed < at {
			w.fail(WrongGap, "it resumes at %s, when the client was at %d", g.Resumed, at)
		}
	}
	w.gaps.announced = append(w.gaps.announced, g)
	if w.client.Opaque {
		w.openGap()
	}
}

// openGap notes where the client is in each partition. Where it goes on, it
// isn't told.
func (w *walk) openGap() {
	if w.gaps.open == nil {
		w.gaps.open = map[int]uint64{}
	}
	for partition := range w.at {
		if _, ok := w.history.Last(partition, w.client.Key); !ok {
			continue
		}
		at, known := w.at.at(partition)
		_, open := w.gaps.open[partition]
		switch {
		case open:
		case known:
			w.gaps.open[partition] = at
		default:
			w.gaps.vague = true
		}
	}
	w.begin()
}

// closeGap notes that a record came behind the gaps.
func (w *walk) closeGap(here spot) {
	at, open := w.gaps.open[here.partition]
	if !open {
		return
	}
	delete(w.gaps.open, here.partition)
	w.gaps.lacking += len(w.history.between(here.partition, w.client.Key, at, here.sequence))
	if len(w.gaps.open) == 0 {
		w.settleGaps()
	}
}

// leaveGaps checks the numbers of gaps as far as one can tell when there is no
// more to come.
func (w *walk) leaveGaps() {
	if w.client.Opaque {
		w.gaps.vague = w.gaps.vague || len(w.gaps.open) > 0
		w.settleGaps()
	}
	w.gaps = gaps{}
}

// settleGaps checks the numbers of the gaps, once it is known what is missing.
func (w *walk) settleGaps() {
	var sum int64
	exact := !w.gaps.vague
	known := true
	for _, g := range w.gaps.announced {
		if g.Lost == nil {
			known = false
		} else {
			sum += *g.Lost
		}
	}
	n, lacking := len(w.gaps.announced), int64(w.gaps.lacking)
	switch {
	case n == 0:
	case known && (sum < lacking || exact && sum > lacking):
		w.fail(WrongGap, "%d at %q: got %d lost, want %d", n, w.id, sum, lacking)
	case exact && sum > lacking:
		w.fail(WrongGap, "%d at %q: got %d or more lost, want %d", n, w.id, sum, lacking)
	}
	w.gaps = gaps{}
}
