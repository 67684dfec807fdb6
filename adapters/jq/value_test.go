package jq_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"net/http"
	"testing"
	"time"

	"sidestream/adapters/jq"
)

func TestWord(t *testing.T) {
	for _, tt := range []struct {
		v    any
		want string
		ok   bool
	}{
		{nil, "", true},
		{"a b", "a b", true},
		{json.Number("12345678901234567890"), "12345678901234567890", true},
		{json.Number("1.0"), "1.0", true},
		{7, "7", true},
		{1.5, "1.5", true},
		{new(big.Int).Lsh(big.NewInt(1), 70), "1180591620717411303424", true},
		{true, "true", true},
		{[]any{"a"}, "", false},
		{map[string]any{}, "", false},
	} {
		if got, ok := jq.Word(tt.v); got != tt.want || ok != tt.ok {
			t.Errorf("%v: got %q, %v, want %q, %v", tt.v, got, ok, tt.want, tt.ok)
		}
	}
}

func TestValue(t *testing.T) {
	type name string
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600))
	for _, tt := range []struct {
		v    any
		jq   string
		want string
	}{
		{nil, "null", "null"},
		{true, "boolean", "true"},
		{int64(math.MinInt64), "number", "-9223372036854775808"},
		{uint64(math.MaxUint64), "number", "18446744073709551615"},
		{int32(-5), "number", "-5"},
		{uint8(200), "number", "200"},
		{float32(0.5), "number", "0.5"},
		{json.Number("1.0"), "number", "1.0"},
		{name("x"), "string", `"x"`},
		{[]byte("x"), "string", `"x"`},
		{at, "string", `"2026-01-02T02:04:05.000000006Z"`},
		{1500 * time.Millisecond, "string", `"1.5s"`},
		{errors.New("x"), "string", `"x"`},
		{struct{ A int }{1}, "string", `"{1}"`},
		{[]string{"a", "b"}, "array", `["a","b"]`},
		{[]any{int64(1), nil, at}, "array", `[1,null,"2026-01-02T02:04:05.000000006Z"]`},
		{http.Header{"A": {"1", "2"}}, "object", `{"A":["1","2"]}`},
		{map[name]int64{"a": 1}, "object", `{"a":1}`},
		{map[string]any(nil), "object", `{}`},
		{map[int]int{1: 2}, "string", `"map[1:2]"`},
	} {
		v := jq.Value(tt.v)
		if got := jq.Type(v); got != tt.jq {
			t.Errorf("%T: got the type %s, want %s", tt.v, got, tt.jq)
		}
		// Through an expression, as a variable.
		got, _, err := compile(t, "$v", "$v").First(t.Context(), nil, v)
		if err != nil || encode(t, got) != tt.want {
			t.Errorf("%T: got %v, %v, want %s", tt.v, got, err, tt.want)
		}
	}
}

func TestValueIsACopy(t *testing.T) {
	from := map[string]any{"a": []any{"x"}}
	v := jq.Value(from)
	from["a"].([]any)[0] = "y"
	from["b"] = 1
	if got, want := encode(t, v), `{"a":["x"]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
