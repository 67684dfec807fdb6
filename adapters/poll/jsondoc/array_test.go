package jsondoc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// counted returns how many operations of each kind a patch has, in order of
// the kinds.
func counted(tb testing.TB, patch []byte) string {
	tb.Helper()
	var ops []operation
	if err := json.Unmarshal(patch, &ops); err != nil {
		tb.Fatalf("%s: got error %v", patch, err)
	}
	n := map[string]int{}
	for _, o := range ops {
		n[o.Op]++
	}
	var list []string
	for _, kind := range []string{"add", "move", "remove", "replace"} {
		if n[kind] > 0 {
			list = append(list, fmt.Sprint(n[kind], " ", kind))
		}
	}
	return strings.Join(list, ", ")
}

func items(list [][]byte) []byte {
	return slices.Concat([]byte(`{"items":[`), bytes.Join(list, []byte(",")), []byte(`]}`))
}

// A record writes an element of a list.
type record func(id int, state string) []byte

func shortRecord(id int, state string) []byte {
	return fmt.Appendf(nil, `{"id":%d,"state":%q}`, id, state)
}

// thousand returns a list of 1,000 elements.
func thousand(r record) [][]byte {
	list := make([][]byte, 1000)
	for i := range list {
		list[i] = r(i, "open")
	}
	return list
}

// edits change a list of 1,000 elements in ways whose cost is known.
func edits(r record) map[string]func([][]byte) [][]byte {
	return map[string]func([][]byte) [][]byte{
		"insert": func(l [][]byte) [][]byte { return slices.Insert(l, 500, r(5000, "open")) },
		"append": func(l [][]byte) [][]byte { return append(l, r(5000, "open")) },
		"delete": func(l [][]byte) [][]byte { return slices.Delete(l, 500, 501) },
		"roll":   func(l [][]byte) [][]byte { return append(l[1:], r(5000, "open")) },
		"move": func(l [][]byte) [][]byte {
			return slices.Insert(slices.Delete(l, 700, 701), 100, r(700, "open"))
		},
		"move and change": func(l [][]byte) [][]byte {
			return slices.Insert(slices.Delete(l, 100, 101), 700, r(100, "shipped"))
		},
		"change 10 %": func(l [][]byte) [][]byte {
			for i := 0; i < len(l); i += 10 {
				l[i] = r(i, "shipped")
			}
			return l
		},
		"insert and change": func(l [][]byte) [][]byte {
			l[10], l[990] = r(10, "shipped"), r(990, "shipped")
			return slices.Insert(l, 500, r(5000, "open"))
		},
		"swap ends": func(l [][]byte) [][]byte {
			l[0], l[999] = l[999], l[0]
			return l
		},
	}
}

func TestCosts(t *testing.T) {
	keyed, plain := mustNew(t, Options{ArrayKeys: map[string]string{"/items": "id"}}), mustNew(t, Options{})
	for name, want := range map[string]struct{ keyed, plain string }{
		"insert":            {"1 add", "1 add"},
		"append":            {"1 add", "1 add"},
		"delete":            {"1 remove", "1 remove"},
		"roll":              {"1 add, 1 remove", "1 add, 1 remove"},
		"move":              {"1 move", "1 add, 1 remove"},
		"move and change":   {"1 move, 1 replace", "1 add, 1 remove"},
		"change 10 %":       {"100 replace", "100 replace"},
		"insert and change": {"1 add, 2 replace", "1 add, 2 replace"},
		"swap ends":         {"2 move", "2 replace"},
	} {
		from, to := mustCanonical(t, items(thousand(shortRecord))), mustCanonical(t, items(edits(shortRecord)[name](thousand(shortRecord))))
		if got := counted(t, checkPatch(t, keyed, from, to)); got != want.keyed {
			t.Errorf("%s, by key: got %s, want %s", name, got, want.keyed)
		}
		if got := counted(t, checkPatch(t, plain, from, to)); got != want.plain {
			t.Errorf("%s, without: got %s, want %s", name, got, want.plain)
		}
	}
}

