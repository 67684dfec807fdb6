package payload

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"sidestream/adapters"
)

func TestCSV(t *testing.T) {
	tests := []struct {
		name, body, want string
		edit             func(*CSV)
	}{
		{"objects", "id,name\r\n1,Ann\r\n2,\"O\"\"Hara, Bob\"\r\n", `[{"id":"1","name":"Ann"},{"id":"2","name":"O\"Hara, Bob"}]`, nil},
		{"values are as they are", "n\n 1.0 \n007", `[{"n":" 1.0 "},{"n":"007"}]`, nil},
		{"no last line end", "a,b\n1,", `[{"a":"1","b":""}]`, nil},
		{"blank lines", "\na\n\n1\n\n\n2\n", `[{"a":"1"},{"a":"2"}]`, nil},
		{"header alone", "a,b\n", `[]`, nil},
		{"empty", "", `[]`, nil},
		{"line break in a field", "a\n\"x\r\ny\"", `[{"a":"x\ny"}]`, nil},
		{"lone CR ends lines", "a,b\r1,2\r3,4\r", `[{"a":"1","b":"2"},{"a":"3","b":"4"}]`, nil},
		{"CR within a line", "a\n1\r2\n", `[{"a":"1\r2"}]`, nil},
		{"NUL and controls", "a\n\x00\x1f\\\t<&\u2028", `[{"a":"\u0000\u001f\\\t<&` + "\u2028" + `"}]`, nil},
		{"names in need of care", " a ,a,,\"a\nb\",a_2,a,", `[]`, nil},
		{"names made unique", " a ,a,,a_2,a,\n1,2,3,4,5,6", `[{"a":"1","a_2":"2","column_3":"3","a_2_2":"4","a_3":"5","column_6":"6"}]`, nil},
		{"name of a column taken", "column_2,\n1,2", `[{"column_2":"1","column_2_2":"2"}]`, nil},
		{"too few fields", "a,b\n1,2\n\nhunter2\n", unreadable + "it is not CSV: line 4: wrong number of fields", nil},
		{"too many fields", "a\n1,hunter2\n", unreadable + "line 2: wrong number of fields", nil},
		{"bare quote", "a\nhunter2 \"x\"\n", unreadable + `line 2: bare " in non-quoted-field`, nil},
		{"open quote", "a\n\"hunter2\n", unreadable + `line 2: extraneous or missing " in quoted-field`, nil},
		{"lazy quotes", "a\n5\" pipe\n\"x\"y\"\n", `[{"a":"5\" pipe"},{"a":"x\"y"}]`, func(o *CSV) { o.LazyQuotes = true }},
		{"semicolons", "a;b\n1,5;2", `[{"a":"1,5","b":"2"}]`, func(o *CSV) { o.Delimiter = ";" }},
		{"tabs", "a\tb\n1\t2", `[{"a":"1","b":"2"}]`, func(o *CSV) { o.Delimiter = "tab" }},
		{"a delimiter of two bytes", "a§b\n1§2", `[{"a":"1","b":"2"}]`, func(o *CSV) { o.Delimiter = "§" }},
		{"comments", "# hi\na\n#,,,\n1\n", `[{"a":"1"}]`, func(o *CSV) { o.Comment = "#" }},
		{"arrays", "a,a\n1,\n", `[["a","a"],["1",""]]`, func(o *CSV) { o.Header = false }},
		{"ragged arrays", "a,a\n1\n", unreadable + "line 2: wrong number of fields", func(o *CSV) { o.Header = false }},
		{"a row at its bound", "a\n" + strings.Repeat("x", 1<<20-1) + "\n", `[{"a":"` + strings.Repeat("x", 1<<20-1) + `"}]`, nil},
		{"a row beyond", "a\n" + strings.Repeat("x", 1<<20+8<<10), unreadable + "it has a row of more than 1048576 bytes", nil},
		{"a quoted row beyond", "a\n\"" + strings.Repeat("x\n", 1<<20), unreadable + "it has a row of more than 1048576 bytes", nil},
		{"two million columns", strings.Repeat(",", 2<<20) + "\n", unreadable + "it has a row of more than 1048576 bytes", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := options(CSVFormat, func(o *Options) {
				if tt.edit != nil {
					tt.edit(&o.CSV)
				}
			})
			doc, err := o.Document("text/csv", []byte(tt.body))
			wantDocument(t, doc, err, tt.want, true)
			if err == nil && !json.Valid(doc.Data) {
				t.Errorf("got %.80q, want JSON", doc.Data)
			}
		})
	}
}

func TestCSVOfManyColumns(t *testing.T) {
	const columns = 300_000
	row := strings.Repeat(",", columns-1) + "\n"
	doc, err := options(CSVFormat, nil).Document("", []byte(row))
	wantDocument(t, doc, err, "[]", true)

	doc, err = options(CSVFormat, nil).Document("", []byte(row+row))
	if err != nil || !json.Valid(doc.Data) {
		t.Fatalf("got error %v, want JSON", err)
	}
	if got := bytes.Count(doc.Data, []byte(`:""`)); got != columns {
		t.Errorf("got %d fields, want %d", got, columns)
	}
}

// TestOutputIsBounded: names are repeated in each row and each element.
func TestOutputIsBounded(t *testing.T) {
	const bound = 10_000
	for _, tt := range []struct {
		format Format
		body   string
	}{
		{CSVFormat, strings.Repeat("x", 100) + "\n" + strings.Repeat("1\n", 4000)},
		{XMLFormat, "<a>" + strings.Repeat("<b c=''/>", 1000) + "</a>"},
	} {
		o := options(tt.format, func(o *Options) { o.MaxBody, o.XML.Attributes = bound, "@"+strings.Repeat("y", 15) })
		if tt.format == XMLFormat {
			o.MaxBody = adapters.Size(len(tt.body)) / 4
		}
		doc, err := o.Document("", []byte(tt.body))
		wantDocument(t, doc, err, tooLarge, true)
		o.MaxBody *= 100
		if doc, err = o.Document("", []byte(tt.body)); err != nil || !json.Valid(doc.Data) {
			t.Errorf("%s within bounds: got error %v, want JSON", tt.format, err)
		}
	}
}
