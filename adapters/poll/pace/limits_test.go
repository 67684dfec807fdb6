package pace

import (
	"math"
	"testing"

	"sidestream/adapters"
)

func TestLimitsCheck(t *testing.T) {
	for _, tt := range []struct {
		limits Limits
		want   string
	}{
		{Limits{}, ""},
		{Limits{Rate: 0.001, InFlight: 1}, ""},
		{Limits{Rate: 1e6, InFlight: 10_000}, ""},
		{Limits{Rate: -1}, "host.rate: -1 is out of bounds; it is from 0.00028 (one an hour) to 1000000 requests a second, or 0 for no bound"},
		{Limits{Rate: math.NaN()}, "host.rate: NaN is out of bounds; it is from 0.00028 (one an hour) to 1000000 requests a second, or 0 for no bound"},
		{Limits{Rate: math.Inf(1)}, "host.rate: +Inf is out of bounds; it is from 0.00028 (one an hour) to 1000000 requests a second, or 0 for no bound"},
		{Limits{InFlight: -1}, "host.in_flight: -1 is out of bounds; it is from 1 to 10000, or 0 for 20"},
		{Limits{InFlight: 10_001}, "host.in_flight: 10001 is out of bounds; it is from 1 to 10000, or 0 for 20"},
	} {
		var c adapters.OptionErrors
		tt.limits.Check("host", &c)
		got := ""
		if err := c.Err(); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%+v: got %q, want %q", tt.limits, got, tt.want)
		}
	}
}

// TestStrictest: the strictest limits of those who have joined hold, and no
// others.
func TestStrictest(t *testing.T) {
	var hosts Hosts
	want := func(rate float64, inFlight int) {
		t.Helper()
		if got := hosts.gates["a"].limits; got != (Limits{rate, inFlight}) {
			t.Errorf("got %+v, want rate %v, %d in flight", got, rate, inFlight)
		}
	}
	a := hosts.Join("a", Limits{})
	want(0, DefaultInFlight)
	b := hosts.Join("a", Limits{Rate: 5, InFlight: 30})
	want(5, 20)
	c := hosts.Join("a", Limits{Rate: 9, InFlight: 2})
	want(5, 2)
	d := hosts.Join("a", Limits{Rate: 5, InFlight: 30})
	b.Leave()
	b.Leave() // counts once
	want(5, 2)
	d.Leave()
	want(9, 2)
	c.Leave()
	want(0, DefaultInFlight)
	other := hosts.Join("b", Limits{Rate: math.NaN(), InFlight: -1})
	a.Leave()
	other.Leave()
	if len(hosts.gates) != 0 {
		t.Errorf("got %d hosts remembered, want none", len(hosts.gates))
	}
}
