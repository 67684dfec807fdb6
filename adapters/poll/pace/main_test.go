package pace

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"sidestream/adapters"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// always is an interval that doesn't adapt.
func always(d time.Duration) Every {
	return Every{Min: adapters.Duration(d), Max: adapters.Duration(d)}
}

// pass lets d pass. A timer that is due at once is left out: now and then,
// Go 1.26's race detector fails when many goroutines of a bubble set one
// together.
func pass(d time.Duration) {
	if d > 0 {
		<-time.After(d)
	}
}

// take waits for a turn.
func take(t *testing.T, h *Host) *Turn {
	t.Helper()
	turn, err := h.Acquire(t.Context(), true)
	if err != nil {
		t.Errorf("Acquire: got %v, want a turn", err)
		return &Turn{gate: &gate{}, done: true}
	}
	return turn
}

// use takes n turns, one after the other, and gives each back with r.
func use(t *testing.T, h *Host, n int, r Result) {
	t.Helper()
	for range n {
		take(t, h).Done(r, Advice{})
	}
}
