package strictyaml_test

import (
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"sidestream/proxy/strictyaml"
)

// upper is a scalar type of its own, written in capitals.
type upper string

func (u *upper) UnmarshalText(text []byte) error {
	if strings.ToUpper(string(text)) != string(text) {
		return fmt.Errorf("%q is not in capitals", text)
	}
	*u = upper(text)
	return nil
}

// either is written as a word or as a mapping.
type either struct {
	A string `yaml:"a"`
	B int    `yaml:"b"`
}

func (e *either) UnmarshalText(text []byte) error {
	e.A = string(text)
	return nil
}

type embedded struct {
	In int `yaml:"in"`
}

type all struct {
	S        string         `yaml:"s"`
	B        bool           `yaml:"b"`
	I        int            `yaml:"i"`
	U        uint8          `yaml:"u"`
	F        float64        `yaml:"f"`
	P        *int           `yaml:"p"`
	L        []string       `yaml:"l"`
	M        map[string]int `yaml:"m"`
	Up       upper          `yaml:"up"`
	E        either         `yaml:"e"`
	Es       []either       `yaml:"es"`
	N        yaml.Node      `yaml:"n"`
	embedded `yaml:",inline"`
	Ignored  string
}

func refs() strictyaml.References {
	return strictyaml.References{
		Env: func(name string) (string, bool) {
			v, ok := map[string]string{"PORT": "8080", "EMPTY": "", "SECRET": "hunter2"}[name]
			return v, ok
		},
		ReadFile: func(path string) ([]byte, error) {
			switch path {
			case "/secret":
				return []byte("hunter2\n"), nil
			case "/huge":
				return make([]byte, 2<<20), nil
			}
			return nil, fs.ErrNotExist
		},
	}
}

func decode(text string, into any) error {
	doc, err := strictyaml.Parse("f.yaml", []byte(text), refs())
	if err != nil {
		return err
	}
	doc.Decode(doc.Root, "", into)
	return doc.Err()
}

func TestDecode(t *testing.T) {
	one := 1
	for _, tt := range []struct {
		text string
		want all
	}{
		{"", all{}},
		{"null", all{}},
		{"{s: text, b: true, i: -5, u: 200, f: 0.5, p: 1, in: 7}",
			all{S: "text", B: true, I: -5, U: 200, F: 0.5, P: &one, embedded: embedded{7}}},
		{"{s: 99}", all{S: "99"}},
		{"{s: '${PORT}', i: '${PORT}', f: '${PORT}'}", all{S: "8080", I: 8080, F: 8080}},
		{"{s: 'a${PORT}b${EMPTY}c$${PORT}$'}", all{S: "a8080bc${PORT}$"}},
		{"{s: '${NOPE:-x:-y}${EMPTY:-z}'}", all{S: "x:-y"}},
		{"{s: '${file:/secret}'}", all{S: "hunter2"}},
		{"{l: [a, b]}", all{L: []string{"a", "b"}}},
		{"{l: a}", all{L: []string{"a"}}},
		{"{m: {x: 1}}", all{M: map[string]int{"x": 1}}},
		{"{up: ABC}", all{Up: "ABC"}},
		{"{e: word}", all{E: either{A: "word"}}},
		{"{e: {a: x, b: 1}}", all{E: either{"x", 1}}},
		{"{es: {a: x}}", all{Es: []either{{A: "x"}}}},
		{"{s: null, i: ~}", all{}},
		{"x: &x {a: q}\ne: *x", all{E: either{A: "q"}}},
		{"e: {<<: {a: q, b: 1}, b: 2}", all{E: either{"q", 2}}},
	} {
		var got struct {
			all `yaml:",inline"`
			X   yaml.Node `yaml:"x"`
		}
		if err := decode(tt.text, &got); err != nil {
			t.Errorf("%s: %v", tt.text, err)
		} else if !reflect.DeepEqual(got.all, tt.want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", tt.text, got.all, tt.want)
		}
	}
}

