package payload

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

var (
	errUTF8    = errors.New("it is not UTF-8")
	errCharset = errors.New("its charset is not known")
)

// A charmap is an encoding, by default UTF-8, that is strict.
type charmap struct {
	name string // for errors
	encoding.Encoding

	// unit is the number of bytes of which a text is a multiple, if malformed
	// ones may pass as U+FFFD; otherwise it is 0.
	unit int
}

// jsonText returns a body that holds JSON in UTF-8, without a byte order mark.
// label is the charset that was declared for it, or empty.
func jsonText(label string, body []byte) ([]byte, error) {
	if text, ok, err := marked(body); ok {
		return text, err
	}
	// Where there is a NUL it isn't JSON, and looks like UTF-16.
	if utf8.Valid(body) && (label == "" || bytes.IndexByte(body, 0) < 0) {
		return body, nil
	}
	return decode(label, body)
}

// plainText does the same for a body of text.
func plainText(label string, body []byte) ([]byte, error) {
	if text, ok, err := marked(body); ok {
		return text, err
	}
	return decode(label, body)
}

// xmlText does the same for a body of XML. The declaration of XML is taken
// off as well.
func xmlText(label string, body []byte) ([]byte, error) {
	if text, ok, err := marked(body); ok {
		_, text = cutDeclaration(text)
		return text, err
	}
	declared, _ := cutDeclaration(body)
	if strings.HasPrefix(strings.ToLower(declared), "utf-16") {
		declared = "" // it wouldn't have been found if it were true
	}
	if label == "" || isUTF8(label) && !utf8.Valid(body) {
		label = declared
	}
	text, err := decode(label, body)
	_, text = cutDeclaration(text)
	return text, err
}

// cutDeclaration returns the encoding that a document of XML declares (XML
// 1.0, section 2.8), or "", and what follows the declaration.
func cutDeclaration(text []byte) (declared string, rest []byte) {
	const longest = 1024
	start, ok := bytes.CutPrefix(text, []byte("<?xml"))
	if !ok || len(start) == 0 || !strings.Contains(space, string(start[:1])) {
		return "", text
	}
	end := bytes.Index(start[:min(len(start), longest)], []byte("?>"))
	if end < 0 {
		return "", text
	}
	_, after, _ := strings.Cut(string(start[:end]), "encoding")
	after, ok = strings.CutPrefix(strings.TrimSpace(after), "=")
	after = strings.TrimSpace(after)
	if ok && after != "" {
		declared, _, _ = strings.Cut(after[1:], after[:1]) // within quotes
	}
	return declared, start[end+len("?>"):]
}

// marked decodes a body by its byte order mark. ok is false if it has none.
func marked(body []byte) (text []byte, ok bool, err error) {
	// A mark of UTF-32 starts with one of UTF-16.
	for _, m := range []struct {
		mark    string
		charmap charmap
	}{
		{"\xef\xbb\xbf", charmap{name: "utf-8"}},
		{"\x00\x00\xfe\xff", charmap{"utf-32", utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM), 4}},
		{"\xff\xfe\x00\x00", charmap{"utf-32", utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM), 4}},
		{"\xfe\xff", charmap{"utf-16", unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), 2}},
		{"\xff\xfe", charmap{"utf-16", unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), 2}},
	} {
		if rest, ok := bytes.CutPrefix(body, []byte(m.mark)); ok {
			text, err := m.charmap.decode(rest)
			return text, true, err
		}
	}
	return nil, false, nil
}

func isUTF8(label string) bool {
	return strings.EqualFold(label, "utf-8") || strings.EqualFold(label, "utf8")
}

// decode decodes body from the charset called label, which is UTF-8 if empty.
func decode(label string, body []byte) ([]byte, error) {
	if label == "" || isUTF8(label) {
		return charmap{name: "utf-8"}.decode(body)
	}
	if e, name := charset.Lookup(label); e != nil && name != "replacement" {
		c := charmap{name: name, Encoding: e}
		switch name {
		case "utf-8":
			c.Encoding = nil
		case "utf-16le", "utf-16be":
			c.unit = 2
		}
		return c.decode(body)
	}
	// There are names in the registry whose encoding the library lacks.
	if e, err := ianaindex.IANA.Encoding(label); err == nil && e != nil {
		name, _ := ianaindex.IANA.Name(e)
		return charmap{name: name, Encoding: e}.decode(body)
	}
	return nil, errCharset
}

// decode returns body in UTF-8.
func (c charmap) decode(body []byte) ([]byte, error) {
	if c.Encoding == nil {
		if !utf8.Valid(body) {
			return nil, errUTF8
		}
		return body, nil
	}
	text, err := c.NewDecoder().Bytes(body)
	switch {
	case err != nil:
	case c.unit == 0 && bytes.ContainsRune(text, utf8.RuneError):
	case c.unit > 0 && len(body)%c.unit > 0:
	default:
		return text, nil
	}
	return nil, fmt.Errorf("it is not %s", c.name)
}
