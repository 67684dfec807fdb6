package payload

import (
	"errors"
	"strings"
	"unicode/utf8"

	"sidestream/adapters"
)

// What can be wrong with an answer. Each is a reason that clients may see.
var (
	ErrTooLarge   = errors.New("upstream's answer is too large")
	ErrUnreadable = errors.New("upstream sent an unreadable body")
)

// A Format is what a body is read as. The package comment tells of each.
type Format string

// The formats.
const (
	Auto      Format = "auto"   // by the Content-Type
	JSON      Format = "json"   // one JSON text
	NDJSON    Format = "ndjson" // JSON texts, one on each line
	CSVFormat Format = "csv"    // rows of texts
	XMLFormat Format = "xml"    // elements, attributes, texts
	Text      Format = "text"   // text in any charset, as it comes
	Bytes     Format = "bytes"  // anything, as it comes
)

// Values implements [adapters.Choice].
func (Format) Values() []string {
	return []string{
		string(Auto), string(JSON), string(NDJSON), string(CSVFormat),
		string(XMLFormat), string(Text), string(Bytes),
	}
}

// maxMaxBody is the upper bound of Options.MaxBody. Places in a body are
// counted in 32 bits, charsets considered.
const maxMaxBody = 1 << 30

// maxMark is the longest of XML's marks in bytes.
const maxMark = 16

// Options say how an answer is read. Their zero value is of no use; start
// from [Defaults].
type Options struct {
	// Format is what the body is: auto, json, ndjson, csv, xml, text or
	// bytes.
	Format Format `yaml:"format"`

	// MaxBody is the largest body that is accepted, once its content codings
	// are taken off; from 1 byte to 1GiB.
	MaxBody adapters.Size `yaml:"max_body"`

	CSV CSV `yaml:"csv"`
	XML XML `yaml:"xml"`
}

// CSV are the options of the format csv.
type CSV struct {
	// Delimiter is the one character between two fields. A tab may be written
	// as "tab" or "\t".
	Delimiter string `yaml:"delimiter"`

	// Header says that the first row names the members of all others. If it
	// is false, rows are arrays.
	Header bool `yaml:"header"`

	// Comment is the one character that makes a line a comment when it
	// starts it. Empty means that there are no comments.
	Comment string `yaml:"comment"`

	// LazyQuotes accepts quotes within unquoted fields and single ones
	// within quoted fields.
	LazyQuotes bool `yaml:"lazy_quotes"`
}

// XML are the options of the format xml.
type XML struct {
	// Attributes is put before the names of attributes, and Text is the name
	// of the text in an element that has more than that. Neither may be taken
	// for the name of an element.
	Attributes string `yaml:"attributes"`
	Text       string `yaml:"text"`

	// Prefixes says that names keep the prefixes of their namespaces.
	Prefixes bool `yaml:"prefixes"`

	// Lists names the elements, as they are called in the document that is
	// made, that are always an array.
	Lists []string `yaml:"lists"`
}

// Defaults returns the options that hold when nothing is configured.
func Defaults() Options {
	return Options{
		Format:  Auto,
		MaxBody: 10 << 20,
		CSV:     CSV{Delimiter: ",", Header: true},
		XML:     XML{Attributes: "@", Text: "#text", Prefixes: true},
	}
}

// Check complains of each option whose value can't be used.
func (o *Options) Check(c *adapters.OptionErrors) {
	c.OneOf("format", string(o.Format), o.Format.Values()...)
	c.Refuse(o.MaxBody < 1 || o.MaxBody > maxMaxBody, "max_body", "%s is out of bounds; it is from 1 byte to %s",
		o.MaxBody, adapters.Size(maxMaxBody))

	const noDelimiter = `%q can't be used; it is one character, and no quote or line break`
	c.Refuse(!isDelimiter(o.CSV.delimiter()), "csv.delimiter", noDelimiter, o.CSV.Delimiter)
	if comment := o.CSV.Comment; comment != "" {
		c.Refuse(!isDelimiter(comment), "csv.comment", noDelimiter, comment)
		c.Refuse(comment == o.CSV.delimiter(), "csv.comment", "%q is the delimiter", comment)
	}

	const noMark = `%q can't be used; it starts with one of !#$%%&*+-./=@^~, as no element's name does, and is at most %d bytes long`
	c.Refuse(!isMark(o.XML.Attributes), "xml.attributes", noMark, o.XML.Attributes, maxMark)
	c.Refuse(!isMark(o.XML.Text), "xml.text", noMark, o.XML.Text, maxMark)
	attribute, ok := strings.CutPrefix(o.XML.Text, o.XML.Attributes)
	c.Refuse(ok && attribute != "", "xml.text", "%q could be an attribute's name", o.XML.Text)
	for _, name := range o.XML.Lists {
		c.Refuse(name == "", "xml.lists", "an element's name is empty")
	}
}

// delimiter returns Delimiter itself, or what it is spelled out for.
func (o *CSV) delimiter() string {
	if o.Delimiter == "tab" || o.Delimiter == `\t` {
		return "\t"
	}
	return o.Delimiter
}

// isDelimiter reports whether encoding/csv takes s.
func isDelimiter(s string) bool {
	r, size := utf8.DecodeRuneInString(s)
	return size == len(s) && r != utf8.RuneError && !strings.ContainsRune("\x00\"\r\n", r)
}

// isMark reports whether s tells what it starts from an element's name (XML
// 1.0, section 2.3).
func isMark(s string) bool {
	return s != "" && len(s) <= maxMark && strings.ContainsRune("!#$%&*+-./=@^~", rune(s[0])) && utf8.ValidString(s)
}

// Accept returns the value of the Accept header that goes with the format.
// All but text and bytes leave the last word to the upstream.
func (o *Options) Accept() string {
	switch o.Format {
	case NDJSON:
		return "application/x-ndjson, application/jsonl, application/json-seq;q=0.9, */*;q=0.5"
	case CSVFormat:
		return "text/csv, */*;q=0.5"
	case XMLFormat:
		return "application/xml, text/xml;q=0.9, */*;q=0.5"
	case Text:
		return "text/plain, text/*;q=0.9, */*;q=0.5"
	case Bytes:
		return "*/*"
	default:
		return "application/json, */*;q=0.5"
	}
}
