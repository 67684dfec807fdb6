package payload

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestAuto(t *testing.T) {
	const (
		loose = ` {"a": 1}`
	)
	tests := []struct {
		contentType, body, want string
		json                    bool
	}{
		{"application/json", loose, loose, true},
		{"Application/JSON; charset=utf-8", loose, loose, true},
		{"application/json; charset=", loose, loose, true},
		{"application/problem+json", loose, loose, true},
		{"text/json", "1.0", "1.0", true},
		{"application/json", "oops", unreadable + "it is not JSON, at byte 1 of 4", false},
		{"application/json", "", unreadable + "it is not JSON, at byte 0 of 0", false},
		{"", loose, loose, true},
		{"text/plain", loose, loose, true},
		{"text/html", "[1 , 2]", "[1 , 2]", true},
		{"text/plain", "\ufeff[1]", "[1]", true},
		{"text/plain", `{"a": 1`, `{"a": 1`, false},
		{"text/plain", " 1.0\n", " 1.0\n", false},
		{"text/plain", "", "", false},
		{"", "", "", false},
		{"", "\ufeffa", "\ufeffa", false},
		{"text/plain", "\ufeffa", "a", false},
		{"text/plain", "caf\xe9", "caf\xe9", false},
		{"text/plain; charset=utf-8", "caf\xe9", "caf\xe9", false},
		{"text/plain; charset=iso-8859-1", "caf\xe9", "café", false},
		{"text/html; charset=iso-8859-1", `["café"]`, `["café"]`, true},
		{"text/html; charset=iso-8859-1", "[\"caf\xe9\"]", `["café"]`, true},
		{"text/plain; charset=hunter2", "a", unreadable + "its charset is not known", false},
		{"image/png; charset=hunter2", "\xff\x00", "\xff\x00", false},
		{"application/octet-stream", "\xff\x00", "\xff\x00", false},
		{"application/octet-stream", "[1]", "[1]", false},
		{"application/x-ndjson", "1\n2", "[1,2]", true},
		{"application/jsonl", "1", "[1]", true},
		{"application/x-jsonlines", "1", "[1]", true},
		{"application/json-seq", "\x1e1\n\x1e2\n", "[1,2]", true},
		{"application/geo+json-seq", "\x1e{}", "[{}]", true},
		{"text/csv; header=present", "a,b\n1,2", `[{"a":"1","b":"2"}]`, true},
		{"application/xml", "<a/>", `{"a":null}`, true},
		{"text/xml; charset=\"utf-8\"", "<a/>", `{"a":null}`, true},
		{"application/rss+xml", "<a/>", `{"a":null}`, true},
		{"application/xml", loose, unreadable + "line 1: something stands beside the root element", false},
	}
	for _, tt := range tests {
		t.Run(tt.contentType+" "+tt.body, func(t *testing.T) {
			doc, err := options(Auto, nil).Document(tt.contentType, []byte(tt.body))
			wantDocument(t, doc, err, tt.want, tt.json)
		})
	}
}

func TestConfiguredFormat(t *testing.T) {
	const login = "<!DOCTYPE html><form>hunter2<br></form>"
	tests := []struct {
		format                  Format
		contentType, body, want string
	}{
		{JSON, "text/html", " [1]", " [1]"},
		{JSON, "", "1 ", "1 "},
		{JSON, "", "hunter2", unreadable + "it is not JSON, at byte 1 of 7"},
		{JSON, "text/html; charset=utf-8", login, unreadable + "it is not JSON, at byte 1 of 39; it is text/html"},
		{JSON, "application/json", login, unreadable + "at byte 1 of 39"},
		{JSON, "hunter2 " + login, login, unreadable + "at byte 1 of 39"},
		{JSON, "a/" + strings.Repeat("b", 100), login, unreadable + "at byte 1 of 39"},
		{NDJSON, "application/json", "[1]\n[2]", "[[1],[2]]"},
		{NDJSON, "text/html", login, unreadable + "its line 1 is not JSON; it is text/html"},
		{CSVFormat, "application/octet-stream", "a\n1", `[{"a":"1"}]`},
		{XMLFormat, "text/html", login, unreadable + "line 1: elements don't end as they start; it is text/html"},
		{XMLFormat, "text/plain", "<a>1</a>", `{"a":"1"}`},
		{Text, "application/json", " {}", " {}"},
		{Text, "", "caf\xe9", unreadable + "it is not UTF-8"},
		{Text, "image/png", "caf\xe9", unreadable + "it is not UTF-8"},
		{Text, "a/b; charset=latin1", "caf\xe9", "café"},
		{Bytes, "application/json; charset=hunter2", "\xff{}", "\xff{}"},
	}
	for _, tt := range tests {
		t.Run(string(tt.format)+" "+tt.contentType+" "+tt.body, func(t *testing.T) {
			doc, err := options(tt.format, nil).Document(tt.contentType, []byte(tt.body))
			wantDocument(t, doc, err, tt.want, tt.format != Text && tt.format != Bytes)
		})
	}
}

