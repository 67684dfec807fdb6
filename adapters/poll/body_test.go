package poll

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestCanonicalJSON(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"order and space", " {\"b\" : [1, 2],\r\n\t\"a\":{\"d\":null,\"c\":true}} \n", `{"a":{"c":true,"d":null},"b":[1,2]}`},
		{"numbers", `[1e400, 0.1, 123456789012345678901234567890, -0, 1.0, 1E+2, -0.0e-0, 10000000000000000.1]`,
			`[1e400,0.1,123456789012345678901234567890,-0,1.0,1E+2,-0.0e-0,10000000000000000.1]`},
		{"no HTML escapes", `"<a href=\"x\">&\u003c"`, `"<a href=\"x\">&<"`},
		{"escapes", `"\u0041\/\u00e9\ud83d\ude00"`, "\"A/\u00e9\U0001f600\""},
		{"half a surrogate", `"\ud800"`, "\"\ufffd\""},
		{"line break in a string", `"a\nb"`, `"a\nb"`},
		{"last of a name", `{"a":1,"a":2}`, `{"a":2}`},
		{"byte order mark", "\xef\xbb\xbf{}", `{}`},
		{"scalar", " 1.0 ", `1.0`},
		{"null", "null", `null`},
		{"depth", strings.Repeat("[", 10000) + strings.Repeat("]", 10000), strings.Repeat("[", 10000) + strings.Repeat("]", 10000)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := canonical([]byte(tt.body), asJSON)
			if err != nil || string(got) != tt.want {
				t.Errorf("got %s, %v, want %s", got, err, tt.want)
			}
		})
	}
}

func TestUnreadableJSON(t *testing.T) {
	tests := []struct{ name, body string }{
		{"empty", ""},
		{"blank", " \n"},
		{"garbage", "<html>"},
		{"cut short", `{"a":[1,2`},
		{"cut in a string", `{"a":"b`},
		{"trailing garbage", `{"a":1} x`},
		{"two documents", `{} {}`},
		{"trailing bracket", `[]]`},
		{"trailing NUL", "{}\x00"},
		{"not UTF-8", "\"\xff\""},
		{"UTF-16", "{\x00}\x00"},
		{"not a number", `[NaN]`},
		{"leading zero", `[01]`},
		{"control character", "\"a\nb\""},
		{"arrays without end", strings.Repeat("[", 10<<20)},
		{"objects without end", strings.Repeat(`{"a":`, 2<<20)},
		{"too deep", strings.Repeat("[", 10001) + strings.Repeat("]", 10001)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := canonical([]byte(tt.body), asJSON); !errors.Is(err, errUnreadable) {
				t.Errorf("got %.40q, %v, want errUnreadable", got, err)
			}
		})
	}
}

func TestFormats(t *testing.T) {
	const unreadable = "(unreadable)"
	loose := ` {"a": 1}`
	tests := []struct {
		option, contentType, body, want string
	}{
		{bodyAuto, "application/json", loose, `{"a":1}`},
		{bodyAuto, "Application/JSON; charset=utf-8", loose, `{"a":1}`},
		{bodyAuto, "application/json; charset=", loose, `{"a":1}`},
		{bodyAuto, "application/problem+json", loose, `{"a":1}`},
		{bodyAuto, "application/json", "oops", unreadable},
		{bodyAuto, "application/json", "", unreadable},
		{bodyAuto, "", loose, `{"a":1}`},
		{bodyAuto, "text/plain", loose, `{"a":1}`},
		{bodyAuto, "text/html", "[1 , 2]", `[1,2]`},
		{bodyAuto, "text/plain", `{"a": 1`, `{"a": 1`},
		{bodyAuto, "text/plain", " 1.0\n", " 1.0\n"},
		{bodyAuto, "text/plain", "", ""},
		{bodyAuto, "application/xml", loose, loose},
		{bodyAuto, "application/octet-stream", "\xff\x00", "\xff\x00"},
		{bodyJSON, "text/html", loose, `{"a":1}`},
		{bodyJSON, "", "1 ", `1`},
		{bodyJSON, "", "a", unreadable},
		{bodyText, "application/json", loose, loose},
		{bodyText, "", "caf\xe9", unreadable},
		{bodyBytes, "application/json", loose, loose},
		{bodyBytes, "text/plain", "caf\xe9", "caf\xe9"},
	}
	for _, tt := range tests {
		t.Run(tt.option+" "+tt.contentType+" "+tt.body, func(t *testing.T) {
			a := answer{status: http.StatusOK, header: http.Header{"Content-Type": {tt.contentType}}, body: []byte(tt.body)}
			doc, err := canonical(a.body, formatOf(tt.option, a))
			got := string(doc)
			if errors.Is(err, errUnreadable) {
				got = unreadable
			}
			if got != tt.want {
				t.Errorf("got %q (%v), want %q", got, err, tt.want)
			}
		})
	}
}

