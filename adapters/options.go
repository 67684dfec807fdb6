package adapters

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ReservedPrefix starts the types of Sidestream's own control events, which
// no source's event may have.
const ReservedPrefix = "stream."

// MaxType is the longest event type, in bytes.
const MaxType = 1024

// CheckType returns why typ can't be the type of a source's events, or nil.
func CheckType(typ string) error {
	switch {
	case strings.HasPrefix(typ, ReservedPrefix):
		return fmt.Errorf(`%q is reserved; types that start with %q are Sidestream's own`, typ, ReservedPrefix)
	case !utf8.ValidString(typ) || strings.ContainsFunc(typ, unicode.IsControl):
		return fmt.Errorf("%q is not one line of text", typ)
	case len(typ) > MaxType:
		return fmt.Errorf("it is longer than %d bytes", MaxType)
	}
	return nil
}

// An OptionError is a complaint about one option.
type OptionError struct {
	// Path leads to the option from the adapter's own key: "every",
	// "events[1].data".
	Path string
	Err  error
}

func (e *OptionError) Error() string { return e.Path + ": " + e.Err.Error() }

func (e *OptionError) Unwrap() error { return e.Err }

// BadOption returns an [OptionError] with a formatted message.
func BadOption(path, format string, args ...any) error {
	return &OptionError{Path: path, Err: fmt.Errorf(format, args...)}
}

// OptionErrors collects all that is wrong with an adapter's options, so that
// it can be told at once. The zero value is ready for use.
type OptionErrors struct{ errs []error }

// Err returns the complaints joined, or nil if there are none.
func (c *OptionErrors) Err() error { return errors.Join(c.errs...) }

// Refuse adds a complaint about the option at path if bad is true.
func (c *OptionErrors) Refuse(bad bool, path, format string, args ...any) {
	if bad {
		c.errs = append(c.errs, BadOption(path, format, args...))
	}
}

// OneOf complains of a value that is none of the valid ones.
func (c *OptionErrors) OneOf(path, value string, valid ...string) {
	c.Refuse(!slices.Contains(valid, value), path, "%q is not known; valid: %s", value, strings.Join(valid, ", "))
}

// Fraction complains of a value that is not from 0 to 1.
func (c *OptionErrors) Fraction(path string, f float64) {
	c.Refuse(!(f >= 0 && f <= 1), path, "%v is not a fraction from 0 to 1", f) // NaN too
}

// Type complains of what can't be an event type.
func (c *OptionErrors) Type(path, typ string) {
	if err := CheckType(typ); err != nil {
		c.errs = append(c.errs, &OptionError{path, err})
	}
}

// Within complains of a value that is not from least to most.
func Within[T ~int | ~int64](c *OptionErrors, path string, v, least, most T) {
	c.Refuse(v < least || v > most, path, "%v is out of bounds; it is from %v to %v", v, least, most)
}