func TestCharsets(t *testing.T) {
	const (
		utf16 = "\xff\xfe[\x00\"\x00\xe9\x00\x3d\xd8\x00\xde\"\x00]\x00"
		text  = `["é😀"]`
	)
	tests := []struct {
		name    string
		format  Format
		charset string
		body    string
		want    string
	}{
		{"UTF-8 mark", JSON, "", "\ufeff[1]", "[1]"},
		{"two UTF-8 marks", JSON, "", "\ufeff\ufeff[1]", unreadable + "at byte 1 of 6"},
		{"UTF-16LE mark", JSON, "", utf16, text},
		{"UTF-16BE mark", JSON, "", "\xfe\xff\x00[\x00\"\x00\xe9\xd8\x3d\xde\x00\x00\"\x00]", text},
		{"UTF-32LE mark", JSON, "", "\xff\xfe\x00\x00[\x00\x00\x001\x00\x00\x00]\x00\x00\x00", "[1]"},
		{"UTF-32BE mark", JSON, "", "\x00\x00\xfe\xff\x00\x00\x00[\x00\x00\x001\x00\x00\x00]", "[1]"},
		{"a mark beats the parameter", JSON, "iso-8859-1", utf16, text},
		{"UTF-16 cut short", JSON, "", utf16[:len(utf16)-1], unreadable + "it is not utf-16"},
		{"UTF-32 cut short", JSON, "", "\xff\xfe\x00\x00[\x00\x00", unreadable + "it is not utf-32"},
		{"half a surrogate in UTF-16", JSON, "", "\xff\xfe\"\x00\x00\xd8\"\x00", "\"\ufffd\""},
		{"UTF-16 by parameter alone", JSON, "utf-16le", "[\x001\x00]\x00", "[1]"},
		{"UTF-16 undeclared", JSON, "", "[\x001\x00]\x00", unreadable + "at byte 2 of 6"},
		{"JSON is UTF-8 whatever is declared", JSON, "iso-8859-1", `["é"]`, `["é"]`},
		{"JSON in what is declared", JSON, "ISO-8859-1", "[\"\xe9\"]", `["é"]`},
		{"JSON that is neither", JSON, "utf-8", "[\"\xe9\"]", unreadable + "it is not UTF-8"},
		{"JSON undeclared", JSON, "", "[\"\xe9\"]", unreadable + "it is not UTF-8"},
		{"NDJSON in what is declared", NDJSON, "windows-1252", "\"\x80\"\n", `["€"]`},
		{"iso-8859-1 means windows-1252", Text, "iso-8859-1", "\x80", "€"},
		{"Shift_JIS", Text, "Shift_JIS", "\x93\xfa\x96\x7b", "日本"},
		{"not Shift_JIS", Text, "shift_jis", "\x93", unreadable + "it is not shift_jis"},
		{"ISO-2022-JP", Text, "iso-2022-jp", "\x1b$B\x46\x7c\x1b(B", "日"},
		{"GBK that looks like UTF-8", Text, "gbk", "\xc1\xaa\xcd\xa8", "联通"},
		{"KOI8-R", CSVFormat, "koi8-r", "a\n\xc4\xc1", `[{"a":"да"}]`},
		{"IBM850, of the registry alone", Text, "ibm850", "\x82", "é"},
		{"utf8 without a hyphen", Text, "UTF8", "é", "é"},
		{"an old name of UTF-8", Text, "unicode-1-1-utf-8", "\xe9", unreadable + "it is not UTF-8"},
		{"not known", Text, "hunter2", "a", unreadable + "its charset is not known"},
		{"forbidden", Text, "iso-2022-kr", "a", unreadable + "its charset is not known"},
		{"registered, not at hand", Text, "utf-7", "a", unreadable + "its charset is not known"},
		{"CSV with a mark", CSVFormat, "", "\ufeffa\n1", `[{"a":"1"}]`},
		{"XML declares", XMLFormat, "", "<?xml version='1.0' encoding='iso-8859-1'?><a>\xe9</a>", `{"a":"é"}`},
		{"XML declares with space", XMLFormat, "", "<?xml version=\"1.0\" encoding = \"ISO-8859-1\" ?>\n<a>\xe9</a>", `{"a":"é"}`},
		{"XML, parameter first", XMLFormat, "koi8-r", "<?xml version='1.0' encoding='iso-8859-1'?><a>\xc4</a>", `{"a":"д"}`},
		{"XML, parameter evidently wrong", XMLFormat, "utf-8", "<?xml version='1.0' encoding='iso-8859-1'?><a>\xe9</a>", `{"a":"é"}`},
		{"XML, mark first", XMLFormat, "koi8-r", "\ufeff<?xml version='1.0' encoding='iso-8859-1'?><a>é</a>", `{"a":"é"}`},
		{"XML in UTF-16", XMLFormat, "", "\xff\xfe<\x00a\x00>\x00\xe9\x00<\x00/\x00a\x00>\x00", `{"a":"é"}`},
		{"XML said to be UTF-16", XMLFormat, "", "<?xml version='1.0' encoding='utf-16'?><a>é</a>", `{"a":"é"}`},
		{"XML in UTF-8", XMLFormat, "", "<?xml version='1.0' encoding='UTF-8'?><a>é</a>", `{"a":"é"}`},
		{"XML not in UTF-8", XMLFormat, "", "<a>\xe9</a>", unreadable + "it is not UTF-8"},
		{"XML not known", XMLFormat, "", "<?xml version='1.0' encoding='hunter2'?><a/>", unreadable + "its charset is not known"},
		{"XML without an encoding", XMLFormat, "", "<?xml version='1.0'?><a/>", `{"a":null}`},
		{"XML, broken declaration", XMLFormat, "", "<?xml encoding=", unreadable + "line 1"},
		{"XML 1.1", XMLFormat, "", "<?xml version='1.1'?><a/>", `{"a":null}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			doc, err := options(tt.format, nil).Document("a/b; x=y; Charset=\""+tt.charset+"\"", []byte(tt.body))
			want := tt.want
			if strings.HasPrefix(want, unreadable) && tt.format != Text {
				want += "; it is a/b"
			}
			wantDocument(t, doc, err, want, tt.format != Text)
		})
	}
}

func TestNotJSON(t *testing.T) {
	for name, body := range map[string]string{
		"blank":                " \n",
		"cut short":            `{"a":[1,2`,
		"trailing garbage":     `{"a":1} x`,
		"two documents":        `{} {}`,
		"trailing NUL":         "{}\x00",
		"NaN":                  `[NaN]`,
		"leading zero":         `[01]`,
		"control character":    "\"a\nb\"",
		"arrays without end":   strings.Repeat("[", 1<<20),
		"too deep":             strings.Repeat("[", 10001) + strings.Repeat("]", 10001),
		"a number and its end": `1e`,
	} {
		doc, err := options(JSON, nil).Document("", []byte(body))
		wantDocument(t, doc, err, unreadable, true)
		if doc, err = options(Auto, nil).Document("", []byte(body)); err != nil || doc.JSON || string(doc.Data) != body {
			t.Errorf("%s, auto: got %.40q, %v, want it as it came", name, doc.Data, err)
		}
	}
}

func TestNDJSON(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"numbers are exact", "1e400\n0.10\n123456789012345678901234567890\n-0\n1.0", `[1e400,0.10,123456789012345678901234567890,-0,1.0]`},
		{"line ends and blank lines", "\r\n {\"a\": 1} \r\n\n\t\n[2]\r\n", `[{"a": 1},[2]]`},
		{"empty", "", "[]"},
		{"blank", " \n\r\n", "[]"},
		{"broken", "1\n\n{\"hunter2\n3", unreadable + "its line 3 is not JSON"},
		{"two on a line", "1 2", unreadable + "its line 1 is not JSON"},
		{"over two lines", "{\"a\":\n1}", unreadable + "its line 1 is not JSON"},
		{"lone CR", "1\r2", unreadable + "its line 1 is not JSON"},
		{"NUL", "1\n\x00\n", unreadable + "its line 2 is not JSON"},
		{"deep", strings.Repeat("[", 1<<20), unreadable + "its line 1 is not JSON"},
		{"sequence", "\x1e{\"a\":\n1}\n\x1e\x1e\"b\"\n\x1e1.0\n", "[{\"a\":\n1},\"b\",1.0]"},
		{"sequence, number perhaps cut", "\x1e1\n\x1e12", unreadable + "its record 2 is not JSON"},
		{"sequence, literal perhaps cut", "\x1etrue\x1e1\n", unreadable + "its record 1 is not JSON"},
		{"sequence, cut", "\x1e[1]\n\x1e{\"hunter2\"", unreadable + "its record 2 is not JSON"},
		{"sequence within lines", "1\n\x1e2\n", unreadable + "its line 2 is not JSON"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			doc, err := options(NDJSON, nil).Document("", []byte(tt.body))
			wantDocument(t, doc, err, tt.want, true)
			if err == nil && !json.Valid(doc.Data) {
				t.Errorf("got %q, want JSON", doc.Data)
			}
		})
	}
}

func BenchmarkDocument(b *testing.B) {
	for name, tt := range map[Format]struct{ head, part, tail string }{
		JSON:      {"[0", `,{"id": 12345, "name": "an order", "total": 99.90}`, "]"},
		NDJSON:    {"", `{"id": 12345, "name": "an order", "total": 99.90}` + "\n", ""},
		CSVFormat: {"id,name,total\n", "12345,an order,99.90\n", ""},
		XMLFormat: {"<orders>", `<order id="12345"><name>an order</name><total>99.90</total></order>`, "</orders>"},
	} {
		b.Run(string(name), func(b *testing.B) {
			body := []byte(tt.head + strings.Repeat(tt.part, 1<<20/len(tt.part)) + tt.tail)
			o := options(name, nil)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := o.Document("", body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
