package pace

import (
	"time"

	"sidestream/adapters"
)

// MinEvery is the shortest interval between the starts of two polls.
const MinEvery = 10 * time.Millisecond

const maxEvery = 365 * 24 * time.Hour

// Every is the interval between the starts of two polls, from [MinEvery] to a
// year. It is configured as one duration, "2s", or as a range, {min: 1s, max:
// 30s}, within which the interval follows how often there are changes.
type Every struct {
	Min adapters.Duration `yaml:"min"` // the interval after a change
	Max adapters.Duration `yaml:"max"` // that after a long time without one
}

// Scalar implements [adapters.Shorthand].
func (Every) Scalar() any { return adapters.Duration(0) }

// UnmarshalText implements [encoding.TextUnmarshaler] for one duration.
func (e *Every) UnmarshalText(text []byte) error {
	var d adapters.Duration
	if err := d.UnmarshalText(text); err != nil {
		return err
	}
	*e = Every{Min: d, Max: d}
	return nil
}

// MarshalText implements [encoding.TextMarshaler]. A range comes out for
// people to read; only one duration can be read back.
func (e Every) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

func (e Every) String() string {
	if e.Min == e.Max {
		return e.Min.String()
	}
	return e.Min.String() + " to " + e.Max.String()
}

// Check complains of an interval, which path leads to, that can't be used.
func (e Every) Check(path string, c *adapters.OptionErrors) {
	if e.Min == e.Max {
		checkInterval(path, e.Min, c)
		return
	}
	checkInterval(path+".min", e.Min, c)
	checkInterval(path+".max", e.Max, c)
	c.Refuse(e.Min > e.Max, path, "min %s is longer than max %s; set both", e.Min, e.Max)
}

func checkInterval(path string, d adapters.Duration, c *adapters.OptionErrors) {
	c.Refuse(time.Duration(d) < MinEvery, path, "%s is too short; polls are at least %s apart", d, MinEvery)
	c.Refuse(time.Duration(d) > maxEvery, path, "%s is too long; polls are at most %s apart", d, maxEvery)
}
