package jq_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"

	"sidestream/adapters/jq"
)

func nested(depth int) string {
	return strings.Repeat(`[{"a":`, depth/2) + "1" + strings.Repeat(`}]`, depth/2)
}

func TestDecode(t *testing.T) {
	for _, tt := range []struct {
		name, text, want string // want is what Encode makes of it
		err              error
	}{
		{name: "numbers", text: "[" + numbers + "]", want: "[" + numbers + "]"},
		{name: "sorted and compact", text: "\t{ \"b\" : 1, \"a\" : [ ] } \r\n", want: `{"a":[],"b":1}`},
		{name: "last of equal names", text: `{"a":1,"a":2}`, want: `{"a":2}`},
		{name: "no HTML escapes", text: "\"<&>\u2028\"", want: "\"<&>\u2028\""},
		{name: "not UTF-8", text: "\"\xff\"", want: `"` + "\ufffd" + `"`},
		{name: "half a pair", text: `"\ud800"`, want: `"` + "\ufffd" + `"`},
		{name: "nothing", text: "", err: jq.ErrNotJSON},
		{name: "two", text: "1 2", err: jq.ErrNotJSON},
		{name: "cut off", text: `{"a":`, err: jq.ErrNotJSON},
		{name: "NaN", text: "NaN", err: jq.ErrNotJSON},
		{name: "leading zero", text: "01", err: jq.ErrNotJSON},
		{name: "too many closed", text: "[]]]]", err: jq.ErrNotJSON},
		{name: "deepest", text: nested(jq.MaxDepth), want: nested(jq.MaxDepth)},
		{name: "too deep", text: nested(jq.MaxDepth + 2), err: jq.ErrDepth},
		{name: "100000 open", text: strings.Repeat("[", 100_000), err: jq.ErrDepth},
		{name: "deep in a string", text: `"\"` + strings.Repeat("[", 100_000) + `"`, want: `"\"` + strings.Repeat("[", 100_000) + `"`},
		{name: "wide", text: "[" + strings.Repeat("[],", 100_000) + "[]]", want: "[" + strings.Repeat("[],", 100_000) + "[]]"},
		{name: "most digits", text: strings.Repeat("9", jq.MaxDigits), want: strings.Repeat("9", jq.MaxDigits)},
		{name: "too many digits", text: `{"n":` + strings.Repeat("9", jq.MaxDigits+1) + `}`, err: jq.ErrDigits},
		{name: "too many of a fraction", text: "0." + strings.Repeat("9", jq.MaxDigits+1), err: jq.ErrDigits},
		{name: "digits in a string", text: `"\\\"` + strings.Repeat("9", 5000) + `"`, want: `"\\\"` + strings.Repeat("9", 5000) + `"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, err := jq.Decode([]byte(tt.text))
			if !errors.Is(err, tt.err) {
				t.Fatalf("got error %v, want %v", err, tt.err)
			}
			if err == nil && encode(t, v) != tt.want {
				t.Errorf("got  %.100s\nwant %.100s", encode(t, v), tt.want)
			}
		})
	}
}

func TestEncode(t *testing.T) {
	for _, tt := range []struct {
		v    any
		want string
	}{
		{nil, "null"},
		{true, "true"},
		{math.NaN(), "null"},
		{math.Inf(-1), "-1.7976931348623157e+308"},
		{new(big.Int).Lsh(big.NewInt(1), 70), "1180591620717411303424"},
		{map[string]any{"b": "x\ny", "a": []any{1, 1.5, json.Number("1.50")}}, `{"a":[1,1.5,1.50],"b":"x\ny"}`},
	} {
		if got := encode(t, tt.v); got != tt.want {
			t.Errorf("%v: got %s, want %s", tt.v, got, tt.want)
		}
	}
	if _, err := jq.Encode([]any{int64(1)}); err == nil || err.Error() != "int64 is not a type of JSON" {
		t.Errorf("got error %v, want one about int64", err)
	}
	// An expression can nest deeper than a document; the encoder would
	// overflow its stack at some millions.
	for depth, want := range map[string]error{"9999": nil, "10001": jq.ErrDepth, "300000": jq.ErrDepth} {
		v, _, err := compile(t, "reduce range(tonumber) as $i (null; [.])").First(t.Context(), depth)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := jq.Encode(v); !errors.Is(err, want) {
			t.Errorf("%s deep: got error %v, want %v", depth, err, want)
		}
	}
}

func TestPayload(t *testing.T) {
	for _, tt := range []struct {
		v    any
		want string
	}{
		{"x\n\"y\"", "x\n\"y\""},
		{nil, "null"},
		{[]any{"x"}, `["x"]`},
		{json.Number("1.0"), "1.0"},
	} {
		if got, err := jq.Payload(tt.v); err != nil || string(got) != tt.want {
			t.Errorf("%v: got %s, %v, want %s", tt.v, got, err, tt.want)
		}
	}
}

// Whatever is decoded is encoded to JSON that decodes to the same.
func FuzzDecode(f *testing.F) {
	for _, text := range []string{"[" + numbers + "]", `{"a":"\ud83d\ude00\u0000","":null}`, "[[[", `"\`, "1 2", "\xef\xbb\xbf1"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := jq.Decode(text)
		if err != nil {
			return
		}
		data, err := jq.Encode(v)
		if err != nil || !json.Valid(data) {
			t.Fatalf("got %s, %v, want JSON", data, err)
		}
		again, err := jq.Decode(data)
		if err != nil || !reflect.DeepEqual(again, v) {
			t.Fatalf("got %v, %v, want %v", again, err, v)
		}
	})
}

// document is about a megabyte.
func document() []byte {
	item := `{"id":123456789,"name":"a name of some length","price":12.50,"tags":["x","y"],"open":true}`
	return []byte("[" + strings.Repeat(item+",", 1<<20/len(item)) + item + "]")
}

func BenchmarkDecode(b *testing.B) {
	text := document()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := jq.Decode(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	text := document()
	v := decode(b, string(text))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := jq.Encode(v); err != nil {
			b.Fatal(err)
		}
	}
}
