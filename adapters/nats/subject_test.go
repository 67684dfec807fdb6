package nats

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"sidestream/adapters"
)

var someRoute = adapters.Route{Path: "/{region}/{rest...}", Vars: []string{"region", "rest", "kind"}, Query: []string{"kind"}}

func TestExpand(t *testing.T) {
	vars := adapters.Vars{"region": "eu", "rest": "a/b/c", "kind": "new-1"}
	for _, c := range []struct{ template, want string }{
		{"orders", "orders"},
		{"orders.>", "orders.>"},
		{"orders.*.new", "orders.*.new"},
		{"*", "*"},
		{">", ">"},
		{"orders.{region}", "orders.eu"},
		{"{region}.orders.{kind}.>", "eu.orders.new-1.>"},
		{"orders.x-{region}-{kind}.y", "orders.x-eu-new-1.y"},
		{"{region}{kind}", "eunew-1"},
		{"orders.{rest...}", "orders.a.b.c"},
		{"{rest...}", "a.b.c"},
		{"$JS.EVENT.ADVISORY.>", "$JS.EVENT.ADVISORY.>"},
		{"grüße.世界", "grüße.世界"},
	} {
		list, err := parseTemplates("subject", []string{c.template}, someRoute, subjectRules())
		if err != nil {
			t.Errorf("%s: got %v, want no error", c.template, err)
			continue
		}
		if got := list.list[0].String(); got != c.template {
			t.Errorf("got %q as text, want %q", got, c.template)
		}
		got, err := list.expand(vars)
		if err != nil || !slices.Equal(got, []string{c.want}) {
			t.Errorf("%s: got %q, error %v, want %q", c.template, got, err, c.want)
		}
	}
}

func TestBadTemplate(t *testing.T) {
	for _, c := range []struct{ template, want string }{
		{"", "is empty"},
		{"a..b", "empty token"},
		{".a", "empty token"},
		{"a.", "empty token"},
		{"a.>.b", "must be the last token"},
		{"a b", "white space"},
		{"a\tb", "white space"},
		{"a\u00a0b", "white space"},
		{"a\x00", "control characters"},
		{"a.b*", "whole token"},
		{"a.b>", "whole token"},
		{"a.>>", "whole token"},
		{"\xff", "not UTF-8"},
		{strings.Repeat("a", maxSubject+1), "at most 1024 bytes"},
		{"a.{nobody}", "no variable {nobody}; it has region, rest, kind"},
		{"a.{region", "begins no variable"},
		{"a.{}", "begins no variable"},
		{"a.{...}", "begins no variable"},
		{"a.{re.gion}", "begins no variable"},
		{"a.{re{gion}}", "begins no variable"},
		{"a.region}", "without an opening one"},
		{"a.{rest...}.b", "must be the last one, alone"},
		{"a.x{rest...}", "must be the last one, alone"},
		{"a.{rest...}x", "must be the last one, alone"},
		{"a.{region}{rest...}", "must be the last one, alone"},
	} {
		_, err := parseTemplates("subject", []string{c.template}, someRoute, subjectRules())
		wantOptionError(t, err, "subject", c.want)
	}
	_, err := parseTemplates("subject", []string{"a", "b..c"}, someRoute, subjectRules())
	wantOptionError(t, err, "subject[1]", "empty token")
	_, err = parseTemplates("subject", []string{"{region}"}, adapters.Route{}, subjectRules())
	wantOptionError(t, err, "subject", "none at all")
	for _, key := range []string{"a$", "ü", "a,b", `a\b`} {
		_, err = parseTemplates("keys", []string{key}, someRoute, keyRules())
		wantOptionError(t, err, "keys", "letters, digits and -/_=")
	}
}

func TestOverlap(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"a", "a", true},
		{"a", "b", false},
		{"a", "a.b", false},
		{"a.*", "a.b", true},
		{"a.*", "*.b", true},
		{"a.*", "b.*", false},
		{"a.>", "a", false},
		{"a.>", "a.b.c", true},
		{">", "a", true},
		{"a.*.c", "a.>", true},
		{"a.b", "a.*.c", false},
		{"a.{region}", "a.b", true},
		{"a.x-{region}", "a.y", true}, // it isn't worth knowing better
		{"a.{rest...}", "a.b.c", true},
		{"a.{rest...}", "b.{rest...}", false},
		{"a.{region}.x", "a.{kind}.y", false},
		{"*.>", ">", true},
	} {
		for _, list := range [][]string{{c.a, c.b}, {c.b, c.a}} {
			_, err := parseTemplates("subject", list, someRoute, subjectRules())
			if got := err != nil; got != c.want {
				t.Errorf("%q: got overlap %v (%v), want %v", list, got, err, c.want)
			}
			if c.want {
				wantOptionError(t, err, "subject[1]", "can match the same subject")
			}
		}
	}
}