func TestArrays(t *testing.T) {
	long := strings.Repeat("x", 200) // so that it doesn't pay to replace everything
	for _, tt := range []struct{ name, key, from, to, want string }{
		{"replace the whole", "", `[1,2,3]`, `[4,5,6]`, `[{"op":"replace","path":"","value":[4,5,6]}]`},
		{"changed in its place", "id", `[{"id":1,"v":1},{"id":2,"v":1,"w":"LONG"}]`, `[{"id":2,"v":2,"w":"LONG"},{"id":1,"v":1}]`,
			`[{"op":"move","from":"/1","path":"/0"},{"op":"replace","path":"/0/v","value":2}]`},
		{"keys as written", "id", `[{"id":1},{"id":"1"},{"id":1.0,"w":"LONG"}]`, `[{"id":1.0,"w":"LONG"},{"id":1},{"id":"1"}]`,
			`[{"op":"move","from":"/2","path":"/0"}]`},
		{"all at once", "id", `[{"id":1},{"id":2},{"id":3},{"id":4,"w":"LONG"},{"id":5}]`, `[{"id":5},{"id":9},{"id":4,"w":"LONG","x":0},{"id":1}]`,
			`[{"op":"remove","path":"/2"},{"op":"remove","path":"/1"},{"op":"move","from":"/2","path":"/0"},{"op":"add","path":"/1","value":{"id":9}},` +
				`{"op":"move","from":"/3","path":"/2"},{"op":"add","path":"/2/x","value":0}]`},
		{"pairs between what stays", "", `["LONG",{"a":1},2,"LONG"]`, `["LONG",{"a":2},"LONG",3]`,
			`[{"op":"replace","path":"/1/a","value":2},{"op":"remove","path":"/2"},{"op":"add","path":"/3","value":3}]`},
		{"repeated elements", "", `["LONG",1,1,2,1]`, `["LONG",1,2,1,1]`, `[{"op":"add","path":"/1","value":1},{"op":"remove","path":"/4"}]`},
	} {
		from, to, want := strings.ReplaceAll(tt.from, "LONG", long), strings.ReplaceAll(tt.to, "LONG", long), strings.ReplaceAll(tt.want, "LONG", long)
		o := Options{}
		if tt.key != "" {
			o.ArrayKeys = map[string]string{"": tt.key}
		}
		patch := checkPatch(t, mustNew(t, o), mustCanonical(t, []byte(from)), mustCanonical(t, []byte(to)))
		if tt.name == "repeated elements" { // there are several that are as good
			if got := counted(t, patch); got != "1 add, 1 remove" {
				t.Errorf("%s: got %s, want 1 add, 1 remove", tt.name, got)
			}
			continue
		}
		if string(patch) != want {
			t.Errorf("%s: got  %s\nwant %s", tt.name, patch, want)
		}
	}
}

// TestPattern checks which of several keys stands, and that keys of arrays in
// arrays are found at the place where the array is.
func TestPattern(t *testing.T) {
	d := mustNew(t, Options{ArrayKeys: map[string]string{"/*/list": "wrong", "/a/list": "id", "/*/*": "wrong too", "/a/list/*/list": "n"}})
	long := strings.Repeat("x", 300)
	from := mustCanonical(t, []byte(`{"a":{"list":[{"id":1,"list":[{"n":1},{"n":2},{"n":3,"l":"`+long+`"}]},{"id":2},{"id":3}]}}`))
	to := mustCanonical(t, []byte(`{"a":{"list":[{"id":3},{"id":1,"list":[{"n":3,"l":"`+long+`"},{"n":1},{"n":2}]},{"id":2}]}}`))
	want := `[{"op":"move","from":"/a/list/2","path":"/a/list/0"},{"op":"move","from":"/a/list/1/list/2","path":"/a/list/1/list/0"}]`
	patch, notes, _ := d.Patch(from, to, noLimit)
	if string(patch) != want || len(notes) > 0 {
		t.Errorf("got  %s, %v\nwant %s", patch, notes, want)
	}
}

