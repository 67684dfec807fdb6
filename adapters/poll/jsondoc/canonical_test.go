package jsondoc

import (
	"strings"
	"testing"
)

func TestCanonical(t *testing.T) {
	for _, tt := range []struct{ body, want string }{
		{" null\n", "null"},
		{"\xef\xbb\xbf[1]", "[1]"},
		{`{ "b" : 1 , "a" : [ 1 , { } , [ ] ] }`, `{"a":[1,{},[]],"b":1}`},
		{`[1e400,1E+2,0.10,1.0,-0,-0.0,123456789012345678901234567890]`, `[1e400,1E+2,0.10,1.0,-0,-0.0,123456789012345678901234567890]`},
		// Strings (RFC 8259, section 7).
		{`"\u0041\/\u00e9\u2028\u007f"`, "\"A/é\u2028\u007f\""},
		{`"\u0022\u005c\u0008\u000C\u000a\u000d\u0009\u001F"`, `"\"\\\b\f\n\r\t\u001f"`},
		{`"<&>"`, `"<&>"`},
		{`"\ud83d\ude00"`, `"😀"`},
		{`["\ud800","\udc00x","\ud800\u0041"]`, "[\"\ufffd\",\"\ufffdx\",\"\ufffdA\"]"},
		// Names: in order of their bytes, not of UTF-16, and the last one stands.
		{"{\"\U00010000\":1,\"\uffff\":2,\"b\":3,\"aa\":4,\"a!\":5,\"a\":6,\"\":7}", "{\"\":7,\"a\":6,\"a!\":5,\"aa\":4,\"b\":3,\"\uffff\":2,\"\U00010000\":1}"},
		{`{"a":1,"a":2}`, `{"a":2}`},
		{`{"b":9,"a":{"x":1},"a":0,"\u0061":[3],"c":1}`, `{"a":[3],"b":9,"c":1}`},
		{`{"\ud800":1,"\udfff":2}`, "{\"\ufffd\":2}"},
		{`[{"b":[{"d":1,"c":{"f":1,"e":2}}],"a":0}]`, `[{"a":0,"b":[{"c":{"e":2,"f":1},"d":1}]}]`},
	} {
		got, err := Canonical([]byte(tt.body))
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: got %q, %v, want %q", tt.body, got, err, tt.want)
		}
	}
}

func TestCanonicalErrors(t *testing.T) {
	nested := func(n int) string { return strings.Repeat(`{"secret":[`, n/2) + strings.Repeat("]}", n/2) }
	for _, tt := range []struct{ name, body, want string }{
		{"nothing", "", "it is not JSON, which shows at byte 0"},
		{"white space", " \n", "it is not JSON, which shows at byte 2"},
		{"cut off", `{"secret":`, "it is not JSON, which shows at byte 10"},
		{"trailing data", `{} "secret"`, "it is not JSON, which shows at byte 3"},
		{"comma", `[1,]`, "it is not JSON, which shows at byte 3"},
		{"number", `{"secret":01}`, "it is not JSON, which shows at byte 11"},
		{"control character", "\"secret\n\"", "it is not JSON, which shows at byte 7"},
		{"name", `{secret:1}`, "it is not JSON, which shows at byte 1"},
		{"bytes", "\"secret\xff\"", "it is not UTF-8"},
		{"half of UTF-8 as a surrogate", "\"secret\xed\xa0\x80\"", "it is not UTF-8"},
		{"depth", nested(MaxDepth + 2), "it is nested deeper than 1000 levels"},
		{"absurd depth", strings.Repeat("[", 1_000_000), "it is not JSON, which shows at byte 10000"},
	} {
		if got, err := Canonical([]byte(tt.body)); err == nil || err.Error() != tt.want {
			t.Errorf("%s: got %.20q, error %v, want %s", tt.name, got, err, tt.want)
		}
	}
	if _, err := Canonical([]byte(nested(MaxDepth))); err != nil {
		t.Errorf("%d levels: got error %v", MaxDepth, err)
	}
}

// TestCanonicalOwnsItsResult guards against a result that shares memory with
// what is read next.
func TestCanonicalOwnsItsResult(t *testing.T) {
	for _, text := range []string{`{"a":1}`, `{"b":1,"a":2}`} {
		body := []byte(text)
		doc := mustCanonical(t, body)
		want := string(doc)
		clear(body)
		mustCanonical(t, []byte(`["something else","altogether"]`))
		if string(doc) != want {
			t.Errorf("got %s, want %s", doc, want)
		}
	}
}

// TestUnreadable gives what is not canonical, which does no harm.
func TestUnreadable(t *testing.T) {
	d := mustNew(t, Options{Ignore: []string{"/a"}})
	good := []byte(`{"a":1}`)
	for _, bad := range []string{"", "[", "{", "]", `"`, `"\`, `{"a"`, `{"a":`, `{"a":}`, `{"a":1`, `{1}`, `[,]`, `[1}`, `[1]]`, `{"a":1}}`, `{"a"1}`, `{"a":[1},2`,
		strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1)} {
		for _, pair := range [][2][]byte{{good, []byte(bad)}, {[]byte(bad), good}} {
			if patch, _, ok := d.Patch(pair[0], pair[1], noLimit); ok {
				t.Errorf("%.20q: got patch %s, want none", bad, patch)
			}
			if patch, ok := d.Merge(pair[0], pair[1], noLimit); ok {
				t.Errorf("%.20q: got merge patch %s, want none", bad, patch)
			}
			if d.Same(pair[0], pair[1]) {
				t.Errorf("%.20q: got the same as %s", bad, good)
			}
		}
	}
}
