package jq

import (
	"testing"
	"time"
)

func TestReadsInput(t *testing.T) {
	for _, tt := range []struct {
		source string
		want   bool
	}{
		{`$a`, false},
		{`$a.b["c"]`, false},
		{`$a | split(".")[1]`, false},
		{`$a | split(".") | .[1] + .[2]`, false},
		{`"x-\($a.b)"`, false},
		{`[$a, 1, "x", null, true]`, false},
		{`{a: $a, $b, "c": 1}`, false},
		{`($a // "none")`, false},
		{`$a + 1`, false},

		{`.`, true},
		{`.a`, true},
		{`"x-\(.a)"`, true},
		{`[.a]`, true},
		{`{a}`, true},
		{`{a: .b}`, true},
		{`{(.k): 1}`, true},
		{`$a[.b]`, true},
		{`$a + .b`, true},
		{`$a // .b`, true},
		{`(.a | 1)`, true},
		{`.a as $x | $x`, true},
		{`if $a then .b else 1 end`, true},
		{`length`, true},
		{`def f: .; f`, true},
	} {
		x, err := Compile("x", tt.source, time.Second, "$a", "$b")
		if err != nil {
			t.Fatal(err)
		}
		if got := x.ReadsInput(); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.source, got, tt.want)
		}
	}
}