// TestSameBytes: a body that came before isn't read again. The one here can't
// be, so that it would show.
func TestSameBytes(t *testing.T) {
	s := newTestSource(nil, nil)
	a := answer{status: http.StatusOK, header: http.Header{"Content-Type": {"application/json"}}, body: []byte("{")}
	known := state{position: "p", raw: fingerprintOf(asJSON, a.body)}
	if event, err := s.digest(a, "p", known); event != nil || err != nil {
		t.Errorf("same bytes: got %v, %v, want nothing", event, err)
	}
	known.raw = fingerprintOf(asText, a.body)
	if _, err := s.digest(a, "p", known); !errors.Is(err, errUnreadable) {
		t.Errorf("same bytes, other format: got %v, want errUnreadable", err)
	}
}

func TestPosition(t *testing.T) {
	// A position outlives the process: clients come back with it.
	const want = "xUDDQ-WVj1lcltjN7oHe-A"
	got := positionOf([]byte(`{"a":1}`))
	if got != want || !got.Valid() {
		t.Errorf("got %q, want %q", got, want)
	}
	if other := positionOf(nil); other == got || other == "" {
		t.Errorf("got %q for the empty document, want another position", other)
	}
}

// FuzzCanonical checks that the canonical form is one: readable, stable, of
// the same value, with every number as it was.
func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{
		`{"b":[1e400,-0,1.0,{"c":"\u2028<&>"}],"a":null}`, `"\ud800\udfff"`, "\xef\xbb\xbf[]", `{"a":1,"a":{"b":0.10}}`, `[[[`, `1 2`, `{"\u0000":"\/"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		original := bytes.Clone(body)
		doc, err := canonicalJSON(body)
		if !bytes.Equal(body, original) {
			t.Fatal("the body was changed")
		}
		if err != nil {
			return
		}
		again, err := canonicalJSON(doc)
		if err != nil || !bytes.Equal(again, doc) {
			t.Errorf("canonical form of %q: got %q, %v, want it unchanged", doc, again, err)
		}
		got, want := numbers(t, doc), numbers(t, trimBOM(body))
		slices.Sort(got)
		slices.Sort(want)
		if !hasDuplicates(t, trimBOM(body)) && !slices.Equal(got, want) {
			t.Errorf("numbers: got %q, want %q", got, want)
		}
	})
}

// numbers returns the numbers of a JSON text as they are written.
func numbers(t *testing.T, text []byte) []string {
	t.Helper()
	var list []string
	in := json.NewDecoder(bytes.NewReader(text))
	in.UseNumber()
	for {
		token, err := in.Token()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		if n, ok := token.(json.Number); ok {
			list = append(list, n.String())
		}
	}
}

// hasDuplicates reports whether decoding drops members of an object: then
// there are fewer tokens afterwards.
func hasDuplicates(t *testing.T, text []byte) bool {
	t.Helper()
	doc, err := canonicalJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	return tokens(t, doc) != tokens(t, text)
}

func tokens(t *testing.T, text []byte) (n int) {
	t.Helper()
	in := json.NewDecoder(bytes.NewReader(text))
	in.UseNumber()
	for {
		if _, err := in.Token(); errors.Is(err, io.EOF) {
			return n
		} else if err != nil {
			t.Fatal(err)
		}
		n++
	}
}

func BenchmarkCanonicalJSON(b *testing.B) {
	var body bytes.Buffer
	body.WriteByte('[')
	for body.Len() < 1<<20 {
		body.WriteString(`{"id": 12345, "name": "an order", "total": 99.90, "lines": [{"sku": "A-1", "n": 2}], "open": true},`)
	}
	body.WriteString("null]")
	b.SetBytes(int64(body.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := canonicalJSON(body.Bytes()); err != nil {
			b.Fatal(err)
		}
	}
}