func TestNotes(t *testing.T) {
	d := mustNew(t, Options{ArrayKeys: map[string]string{"/items": "id", "/groups/*/members": "name"}})
	long := strings.Repeat("x", 600)
	for _, tt := range []struct {
		from, to string
		want     []Note
	}{
		{`{"items":[{"id":1}]}`, `{"items":[{"id":1},{"id":2}]}`, nil},
		{`{"items":[{"id":1}]}`, `{"items":[{"id":1},{"ID":2}]}`, []Note{{"/items", ProblemMissing}}},
		{`{"items":[{"ID":2}]}`, `{"items":[]}`, []Note{{"/items", ProblemMissing}}},
		{`{"items":[{"id":1},{"id":1}]}`, `{"items":[]}`, []Note{{"/items", ProblemDuplicate}}},
		{`{"items":[]}`, `{"items":[{"id":1},{"id":1}]}`, []Note{{"/items", ProblemDuplicate}}},
		{`{"items":[{"id":1},{"id":2}]}`, `{"items":[{"id":1},{"id":1,"x":1},{"id":2}]}`, []Note{{"/items", ProblemDuplicate}}},
		{`{"items":[{"id":1},{"id":2}]}`, `{"items":[{"id":1},{"id":2,"x":1},{"id":2}]}`, []Note{{"/items", ProblemDuplicate}}},
		{`{"items":[{"id":1},{"id":1},{"id":2}]}`, `{"items":[{"id":1},{"id":1},{"id":3}]}`, []Note{{"/items", ProblemDuplicate}}},
		{`{"items":[1]}`, `{"items":[]}`, []Note{{"/items", ProblemNoObject}}},
		{`{"items":[{"id":null}]}`, `{"items":[]}`, []Note{{"/items", ProblemNoKey}}},
		{`{"items":[{"id":true}]}`, `{"items":[]}`, []Note{{"/items", ProblemNoKey}}},
		{`{"items":[{"id":[1]}]}`, `{"items":[]}`, []Note{{"/items", ProblemNoKey}}},
		{`{"items":[{"id":{}}]}`, `{"items":[]}`, []Note{{"/items", ProblemNoKey}}},
		{`{"items":[1]}`, `{"items":{}}`, nil}, // one array isn't compared
		{`{"items":[1],"x":1}`, `{"items":[1],"x":2}`, nil},
		{`{"groups":[{"members":[1]},{"members":[2]},{"members":[{}]},"` + long + `"]}`, `{"groups":[{"members":[]},{"members":[]},{"members":[]},"` + long + `"]}`,
			[]Note{{"/groups/*/members", ProblemNoObject}, {"/groups/*/members", ProblemMissing}}},
	} {
		from, to := mustCanonical(t, []byte(tt.from)), mustCanonical(t, []byte(tt.to))
		_, got, _ := d.Patch(from, to, noLimit)
		if !slices.Equal(got, tt.want) {
			t.Errorf("from %s to %s: got %v, want %v", from, to, got, tt.want)
		}
		checkPatch(t, d, from, to)
	}

	o := Options{ArrayKeys: map[string]string{}}
	var from, to []string
	for i := range 20 {
		o.ArrayKeys[fmt.Sprintf("/%d", i)] = "id"
		from, to = append(from, fmt.Sprintf(`"%d":[1]`, i)), append(to, fmt.Sprintf(`"%d":[2]`, i))
	}
	doc := func(members []string) []byte {
		return mustCanonical(t, []byte(`{"long":"`+strings.Repeat("x", 2000)+`",`+strings.Join(members, ",")+`}`))
	}
	if _, got, _ := mustNew(t, o).Patch(doc(from), doc(to), noLimit); len(got) != maxNotes {
		t.Errorf("20 arrays: got %d notes, want %d", len(got), maxNotes)
	}
}

// TestLimitStopsEarly has a change for each element, of which only a few may
// be written.
func TestLimitStopsEarly(t *testing.T) {
	from := mustCanonical(t, items(thousand(shortRecord)))
	to := bytes.ReplaceAll(from, []byte(`"state":"open"`), []byte(`"state":"shut"`))
	d := mustNew(t, Options{})
	c, _ := d.compare(from, to)
	p := patcher{change: c, differ: d, size: 1, room: 500, steps: make([]step, 1)}
	if p.value(0, 0, 0, nil) || len(p.ops) > 0 || cap(p.ops) > 20 {
		t.Errorf("got room for %d of %d operations, want none", len(p.ops), cap(p.ops))
	}
	for limit, want := range map[int]bool{-1: false, 0: false, 1: false, 2: true} {
		if _, _, ok := d.Patch(from, from, limit); ok != want {
			t.Errorf("an empty patch within %d bytes: got %t, want %t", limit, ok, want)
		}
	}
}
