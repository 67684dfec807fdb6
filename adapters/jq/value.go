package jq

import (
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"time"

	"github.com/itchyny/gojq"
)

// Word returns what v is as a type, a key, an id or a cursor: nothing for
// null, a text as it is, numbers and booleans as JSON. ok is false for arrays
// and objects, which are none.
func Word(v any) (text string, ok bool) {
	switch v := v.(type) {
	case nil:
		return "", true
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case int, float64, *big.Int, bool:
		data, err := gojq.Marshal(v)
		return string(data), err == nil
	default:
		return "", false
	}
}

// Type returns what jq calls the type of v, a value from [Decode], [Value] or
// an expression: "null", "boolean", "number", "string", "array" or "object".
func Type(v any) string { return gojq.TypeOf(v) }

// Value returns v in the types that expressions know, for use as a variable.
// Integers stay exact. A time becomes a text as in RFC 3339, in UTC and with
// its fraction of a second, and so does what has a text of its own (an error,
// a fmt.Stringer). Bytes become a text, other slices an array, maps with names
// as keys an object. What is left becomes the text that fmt makes of it. Maps
// and slices are copied.
func Value(v any) any {
	switch v := v.(type) {
	case nil, bool, string, int, float64, *big.Int, json.Number:
		return v
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case error, fmt.Stringer:
		return fmt.Sprint(v)
	case []byte:
		return string(v)
	}
	switch r := reflect.ValueOf(v); {
	case r.Kind() == reflect.Bool:
		return r.Bool()
	case r.Kind() == reflect.String:
		return r.String()
	case r.CanInt():
		return integer(r.Int())
	case r.CanUint():
		return new(big.Int).SetUint64(r.Uint())
	case r.CanFloat():
		return r.Float()
	case r.Kind() == reflect.Slice:
		list := make([]any, r.Len())
		for i := range list {
			list[i] = Value(r.Index(i).Interface())
		}
		return list
	case r.Kind() == reflect.Map && r.Type().Key().Kind() == reflect.String:
		members := make(map[string]any, r.Len())
		for name, member := range r.Seq2() {
			members[name.String()] = Value(member.Interface())
		}
		return members
	default:
		return fmt.Sprint(v)
	}
}

func integer(v int64) any {
	if i := int(v); int64(i) == v {
		return i
	}
	return big.NewInt(v)
}
