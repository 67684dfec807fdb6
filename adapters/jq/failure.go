package jq

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/itchyny/gojq"
)

// ErrTimeout says that a run of an expression took longer than it may.
var ErrTimeout = errors.New("ran out of time")

// A TooManyError says that an expression yields more values than it may.
type TooManyError struct {
	Name string // which setting the expression is
	Most int    // how many values it may yield
}

func (e *TooManyError) Error() string {
	return fmt.Sprintf("%s yields more than %d values", e.Name, e.Most)
}

// failure words an error of the jq machine, less what the machine's own words
// quote of the values, which have no business in a log.
func (x *Expression) failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		if errors.Is(context.Cause(ctx), ErrTimeout) {
			return fmt.Errorf("%s %w", x.name, ErrTimeout)
		}
		return ctx.Err()
	}
	if _, ok := errors.AsType[gojq.ValueError](err); ok {
		return fmt.Errorf("%s raised an error of its own", x.name)
	}
	return fmt.Errorf("%s failed: %s", x.name, quoteless(err.Error()))
}

// quoteless returns what stands in words before the first value that they
// quote: a text, an array, an object, anything in parentheses, or a number
// after one of the phrases that introduce a value.
func quoteless(words string) string {
	for i, c := range words {
		before := words[:i]
		number := (c == '-' || '0' <= c && c <= '9') &&
			(strings.HasSuffix(before, ": ") || strings.HasSuffix(before, "applied to "))
		if number || strings.ContainsRune(`("[{`, c) {
			return strings.TrimRight(before, ": ")
		}
	}
	return words
}
