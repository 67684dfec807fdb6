package jq

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"

	"github.com/itchyny/gojq"
)

// Bounds on the JSON that is read and written. RFC 8259 section 9 leaves both
// to the implementation.
const (
	// MaxDepth is how deep arrays and objects may be nested. What works on
	// them calls itself for each level.
	MaxDepth = 10_000

	// MaxDigits is the most digits in a row that a number may have.
	// Arithmetic takes the square of their number, and can't be interrupted.
	MaxDigits = 1000
)

// Why Decode refuses a text; Encode too refuses what is nested too deep.
var (
	ErrNotJSON = errors.New("not JSON")
	ErrDepth   = fmt.Errorf("nested more than %d deep", MaxDepth)
	ErrDigits  = fmt.Errorf("a number has more than %d digits", MaxDigits)
)

// Decode returns the value of data, which is exactly one JSON text (RFC 8259):
// nil, a bool, a json.Number with the number as it is written, a string, a
// []any or a map[string]any. Of the members of an object that have the same
// name the last counts; bytes that are not UTF-8 become U+FFFD.
//
// An error is [ErrNotJSON], [ErrDepth] or [ErrDigits].
func Decode(data []byte) (any, error) {
	if err := scan(data); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil, ErrNotJSON
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, ErrNotJSON
	}
	return v, nil
}

// scan holds a text of JSON to the bounds, in one pass and without memory.
func scan[T string | []byte](text T) error {
	depth, digits, inString := 0, 0, false
	for i := 0; i < len(text); i++ {
		c := text[i]
		if inString {
			if c == '\\' {
				i++
			}
			inString = c != '"'
			continue
		}
		if c >= '0' && c <= '9' {
			if digits++; digits > MaxDigits {
				return ErrDigits
			}
			continue
		}
		digits = 0
		switch c {
		case '"':
			inString = true
		case '[', '{':
			if depth++; depth > MaxDepth {
				return ErrDepth
			}
		case ']', '}':
			depth--
		}
	}
	return nil
}

// Encode returns v as JSON: compact, the members of objects in the order of
// their names' bytes, numbers from [Decode] as they were written, and no escapes
// for HTML. A float64 that is not a number becomes null, an infinite one the
// largest there is.
//
// An error is [ErrDepth], which an expression can cause that builds arrays in
// a loop, or names a type that neither [Decode] nor [Value] returns.
func Encode(v any) ([]byte, error) {
	if err := encodable(v, 0); err != nil {
		return nil, err
	}
	return gojq.Marshal(v)
}

// encodable keeps the encoder, which calls itself for each level and panics
// at a type that it doesn't know, from bringing down the process.
func encodable(v any, depth int) error {
	if depth > MaxDepth {
		return ErrDepth
	}
	switch v := v.(type) {
	case nil, bool, string, json.Number, int, float64, *big.Int:
	case []any:
		for _, item := range v {
			if err := encodable(item, depth+1); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, item := range v {
			if err := encodable(item, depth+1); err != nil {
				return err
			}
		}
	default:
		return fmt.Errorf("%T is not a type of JSON", v)
	}
	return nil
}

// Payload returns a text as it is and anything else as [Encode] does.
func Payload(v any) ([]byte, error) {
	if text, ok := v.(string); ok {
		return []byte(text), nil
	}
	return Encode(v)
}