func TestBadVariable(t *testing.T) {
	for _, c := range []struct{ template, value string }{
		{"a.{v}", ""}, {"a.{v}", "."}, {"a.{v}", "b.c"}, {"a.{v}", "*"}, {"a.{v}", ">"}, {"a.{v}", "b*"}, {"a.{v}", "b>"},
		{"a.{v}", " "}, {"a.{v}", "b c"}, {"a.{v}", "b\r\nSUB x 1"}, {"a.{v}", "b\x00"}, {"a.{v}", "\x7f"}, {"a.{v}", "\u0085"},
		{"a.{v}", "\u00a0"}, {"a.{v}", "\u3000"}, {"a.{v}", "\xff"}, {"a.{v}", strings.Repeat("b", adapters.MaxVar+1)},
		{"a.{v}.{v}", strings.Repeat("b", 600)}, // each would do
		{"a.{v...}", ""}, {"a.{v...}", "/"}, {"a.{v...}", "b/"}, {"a.{v...}", "/b"}, {"a.{v...}", "b//c"}, {"a.{v...}", "b/*"},
		{"a.{v...}", "b/>"}, {"a.{v...}", "b.c/d"}, {"a.{v...}", "b/ /c"},
		{"{v}.>", "$JS"}, {"{v}.>", "$SYS"}, {"{v...}", "$KV/bucket"}, {"{v...}", "_INBOX/x"}, {"{v}", "_R_"},
	} {
		list, err := parseTemplates("subject", []string{c.template}, adapters.Route{Vars: []string{"v"}}, subjectRules())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := list.expand(adapters.Vars{"v": c.value}); !errors.Is(err, adapters.ErrBadVariable) || got != nil {
			t.Errorf("%s with %.40q: got %q, error %v, want %v", c.template, c.value, got, err, adapters.ErrBadVariable)
		}
		if _, err := list.expand(nil); !errors.Is(err, adapters.ErrBadVariable) {
			t.Errorf("%s without a value: got error %v, want %v", c.template, err, adapters.ErrBadVariable)
		}
	}
	for _, c := range []struct{ template, value string }{{"a.{v}", "$JS"}, {"x{v}", "$JS"}, {"a.{v}", "_b"}, {"a.{v}", "b/c"}} {
		list, err := parseTemplates("subject", []string{c.template}, adapters.Route{Vars: []string{"v"}}, subjectRules())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := list.expand(adapters.Vars{"v": c.value}); err != nil {
			t.Errorf("%s with %q: got %v, want no error", c.template, c.value, err)
		}
	}
	keys, err := parseTemplates("keys", []string{"a.{v}"}, adapters.Route{Vars: []string{"v"}}, keyRules())
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"ü", "a$b", "a,b", "a:b", "."} {
		if _, err := keys.expand(adapters.Vars{"v": value}); !errors.Is(err, adapters.ErrBadVariable) {
			t.Errorf("key with %q: got error %v, want %v", value, err, adapters.ErrBadVariable)
		}
	}
}

// FuzzVariable: whatever clients send, it changes no other token, and adds none
// that could mean something.
func FuzzVariable(f *testing.F) {
	for _, seed := range []string{"eu", "", "*", ">", "a.b", "a/b", "$JS/API", "a b", "\r\n", "_INBOX", "ü", "\xff"} {
		f.Add(seed)
	}
	route := adapters.Route{Vars: []string{"v"}}
	one, err := parseTemplates("subject", []string{"a.x{v}.b"}, route, subjectRules())
	if err != nil {
		f.Fatal(err)
	}
	rest, err := parseTemplates("subject", []string{"{v...}"}, route, subjectRules())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, value string) {
		vars := adapters.Vars{"v": value}
		if got, err := one.expand(vars); err == nil {
			tokens := strings.Split(got[0], ".")
			if len(tokens) != 3 || tokens[0] != "a" || tokens[1] != "x"+value || tokens[2] != "b" {
				t.Errorf("%q: got %q, want the value in the middle token", value, got)
			}
		}
		if got, err := rest.expand(vars); err == nil {
			bad := func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }
			if strings.ContainsAny(got[0], "*>") || strings.ContainsFunc(got[0], bad) || !utf8.ValidString(got[0]) ||
				slices.Contains(strings.Split(got[0], "."), "") || strings.ContainsAny(got[0][:1], "$_") || len(got[0]) > maxSubject {
				t.Errorf("%q: got the subject %q", value, got)
			}
			if strings.ReplaceAll(got[0], ".", "/") != value {
				t.Errorf("%q: got %q, want its slashes as dots", value, got)
			}
		}
	})
}