func TestDecodeLayers(t *testing.T) {
	got := all{S: "default", I: 5, L: []string{"x"}, E: either{"a", 1}}
	if err := decode("{i: 6, l: [y, z], e: {b: 2}}", &got); err != nil {
		t.Fatal(err)
	}
	if want := (all{S: "default", I: 6, L: []string{"y", "z"}, E: either{"a", 2}}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"a: [", "f.yaml:1:1: not YAML: did not find expected node content"},
		{"s: a\n\tb: c", "f.yaml:2:1: not YAML: found a tab character that violates indentation"},
		{"[a]", "f.yaml:1:1: the file must be a mapping of keys to values, not a list"},
		{"just text", "f.yaml:1:1: the file must be a mapping of keys to values, not a single value"},
		{"s: a\n---\ns: b", "f.yaml:2:1: a second document; the file must hold one"},
		{"u: 5\nups: x", `f.yaml:2:1: unknown key "ups"; did you mean "up"?`},
		{"somethingelse: x", `f.yaml:1:1: unknown key "somethingelse"; known here: b, e, es, f, i, in, l, m, n, p, s, u, up`},
		{"e: {c: 1}", `f.yaml:1:5: e: unknown key "c"; known here: a, b`},
		{"s: a\ns: b", `f.yaml:2:1: key "s" stands here a second time; the first is in line 1`},
		{"? [a]\n: b", "f.yaml:1:3: a key must be a plain word"},
		{"e: {<<: [a]}", `f.yaml:1:5: e: "<<" merges one mapping, such as "<<: *name"`},
		{"i: five", `f.yaml:1:4: i: must be a whole number, not "five"`},
		{"i: '5'", `f.yaml:1:4: i: must be a whole number, not the text "5"`},
		{"i: 1.5", `f.yaml:1:4: i: must be a whole number, not "1.5"`},
		{"i: 99999999999999999999", `f.yaml:1:4: i: must be a whole number, not "99999999999999999999"`},
		{"u: 256", `f.yaml:1:4: u: must be a whole number, 0 or more, not "256"`},
		{"b: yes", `f.yaml:1:4: b: must be true or false, not "yes"`},
		{"f: x", `f.yaml:1:4: f: must be a number, not "x"`},
		{"s: [a]", "f.yaml:1:4: s: must be text, not a list"},
		{"l: {a: b}", "f.yaml:1:4: l: must be a list, not a mapping"},
		{"l: [a, {b: c}]", "f.yaml:1:8: l[1]: must be text, not a mapping"},
		{"m: [a]", "f.yaml:1:4: m: must be a mapping, not a list"},
		{"e: [a]", "f.yaml:1:4: e: must be a mapping, not a list"},
		{"up: abc", `f.yaml:1:5: up: "abc" is not in capitals`},
		{"s: ${NOPE}", "f.yaml:1:4: s: environment variable NOPE is not set; set it or write ${NOPE:-default}"},
		{"s: ${not a name}", "f.yaml:1:4: s: ${not a name} is no reference; write ${NAME}, ${NAME:-default} or ${file:/path}, or $${ for a literal ${"},
		{"s: ${PORT", `f.yaml:1:4: s: "${" without "}"; write $${ for a literal one`},
		{"s: ${file:/nope}", "f.yaml:1:4: s: ${file:/nope}: file does not exist"},
		{"s: ${file:/huge}", "f.yaml:1:4: s: ${file:/huge}: the file has 2097152 bytes; the most is 1048576"},
		// No value of a reference is shown.
		{"i: ${SECRET}", "f.yaml:1:4: i: the value of ${SECRET} can't be used here"},
		{"up: ${file:/secret}", "f.yaml:1:5: up: the value of ${file:/secret} can't be used here"},
		// All at once, in order of their places.
		{"b: yes\ni: x\nups: 1", "f.yaml:1:4: b: must be true or false, not \"yes\"\nf.yaml:2:4: i: must be a whole number, not \"x\"\nf.yaml:3:1: unknown key \"ups\"; did you mean \"up\"?"},
	} {
		var into all
		err := decode(tt.text, &into)
		var list strictyaml.Errors
		if !errors.As(err, &list) {
			t.Errorf("%q: got error %v, want Errors", tt.text, err)
		} else if err.Error() != tt.want {
			t.Errorf("%q:\ngot  %v\nwant %s", tt.text, err, tt.want)
		}
	}
}

