package kafka

import (
	"errors"
	"strings"
	"testing"

	"sidestream/adapters"
)

func TestRecordKey(t *testing.T) {
	for _, c := range []struct {
		text string
		vars adapters.Vars
		want string
	}{
		{"user-1", nil, "user-1"},
		{"user-{x}", adapters.Vars{"x": "1"}, "user-1"},
		{"{x}:{y}", adapters.Vars{"x": "a b", "y": "../Ä{y}"}, "a b:../Ä{y}"},
		{`{{"id":"{x}"}}`, adapters.Vars{"x": "1"}, `{"id":"1"}`},
		{"{{x}}", nil, "{x}"},
		{"{{{x}}}", adapters.Vars{"x": "1"}, "{1}"},
		{"}}{{", nil, "}{"},
		{strings.Repeat("a", 1023) + "{x}", adapters.Vars{"x": "1"}, strings.Repeat("a", 1023) + "1"},
		{strings.Repeat("ä", 512), nil, strings.Repeat("ä", 512)},
	} {
		key, err := parseRecordKey(c.text, routeOf("x", "y"))
		if err != nil {
			t.Errorf("%q: got %v, want no error", c.text, err)
			continue
		}
		if got, err := key.expand(c.vars); err != nil || string(got) != c.want {
			t.Errorf("%q: got %q, %v, want %q", c.text, got, err, c.want)
		}
	}
	if key, err := parseRecordKey("", routeOf("x")); key != nil || err != nil {
		t.Errorf("empty: got %v, %v, want none", key, err)
	}
}

func TestBadRecordKey(t *testing.T) {
	for text, want := range map[string]string{
		"a\n":                               "control character",
		"\xff":                              "not UTF-8",
		strings.Repeat("a", 1025):           "longer than 1024 bytes",
		"{nobody}":                          "no variable {nobody}; it has x",
		"{x...}":                            `here it is "{x}"`,
		"{x":                                "a brace itself is written twice, {{",
		`{"id":1}`:                          `no variable {"id":1}`,
		"x}":                                "a brace itself is written twice, }}",
		strings.Repeat("a", 1000) + "{x}b}": "closing brace",
	} {
		_, err := parseRecordKey(text, routeOf("x"))
		wantOptionError(t, err, "record_key", want)
	}
	for value, want := range map[string]error{
		"":                         errEmpty,
		"a\nb":                     errControl,
		"\x00":                     errControl,
		"\u0085":                   errControl,
		"\xff":                     errNoText,
		strings.Repeat("a", 1020):  errLong,
		strings.Repeat("a", 10000): errLong,
	} {
		key, err := parseRecordKey("user-{x}", routeOf("x"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := key.expand(adapters.Vars{"x": value})
		if !errors.Is(err, adapters.ErrBadVariable) || !errors.Is(err, want) {
			t.Errorf("%.40q: got %.40q, %v, want %v", value, got, err, want)
		}
	}
}
