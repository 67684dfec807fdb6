package jq_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"sidestream/adapters/jq"
)

func compile(t testing.TB, source string, vars ...string) *jq.Expression {
	t.Helper()
	x, err := jq.Compile("poll.select", source, 10*time.Second, vars...)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func decode(t testing.TB, text string) any {
	t.Helper()
	v, err := jq.Decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func encode(t testing.TB, v any) string {
	t.Helper()
	data, err := jq.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// numbers are some that a float64 would not give back as they are written.
const numbers = `1e400,0.1,0.10,-0,1.0,1E+2,9007199254740993,9223372036854775807,18446744073709551616,123456789012345678901234567890`

func TestNumbersUntouched(t *testing.T) {
	doc := `{"drop":1.0,"items":[` + numbers + `],"more":{"n":1e400}}`
	for _, tt := range []struct{ source, want string }{
		{".", doc},
		{".items", "[" + numbers + "]"},
		{"[.items[]]", "[" + numbers + "]"},
		{"[.items[] | select(. != null)]", "[" + numbers + "]"},
		{".items | map(.)", "[" + numbers + "]"},
		{".items | reverse | reverse", "[" + numbers + "]"},
		{"{a: .items, $n}", `{"a":[` + numbers + `],"n":2.50}`},
		{"del(.drop)", `{"items":[` + numbers + `],"more":{"n":1e400}}`},
		{".drop = 0 | .more", `{"n":1e400}`},
		{"[.items[2,4]] | sort_by(-.)", "[1.0,0.10]"},
		{"[.items[4] | tostring, tojson]", `["1.0","1.0"]`},
		{".items | tojson | fromjson", "[" + numbers + "]"},
		{"[.items[6,7,8,9] | . + 1]", "[9007199254740994,9223372036854775808,18446744073709551617,123456789012345678901234567891]"},
		{".items[6] == 9007199254740992", "false"},
		{".items[4] == 1", "true"},
		{"[.items[0,2,4] | . + 0]", "[1.7976931348623157e+308,0.1,1]"}, // computed, and so not what was written
	} {
		t.Run(tt.source, func(t *testing.T) {
			v, some, err := compile(t, tt.source, "$n").First(t.Context(), decode(t, doc), decode(t, "2.50"))
			if err != nil || !some {
				t.Fatalf("got a value: %v, error: %v", some, err)
			}
			if got := encode(t, v); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestFirst(t *testing.T) {
	for _, tt := range []struct {
		source, want string
		some         bool
	}{
		{"1, 2, error", "1", true},
		{"empty", "null", false},
		{"null", "null", true},
		{".[] | select(.a > 1)", `{"a":2}`, true},
		{".[] | select(.a > 2)", "null", false},
	} {
		v, some, err := compile(t, tt.source).First(t.Context(), decode(t, `[{"a":1},{"a":2}]`))
		if err != nil || some != tt.some || encode(t, v) != tt.want {
			t.Errorf("%s: got %v, %v, %v; want %s, %v", tt.source, v, some, err, tt.want, tt.some)
		}
	}
}

func TestAll(t *testing.T) {
	x, input := compile(t, ".[]"), decode(t, "[1,2.0,null]")
	got, err := x.All(t.Context(), 3, input)
	if err != nil || encode(t, got) != "[1,2.0,null]" {
		t.Errorf("got %v, %v, want the three items", got, err)
	}
	if got, err := x.All(t.Context(), 3, []any{}); err != nil || len(got) != 0 {
		t.Errorf("nothing: got %v, %v, want nothing", got, err)
	}
	got, err = x.All(t.Context(), 2, input)
	many, ok := errors.AsType[*jq.TooManyError](err)
	if !ok || many.Name != "poll.select" || many.Most != 2 || got != nil {
		t.Errorf("got %v, %v, want a TooManyError for 2", got, err)
	}
	if want := "poll.select yields more than 2 values"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

func TestEndless(t *testing.T) {
	x, err := jq.Compile("poll.select", "repeat(1) | select(. == 2)", 20*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	for name, run := range map[string]func(context.Context) error{
		"first": func(ctx context.Context) error { _, _, err := x.First(ctx, nil); return err },
		"all":   func(ctx context.Context) error { _, err := x.All(ctx, 10, nil); return err },
	} {
		if err := run(t.Context()); !errors.Is(err, jq.ErrTimeout) || err.Error() != "poll.select ran out of time" {
			t.Errorf("%s: got %v, want ErrTimeout", name, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := run(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want context.Canceled", name, err)
		}
		ctx, cancel = context.WithDeadline(t.Context(), time.Now())
		if err := run(ctx); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, jq.ErrTimeout) {
			t.Errorf("%s: got %v, want the error of the caller's deadline", name, err)
		}
		cancel()
	}
}

func TestErrorsDoNotQuote(t *testing.T) {
	const input = `{"s":"secret","n":-77077,"big":77077000000,"list":["secret",77077],"deep":{"secret":77077},"re":"[secret"}`
	for _, tt := range []struct{ source, want string }{
		{".s.a", "failed: expected an object but got: string"},
		{".s[]", "failed: cannot iterate over: string"},
		{".s + 1", "failed: cannot add: string"},
		{".s | tonumber", "failed: tonumber cannot be applied to"},
		{".s | fromjson", "failed: fromjson cannot be applied to"},
		{"[1] | .[$x.n] = 1", "failed: setpath"},
		{"[1] | .[$x.big] = 1", "failed: setpath"},
		{".n as $n | [[1]] | flatten($n)", "failed: flatten depth should not be negative"},
		{".list | mktime", "failed: mktime cannot be applied to"},
		{"1e300 | todate", "failed: "},
		{".s | strptime(\"%Y\")", "failed: strptime"},
		{".list | @csv | error", "raised an error of its own"},
		{"[.deep] | @csv", "failed: @csv cannot format an array including: object"},
		{".re as $re | .s | test($re)", "failed: invalid regular expression"},
		{".s as $f | .s | test(.; $f)", "failed: unsupported regular expression flag"},
		{"path(.s + .s)", "failed: invalid path against: object"},
		{"{(.list): 1}", "failed: expected a string for object key but got: array"},
		{"error", "raised an error of its own"},
		{".s | halt_error", "raised an error of its own"},
		{"try (.s | tonumber) catch error", "raised an error of its own"},
		{".big * 1e9 | gmtime", "failed: gmtime cannot be applied to"},
		{"{} | keys | .a", "failed: expected an object but got: array"},
		{"null | implode", "failed: implode cannot be applied to: null"},
	} {
		v := decode(t, input)
		got, _, err := compile(t, tt.source, "$x").First(t.Context(), v, v)
		if err == nil {
			t.Errorf("%s: got %v, want an error", tt.source, got)
			continue
		}
		if words := err.Error(); !strings.HasPrefix(words, "poll.select "+tt.want) {
			t.Errorf("%s: got %q, want %q", tt.source, words, tt.want)
		}
		if words := err.Error(); strings.Contains(words, "secret") || strings.Contains(words, "77077") {
			t.Errorf("%s: the error quotes the input: %s", tt.source, words)
		}
	}
}

// Reading a number of millions of digits would take minutes, uninterrupted.
func TestHugeNumberInText(t *testing.T) {
	most, huge := strings.Repeat("9", jq.MaxDigits), strings.Repeat("9", 16<<20)
	for _, tt := range []struct{ source, input, want string }{
		{"tonumber", most, most},
		{"fromjson", most, most},
		{"fromjson", `"` + most + `9"`, `"` + most + `9"`},
		{"tonumber", huge, ""},
		{"fromjson", huge, ""},
		{"[.] | map(tonumber)", huge, ""},
		{"fromjson | .[0] + 1", "[" + huge + "]", ""},
		{"try tonumber catch 0", huge, "0"},
		{"def tonumber: 5; tonumber", huge, "5"},
		{"{a: .} | .a |= tonumber", "1.5", `{"a":1.5}`},
		{"tonumber", "-1.50", "-1.5"},
	} {
		v, _, err := compile(t, tt.source).First(t.Context(), tt.input)
		switch {
		case tt.want == "" && (err == nil || err.Error() != "poll.select failed: a number has more than 1000 digits"):
			t.Errorf("%s: got error %v, want one about the digits", tt.source, err)
		case tt.want != "" && (err != nil || encode(t, v) != tt.want):
			t.Errorf("%s: got error %v, want %.20s", tt.source, err, tt.want)
		}
	}
}

func TestCompile(t *testing.T) {
	for _, tt := range []struct {
		source string
		vars   []string
		want   string
	}{
		{".a |", nil, `".a |" is not an expression in jq: unexpected EOF at offset 4`},
		{"", nil, `"": missing query (try ".")`},
		{"$a", nil, `"$a": variable not defined: $a`},
		{"$a", []string{"$b", "$c"}, `"$a": variable not defined: $a; the variables are $b, $c`},
		{"nope", nil, `"nope": function not defined: nope/0`},
		{"input", nil, `"input": input(s)/0 is not allowed`},
		{`import "a" as a; .`, nil, `"import \"a\" as a; .": cannot load module: "a"`},
	} {
		if _, err := jq.Compile("poll.select", tt.source, time.Second, tt.vars...); err == nil || err.Error() != tt.want {
			t.Errorf("%s:\ngot  %v\nwant %s", tt.source, err, tt.want)
		}
	}
}

func TestSeesNoEnvironment(t *testing.T) {
	t.Setenv("SIDESTREAM_TEST", "1")
	if v, _, err := compile(t, "[env, $ENV]").First(t.Context(), nil); err != nil || encode(t, v) != "[{},{}]" {
		t.Errorf("got %v, %v, want no variables of the environment", v, err)
	}
}

func TestUses(t *testing.T) {
	for _, tt := range []struct {
		source string
		want   bool
	}{
		{"$a", true},
		{".x | select(.y == $a.z)", true},
		{"{$a}", true},
		{`"\($a)"`, true},
		{"def f: $a; 1", true},
		{"$b", false},
		{`"$a"`, false},
		{". # $a", false},
		{"$ab", false},
		{". as $a | $a", false},
	} {
		if got := compile(t, tt.source, "$b", "$a", "$ab").Uses("$a"); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.source, got, tt.want)
		}
	}
	if compile(t, "$ENV").Uses("$ENV") {
		t.Error("uses a variable that it was not given")
	}
}

// Run with the race detector, this also proves that runs don't write to the
// input that they share.
func TestInputIsShared(t *testing.T) {
	const text = `{"a":{"b":[3,1,2]},"c":"x"}`
	input := decode(t, text)
	var wg sync.WaitGroup
	for _, source := range []string{".a.b = 1", "del(.a.b[0])", ".a.b |= sort", ".a.b += [4]", "walk(.)", "with_entries(.value = 1)", ". * {a: {z: 1}}", "to_entries"} {
		x := compile(t, source)
		for range 4 {
			wg.Go(func() {
				if _, err := x.All(t.Context(), 10, input); err != nil {
					t.Errorf("%s: %v", source, err)
				}
			})
		}
	}
	wg.Wait()
	if !reflect.DeepEqual(input, decode(t, text)) {
		t.Errorf("got %v, want the input unchanged", input)
	}
}

func BenchmarkFirst(b *testing.B) {
	input := decode(b, `{"items":[{"id":1,"n":2.5},{"id":2,"n":3.5}],"total":2}`)
	for _, source := range []string{".", ".items", ".items[] | select(.id == 2)"} {
		x := compile(b, source)
		b.Run(fmt.Sprintf("%q", source), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, some, err := x.First(b.Context(), input); err != nil || !some {
					b.Fatal(some, err)
				}
			}
		})
	}
}