func TestBounds(t *testing.T) {
	for name, text := range map[string]string{
		"billion laughs": "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n" +
			"d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\nl: [*f,*f,*f]\n",
		"deep": "l: " + strings.Repeat("[", 1000) + strings.Repeat("]", 1000),
		"huge": "s: " + strings.Repeat("x", 9<<20),
	} {
		var into struct {
			L    deep                  `yaml:"l"`
			Rest map[string]*yaml.Node `yaml:",rest"`
		}
		if err := decode(text, &into); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

type deep []deep

func TestRest(t *testing.T) {
	var got struct {
		S    string                `yaml:"s"`
		Rest map[string]*yaml.Node `yaml:",rest"`
	}
	if err := decode("{s: a, other: {b: c}}", &got); err != nil {
		t.Fatal(err)
	}
	if got.S != "a" || len(got.Rest) != 1 || got.Rest["other"].Kind != yaml.MappingNode {
		t.Errorf("got %+v", got)
	}
}

func TestFingerdigest(t *testing.T) {
	digest := func(text string) string {
		doc, err := strictyaml.Parse("f.yaml", []byte(text), refs())
		if err != nil {
			t.Fatal(err)
		}
		return doc.Fingerprint(doc.Root)
	}
	base := digest("{a: 1, b: [x, '${PORT}']}")
	for text, same := range map[string]bool{
		"# comment\na: 1\nb:\n  - x\n  - ${PORT}": true,
		"{a: 1, b: [x, '8080']}":                  true,
		"{a: 2, b: [x, '8080']}":                  false,
		"{a: 1, b: [x, 'other']}":                 false,
		"{a: 1, b: [x]}":                          false,
		"{a: 1, b: [x], c: '8080'}":               false,
		"{a: '1', b: [x, '8080']}":                false,
	} {
		if got := digest(text) == base; got != same {
			t.Errorf("%s: got the same fingerprint %v, want %v", text, got, same)
		}
	}
}

func TestFind(t *testing.T) {
	doc, err := strictyaml.Parse("f.yaml", []byte("a: &a\n  b:\n    - c\n    - d: e\nm: {<<: *a, c: f}\n"), refs())
	if err != nil {
		t.Fatal(err)
	}
	for path, line := range map[string]int{"a.b[1].d": 4, "a.b[0]": 3, "a.b[7]": 3, "a.x.y": 1, "": 1, "x": 1, "m.b[0]": 3, "m.c": 5} {
		if got := strictyaml.Find(doc.Root, path).Line; got != line {
			t.Errorf("%q: got line %d, want %d", path, got, line)
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"path", "heartbeat", "history", "headers", "poll"}
	for name, want := range map[string]string{"paht": "path", "hartbeat": "heartbeat", "Headers": "headers", "pol": "poll", "xyz": "", "": ""} {
		if got := strictyaml.Nearest(name, names); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{"", "a: b", "s: ${PORT}\nl: [a]", "e: {<<: *x}", "x: &x [*x]", "? {}\n: 1", "s: $${", "s: !!binary x", "!!set {a}", "i: 0x1F"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var into all
		err := decode(text, &into)
		var list strictyaml.Errors
		if err != nil && !errors.As(err, &list) {
			t.Errorf("got %T, want Errors", err)
		}
		for _, e := range list {
			if e.Line < 1 || e.Column < 1 || e.Msg == "" {
				t.Errorf("a complaint without a place or words: %+v", e)
			}
		}
	})
}

// What is only digested is bounded like what is decoded.
func TestFingerprintIsBounded(t *testing.T) {
	var text strings.Builder
	text.WriteString("a0: &a0 [" + strings.Repeat("x,", 10) + "]\n")
	for i := range 11 {
		fmt.Fprintf(&text, "a%d: &a%d [%s]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d,", i), 10))
	}
	doc, err := strictyaml.Parse("f.yaml", []byte(text.String()), refs())
	if err != nil {
		t.Fatal(err)
	}
	doc.Fingerprint(doc.Root) // 10^12 values, unless it stops
}
