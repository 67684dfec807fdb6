package adapters

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestBackoff: pauses stay within a bound that doubles, and begin anew after what
// went well for longer than that.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		longest := func(well time.Duration) (pauses [6]time.Duration) {
			for range 200 {
				b := Backoff{Min: time.Second, Max: 10 * time.Second}
				for i := range pauses {
					began := time.Now()
					if !b.Wait(t.Context()) {
						t.Fatal("got false, want true")
					}
					pauses[i] = max(pauses[i], time.Since(began))
					b.Well(well)
				}
			}
			return pauses
		}
		for i, seconds := range []int{1, 2, 4, 8, 10, 10} {
			bound := time.Duration(seconds) * time.Second
			if got := longest(time.Millisecond)[i]; got > bound || got < bound*8/10 {
				t.Errorf("pause %d: got up to %v, want up to %v", i, got, bound)
			}
			if got := longest(time.Minute)[i]; got > time.Second {
				t.Errorf("pause %d after what went well: got up to %v, want up to 1s", i, got)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		b := Backoff{Min: time.Hour, Max: time.Hour}
		if b.Wait(ctx) {
			t.Error("got true, although the context is done")
		}
	})
}

// TestGuard: a panic is an error that says where, and an error stays what it is.
func TestGuard(t *testing.T) {
	failure := errors.New("failure")
	if err := Guard(func() error { return failure }); !errors.Is(err, failure) {
		t.Errorf("got %v, want the function's error", err)
	}
	if err := Guard(func() error { panic("boom") }); err == nil || !strings.Contains(err.Error(), "boom") || !strings.Contains(err.Error(), "backoff_test.go") {
		t.Errorf("got %v, want one that tells of the panic", err)
	}
}
