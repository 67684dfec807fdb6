package registry

import (
	"math"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// appendQuoted writes a string. It has to be UTF-8.
func appendQuoted[T ~string | ~[]byte](dst []byte, s T) ([]byte, error) {
	dst, err := jsontext.AppendQuote(dst, s)
	if err != nil {
		return dst, errUTF8
	}
	return dst, nil
}

// appendFloat writes a number in the fewest digits that give it back, or what
// JSON has no number for as "NaN", "Infinity" and "-Infinity", as ProtoJSON
// has it.
func appendFloat(dst []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(dst, `"-Infinity"`...)
	}
	// The form is that of ECMAScript and of encoding/json: an exponent for
	// the very small and very large only.
	form := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		form = 'e'
	}
	return strconv.AppendFloat(dst, f, form, -1, bits)
}
