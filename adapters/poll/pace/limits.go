package pace

import (
	"time"

	"sidestream/adapters"
)

// DefaultInFlight is how many polls may be under way to one host unless
// configured otherwise.
const DefaultInFlight = 20

// The bounds of limits.
const (
	minRate     = 1 / float64(MaxWait/time.Second)
	maxRate     = 1e6
	maxInFlight = 10_000
)

// smoothing is over how long a rate is kept to. Within it turns may bunch, so
// that late timers don't lower a high rate.
const smoothing = 10 * time.Millisecond

// Limits bound what is asked of one host. The zero value is the default.
type Limits struct {
	// Rate is how many requests are sent in a second, from one an hour to a
	// million a second. They are evenly spaced; above 100 a second, evenly
	// within 10ms. 0 means no bound.
	Rate float64 `yaml:"rate"`

	// InFlight is how many requests may be under way at a time, up to
	// 10000. 0 means 20.
	InFlight int `yaml:"in_flight"`
}

// Check complains of limits, which path leads to, that can't be used.
func (l Limits) Check(path string, c *adapters.OptionErrors) {
	inBounds := l.Rate == 0 || l.Rate >= minRate && l.Rate <= maxRate // NaN isn't
	c.Refuse(!inBounds, path+".rate", "%v is out of bounds; it is from %.5f (one an hour) to %.0f requests a second, or 0 for no bound",
		l.Rate, minRate, maxRate)
	c.Refuse(l.InFlight < 0 || l.InFlight > maxInFlight, path+".in_flight", "%d is out of bounds; it is from 1 to %d, or 0 for %d",
		l.InFlight, maxInFlight, DefaultInFlight)
}

// effective returns l with values that mean what they say.
func (l Limits) effective() Limits {
	if !(l.Rate > 0) { // NaN too, which would be a key that no map finds again
		l.Rate = 0
	}
	if l.InFlight <= 0 {
		l.InFlight = DefaultInFlight
	}
	return l
}

// stricter returns the stricter of each limit. Both are effective.
func (l Limits) stricter(m Limits) Limits {
	if l.Rate == 0 || m.Rate > 0 && m.Rate < l.Rate {
		l.Rate = m.Rate
	}
	l.InFlight = min(l.InFlight, m.InFlight)
	return l
}

// gap returns the time between two turns; 0 if there is no rate.
func (l Limits) gap() time.Duration {
	if l.Rate == 0 {
		return 0
	}
	return time.Duration(min(float64(time.Second)/l.Rate, float64(MaxWait)))
}
