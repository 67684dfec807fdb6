package jsondoc

import "testing"

// TestRFC6902 has those examples of RFC 6902, appendix A, whose operations lead
// from one document to another. A short patch may replace the whole, so there
// is something long beside each.
func TestRFC6902(t *testing.T) {
	const beside = `,"zzz":"something that is long enough to make it pay to change the rest and leave this"}`
	for _, tt := range []struct{ section, from, to, want string }{
		{"A.1", `{"foo":"bar"`, `{"baz":"qux","foo":"bar"`, `[{"op":"add","path":"/baz","value":"qux"}]`},
		{"A.2", `{"foo":["bar","baz"]`, `{"foo":["bar","qux","baz"]`, `[{"op":"add","path":"/foo/1","value":"qux"}]`},
		{"A.3", `{"baz":"qux","foo":"bar"`, `{"foo":"bar"`, `[{"op":"remove","path":"/baz"}]`},
		{"A.4", `{"foo":["bar","qux","baz"]`, `{"foo":["bar","baz"]`, `[{"op":"remove","path":"/foo/1"}]`},
		{"A.5", `{"baz":"qux","foo":"bar"`, `{"baz":"boo","foo":"bar"`, `[{"op":"replace","path":"/baz","value":"boo"}]`},
		{"A.10", `{"foo":"bar"`, `{"child":{"grandchild":{}},"foo":"bar"`, `[{"op":"add","path":"/child","value":{"grandchild":{}}}]`},
		{"A.16", `{"foo":["bar"]`, `{"foo":["bar",["abc","def"]]`, `[{"op":"add","path":"/foo/1","value":["abc","def"]}]`},
	} {
		from, to := mustCanonical(t, []byte(tt.from+beside)), mustCanonical(t, []byte(tt.to+beside))
		if got := checkPatch(t, mustNew(t, Options{}), from, to); string(got) != tt.want {
			t.Errorf("%s: got %s, want %s", tt.section, got, tt.want)
		}
	}
}

// TestRFC6901 changes each member of the document in RFC 6901, section 5.
func TestRFC6901(t *testing.T) {
	from := mustCanonical(t, []byte(`{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}`))
	to := mustCanonical(t, []byte(`{"foo":["bar","BAZ"],"":10,"a/b":11,"c%d":12,"e^f":13,"g|h":14,"i\\j":15,"k\"l":16," ":17,"m~n":18,"`+
		`long":"`+"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"+`"}`))
	d := mustNew(t, Options{})
	c, _ := d.compare(from, to)
	p := patcher{change: c, differ: d, size: 1, room: noLimit, steps: make([]step, 1)}
	p.object(0, 0, 0, nil) // though it would be shorter to replace the whole
	want := map[string]bool{"/": true, "/a~1b": true, "/c%d": true, "/e^f": true, "/g|h": true, `/i\\j`: true, `/k\"l`: true, "/ ": true, "/m~0n": true, "/foo/1": true, "/long": true}
	for _, o := range p.ops {
		pointer := string(p.appendPointer(nil, o.at))
		if !want[pointer] {
			t.Errorf("got %s, want none or once", pointer)
		}
		delete(want, pointer)
		if got := p.steps[o.at].size; got != len(pointer) {
			t.Errorf("%s: got size %d, want %d", pointer, got, len(pointer))
		}
	}
	if len(want) > 0 {
		t.Errorf("got no change of %v", want)
	}
	if got := applyPatch(t, from, p.write()); string(got) != string(to) {
		t.Errorf("got %s, want %s", got, to)
	}
}

// TestRFC7396 has the examples of RFC 7396, appendix A: for each of its
// originals and results there is a merge patch, if only objects are concerned.
func TestRFC7396(t *testing.T) {
	d := mustNew(t, Options{})
	for _, tt := range []struct{ from, to, want string }{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"a":"b","b":"c"}`, `{"b":"c"}`},
		{`{"a":"b"}`, `{}`, `{"a":null}`},
		{`{"a":"b","b":"c"}`, `{"b":"c"}`, `{"a":null}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d"}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`["a","b"]`, `["c","d"]`, ""},
		{`{"a":"b"}`, `["c"]`, ""},
		{`{"a":"foo"}`, `null`, ""},
		{`{"a":"foo"}`, `"bar"`, ""},
		{`{"e":null}`, `{"a":1,"e":null}`, `{"a":1}`},
		{`[1,2]`, `{"a":"b"}`, ""},
		{`{}`, `{"a":{"bb":{}}}`, `{"a":{"bb":{}}}`},
		// And what null does.
		{`{}`, `{}`, `{}`},
		{`{"a":1}`, `{"a":null}`, ""},
		{`{}`, `{"a":{"b":{"c":null}}}`, ""},
		{`{"a":1}`, `{"a":{"b":null}}`, ""},
		{`{"a":{}}`, `{"a":{"b":null}}`, ""},
		{`{"a":{"b":null,"c":1}}`, `{"a":{"b":null,"c":2}}`, `{"a":{"c":2}}`},
		{`{"a":{"b":null,"c":1}}`, `{"a":{"c":1}}`, `{"a":{"b":null}}`},
		{`{"a":1}`, `{"a":[null,{"b":null}]}`, `{"a":[null,{"b":null}]}`},
		{`{"a":1}`, `{"a":{}}`, `{"a":{}}`},
		{`{"a":{"b":1}}`, `{"a":{}}`, `{"a":{"b":null}}`},
	} {
		got, ok := d.Merge([]byte(tt.from), []byte(tt.to), noLimit)
		if string(got) != tt.want || ok != (tt.want != "") {
			t.Errorf("from %s to %s: got %s, %t, want %s", tt.from, tt.to, got, ok, tt.want)
		}
		checkMerge(t, d, []byte(tt.from), []byte(tt.to))
	}
}
