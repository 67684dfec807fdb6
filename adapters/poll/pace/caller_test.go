package pace

import (
	"testing"
	"testing/synctest"
)

// TestCallers: a host is down when nobody gets an answer, and not because
// some never get one.
func TestCallers(t *testing.T) {
	type call struct {
		caller int
		result Result
	}
	fail := func(callers ...int) (list []call) {
		for _, c := range callers {
			list = append(list, call{c, Unreachable})
		}
		return list
	}
	tests := []struct {
		name  string
		calls []call
		down  bool
	}{
		{"five that never had an answer, of a host that never gave one", fail(0, 1, 2, 3, 4), true},
		{"one, however often", fail(0, 0, 0, 0, 0, 0, 0, 0), false},
		{"four in turn", fail(0, 1, 2, 3, 0, 1, 2, 3), false},
		{"those that never had an answer, of a host that gave another one", append([]call{{9, Answered}}, fail(0, 1, 2, 3, 4, 5, 6)...), false},
		{"those that had one", append([]call{{0, Answered}, {1, Answered}, {2, Answered}, {3, Answered}, {4, Answered}}, fail(0, 1, 2, 3, 4)...), true},
		{"an answer in between", append(append(fail(0, 1, 2, 3), call{9, Answered}), fail(4)...), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				host := new(Hosts).Join("h", Limits{})
				defer host.Leave()
				callers := make([]*Caller, 10)
				for i := range callers {
					callers[i] = host.Caller()
				}
				for _, c := range tt.calls {
					turn, err := callers[c.caller].Acquire(t.Context(), true)
					if err != nil {
						t.Fatal(err)
					}
					turn.Done(c.result, Advice{})
				}
				if _, down := host.Down(); down != tt.down {
					t.Errorf("got down %v, want %v", down, tt.down)
				}
			})
		})
	}
}
