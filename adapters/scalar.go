package adapters

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// A Duration is a span of time in configuration, written as Go does: "250ms",
// "2s", "1h30m". A bare number is refused, except 0, since its unit would be
// a guess. Negative durations and those of more than a year are refused.
type Duration time.Duration

const maxDuration = 365 * 24 * time.Hour

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	switch {
	case err != nil:
		return fmt.Errorf(`%q is not a duration; write a number with a unit, such as "250ms", "2s" or "1h30m"`, text)
	case v < 0:
		return fmt.Errorf("%q is negative; a duration here is 0 or more", text)
	case v > maxDuration:
		return fmt.Errorf("%q is too long; a duration here is a year (8760h) at most", text)
	}
	*d = Duration(v)
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

func (d Duration) String() string { return time.Duration(d).String() }

// A Size is a number of bytes in configuration: digits, alone or followed by
// KiB, MiB or GiB (1024, 1024², 1024³) or by kB, MB or GB (1000, …).
type Size int64

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *Size) UnmarshalText(text []byte) error {
	digits := strings.TrimRight(string(text), "kKMGiB ")
	n, err := strconv.ParseInt(digits, 10, 64)
	unit, known := units[strings.TrimSpace(string(text[len(digits):]))]
	if err != nil || !known || n < 0 || n > math.MaxInt64/unit {
		return fmt.Errorf(`%q is not a size; write a number of bytes, such as 65536, "64KiB" or "10MB"`, text)
	}
	*s = Size(n * unit)
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s Size) String() string {
	for _, u := range []string{"GiB", "MiB", "KiB"} {
		if unit := Size(units[u]); s >= unit && s%unit == 0 {
			return strconv.FormatInt(int64(s/unit), 10) + u
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

var units = map[string]int64{
	"": 1, "B": 1,
	"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
	"kB": 1e3, "MB": 1e6, "GB": 1e9,
}

// A Fraction is a number from 0 to 1 in configuration, which
// [OptionErrors.Fraction] checks.
type Fraction float64

// A Choice is an option type with a few valid words. The configuration's
// schema lists them; an adapter's own check should use the same list, as in
//
//	c.OneOf("first", string(o.First), o.First.Values()...)
type Choice interface {
	Values() []string // the same for each value of the type
}

// A Shorthand is an option type that may be written as a value of another
// type, such as a [Duration], in place of a [Choice]'s words or of a mapping.
// The configuration's schema says so; reading it is the work of UnmarshalText.
type Shorthand interface {
	Scalar() any // a value of that type, the same for each value of this one
}

// A Secret is a string that is never shown: not by fmt, not in JSON.
type Secret string

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

func (s Secret) String() string { return s.masked() }

// GoString implements [fmt.GoStringer].
func (s Secret) GoString() string { return s.masked() }

// MarshalText implements [encoding.TextMarshaler].
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.masked()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *Secret) UnmarshalText(text []byte) error {
	*s = Secret(text)
	return nil
}

func (s Secret) masked() string {
	if s == "" {
		return ""
	}
	return "(secret)"
}
