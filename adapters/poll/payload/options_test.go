package payload

import (
	"errors"
	"math"
	"strings"
	"testing"

	"sidestream/adapters"
)

func TestCheck(t *testing.T) {
	tests := []struct {
		name string
		edit func(*Options)
		path string // empty: nothing is wrong
		want string
	}{
		{"defaults", nil, "", ""},
		{"format", func(o *Options) { o.Format = "yaml" }, "format", "valid: auto, json, ndjson, csv, xml, text, bytes"},
		{"max_body zero", func(o *Options) { o.MaxBody = 0 }, "max_body", "from 1 byte to 1GiB"},
		{"max_body huge", func(o *Options) { o.MaxBody = math.MaxInt64 }, "max_body", "from 1 byte to 1GiB"},
		{"max_body largest", func(o *Options) { o.MaxBody = 1 << 30 }, "", ""},
		{"delimiter ;", func(o *Options) { o.CSV.Delimiter = ";" }, "", ""},
		{"delimiter of two bytes", func(o *Options) { o.CSV.Delimiter = "§" }, "", ""},
		{"delimiter tab", func(o *Options) { o.CSV.Delimiter = "\t" }, "", ""},
		{"delimiter tab in words", func(o *Options) { o.CSV.Delimiter = "tab" }, "", ""},
		{"delimiter tab with backslash", func(o *Options) { o.CSV.Delimiter = `\t` }, "", ""},
		{"delimiter empty", func(o *Options) { o.CSV.Delimiter = "" }, "csv.delimiter", "one character"},
		{"delimiter of two", func(o *Options) { o.CSV.Delimiter = ",," }, "csv.delimiter", "one character"},
		{"delimiter quote", func(o *Options) { o.CSV.Delimiter = `"` }, "csv.delimiter", "no quote"},
		{"delimiter line break", func(o *Options) { o.CSV.Delimiter = "\r" }, "csv.delimiter", "no quote or line break"},
		{"delimiter not UTF-8", func(o *Options) { o.CSV.Delimiter = "\xff" }, "csv.delimiter", "one character"},
		{"comment", func(o *Options) { o.CSV.Comment = "#" }, "", ""},
		{"comment of two", func(o *Options) { o.CSV.Comment = "//" }, "csv.comment", "one character"},
		{"comment is delimiter", func(o *Options) { o.CSV.Delimiter, o.CSV.Comment = "tab", "\t" }, "csv.comment", "is the delimiter"},
		{"attributes", func(o *Options) { o.XML.Attributes, o.XML.Text = "-", "$t" }, "", ""},
		{"attributes empty", func(o *Options) { o.XML.Attributes = "" }, "xml.attributes", "no element's name"},
		{"attributes like a name", func(o *Options) { o.XML.Attributes = "_" }, "xml.attributes", "no element's name"},
		{"attributes long", func(o *Options) { o.XML.Attributes = "@" + strings.Repeat("a", 16) }, "xml.attributes", "at most 16 bytes"},
		{"text like a name", func(o *Options) { o.XML.Text = "value" }, "xml.text", "no element's name"},
		{"text like an attribute", func(o *Options) { o.XML.Text = "@text" }, "xml.text", "an attribute's name"},
		{"text is the prefix", func(o *Options) { o.XML.Text = "@" }, "", ""},
		{"list without a name", func(o *Options) { o.XML.Lists = []string{"item", ""} }, "xml.lists", "name is empty"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var c adapters.OptionErrors
			o := Defaults()
			if tt.edit != nil {
				tt.edit(&o)
			}
			o.Check(&c)
			err := c.Err()
			if tt.path == "" {
				if err != nil {
					t.Errorf("got %v, want no complaint", err)
				}
				return
			}
			var option *adapters.OptionError
			if !errors.As(err, &option) || option.Path != tt.path || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want option %q and %q", err, tt.path, tt.want)
			}
		})
	}
}

func TestAccept(t *testing.T) {
	for f, want := range map[Format]string{
		Auto:      "application/json, */*;q=0.5",
		JSON:      "application/json, */*;q=0.5",
		NDJSON:    "application/x-ndjson, application/jsonl, application/json-seq;q=0.9, */*;q=0.5",
		CSVFormat: "text/csv, */*;q=0.5",
		XMLFormat: "application/xml, text/xml;q=0.9, */*;q=0.5",
		Text:      "text/plain, text/*;q=0.9, */*;q=0.5",
		Bytes:     "*/*",
	} {
		if got := options(f, nil).Accept(); got != want {
			t.Errorf("%s: got %q, want %q", f, got, want)
		}
	}
}
