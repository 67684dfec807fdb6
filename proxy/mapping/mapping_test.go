package mapping

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sidestream/adapters"
)

// defaulted is s with the bounds that it doesn't set.
func defaulted(s Spec) Spec {
	d := DefaultSpec()
	s.Decode = cmp.Or(s.Decode, d.Decode)
	s.Timeout = cmp.Or(s.Timeout, d.Timeout)
	s.MaxEvents = cmp.Or(s.MaxEvents, d.MaxEvents)
	s.MaxOutput = cmp.Or(s.MaxOutput, d.MaxOutput)
	return s
}

func apply(t *testing.T, s Spec, in adapters.Event) ([]string, error) {
	t.Helper()
	m, err := Compile(defaulted(s), "")
	if err != nil {
		t.Fatal(err)
	}
	out, err := m.Apply(t.Context(), &in, "prev", Scope{Route: "/r/{x}", Vars: adapters.Vars{"x": "1"}}, nil)
	var list []string
	for _, e := range out {
		list = append(list, fmt.Sprintf("%s|%s|%s|%s", e.Position, e.Type, e.Key, e.Data))
	}
	return list, err
}

func TestApply(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	for _, tt := range []struct {
		name string
		spec Spec
		data string
		want string // events, joined by a space
	}{
		{"untouched payload", Spec{Type: `"t"`}, `{ "a" : 1.0 }`, `pos|t|k|{ "a" : 1.0 }`},
		{"exact numbers", Spec{Data: "[.[]]"}, `[1e400,0.10,-0,123456789012345678901234567890,1.0]`, `pos||k|[1e400,0.10,-0,123456789012345678901234567890,1.0]`},
		{"digits in a string", Spec{Data: ".a|length"}, `{"a":"\"` + strings.Repeat("9", 2000) + `\\"}`, `pos||k|2002`},
		{"1000 digits", Spec{Data: "."}, strings.Repeat("9", 1000), `pos||k|` + strings.Repeat("9", 1000)},
		{"text as it is", Spec{Data: ".a"}, `{"a":"x\ny"}`, "pos||k|x\ny"},
		{"text as JSON", Spec{Data: ".a|tojson"}, `{"a":"x"}`, `pos||k|"x"`},
		{"no HTML escapes", Spec{Data: "."}, `{"a":"<&>"}`, `pos||k|{"a":"<&>"}`},
		{"where", Spec{Where: ".a > 1"}, `{"a":1}`, ``},
		{"where null", Spec{Where: ".b"}, `{"a":1}`, ``},
		{"where empty", Spec{Where: "empty"}, `{"a":1}`, ``},
		{"where 0 is true", Spec{Where: ".a"}, `{"a":0}`, `pos||k|{"a":0}`},
		{"data empty drops", Spec{Data: "empty"}, `1`, ``},
		{"first value counts", Spec{Data: "1,2"}, `1`, `pos||k|1`},
		{"key of a number", Spec{Key: ".id"}, `{"id":12345678901234567890}`, `pos||12345678901234567890|{"id":12345678901234567890}`},
		{"null is none", Spec{Key: "null", Type: "null"}, `1`, `pos|||1`},
		{"each", Spec{Each: ".[]", Key: "."}, `["a","b","c"]`, `prev~1||a|a prev~2||b|b pos||c|c`},
		{"each of none", Spec{Each: ".[]"}, `[]`, ``},
		{"each and where", Spec{Each: ".[]", Where: ". > 1"}, `[1,2,1,3]`, `prev~1||k|2 pos||k|3`},
		{"id", Spec{ID: ".n"}, `{"n":7}`, `7||k|{"n":7}`},
		{"each and id", Spec{Each: ".[]", ID: "."}, `[1,2]`, `1||k|1 2||k|2`},
		{"text", Spec{Decode: "text", Data: `"<" + . + ">"`}, `not json`, `pos||k|<not json>`},
		{"variables", Spec{Data: `"\($route) \($vars.x) \($headers.H) \($meta.position) \($meta.n) \($meta.big) \($meta.time) \($meta.key)"`}, `1`,
			`pos||k|/r/{x} 1 a, b pos 5 18446744073709551615 2026-01-02T03:04:05.000000006Z k`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := apply(t, tt.spec, adapters.Event{
				Position: "pos", Key: "k", Data: []byte(tt.data), Time: at,
				Headers: map[string][]string{"H": {"a", "b"}},
				Meta:    map[string]any{"n": int64(5), "big": uint64(18446744073709551615)},
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(got, " "); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestFailures(t *testing.T) {
	for _, tt := range []struct {
		name string
		spec Spec
		data string
		want string
	}{
		{"not JSON", Spec{Data: "."}, `{"secret`, "the payload is not JSON (event.decode: text takes it as a string)"},
		{"huge number", Spec{Where: ".n > 0"}, `{"n":` + strings.Repeat("9", 4_000_000) + `}`, "a number of the payload has more than 1000 digits"},
		{"nested too deep", Spec{Data: "."}, strings.Repeat("[", 100_000), "the payload is not JSON (event.decode: text takes it as a string)"},
		{"made too deep", Spec{Data: "reduce range(1e5) as $i (.; [.])", Timeout: adapters.Duration(time.Minute)}, `1`, "event.data: nested more than 10000 deep"},
		{"huge number in a text", Spec{Data: "tonumber"}, `"` + strings.Repeat("9", 4_000_000) + `"`, "event.data failed: a number has more than 1000 digits"},
		{"two documents", Spec{Data: "."}, `1 2`, "the payload is not JSON (event.decode: text takes it as a string)"},
		{"type mismatch", Spec{Data: ".a.b"}, `{"a":"secret"}`, "event.data failed: expected an object but got: string"},
		{"iteration", Spec{Each: ".[]"}, `"secret"`, "event.each failed: cannot iterate over: string"},
		{"raised", Spec{Data: `error("secret")`}, `1`, "event.data raised an error of its own"},
		{"halted", Spec{Data: `"secret"|halt_error`}, `1`, "event.data raised an error of its own"},
		{"key of an object", Spec{Key: `{a: "secret"}`}, `1`, "event.key yields a object where text is needed"},
		{"endless", Spec{Data: `[limit(1e9; repeat(1))] | length`, Timeout: adapters.Duration(20 * time.Millisecond)}, `1`, "event.data ran out of time (event.timeout): context deadline exceeded"},
		{"too many", Spec{Each: `range(1e9)`, MaxEvents: 100}, `1`, "event.each yields more than 100 values (event.max_events)"},
		{"too much", Spec{Each: `range(100)`, Data: `"0123456789"`, MaxOutput: 99}, `1`, "the expressions made more than 99 bytes of one message (event.max_output)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := apply(t, tt.spec, adapters.Event{Data: []byte(tt.data)})
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got error %v, want %q", err, tt.want)
			}
			if len(got) != 0 {
				t.Errorf("got %q along with the error", got)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error quotes the message: %v", err)
			}
		})
	}
}

func TestCancel(t *testing.T) {
	m, err := Compile(defaulted(Spec{Data: "[repeat(1)]"}), "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Apply(ctx, &adapters.Event{Data: []byte("1")}, "", Scope{}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestCompile(t *testing.T) {
	m, err := Compile(DefaultSpec(), "")
	if m != nil || err != nil {
		t.Errorf("no expression: got %v, %v; want nil, nil", m, err)
	}
	if m.Splits() || m.SetsID() || m.SetsKey() || m.NeedsMeta() {
		t.Error("no mapping claims to do something")
	}
	_, err = Compile(Spec{Data: ".a |", Where: "$nope", Decode: "xml"}, "")
	for _, want := range []string{
		`decode: "xml" is not one of "json" and "text"`,
		`where: "$nope": variable not defined: $nope; the variables are $route, $vars, $key, $subject, $topic, $partition, $offset, $timestamp, $headers, $meta`,
		`data: ".a |" is not an expression in jq:`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
	for _, expr := range []string{"$meta.x", ".a + $headers.b"} {
		if m, err := Compile(defaulted(Spec{Data: expr}), ""); err != nil || !m.NeedsMeta() {
			t.Errorf("%s: got NeedsMeta false, error %v", expr, err)
		}
	}
	if m, err := Compile(defaulted(Spec{Data: `"$meta", $vars`}), ""); err != nil || m.NeedsMeta() {
		t.Errorf("a text that reads like a variable: got NeedsMeta true, error %v", err)
	}
}

func TestSplitJoin(t *testing.T) {
	for _, n := range []int{1, 2, 1000} {
		if pos, skip := Join(string(Split("a.b", n))); pos != "a.b" || skip != n {
			t.Errorf("Join(Split(a.b, %d)): got %q, %d", n, pos, skip)
		}
	}
	for _, id := range []string{"", "a", "a~", "a~0", "a~-1", "a~x", "a~99999999", "a~1~2"} {
		if pos, skip := Join(id); string(pos) != id || skip != 0 {
			t.Errorf("Join(%q): got %q, %d, want it whole", id, pos, skip)
		}
	}
}

func BenchmarkApply(b *testing.B) {
	m, err := Compile(defaulted(Spec{Where: ".total > 0", Type: ".kind", Data: ".order"}), "")
	if err != nil {
		b.Fatal(err)
	}
	in := adapters.Event{Data: []byte(`{"kind":"placed","total":12.5,"order":{"id":123456789,"items":["a","b"]}}`)}
	var out []Event
	b.ReportAllocs()
	for b.Loop() {
		if out, err = m.Apply(b.Context(), &in, "", Scope{}, out[:0]); err != nil || len(out) != 1 {
			b.Fatal(out, err)
		}
	}
}

// Expressions that look at what comes with a message, and not at its payload,
// work on any payload.
func TestPayloadOfAnyKind(t *testing.T) {
	m, err := Compile(defaulted(Spec{Type: `$subject | split(".") | last`, Where: `$headers.H == "a"`}), `"\($key)/\($subject)"`)
	if err != nil {
		t.Fatal(err)
	}
	out, err := m.Apply(t.Context(), &adapters.Event{
		Key: "k", Data: []byte("\xff no JSON"),
		Headers: map[string][]string{"H": {"a"}}, Meta: map[string]any{"subject": "orders.42.placed"},
	}, "", Scope{}, nil)
	if err != nil || len(out) != 1 {
		t.Fatalf("got %d events, error %v; want one", len(out), err)
	}
	if e := out[0]; e.Type != "placed" || e.To != "k/orders.42.placed" || e.Key != e.To || string(e.Data) != "\xff no JSON" {
		t.Errorf("got type %q, to %q, key %q, data %q; want placed, k/orders.42.placed twice, and the payload as it was", e.Type, e.To, e.Key, e.Data)
	}
}
