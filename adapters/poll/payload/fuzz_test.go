package payload

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"unicode/utf8"
)

// FuzzDocument checks, for each format, that a body becomes a document that
// is what it says it is, or one of the two errors, and isn't changed.
func FuzzDocument(f *testing.F) {
	for _, seed := range []struct{ contentType, body string }{
		{"application/json; charset=utf-16le", "[\x001\x00]\x00"},
		{"text/plain; charset=shift_jis", "\x93\xfa{"},
		{"application/x-ndjson", "1\r\n{\"a\":1e400}\n"},
		{"application/json-seq", "\x1e1 \x1e{}\n"},
		{"text/csv", "a,a,\n1,\"\"\"\n\",\x00\n"},
		{"text/csv; charset=utf-8", "a\r1\r"},
		{"application/xml", "<?xml version='1.0' encoding='koi8-r'?><!DOCTYPE a><a b='&#1;'>x<c/><![CDATA[y]]>\xc4<d:c/></a>"},
		{"text/xml; charset=gbk", "\xff\xfe<\x00a\x00/\x00>\x00"},
		{"", "\x00\x00\xfe\xff\x00\x00\x00["},
		{"x; charset=iso-2022-jp", "\x1b$B\x46\x7c"},
	} {
		f.Add(seed.contentType, []byte(seed.body))
	}
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		original := bytes.Clone(body)
		for _, format := range []Format{Auto, JSON, NDJSON, CSVFormat, XMLFormat, Text, Bytes} {
			for _, lenient := range []bool{false, true} {
				o := options(format, func(o *Options) {
					o.CSV.LazyQuotes, o.CSV.Header, o.XML.Prefixes = lenient, !lenient, !lenient
				})
				doc, err := o.Document(contentType, body)
				switch {
				case !bytes.Equal(body, original):
					t.Fatalf("%s: the body was changed", format)
				case errors.Is(err, ErrTooLarge), errors.Is(err, ErrUnreadable):
				case err != nil:
					t.Errorf("%s: got error %v, want one of the two", format, err)
				case doc.JSON && !json.Valid(doc.Data):
					t.Errorf("%s: got %q, want JSON", format, doc.Data)
				case (doc.JSON || format == Text) && !utf8.Valid(doc.Data):
					t.Errorf("%s: got %q, want UTF-8", format, doc.Data)
				}
			}
		}
	})
}

// FuzzRead checks that no body makes a decoder panic or give more than the
// bound.
func FuzzRead(f *testing.F) {
	const limit = 10_000
	for _, coding := range allCodings {
		f.Add(nameOf(coding), encode(f, coding, []byte("plain")))
	}
	f.Add("gzip, br", encode(f, "br", encode(f, "gzip", make([]byte, 2*limit))))
	f.Fuzz(func(t *testing.T, codings string, body []byte) {
		got, err := read(limit, body, codings)
		if len(got) > limit || err != nil && !errors.Is(err, ErrTooLarge) && !errors.Is(err, ErrUnreadable) {
			t.Errorf("got %d bytes, %v, want at most %d or one of the two errors", len(got), err, limit)
		}
	})
}
